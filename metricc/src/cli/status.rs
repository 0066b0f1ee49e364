//! `metricc status`: what each metric of a node costs.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use metricc_client::{MetricCost, ServedMetric, Serving};

use serde_json::Value;

use super::arguments::StatusArguments;
use super::deploy::backfill_text;
use super::node_client::{NodeClient, error_of};
use super::table::{self, Rows};
use super::terminal::{self, Failure, counted};

const HEADER: [&str; 8] = [
    "metric",
    "groups in view",
    "in tail",
    "bytes in view",
    "in tail",
    "batch CPU s",
    "stream CPU s",
    "together with",
];

/// How long the node may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn run(arguments: &StatusArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let node = arguments.node.serving()?;
    let metrics = runtime.block_on(node.metrics())?;
    let state = runtime.block_on(state(arguments))?;
    let list = |name: &str| state[name].as_array().cloned().unwrap_or_default();
    let (sources, sinks) = (list("sources"), list("sinks"));
    sources.iter().filter_map(cluster_problem).for_each(|problem| terminal::warning(&problem));
    sources.iter().filter_map(archive_problem).for_each(|problem| terminal::warning(&problem));
    for source in sources.iter().filter(|source| !source["backfill"].is_null()) {
        let name = source["name"].as_str().unwrap_or_default().to_owned();
        terminal::note(backfill_text(&(name, source["backfill"].clone())));
    }
    let states = sources.iter().filter_map(topic_state).chain(sinks.iter().flat_map(sink_states));
    for (state, is_problem) in states {
        match is_problem {
            true => terminal::warning(&state),
            false if !arguments.json => terminal::note(state),
            false => {}
        }
    }
    if arguments.json {
        for metric in &metrics {
            terminal::data(&format!("{}\n", serde_json::to_string(metric)?))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<Vec<Option<String>>> = metrics.iter().map(row).collect();
    let rows = Rows {
        name: "metrics",
        unit: None,
        doc: "what each costs since the node started, or since a deployment changed what is computed",
        header: &HEADER.map(str::to_owned),
        is_number: &[false, true, true, true, true, true, true, false],
        rows: &rows,
    };
    terminal::data(&table::table(&rows, 0))?;
    Ok(ExitCode::SUCCESS)
}

/// The sources and the sinks of the node.
async fn state(arguments: &StatusArguments) -> Result<Value, Failure> {
    let client = NodeClient::new(&arguments.node, &["metrics"], Some(TIME_LIMIT))?;
    let failed = |error: reqwest::Error| client.failure(&error);
    let response = client.get("sources", &[]).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(error_of(response).await.into());
    }
    Ok(serde_json::from_slice(&response.bytes().await.map_err(failed)?)?)
}

/// Why the cluster of a source does not evaluate its batch, if it does not.
fn cluster_problem(source: &Value) -> Option<String> {
    let (cluster, problem) =
        (source["cluster"]["scheduler"].as_str()?, source["cluster"]["problem"].as_str()?);
    let name = source["name"].as_str().unwrap_or_default();
    Some(format!("source `{name}`: the cluster {cluster} did not evaluate the last batch: {problem}"))
}

/// Why flushed events of a source are not copied to the object store, if they are not.
fn archive_problem(source: &Value) -> Option<String> {
    let (url, problem) = (source["archive"]["url"].as_str()?, source["archive"]["problem"].as_str()?);
    let name = source["name"].as_str().unwrap_or_default();
    Some(format!("source `{name}`: flushed events are not copied to {url}: {problem}"))
}

/// How far the topic of a source is in the log, or why it is not read, which is a problem.
fn topic_state(source: &Value) -> Option<(String, bool)> {
    let (topic, name) = (source["kafka"]["topic"].as_str()?, source["name"].as_str().unwrap_or_default());
    if let Some(problem) = source["kafka"]["problem"].as_str() {
        return Some((format!("source `{name}`: {topic} is not read: {problem}"), true));
    }
    let lags = source["kafka"]["partitions"].as_array()?.iter().map(|partition| partition["lag"].as_u64());
    let lags: Vec<u64> = lags.map(Option::unwrap_or_default).collect();
    let partitions = counted(lags.len(), "partition", "partitions");
    let lag: u64 = lags.iter().sum();
    let most = lags.iter().max().copied().unwrap_or(0);
    Some((
        format!("source `{name}`: {topic}: {partitions}, {lag} offsets behind, at most {most} in one"),
        false,
    ))
}

/// How far each metric of a sink is, and why metrics are not written, if so, which is a problem: a server that is
/// away is one problem of all.
fn sink_states(sink: &Value) -> Vec<(String, bool)> {
    let (name, kind) = (sink["name"].as_str().unwrap_or_default(), sink["kind"].as_str().unwrap_or_default());
    let sink_name = format!("sink `{name}` ({kind})");
    let metrics = sink["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    let mut problems: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for metric in metrics {
        if let (Some(problem), Some(metric)) = (metric["problem"].as_str(), metric["metric"].as_str()) {
            problems.entry(problem).or_default().push(metric);
        }
    }
    let state = |metric: &Value| {
        let number = |name: &str| metric[name].as_u64().unwrap_or_default() as usize;
        let offsets = metric["frontier"].as_array().map(|offsets| {
            offsets
                .iter()
                .filter_map(Value::as_u64)
                .map(|offset| offset.to_string())
                .collect::<Vec<_>>()
                .join(",")
        });
        let held = offsets.map_or_else(|| "nothing yet".to_owned(), |offsets| format!("frontier {offsets}"));
        let lag = counted(number("lag"), "position", "positions");
        let rows = counted(number("rows_written"), "row", "rows");
        let metric = metric["metric"].as_str().unwrap_or_default();
        (format!("{sink_name}: `{metric}`: {held}, {lag} behind, {rows} written since the start"), false)
    };
    let problem = |(problem, metrics): (&str, Vec<&str>)| {
        (format!("{sink_name}: `{}` not written: {problem}", metrics.join("`, `")), true)
    };
    metrics.iter().map(state).chain(problems.into_iter().map(problem)).collect()
}

/// A derived metric costs what its operands do.
fn row(metric: &ServedMetric) -> Vec<Option<String>> {
    let name = Some(metric.name.clone());
    let Some(MetricCost { view, tail, batch_cpu_us, stream_cpu_us, shared_with }) = &metric.cost else {
        return [name].into_iter().chain(std::iter::repeat_n(None, HEADER.len() - 1)).collect();
    };
    let seconds = |micros: u64| format!("{:.3}", micros as f64 / 1e6);
    let numbers = [view.groups, tail.groups, view.bytes, tail.bytes].map(|number| number.to_string());
    let times = [seconds(*batch_cpu_us), seconds(*stream_cpu_us)];
    let together = Some(shared_with.join(", ")).filter(|names| !names.is_empty());
    [name].into_iter().chain(numbers.into_iter().chain(times).map(Some)).chain([together]).collect()
}
