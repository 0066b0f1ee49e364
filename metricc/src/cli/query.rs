//! `metricc query`.

use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets};
use futures::StreamExt;
use metricc_client::{ReadRequest, Served, Serving};
use serde_json::Value;

use super::arguments::{QueryArguments, QueryFormat};
use super::check::counted;
use super::terminal::{self, Failure};
use crate::HttpServing;

pub(crate) fn run(arguments: &QueryArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(ask(arguments))
}

async fn ask(arguments: &QueryArguments) -> Result<ExitCode, Failure> {
    let mut node = HttpServing::new(&arguments.node.node)?;
    if let Some(token) = arguments.node.token()? {
        node = node.with_token(&token)?;
    }
    let Some(metric) = &arguments.metric else {
        let metrics = node.metrics().await?;
        for metric in &metrics {
            let doc = metric.doc.lines().next().unwrap_or_default();
            terminal::data(format!("{:<24} {doc}", metric.name).trim_end())?;
            terminal::data("\n")?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let keys = arguments.keys.iter().map(|(name, value)| {
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
        (name.clone(), value)
    });
    let instant =
        |micros: Option<i64>| micros.map(metricc_client::jiff::Timestamp::from_microsecond).transpose();
    let request = ReadRequest {
        metric: metric.clone(),
        keys: keys.collect(),
        from: instant(arguments.range.from)?,
        to: instant(arguments.range.to)?,
        grain: arguments.range.grain.clone(),
        latest: arguments.latest,
        ..ReadRequest::default()
    };
    if !arguments.live {
        show(&node.read(request).await?, arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut answers = node.subscribe(request);
    while let Some(answer) = answers.next().await {
        show(&answer?, arguments)?;
    }
    Err(Failure::Message("the node has ended".to_owned()))
}

fn show(served: &Served, arguments: &QueryArguments) -> Result<(), Failure> {
    match arguments.output {
        QueryFormat::Json => {
            for row in &served.rows {
                terminal::data(&format!("{}\n", row.get()))?;
            }
        }
        QueryFormat::Table => {
            let rows = served.rows.iter().map(|row| serde_json::from_str(row.get()));
            let rows: Vec<Value> = rows.collect::<Result<_, _>>()?;
            terminal::data(&table(&served.metric, &rows, arguments.limit))?;
        }
    }
    let offsets: Vec<String> = served.frontier.iter().map(u64::to_string).collect();
    terminal::note(format!(
        "{} at frontier [{}]",
        counted(served.rows.len(), "row", "rows"),
        offsets.join(", ")
    ));
    Ok(())
}

fn table(metric: &str, rows: &[Value], limit: usize) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(
        cells(first).into_iter().map(|(name, _)| if name == "value" { metric.to_owned() } else { name }),
    );
    let shown = if limit == 0 { rows.len() } else { limit };
    for row in rows.iter().take(shown) {
        table.add_row(cells(row).into_iter().map(|(_, value)| match value {
            Value::Null => String::new(),
            Value::String(text) => text,
            value => value.to_string(),
        }));
    }
    for (place, (_, value)) in cells(first).iter().enumerate() {
        let is_decimal = value.as_str().is_some_and(|text| text.parse::<f64>().is_ok());
        if let (true, Some(column)) = (value.is_number() || is_decimal, table.column_mut(place)) {
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
fn cells(row: &Value) -> Vec<(String, Value)> {
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
