//! `metricc query`.

mod row;
mod several;
mod side_by_side;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use comfy_table::{Table, presets};
use futures::StreamExt;
use metricc_client::{
    EncodedRows, Explained, Format, HttpServing, Layer, ReadRequest, Served, ServedPart, Serving,
    ServingError,
};
use metricc_ir::text::visible;
use metricc_runtime_serve::OverflowSummary;
use serde_json::Value;
use serde_json::value::RawValue;

use super::arguments::{QueryArguments, QueryFormat};
use super::deploy;
use super::plot::plot;
use super::table::{self, Rows};
use super::terminal::{self, Failure, counted};
use row::{QueryRow, has_partial, has_totals};

/// How long the command waits for a node that is reading its log.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &QueryArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(query(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn query(arguments: &QueryArguments) -> Result<(), Failure> {
    let node = arguments.node.serving()?;
    let (metric, others) = match &arguments.metric[..] {
        [] => return list(&node).await,
        [metric, others @ ..] => (metric, others),
    };
    if !others.is_empty() {
        several::check(arguments)?;
    }
    let mut request = request(metric, arguments)?;
    if let Some(version) = arguments.of_version {
        request.hash = Some(deploy::hash_of(&arguments.node, version, metric).await?);
    }
    let cover = Duration::from_micros(arguments.wait_for.unsigned_abs());
    let waiting = Waiting { start: Instant::now(), cover: arguments.wait.is_some().then_some(cover) };
    if !others.is_empty() {
        let of = |metric: &String| ReadRequest { metric: metric.clone(), ..request.clone() };
        let requests: Vec<ReadRequest> = arguments.metric.iter().map(of).collect();
        let answers = when_ready(waiting, || node.read_many(requests.clone())).await?;
        return several::show(&answers, arguments);
    }
    let format = match arguments.output {
        QueryFormat::Csv => Some(Format::Csv),
        QueryFormat::Arrow => Some(Format::Arrow),
        QueryFormat::Table | QueryFormat::Json => None,
    };
    if let Some(format) = format {
        if arguments.live || arguments.explain || arguments.receipt {
            let problem = "`--live`, `--explain` and `--receipt` need `--output table` or `--output json`";
            return Err(Failure::Message(problem.to_owned()));
        }
        let rows = when_ready(waiting, || node.read_as(&request, format)).await?;
        return show_encoded(metric, &rows);
    }
    if arguments.explain {
        return explain(&when_ready(waiting, || node.explain(request.clone())).await?, arguments);
    }
    if !arguments.live {
        let served = when_ready(waiting, || node.read(request.clone())).await?;
        return show(&served, Shown::of(arguments));
    }
    let mut answers = node.subscribe(request.clone());
    while let Some(answer) = answers.next().await {
        match answer {
            // No news for a long time is no reason to end.
            Err(ServingError::Dropped(_)) => answers = node.subscribe(request.clone()),
            answer => show(&answer?, Shown::of(arguments))?,
        }
    }
    Err(Failure::NotNow("the node has ended the subscription, since it shuts down".to_owned()))
}

/// Writes rows as the node sent them.
pub(crate) fn show_encoded(metric: &str, rows: &EncodedRows) -> Result<(), Failure> {
    rows.notes.iter().for_each(|note| terminal::warning(note));
    terminal::bytes(&rows.bytes)?;
    if let Some(overflow) = &rows.overflow {
        terminal::warning(&format!("`{metric}`: some rows could not be computed: {overflow}"));
    }
    note_next(rows.next.as_deref());
    Ok(())
}

/// Prints the metrics of a node.
async fn list(node: &HttpServing) -> Result<(), Failure> {
    for metric in node.metrics().await? {
        let doc = metric.doc.lines().next().unwrap_or_default();
        terminal::data(&format!("{}\n", format!("{:<24} {doc}", metric.name).trim_end()))?;
    }
    Ok(())
}

fn request(metric: &str, arguments: &QueryArguments) -> Result<ReadRequest, Failure> {
    Ok(ReadRequest {
        at: arguments.at.clone(),
        min_frontier: arguments.wait.clone(),
        epoch: arguments.epoch.clone(),
        receipt: arguments.receipt,
        limit: arguments.page,
        cursor: arguments.cursor.clone(),
        ..arguments.rows.request(metric, &arguments.range)?
    })
}

/// How long the command waits.
#[derive(Clone, Copy)]
pub(crate) struct Waiting {
    /// For a node that is reading its log.
    pub(crate) start: Instant,
    /// For the frontier that an answer has to cover; none where it need not cover one.
    pub(crate) cover: Option<Duration>,
}

