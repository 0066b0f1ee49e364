//! Decodes payments, so that a profiler can count what a record costs: `decode_payments FORMAT RECORDS
//! ROUNDS` with `ndjson` or `csv` decodes a body; `FORMAT-file` opens a log of one file, and reads it.
//!
//! ```text
//! valgrind --tool=callgrind target/debug/examples/decode_payments ndjson 10000 2
//! ```
//!
//! The difference between two numbers of rounds is the cost of decoding alone.

mod payments;

use std::error::Error;

use metricc_log::{Binding, BodyFormat, BodyLimits, EventDecoder, Interval, Log};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().unwrap_or_default();
    let n_records: u64 = arguments.next().unwrap_or_default().parse()?;
    let n_rounds: u64 = arguments.next().unwrap_or_default().parse()?;
    let (format, is_file) = form.strip_suffix("-file").map_or((&*form, false), |format| (format, true));
    let (body, format) = match format {
        "ndjson" => (payments::ndjson(n_records), BodyFormat::Ndjson),
        "csv" => (payments::csv(n_records), BodyFormat::Csv { delimiter: b',' }),
        _ => return Err("the first argument is `ndjson`, `csv`, `ndjson-file` or `csv-file`".into()),
    };
    let source = payments::source();
    let decoder = EventDecoder::new(&source)?;
    let limits = BodyLimits { records: u64::MAX, bytes: usize::MAX };
    let folder = tempfile::tempdir()?;
    let path =
        folder.path().join(form.replace("-file", "").as_str()).with_extension(form.replace("-file", ""));
    if is_file {
        std::fs::write(&path, &body)?;
    }
    for _ in 0..n_rounds {
        let n_decoded = if is_file {
            read(&Log::open(&source, &Binding::new(path.to_string_lossy()))?)?
        } else {
            let events = decoder.decode(format, body.as_bytes(), &limits)?;
            events.n_records() - events.rejected().len() as u64
        };
        if n_decoded != n_records {
            return Err(format!("{n_decoded} of {n_records} records").into());
        }
    }
    Ok(())
}

/// Reads all of a log. Returns the number of its rows.
fn read(log: &Log) -> Result<u64, Box<dyn Error>> {
    let mut n_rows = 0;
    let columns: Vec<usize> = (0..log.source().fields.len()).collect();
    for slice in log.slices(&Interval::new(log.start(), log.end())?, 1).into_iter().flatten() {
        for batch in log.read(&slice, &columns, 8192)? {
            n_rows += batch?.rows.num_rows() as u64;
        }
    }
    Ok(n_rows)
}
