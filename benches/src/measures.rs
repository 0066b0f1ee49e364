//! `MEASURE` beside the same aggregation by plain DataFusion over presented numbers.
//!
//! ```sh
//! cargo run --release -p metricc-bench --features sql --bin measures               # 1,000,000 groups
//! cargo run --release -p metricc-bench --features sql --bin measures -- GROUPS
//! ```
//!
//! The groups are those of a metric by user and country. Its tables stand in a session of DataFusion, and beside
//! them a table in memory of the rows that they present. Each question is asked of both, in turns. Figures are
//! CPU-seconds over all threads, best of five rounds.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use clock::{Run, best};
use metricc::sql::datafusion::datasource::MemTable;
use metricc::sql::datafusion::prelude::SessionContext;
use metricc::sql::{Tables, session};
use metricc::{
    Engine, EngineOptions, Frontier, LocalServing, Package, bind, evaluate, parse_binding, serve_evaluated,
};
use tokio::runtime::Runtime;

mod clock;

/// The allocator of the `metricc` command, for everything that is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

const N_COUNTRIES: usize = 30;

const PACKAGE: &str = "
source events { at: timestamp time  user: int  country: string  amount: int }
metric sales = { n: count(), total: sum(amount), least: min(amount), average: mean(amount) } {
  from events
  by user, country
}
";

/// A question over the metric's table, and over the table of presented numbers. A mean of presented numbers is a
/// quotient of sums, since that of means is another number.
const QUESTIONS: [(&str, &str); 5] = [
    (
        "SELECT country, MEASURE(n) FROM sales GROUP BY country",
        "SELECT country, SUM(n) FROM presented GROUP BY country",
    ),
    (
        "SELECT country, MEASURE(n), MEASURE(total), MEASURE(least) FROM sales GROUP BY country",
        "SELECT country, SUM(n), SUM(total), MIN(least) FROM presented GROUP BY country",
    ),
    (
        "SELECT country, MEASURE(average) FROM sales GROUP BY country",
        "SELECT country, SUM(total) / CAST(SUM(n) AS DOUBLE) FROM presented GROUP BY country",
    ),
    (
        "SELECT \"user\", MEASURE(total) FROM sales GROUP BY \"user\"",
        "SELECT \"user\", SUM(total) FROM presented GROUP BY \"user\"",
    ),
    ("SELECT MEASURE(n), MEASURE(total) FROM sales", "SELECT SUM(n), SUM(total) FROM presented"),
];

/// Writes a line of the result.
#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
fn out(line: &str) {
    println!("{line}");
}

/// An event for each group.
fn write_events(path: &Path, n_groups: usize) -> Result<(), Failure> {
    let text = (0..n_groups).fold(String::new(), |mut text, user| {
        let (country, amount) = (user.wrapping_mul(2_654_435_761) % N_COUNTRIES, user % 1000);
        let _ = writeln!(
            text,
            "{{\"at\":\"2026-04-25T10:00:00Z\",\"user\":{user},\"country\":\"C{country}\",\"amount\":{amount}}}"
        );
        text
    });
    Ok(std::fs::write(path, text)?)
}

/// The metric over the events, evaluated and served.
fn served(folder: &Path, n_groups: usize) -> Result<LocalServing, Failure> {
    write_events(&folder.join("events.ndjson"), n_groups)?;
    let file = folder.join("sales.metric");
    std::fs::write(&file, PACKAGE)?;
    let package = Package::read(&file)?;
    let binding = parse_binding(&format!("events={}", folder.join("events.ndjson").display()))?;
    let bound = bind(&package, &package.metrics(&[])?, &[binding], &|_, _| ())?.remove(0);
    let options = EngineOptions::default();
    let evaluated = evaluate(&bound, Some(Engine::Batch), &Frontier::default(), &options, &|_| ())?;
    Ok(serve_evaluated(&package, &[(&bound, evaluated.segments)])?)
}

/// Runs a statement; its number of rows.
fn run(runtime: &Runtime, context: &SessionContext, statement: &str) -> Result<usize, Failure> {
    let batches = runtime.block_on(async { context.sql(statement).await?.collect().await })?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

fn main() -> Result<(), Failure> {
    let n_groups: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let folder = tempfile::tempdir()?;
    let serving = served(folder.path(), n_groups)?;
    let (tables, _) = Tables::of(&serving.snapshot(), Vec::new());
    let context = session(&tables)?;
    let runtime = Runtime::new()?;
    let rows = runtime.block_on(async { context.sql("SELECT * FROM sales").await?.collect().await })?;
    let schema = rows.first().ok_or("no rows")?.schema();
    context.register_table("presented", Arc::new(MemTable::try_new(schema, vec![rows])?))?;
    out(&format!("{n_groups} groups; CPU-seconds, best of five rounds\n"));
    out("| statement | measure | presented numbers | measure ÷ presented |");
    out("|---|---|---|---|");
    for (measure, presented) in QUESTIONS {
        let n_rows = run(&runtime, &context, measure)?;
        if n_rows != run(&runtime, &context, presented)? {
            return Err(format!("other rows: {measure}").into());
        }
        let asked: [Run<'_>; 2] = [&|| run(&runtime, &context, measure).map(|_| ()), &|| {
            run(&runtime, &context, presented).map(|_| ())
        }];
        let [measured, plain] = best(asked)?;
        out(&format!("| `{measure}` | {measured:.3} | {plain:.3} | {:.2} |", measured / plain));
    }
    Ok(())
}
