//! `metricc deploy`, `promote`, `rollback`, `retire` and `versions`: the versions of a node's package.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
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
use super::terminal::{self, Failure, counted};
use super::{progress, stored, test};

/// How long the node may take for one answer.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How often the node is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);

pub(crate) fn run(arguments: &DeployArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let package = stored::read_package(&arguments.file)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(ExitCode::from(1));
    }
    if !arguments.skip_tests && !test::all_pass(&package) {
        terminal::error(
            "a test of the file fails, and nothing is deployed\n  help: `--skip-tests` deploys it without its tests",
        );
        return Ok(ExitCode::from(1));
    }
    let text = PackageText::of_checked(&package.text, &package.checked)?;
    let client = client(&arguments.node)?;
    let by = arguments.by.name();
    let mut parameters = vec![("by", by.as_str())];
    parameters.extend(arguments.plan.then_some(("plan", "true")));
    parameters.extend(arguments.preview.then_some(("preview", "true")));
    let request = client.post_to(&[], &parameters).header("Content-Type", "application/json");
    let request = request.body(serde_json::to_vec(&text)?);
    super::blocking(async {
        let deployed = answer(request).await?;
        show_changes(&deployed["changes"], arguments.json)?;
        let notes = deployed["notes"].as_array().into_iter().flatten();
        notes.filter_map(Value::as_str).for_each(|note| terminal::note(note.to_owned()));
        if arguments.plan {
            return Ok(ExitCode::SUCCESS);
        }
        let version = deployed["version"].as_u64().unwrap_or_default();
        match (deployed["state"] == "live", arguments.no_wait) {
            (true, _) => terminal::note(format!("version {version} is live")),
            (false, true) => terminal::note(format!(
                "version {version} is being computed; `metricc versions` shows how far it is"
            )),
            (false, false) => {
                let then = if arguments.preview { "" } else { ", and becomes live as soon as it is there" };
                terminal::note(format!(
                    "version {version} is being computed{then}; `metricc retire {version}` gives it up"
                ));
                wait(&client, version, arguments.preview).await?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

pub(crate) fn promote(arguments: &PromoteArguments) -> Result<ExitCode, Failure> {
    let version = arguments.number.to_string();
    let done = step(&arguments.node, "promote", Some(&version), &arguments.by)?;
    terminal::note(match done["state"] == "live" {
        true => format!("version {version} is live"),
        false => format!("version {version} becomes live as soon as its metrics are computed"),
    });
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn rollback(arguments: &RollbackArguments) -> Result<ExitCode, Failure> {
    let version = arguments.number.map(|version| version.to_string());
    let done = step(&arguments.node, "rollback", version.as_deref(), &arguments.by)?;
    terminal::note(format!("version {} is live", done["version"]));
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
        let versions = answer(client.get_from(&[])).await?;
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
    let versions = answer(client(node)?.get_from(&[])).await?;
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

fn client(node: &NodeArguments) -> Result<NodeClient, Failure> {
    NodeClient::new(node, &["package"], Some(TIME_LIMIT))
}

/// One step of the versions.
fn step(node: &NodeArguments, name: &str, version: Option<&str>, by: &ByArguments) -> Result<Value, Failure> {
    let (client, by) = (client(node)?, by.name());
    let mut parameters = vec![("by", by.as_str())];
    parameters.extend(version.map(|version| ("version", version)));
    super::blocking(answer(client.post_to(&[name], &parameters)))
}

pub(crate) async fn answer(request: RequestBuilder) -> Result<Value, Failure> {
    let failed = |error: reqwest::Error| Failure::from(error);
    let response: Response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(error_of(response).await.into());
    }
    Ok(serde_json::from_slice(&response.bytes().await.map_err(failed)?)?)
}

/// What became of a version; `None` if it is on its way.
fn outcome(versions: &Value, version: u64, is_preview: bool) -> Option<Result<(), Failure>> {
    let steps = versions["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let was_live = steps.iter().any(|step| step["version"] == version && step["step"] == "promoted");
    let of_number = |known: &&Value| known["version"] == version;
    let found = versions["versions"].as_array().into_iter().flatten().find(of_number);
    let state = found.and_then(|found| found["state"].as_str());
    match state {
        // Events are still decoded as the version before says.
        Some("live") if found.is_some_and(|found| !found["waits_for"].is_null()) => None,
        Some("live") => {
            terminal::note(format!("version {version} is live"));
            Some(Ok(()))
        }
        _ if was_live => {
            let live = &versions["live"];
            terminal::note(format!("version {version} was live, and version {live} has taken its place"));
            Some(Ok(()))
        }
        None => {
            let problem = format!("version {version} was retired before it was there");
            Some(Err(Failure::Message(problem)))
        }
        Some("preview") if !is_preview => Some(Err(Failure::Message(format!(
            "version {version} does not become live, since somebody has rolled back meanwhile: it is a preview now\n  help: \
             `metricc promote {version}` makes it live, `metricc retire {version}` gives it up"
        )))),
        Some(_) => {
            let is_there = is_preview && found.is_some_and(|found| found["waits_for"].is_null());
            is_there.then(|| {
                terminal::note(format!(
                    "version {version} is there; `metricc promote {version}` makes it live"
                ));
                Ok(())
            })
        }
    }
}

/// Waits until a version is live, or a preview has all metrics.
async fn wait(client: &NodeClient, version: u64, is_preview: bool) -> Result<(), Failure> {
    let mut bar: Option<ProgressBar> = None;
    let mut said = None;
    loop {
        let versions = answer(client.get_from(&[])).await?;
        if let Some(outcome) = outcome(&versions, version, is_preview) {
            bar.iter().for_each(ProgressBar::finish_and_clear);
            return outcome;
        }
        let backfills = backfills(client).await?;
        let sum = |name: &str| backfills.iter().filter_map(|(_, backfill)| backfill[name].as_u64()).sum();
        if !backfills.is_empty() {
            let bar = bar.get_or_insert_with(|| progress::bar(0, "events", "computing new metrics"));
            bar.set_length(sum("positions"));
            bar.set_position(sum("done"));
        }
        let problem = backfills.iter().find_map(|(_, backfill)| backfill["problem"].as_str());
        if problem.map(str::to_owned) != said {
            said = problem.map(str::to_owned);
            said.iter().for_each(|problem| {
                terminal::warning(&format!(
                    "new metrics could not be computed, and this is tried again: {problem}"
                ));
            });
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The backfills of the node, by source.
async fn backfills(client: &NodeClient) -> Result<Vec<(String, Value)>, Failure> {
    let state = answer(client.get("sources", &[])).await?;
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
    format!(
        "source `{source}`: computing `{names}` from the log: {done} of {positions} events ({percent} %){problem}"
    )
}

fn show_changes(changes: &Value, is_json: bool) -> Result<(), Failure> {
    let changes = changes.as_array().map_or(&[][..], Vec::as_slice);
    if is_json {
        for change in changes {
            terminal::data(&format!("{change}\n"))?;
        }
        return Ok(());
    }
    for change in changes {
        let text = |name: &str| change[name].as_str().unwrap_or_default();
        let was = change["was"].as_str().map_or_else(String::new, |was| format!(" (was {was})"));
        let what = match change["positions"].as_u64() {
            Some(n) => {
                let seconds = change["seconds"].as_u64();
                let time = seconds.map_or_else(String::new, |seconds| format!(", about {seconds} s"));
                format!("{}{time}", counted(n as usize, "event of the log", "events of the log"))
            }
            None if ["changed", "added", "presentation", "renamed"].contains(&text("effect")) => {
                "nothing to compute".to_owned()
            }
            None => String::new(),
        };
        let line = format!("{:13} {}{was}", text("effect"), text("metric"));
        terminal::data(&format!("{}\n", format!("{line:40} {what}").trim_end()))?;
    }
    Ok(())
}
