//! `metricc status`: what each metric of a node costs.

use std::process::ExitCode;
use std::time::Duration;

use metricc_client::{HttpServing, MetricCost, ServedMetric, Serving};

use serde_json::Value;

use super::arguments::StatusArguments;
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
    let mut node = HttpServing::new(&arguments.node.node)?;
    if let Some(token) = arguments.node.token()? {
        node = node.with_token(&token)?;
    }
    let metrics = runtime.block_on(node.metrics())?;
    let sources = runtime.block_on(sources(arguments))?;
    sources.iter().filter_map(cluster_problem).for_each(|problem| terminal::warning(&problem));
    sources.iter().filter_map(archive_problem).for_each(|problem| terminal::warning(&problem));
    for source in &sources {
        match topic_state(source) {
            Some((state, true)) => terminal::warning(&state),
            Some((state, false)) if !arguments.json => terminal::note(state),
            _ => {}
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
        doc: "what each costs since the node started",
        header: &HEADER.map(str::to_owned),
        is_number: &[false, true, true, true, true, true, true, false],
        rows: &rows,
    };
    terminal::data(&table::table(&rows, 0))?;
    Ok(ExitCode::SUCCESS)
}

/// The sources of the node.
async fn sources(arguments: &StatusArguments) -> Result<Vec<Value>, Failure> {
    let client = NodeClient::new(&arguments.node, &["metrics"], Some(TIME_LIMIT))?;
    let failed = |error: reqwest::Error| Failure::Message(metricc_client::problem(&error));
    let response = client.get("sources", &[]).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(error_of(response).await.into());
    }
    let body: Value = serde_json::from_slice(&response.bytes().await.map_err(failed)?)?;
    Ok(body["sources"].as_array().cloned().unwrap_or_default())
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