/// Repeats a request until the node has read its log, and answers cover the frontier that is waited for.
async fn when_ready<T, A: Future<Output = Result<T, ServingError>>>(
    waiting: Waiting,
    send: impl Fn() -> A,
) -> Result<T, Failure> {
    let mut pause = Duration::from_millis(100);
    let Some(cover) = waiting.cover else { return Ok(when_started(waiting, &mut pause, &send).await?) };
    let covered = async {
        loop {
            match when_started(waiting, &mut pause, &send).await {
                // The node has waited for a time already.
                Err(ServingError::Behind { .. }) => tokio::time::sleep(pause).await,
                answer => return answer,
            }
        }
    };
    match tokio::time::timeout(cover, covered).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::NotNow(format!(
            "the frontier was not reached within {} s: the events up to it are not readable yet, or not sent",
            cover.as_secs_f64()
        ))),
    }
}

/// Shorter than a node keeps a connection without a request.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn when_started<T, A: Future<Output = Result<T, ServingError>>>(
    waiting: Waiting,
    pause: &mut Duration,
    send: &impl Fn() -> A,
) -> Result<T, ServingError> {
    loop {
        match send().await {
            Err(error @ (ServingError::NotReady { .. } | ServingError::Backfilling { .. }))
                if waiting.start.elapsed() < PATIENCE =>
            {
                if *pause > Duration::from_millis(500) {
                    terminal::note(error);
                }
                tokio::time::sleep(*pause).await;
                *pause = (*pause * 2).min(LONGEST_PAUSE);
            }
            answer => return answer,
        }
    }
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

/// How an answer is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) output: QueryFormat,
    pub(crate) plot: bool,
    pub(crate) limit: usize,
    pub(crate) full_hashes: bool,
}

impl Shown {
    fn of(arguments: &QueryArguments) -> Self {
        let QueryArguments { output, plot, limit, full_hashes, .. } = *arguments;
        Shown { output, plot, limit, full_hashes }
    }
}

pub(crate) fn show(served: &Served, shown: Shown) -> Result<(), Failure> {
    let rows = parsed(&served.rows)?;
    match shown.output {
        QueryFormat::Json => {
            for row in &served.rows {
                terminal::data(&format!("{}\n", row.get()))?;
            }
        }
        _ if shown.plot => terminal::data(&plot(&served.metric, &rows, terminal::terminal_width()))?,
        _ => terminal::data(&table_of(served, shown.limit)?)?,
    }
    for overflow in overflows(&served.metric, &rows) {
        terminal::warning(&overflow.to_string());
    }
    served.notes.iter().for_each(|note| terminal::warning(note));
    let n_rows = counted(served.rows.len(), "row", "rows");
    let hash = terminal::hash(&served.hash, shown.full_hashes);
    terminal::note(format!("{n_rows} at frontier {:?} of {hash}", served.frontier));
    note_next(served.next.as_deref());
    if let Some(receipt) = &served.receipt {
        for part in &receipt.parts {
            terminal::note(format!("  {}: {}", part.source, shown_part(part)));
        }
        for (source, end) in &receipt.ends {
            terminal::note(format!("  {source}: the log ended at {end:?}"));
        }
    }
    Ok(())
}

/// Says how to read on after a page.
fn note_next(next: Option<&str>) {
    if let Some(next) = next {
        terminal::note(format!("more rows follow: --cursor {next}"));
    }
}

fn parsed(rows: &[Box<RawValue>]) -> Result<Vec<Value>, Failure> {
    Ok(rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>()?)
}

fn shown_part(part: &ServedPart) -> String {
    let layer = match part.layer {
        Some(Layer::Batch) => "batch ",
        Some(Layer::Tail) => "tail ",
        Some(Layer::Log) => "log ",
        None => "",
    };
    format!("{layer}{:?} to {:?}", part.from, part.to)
}

