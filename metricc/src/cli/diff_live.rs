//! `metricc diff --live`: two versions of the package of a running node.

use std::process::ExitCode;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::arguments::{DiffArguments, DiffFormat};
use super::node_client::{NodeClient, error_of};
use super::progress;
use super::terminal::{self, Failure, counted};

pub(crate) fn run(arguments: &DiffArguments) -> Result<ExitCode, Failure> {
    let client = NodeClient::new(&arguments.node, &["package"], None)?;
    let is_text = arguments.output == DiffFormat::Text;
    let within = u64::try_from(arguments.search.within).unwrap_or(0).div_ceil(1_000_000);
    let mut parameters = vec![
        ("rows", arguments.search.rows.to_string()),
        ("causes", arguments.causes.to_string()),
        ("within", within.to_string()),
        ("text", is_text.to_string()),
    ];
    parameters.extend(arguments.of_version.map(|version| ("version", version.to_string())));
    parameters.extend(arguments.old_version.map(|version| ("against", version.to_string())));
    if arguments.metrics.len() > 1 {
        return Err(Failure::Message("`--live` compares one metric of `--metric`, or all".to_owned()));
    }
    parameters.extend(arguments.metrics.iter().map(|metric| ("metric", metric.clone())));
    let bar = progress::waiting(label(arguments.causes, within));
    let answer = super::blocking(async {
        let response = client.get_below(&["diff"], &parameters).send().await;
        let response = response.map_err(|error| client.failure(&error))?;
        if !response.status().is_success() {
            return Err(Failure::from(error_of(response).await));
        }
        let counts = Counts::of(response.headers());
        Ok((counts, response.bytes().await.map_err(|error| client.failure(&error))?))
    });
    bar.finish_and_clear();
    let (counts, body) = answer?;
    match is_text {
        true => terminal::data(&String::from_utf8_lossy(&body))?,
        false => show_json(&serde_json::from_slice(&body)?)?,
    }
    let counts =
        counts.ok_or_else(|| Failure::Message("the node does not say whether versions differ".to_owned()))?;
    terminal::note(counts.text());
    Ok(ExitCode::from(counts.exit_code()))
}

/// What became of the metrics.
#[derive(Clone, Copy)]
struct Counts {
    differ: usize,
    added: usize,
    compared: usize,
    equal: usize,
    /// Metrics that are not computed yet.
    missing: usize,
}

impl Counts {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.parse().ok();
        Some(Counts {
            differ: number("metricc-differ")?,
            added: number("metricc-added")?,
            compared: number("metricc-compared")?,
            equal: number("metricc-equal")?,
            missing: number("metricc-backfilling")?,
        })
    }

    fn text(self) -> String {
        let Counts { differ, added, compared, equal, missing } = self;
        let rows = format!("rows of {} compared, {equal} equal", counted(compared, "metric", "metrics"));
        let differ = counted(differ, "metric differs", "metrics differ");
        let mut text = format!("{rows}; {differ}");
        if added > 0 {
            text.push_str(&format!(", {added} added"));
        }
        if missing > 0 {
            text.push_str(&format!(
                "\n{}: compare again when `metricc versions` shows that all is computed",
                counted(missing, "metric is still being computed", "metrics are still being computed")
            ));
        }
        text
    }

    /// A metric that is only added is no difference of numbers that there were; and what is not there yet may be one.
    fn exit_code(self) -> u8 {
        match self {
            Counts { missing: 1.., .. } => terminal::NOT_NOW,
            Counts { differ: 1.., .. } => 1,
            _ => 0,
        }
    }
}

/// What the node does meanwhile.
fn label(causes: usize, within: u64) -> String {
    match causes {
        0 => "the node compares rows".to_owned(),
        _ => format!("the node compares rows, and searches causes for at most {within} s a metric"),
    }
}

/// A line for each metric, with the versions and the frontier.
fn show_json(answer: &Value) -> Result<(), Failure> {
    for metric in answer["metrics"].as_array().into_iter().flatten() {
        let mut line = metric.clone();
        for (member, of_answer) in [("old_version", "old"), ("new_version", "new"), ("frontier", "frontier")]
        {
            line[member] = answer[of_answer].clone();
        }
        terminal::data(&format!("{line}\n"))?;
    }
    Ok(())
}
