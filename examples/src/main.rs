//! Writes a generated log of one of the examples to stdout.

use std::io::Write;
use std::process::ExitCode;

use metricc_examples::{Case, generate};

const USAGE: &str =
    "usage: cargo run -p metricc-examples -- payments|requests|views [RECORDS] [SEED] > FILE.ndjson";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let case = arguments.first().and_then(|name| Case::ALL.into_iter().find(|case| case.name() == name));
    let number =
        |place: usize, default: u64| arguments.get(place).map_or(Some(default), |text| text.parse().ok());
    let mut stderr = std::io::stderr();
    let (Some(case), Some(n_records), Some(seed)) = (case, number(1, 10_000), number(2, 1)) else {
        let _ = writeln!(stderr, "{USAGE}");
        return ExitCode::from(2);
    };
    let log = generate(case, n_records as usize, seed);
    let _ =
        writeln!(stderr, "{n_records} records, {} hostile, {} duplicates", log.n_hostile, log.n_duplicates);
    match std::io::stdout().write_all(log.ndjson.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
