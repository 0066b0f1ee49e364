//! `metricc query`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use futures::StreamExt;
use metricc_client::{
    Explained, Format, HttpServing, Layer, ReadRequest, Served, ServedPart, Serving, ServingError, key_value,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::arguments::{QueryArguments, QueryFormat};
use super::check::counted;
use super::plot::plot;
use super::terminal::{self, Failure};

/// How long the command waits for a node that is reading its log.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(arguments: &QueryArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(query(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn query(arguments: &QueryArguments) -> Result<(), Failure> {
    let mut node = HttpServing::new(&arguments.node.node)?;
    if let Some(token) = arguments.node.token()? {
        node = node.with_token(&token)?;
    }
    let Some(metric) = &arguments.metric else { return list(&node).await };
    let request = request(metric, arguments)?;
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
        return terminal::bytes(&when_ready(|| node.read_as(&request, format)).await?);
    }
    if arguments.explain {
        return explain(&when_ready(|| node.explain(request.clone())).await?, arguments);
    }
    if !arguments.live {
        return show(&when_ready(|| node.read(request.clone())).await?, arguments);
    }
    let mut answers = node.subscribe(request);
    while let Some(answer) = answers.next().await {
        show(&answer?, arguments)?;
    }
    Err(Failure::Message("the node has shut down".to_owned()))
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
    let keys = arguments.keys.iter().map(|(name, value)| (name.clone(), key_value(value)));
    let instant =
        |micros: Option<i64>| micros.map(metricc_client::jiff::Timestamp::from_microsecond).transpose();
    Ok(ReadRequest {
        metric: metric.to_owned(),
        keys: keys.collect(),
        from: instant(arguments.range.from)?,
        to: instant(arguments.range.to)?,
        grain: arguments.range.grain.clone(),
        latest: arguments.latest,
        at: arguments.at.clone(),
        receipt: arguments.receipt,
        hash: None,
    })
}

/// Repeats a request to a node that has just started, until the node has read its log.
async fn when_ready<T, A: Future<Output = Result<T, ServingError>>>(
    send: impl Fn() -> A,
) -> Result<T, ServingError> {
    let mut pause = Duration::from_millis(100);
    let end = Instant::now() + PATIENCE;
    loop {
        match send().await {
            Err(ServingError::NotReady { origin }) if Instant::now() < end => {
                if pause > Duration::from_millis(500) {
                    terminal::note(format!(
                        "source `{origin}` is not served yet: the node is reading its log"
                    ));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            answer => return answer,
        }
    }
}

fn show(served: &Served, arguments: &QueryArguments) -> Result<(), Failure> {
    if arguments.output == QueryFormat::Json {
        for row in &served.rows {
            terminal::data(&format!("{}\n", row.get()))?;
        }
    } else {
        let rows = parsed(&served.rows)?;
        let text = match arguments.plot {
            true => plot(&served.metric, &rows, terminal::terminal_width()),
            false => table(&served.metric, &rows, arguments.limit),
        };
        terminal::data(&text)?;
    }
    let n_rows = counted(served.rows.len(), "row", "rows");
    terminal::note(format!("{n_rows} at frontier {:?} of {}", served.frontier, served.hash));
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
    show(&explained.answer, arguments)?;
    for metric in &explained.of {
        let mut sums: BTreeMap<String, (Value, Vec<String>)> = BTreeMap::new();
        for (index, part) in metric.parts.iter().enumerate() {
            for row in parsed(&part.rows)? {
                let named = format!("{}{}", row["window"], row["key"]);
                let (_, values) = sums.entry(named).or_insert_with(|| (row.clone(), Vec::new()));
                values.resize(index, String::new());
                values.push(text(row["value"].clone()));
            }
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        let groups = |row: &Value| {
            let row = json!({ "window": row["window"], "key": row["key"], "value": {} });
            cells(&row)
        };
        let first = sums.values().next().map(|(row, _)| groups(row)).unwrap_or_default();
        let parts = metric.parts.iter().map(|part| {
            format!(
                "{}\n{}",
                shown_part(&part.part),
                counted(part.positions as usize, "position", "positions")
            )
        });
        table.set_header(first.into_iter().map(|(name, _)| name).chain(parts));
        let shown = if arguments.limit == 0 { sums.len() } else { arguments.limit };
        for (row, values) in sums.values().take(shown) {
            let mut values = values.clone();
            values.resize(metric.parts.len(), String::new());
            table.add_row(groups(row).into_iter().map(|(_, value)| text(value)).chain(values));
        }
        terminal::data(&format!("{} by parts of the log\n{table}\n", metric.metric))?;
    }
    Ok(())
}

fn text(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        value => value.to_string(),
    }
}

fn table(metric: &str, rows: &[Value], limit: usize) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    let mut names: Vec<String> = cells(first).into_iter().map(|(name, _)| name).collect();
    // A value without a name is called like its metric; a key may be called `value`.
    if !first["value"].is_object()
        && let Some(last) = names.last_mut()
    {
        *last = metric.to_owned();
    }
    table.set_header(names);
    let shown = if limit == 0 { rows.len() } else { limit };
    for row in rows.iter().take(shown) {
        table.add_row(cells(row).into_iter().map(|(_, value)| text(value)));
    }
    for (index, (_, value)) in cells(first).iter().enumerate() {
        let is_decimal = value.as_str().is_some_and(|text| text.parse::<f64>().is_ok());
        if let (true, Some(column)) = (value.is_number() || is_decimal, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let more = match rows.len().saturating_sub(shown) {
        0 => String::new(),
        n => format!("… and {n} more; `--limit 0` shows all\n"),
    };
    format!("{table}\n{more}")
}

/// Window, keys and values of a row, by their names.
pub(crate) fn cells(row: &Value) -> Vec<(String, Value)> {
    let mut cells = Vec::new();
    let mut put = |name: &str, value: &Value| cells.push((name.to_owned(), value.clone()));
    if let Some(window) = row["window"].as_object() {
        put("window_start", &window["start"]);
        put("window_end", &window["end"]);
    }
    for (name, value) in row["key"].as_object().into_iter().flatten() {
        put(name, value);
    }
    match &row["value"] {
        Value::Object(outputs) => outputs.iter().for_each(|(name, value)| put(name, value)),
        value => put("value", value),
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_name_of_its_metric_and_a_key_its_own() {
        let of_one = table("m", &[json!({ "key": { "value": "a" }, "window": null, "value": 1 })], 0);
        assert!(of_one.contains("│ value ┆ m │"), "{of_one}");
        let of_two = table("m", &[json!({ "key": {}, "window": null, "value": { "n": 1, "value": 2 } })], 0);
        assert!(of_two.contains("│ n ┆ value │"), "{of_two}");
    }
}
