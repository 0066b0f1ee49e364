//! `metricc deploy`, `promote`, `rollback`, `retire` and `versions`: the versions of a node's package.

mod changes;
mod wait;

use std::process::ExitCode;
use std::time::Duration;

use metricc_ir::user_defined::Imports;
use metricc_jobs::PackageText;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::arguments::{
    ByArguments, DeployArguments, NodeArguments, PromoteArguments, RetireArguments, RollbackArguments,
    VersionsArguments,
};
use super::node_client::{NodeClient, error_of};
use super::table::{self, Rows};
use super::terminal::{self, Failure};
use super::{stored, test};
use wait::wait;

/// How long the node may take for one answer.
const TIME_LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn run(arguments: &DeployArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let package = stored::read_package(&arguments.file)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(ExitCode::from(1));
    }
    let text = PackageText::of_checked(&package.text, &package.checked)?;
    if arguments.plan {
        plan(arguments, &text)?;
    }
    // A plan is shown all the same: it changes nothing.
    if !arguments.skip_tests && !test::all_pass(&package) {
        let outcome = if arguments.plan { "so nothing would be deployed" } else { "and nothing is deployed" };
        terminal::error(&format!(
            "a test of the file fails, {outcome}\n  help: `--skip-tests` deploys it without its tests"
        ));
        return Ok(ExitCode::from(1));
    }
    match arguments.plan {
        true => Ok(ExitCode::SUCCESS),
        false => deploy(arguments, &text),
    }
}

fn plan(arguments: &DeployArguments, text: &PackageText) -> Result<(), Failure> {
    let client = client(&arguments.node)?;
    let planned = super::blocking(answer(&client, post(&client, text, &[("plan", "true")])?))?;
    changes::show(&planned, arguments.json)?;
    note_unchanged(&planned, text);
    if arguments.json {
        changes::show_end(&planned, planned["version"].as_u64().map(|_| "live"))?;
    }
    Ok(())
}

fn deploy(arguments: &DeployArguments, text: &PackageText) -> Result<ExitCode, Failure> {
    let client = client(&arguments.node)?;
    let by = arguments.by.name();
    let mut parameters = vec![("by", by.as_str())];
    parameters.extend(arguments.preview.then_some(("preview", "true")));
    let request = post(&client, text, &parameters)?;
    super::blocking(async {
        let deployed = ask(&client, request).await.map_err(maybe_deployed)?;
        changes::show(&deployed, arguments.json)?;
        let now = deployed["state"].as_str();
        let (state, done) = match note_unchanged(&deployed, text) {
            true => (now, Ok(())),
            false => follow(&client, &deployed, arguments.preview, arguments.no_wait).await,
        };
        if let (true, Some(state)) = (arguments.json, state) {
            changes::show_end(&deployed, Some(state))?;
        }
        done.map(|()| ExitCode::SUCCESS)
    })
}

/// Says that the text is that of the live version, if it is.
fn note_unchanged(answer: &Value, text: &PackageText) -> bool {
    let is_unchanged = answer["unchanged"] == true;
    if is_unchanged {
        let version = &answer["version"];
        terminal::note(format!("`{}` is live already as version {version}; nothing to do", text.name));
    }
    is_unchanged
}

/// The notes on a deployment, on stderr.
pub(crate) fn notes(deployed: &Value) {
    changes::notes(deployed);
}

/// Follows a version that was deployed, until it is what it is to become. Returns what it is then.
pub(crate) async fn follow<'a>(
    client: &NodeClient,
    deployed: &'a Value,
    is_preview: bool,
    no_wait: bool,
) -> (Option<&'a str>, Result<(), Failure>) {
    let version = deployed["version"].as_u64().unwrap_or_default();
    let (now, is_live) = (deployed["state"].as_str(), deployed["state"] == "live");
    let then = if is_preview { "" } else { ", and becomes live as soon as it is there" };
    match (is_live, no_wait) {
        (true, true) => terminal::note(format!("version {version} is live")),
        (true, false) => {}
        (false, true) => terminal::note(format!(
            "version {version} is being computed{then}; `metricc versions` shows how far it is"
        )),
        (false, false) => terminal::note(format!(
            "version {version} is being computed{then}; `metricc retire {version}` gives it up"
        )),
    }
    match no_wait {
        true => (now, Ok(())),
        false => wait(client, version, is_preview).await,
    }
}

