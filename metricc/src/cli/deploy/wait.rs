//! Waiting until a version is what it is to become.

use std::time::Duration;

use indicatif::ProgressBar;
use metricc_client::node_of;
use reqwest::Url;
use serde_json::Value;

use super::{Lost, Problem, ask, backfills};
use crate::cli::node_client::NodeClient;
use crate::cli::progress;
use crate::cli::terminal::{self, Failure};

/// How often the node is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// What became of a version: what it is now, and what is to be said of that, which may be a failure.
struct Outcome {
    state: &'static str,
    said: Result<String, String>,
}

/// Waits until a version is live, or a preview has all metrics. Returns what it is then, also if that is not what
/// it was to become.
pub(super) async fn wait(
    client: &NodeClient,
    version: u64,
    is_preview: bool,
) -> (Option<&'static str>, Result<(), Failure>) {
    let mut bar: Option<ProgressBar> = None;
    let waited = until_there(client, version, is_preview, &mut bar).await;
    bar.iter().for_each(ProgressBar::finish_and_clear);
    match waited {
        Err(failure) => (None, Err(failure)),
        Ok(Outcome { state, said: Ok(text) }) => {
            terminal::note(text);
            (Some(state), Ok(()))
        }
        Ok(Outcome { state, said: Err(problem) }) => (Some(state), Err(Failure::Message(problem))),
    }
}

async fn until_there(
    client: &NodeClient,
    version: u64,
    is_preview: bool,
    bar: &mut Option<ProgressBar>,
) -> Result<Outcome, Failure> {
    let cut_off = |problem: Problem| match problem {
        Problem::Connection(lost) => cut_off(&client.url, version, lost),
        Problem::Other(failure) => failure,
    };
    let mut said = None;
    loop {
        let versions = ask(client, client.get_from(&[])).await.map_err(cut_off)?;
        if let Some(outcome) = outcome(&versions, version, is_preview) {
            return Ok(outcome);
        }
        let backfills = backfills(client).await.map_err(cut_off)?;
        show(&backfills, bar);
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

/// The node has the version, whatever became of the connection.
fn cut_off(node: &Url, version: u64, lost: Lost) -> Failure {
    let failure = match lost.has_ended {
        true => Failure::Message(format!(
            "{}: the connection to the node has ended while version {version} was on its way",
            node_of(node)
        )),
        false => lost.failure,
    };
    failure.with_help(&format!(
        "the node has version {version} on its disk: while it runs it goes on, and when it is started again it computes the \
         version from the start of the log; `metricc versions` shows how far it is"
    ))
}

fn show(backfills: &[(String, Value)], bar: &mut Option<ProgressBar>) {
    if backfills.is_empty() {
        return;
    }
    let sum = |name: &str| backfills.iter().filter_map(|(_, backfill)| backfill[name].as_u64()).sum::<u64>();
    let bar = bar.get_or_insert_with(|| progress::bar(0, "events", ""));
    let is_read = sum("done") >= sum("positions");
    bar.set_message(if is_read { "writing the view" } else { "computing new metrics" });
    bar.set_length(sum("positions"));
    bar.set_position(sum("done"));
}

/// What became of a version; `None` if it is on its way.
fn outcome(versions: &Value, version: u64, is_preview: bool) -> Option<Outcome> {
    let steps = versions["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let was_live = steps.iter().any(|step| step["version"] == version && is_promotion(step));
    let found = versions["versions"].as_array().into_iter().flatten();
    let found = found.into_iter().find(|known| known["version"] == version);
    let is_there = found.is_some_and(|found| found["waits_for"].is_null());
    let state = found.and_then(|found| found["state"].as_str());
    let replaced = || {
        let live = &versions["live"];
        Ok(format!("version {version} was live, and version {live} has taken its place"))
    };
    match state {
        // Events are still decoded as the version before says.
        Some("live") if !is_there => None,
        Some("live") => {
            let said = Ok(format!("version {version} is live{}", gone_text(steps, version)));
            Some(Outcome { state: "live", said })
        }
        Some("kept") => Some(Outcome { state: "kept", said: replaced() }),
        None if was_live => Some(Outcome { state: "retired", said: replaced() }),
        None => {
            let problem = format!("version {version} was retired before it was there");
            Some(Outcome { state: "retired", said: Err(problem) })
        }
        Some("preview") if !is_preview => Some(Outcome {
            state: "preview",
            said: Err(format!(
                "version {version} does not become live, since somebody has rolled back meanwhile: it is a preview now\n  help: \
                 `metricc promote {version}` makes it live, `metricc retire {version}` gives it up"
            )),
        }),
        Some("preview") if is_there => Some(Outcome {
            state: "preview",
            said: Ok(format!("version {version} is there; `metricc promote {version}` makes it live")),
        }),
        Some(_) => None,
    }
}

fn is_promotion(step: &Value) -> bool {
    ["promoted", "rolled_back"].iter().any(|kind| step["step"] == *kind)
}

/// The versions that went when this one became live: with the same step, hence at its time.
fn gone_text(steps: &[Value], version: u64) -> String {
    let promoted = steps.iter().rev().find(|step| step["version"] == version && is_promotion(step));
    let Some(promoted) = promoted else { return String::new() };
    let went = |step: &&Value| step["step"] == "retired" && step["at"] == promoted["at"];
    let gone: Vec<String> = steps.iter().filter(went).map(|step| step["version"].to_string()).collect();
    match &gone[..] {
        [] => String::new(),
        [one] => format!("; version {one} is kept no longer"),
        many => format!("; versions {} are kept no longer", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is said of version 3.
    fn said(state: &str, waits_for: Option<&str>, is_preview: bool) -> Option<Result<String, String>> {
        let step = |version: u64, step: &str, at: &str| json!({"version": version, "step": step, "at": at});
        let versions = json!({
            "live": 4,
            "versions": [{ "version": 3, "state": state, "waits_for": waits_for }],
            "steps": [step(3, "promoted", "10:00"), step(1, "retired", "10:00"), step(2, "retired", "10:01")],
        });
        outcome(&versions, 3, is_preview).map(|outcome| outcome.said)
    }

    #[test]
    fn a_version_is_live_when_nothing_is_awaited() {
        assert_eq!(said("live", Some("events"), false), None);
        let live = "version 3 is live; version 1 is kept no longer";
        assert_eq!(said("live", None, false), Some(Ok(live.to_owned())));
        assert_eq!(said("building", None, false), None);
    }

    #[test]
    fn a_version_that_was_replaced_is_not_waited_for() {
        let replaced = "version 3 was live, and version 4 has taken its place";
        assert_eq!(said("kept", Some("m"), false), Some(Ok(replaced.to_owned())));
    }

    #[test]
    fn a_preview_is_there_when_it_has_all_metrics() {
        assert_eq!(said("preview", Some("m"), true), None);
        assert!(said("preview", None, true).is_some_and(|said| said.is_ok()));
        assert!(said("preview", Some("m"), false).is_some_and(|said| said.is_err()));
    }
}