/// A table for each base metric: its rows, with a column for each part of the log.
fn explain(explained: &Explained, arguments: &QueryArguments) -> Result<(), Failure> {
    if arguments.output == QueryFormat::Json {
        return terminal::data(&format!("{}\n", serde_json::to_string(explained)?));
    }
    show(&explained.answer, Shown::of(arguments))?;
    for metric in &explained.of {
        let mut sums: BTreeMap<String, (QueryRow, Vec<String>)> = BTreeMap::new();
        for (index, part) in metric.parts.iter().enumerate() {
            for row in QueryRow::all(&part.rows)? {
                let named = format!("{}{:?}", row.window, row.key);
                let value = table::shown(text(row.value()).as_deref()).into_owned();
                let (_, values) = sums.entry(named).or_insert_with(|| (row, Vec::new()));
                values.resize(index, String::new());
                values.push(value);
            }
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        let is_partial = has_partial(sums.values().map(|(row, _)| row));
        let groups = |row: &QueryRow| row.groups(is_partial, false);
        let first = sums.values().next().map(|(row, _)| groups(row)).unwrap_or_default();
        let parts = metric.parts.iter().map(|part| {
            format!(
                "{}\n{}",
                shown_part(&part.part),
                counted(part.positions as usize, "position", "positions")
            )
        });
        table.set_header(first.into_iter().map(|(name, _)| visible(&name).into_owned()).chain(parts));
        let shown = if arguments.limit == 0 { sums.len() } else { arguments.limit };
        for (row, values) in sums.values().take(shown) {
            let mut values = values.clone();
            values.resize(metric.parts.len(), String::new());
            let groups =
                groups(row).into_iter().map(|(_, value)| table::shown(text(value).as_deref()).into_owned());
            table.add_row(groups.chain(values));
        }
        terminal::data(&format!("{} by parts of the log\n{table}\n", metric.metric))?;
    }
    Ok(())
}

/// A value as text; `None` if there is none.
fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        value => Some(value.to_string()),
    }
}

fn table_of(served: &Served, limit: usize) -> Result<String, Failure> {
    let rows = QueryRow::all(&served.rows)?;
    let Some(first) = rows.first() else { return Ok(String::new()) };
    let (is_partial, has_totals) = (has_partial(&rows), has_totals(&rows));
    let cells = |row: &QueryRow| [row.groups(is_partial, has_totals), row.values("value")].concat();
    let (header, values): (Vec<String>, Vec<Value>) = cells(first).into_iter().unzip();
    let is_number: Vec<bool> = values.iter().map(is_number).collect();
    let rows: Vec<Vec<Option<String>>> =
        rows.iter().map(|row| cells(row).into_iter().map(|(_, value)| text(value)).collect()).collect();
    let rows = Rows {
        name: &served.metric,
        unit: served.unit.as_deref(),
        doc: "",
        header: &header,
        is_number: &is_number,
        rows: &rows,
    };
    Ok(table::table(&rows, limit))
}

/// What could not be computed: for each value the number of rows, and of events.
fn overflows(metric: &str, rows: &[Value]) -> Vec<OverflowSummary> {
    let mut sums: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
    for (output, n_events) in rows.iter().filter_map(|row| row["overflow"].as_object()).flatten() {
        let sum = sums.entry(output).or_default();
        sum.0 += 1;
        sum.1 = sum.1.saturating_add(n_events.as_i64().unwrap_or_default());
    }
    let summary = |(output, (n_rows, n_events)): (&str, (usize, i64))| {
        let (metric, output) = (metric.to_owned(), output.to_owned());
        OverflowSummary { metric, output, n_rows, n_events }
    };
    sums.into_iter().map(summary).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn served(unit: Option<&str>, row: &Value) -> Served {
        let (metric, hash) = ("m".to_owned(), String::new());
        Served {
            metric,
            hash,
            frontier: Vec::new(),
            epoch: None,
            unit: unit.map(str::to_owned),
            notes: Vec::new(),
            rows: vec![serde_json::value::to_raw_value(row).expect("JSON")],
            next: None,
            receipt: None,
        }
    }

    #[test]
    fn columns_are_called_as_everywhere_and_none_is_no_text() {
        let row = json!({ "key": { "k": "none" }, "window": null, "value": null });
        let of_one = table_of(&served(Some("EUR"), &row), 0).expect("a table");
        assert!(of_one.starts_with("m [EUR]\n"), "{of_one}");
        assert!(of_one.contains("│ k      ┆ value │"), "{of_one}");
        assert!(of_one.contains("│ \"none\" ┆ none  │"), "{of_one}");
        let row = json!({ "key": {}, "window": null, "value": { "n": 1, "value": 2 } });
        let of_two = table_of(&served(None, &row), 0).expect("a table");
        assert!(of_two.contains("│ n ┆ value │"), "{of_two}");
    }

    #[test]
    fn what_could_not_be_computed_is_summed_up() {
        let rows = [
            json!({ "value": { "s": null }, "overflow": { "s": 2 } }),
            json!({ "value": { "s": null }, "overflow": { "s": 0 } }),
            json!({ "value": { "s": "1" } }),
        ];
        let found = overflows("m", &rows);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].output.as_str(), found[0].n_rows, found[0].n_events), ("s", 2, 2));
    }
}