fn post(
    client: &NodeClient,
    text: &PackageText,
    parameters: &[(&str, &str)],
) -> Result<RequestBuilder, Failure> {
    let request = client.post_to(&[], parameters).header("Content-Type", "application/json");
    Ok(request.body(serde_json::to_vec(text)?))
}

/// A connection that ends before the answer leaves open whether the node has the version.
fn maybe_deployed(problem: Problem) -> Failure {
    match problem {
        Problem::Connection(lost) if lost.is_sent => lost.failure.with_help(
            "the node may have the version: `metricc versions` shows whether it does, and how far it is",
        ),
        problem => problem.into(),
    }
}

pub(crate) fn promote(arguments: &PromoteArguments) -> Result<ExitCode, Failure> {
    let version = arguments.number.to_string();
    make_live(&arguments.node, "promote", Some(&version), &arguments.by, arguments.no_wait)
}

pub(crate) fn rollback(arguments: &RollbackArguments) -> Result<ExitCode, Failure> {
    let version = arguments.number.map(|version| version.to_string());
    make_live(&arguments.node, "rollback", version.as_deref(), &arguments.by, arguments.no_wait)
}

/// A step that makes a version live, and waits until it is.
fn make_live(
    node: &NodeArguments,
    name: &str,
    version: Option<&str>,
    by: &ByArguments,
    no_wait: bool,
) -> Result<ExitCode, Failure> {
    let done = step(node, name, version, by)?;
    changes::notes(&done);
    let version = done["version"].as_u64().unwrap_or_default();
    match (done["state"] == "live", no_wait) {
        (true, true) => terminal::note(format!("version {version} is live")),
        (true, false) => {}
        (false, _) => {
            terminal::note(format!("version {version} becomes live as soon as its metrics are computed"));
        }
    }
    if !no_wait {
        let client = client(node)?;
        super::blocking(async { wait(&client, version, false).await.1 })?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn retire(arguments: &RetireArguments) -> Result<ExitCode, Failure> {
    let version = arguments.number.to_string();
    step(&arguments.node, "retire", Some(&version), &arguments.by)?;
    terminal::note(format!("version {version} is retired"));
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn versions(arguments: &VersionsArguments) -> Result<ExitCode, Failure> {
    let client = client(&arguments.node)?;
    let found = super::blocking(async {
        let versions = answer(&client, client.get_from(&[])).await?;
        Ok((versions, backfills(&client).await?))
    });
    let (versions, backfills) = found?;
    if arguments.json {
        terminal::data(&format!("{versions}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    backfills.iter().for_each(|backfill| terminal::note(backfill_text(backfill)));
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |version: &Value| {
        let metrics = version["metrics"].as_array().map_or(0, Vec::len);
        let is_computed = version["waits_for"].is_null() || version["state"] == "building";
        let state = text(&version["state"]).map(|state| match is_computed {
            true => state,
            false => format!("{state}, being computed"),
        });
        vec![
            Some(version["version"].to_string()),
            state,
            Some(metrics.to_string()),
            text(&version["file"]),
            text(&version["by"]),
            text(&version["at"]),
        ]
    };
    let rows: Vec<_> = versions["versions"].as_array().into_iter().flatten().map(row).collect();
    let rows = Rows {
        name: "versions",
        unit: None,
        doc: "of the package, newest first",
        header: &["version", "state", "metrics", "file", "by", "deployed"].map(str::to_owned),
        is_number: &[true, false, true, false, false, false],
        rows: &rows,
    };
    terminal::data(&table::table(&rows, 0))?;
    terminal::note(rollback_text(&versions));
    Ok(ExitCode::SUCCESS)
}

/// What `metricc rollback` without a number does.
fn rollback_text(versions: &Value) -> String {
    let Some(number) = versions["rollback"].as_u64() else {
        return "`metricc rollback` has no version to go back to".to_owned();
    };
    let mut listed = versions["versions"].as_array().into_iter().flatten();
    let is_computed = listed.any(|version| version["version"] == number && version["waits_for"].is_null());
    let when = if is_computed { "" } else { ", as soon as its metrics are computed" };
    format!("`metricc rollback` makes version {number} live again{when}")
}

/// The hash of a metric in a version of the package.
pub(crate) async fn hash_of(node: &NodeArguments, version: u64, metric: &str) -> Result<String, Failure> {
    let client = client(node)?;
    let versions = answer(&client, client.get_from(&[])).await?;
    let versions = versions["versions"].as_array().cloned().unwrap_or_default();
    let Some(found) = versions.iter().find(|known| known["version"] == version) else {
        let known: Vec<String> = versions.iter().map(|known| known["version"].to_string()).collect();
        let problem = format!("there is no version {version}; there are {}", known.join(", "));
        return Err(Failure::Message(problem));
    };
    let metrics = found["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    let hash = metrics.iter().find(|known| known["name"] == metric).and_then(|known| known["hash"].as_str());
    hash.map(str::to_owned).ok_or_else(|| {
        let known: Vec<&str> = metrics.iter().filter_map(|known| known["name"].as_str()).collect();
        Failure::Message(format!(
            "version {version} has no metric `{metric}`; its metrics are `{}`",
            known.join("`, `")
        ))
    })
}

pub(crate) fn client(node: &NodeArguments) -> Result<NodeClient, Failure> {
    NodeClient::new(node, &["package"], Some(TIME_LIMIT))
}

/// One step of the versions.
fn step(node: &NodeArguments, name: &str, version: Option<&str>, by: &ByArguments) -> Result<Value, Failure> {
    let (client, by) = (client(node)?, by.name());
    let mut parameters = vec![("by", by.as_str())];
    parameters.extend(version.map(|version| ("version", version)));
    super::blocking(answer(&client, client.post_to(&[name], &parameters)))
}

/// Why there is no answer.
pub(crate) enum Problem {
    /// There is no connection, or it has ended; or there is no answer in time.
    Connection(Lost),
    /// The node refuses the request, or answers something else.
    Other(Failure),
}

/// A request without an answer.
pub(crate) struct Lost {
    failure: Failure,
    /// Whether the node may have got it.
    is_sent: bool,
    /// Whether the connection has ended, and not only the time.
    has_ended: bool,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Connection(lost) => lost.failure,
            Problem::Other(failure) => failure,
        }
    }
}

async fn answer(client: &NodeClient, request: RequestBuilder) -> Result<Value, Failure> {
    Ok(ask(client, request).await?)
}

pub(crate) async fn ask(client: &NodeClient, request: RequestBuilder) -> Result<Value, Problem> {
    let lost = |error: reqwest::Error| {
        let (failure, is_sent) = (client.failure(&error), !error.is_connect());
        Problem::Connection(Lost { failure, is_sent, has_ended: !error.is_timeout() })
    };
    let response: Response = request.send().await.map_err(lost)?;
    if !response.status().is_success() {
        return Err(Problem::Other(error_of(response).await.into()));
    }
    let body = response.bytes().await.map_err(lost)?;
    serde_json::from_slice(&body).map_err(|error| Problem::Other(error.into()))
}

/// The backfills of the node, by source.
async fn backfills(client: &NodeClient) -> Result<Vec<(String, Value)>, Problem> {
    let state = ask(client, client.get("sources", &[])).await?;
    let of_source = |source: &Value| {
        let backfill = source["backfill"].clone();
        (!backfill.is_null()).then(|| (source["name"].as_str().unwrap_or_default().to_owned(), backfill))
    };
    Ok(state["sources"].as_array().into_iter().flatten().filter_map(of_source).collect())
}

/// How far the new metrics of a source are.
pub(crate) fn backfill_text((source, backfill): &(String, Value)) -> String {
    let number = |name: &str| backfill[name].as_u64().unwrap_or_default();
    let (done, positions) = (number("done"), number("positions"));
    let names = backfill["metrics"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names = names.collect::<Vec<_>>().join("`, `");
    let percent = (done * 100).checked_div(positions).unwrap_or(100);
    let problem = backfill["problem"].as_str().map_or_else(String::new, |problem| format!("; {problem}"));
    let far = match done < positions {
        true => format!("{done} of {positions} events ({percent} %)"),
        false => format!("all {positions} events are read; writes the view"),
    };
    format!("source `{source}`: computing `{names}` from the log: {far}{problem}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_follows_the_reading_of_the_log_is_named() {
        let text = |done: u64| {
            let backfill = json!({ "metrics": ["a", "b"], "done": done, "positions": 200 });
            backfill_text(&("events".to_owned(), backfill))
        };
        let computing = "source `events`: computing `a`, `b` from the log: ";
        assert_eq!(text(50), format!("{computing}50 of 200 events (25 %)"));
        assert_eq!(text(200), format!("{computing}all 200 events are read; writes the view"));
    }
}
