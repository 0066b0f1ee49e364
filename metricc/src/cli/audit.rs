//! `metricc audit`: a node recomputes what it serves, and says how that compares.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use metricc_node::{AuditLine, Audited};
use serde_json::Value;

use super::arguments::AuditArguments;
use super::check::counted;
use super::terminal::{self, Failure};

pub(crate) fn run(arguments: &AuditArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let spinner = ProgressBar::new_spinner().with_message("the node reads its log from the start");
    spinner.enable_steady_tick(Duration::from_millis(120));
    let lines = runtime.block_on(ask(arguments));
    spinner.finish_and_clear();
    let lines = lines?;
    for line in &lines {
        match arguments.json {
            true => terminal::data(&format!("{}\n", serde_json::to_string(line)?))?,
            false => terminal::data(&format!("{}\n", shown(line)))?,
        }
    }
    let n_differences: u64 = lines.iter().map(|line| line.differences).sum();
    let compared = counted(lines.len(), "comparison", "comparisons");
    if n_differences == 0 {
        terminal::note(format!("{compared}, 0 differences"));
        return Ok(ExitCode::SUCCESS);
    }
    let differences = counted(usize::try_from(n_differences)?, "difference", "differences");
    let help = if arguments.full {
        "the views are made anew now: ask again whether what is served has become right"
    } else {
        "`metricc audit --full` makes the views anew from the log"
    };
    terminal::error(&format!(
        "{compared}, {differences}\n  help: {help}; please report it, with these lines"
    ));
    Ok(ExitCode::from(1))
}

async fn ask(arguments: &AuditArguments) -> Result<Vec<AuditLine>, Failure> {
    let base = &arguments.node.node;
    let wrong = |problem: String| Failure::Message(format!("`{base}` is no URL of a node: {problem}"));
    let mut url = reqwest::Url::parse(base).map_err(|error| wrong(error.to_string()))?;
    match url.path_segments_mut() {
        Ok(mut path) => path.pop_if_empty().extend(["v1", "audit"]),
        Err(()) => return Err(wrong("it has no paths".to_owned())),
    };
    if arguments.full {
        url.query_pairs_mut().append_pair("full", "true");
    }
    // However long the log is.
    let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).build()?;
    let token = arguments.node.token()?;
    let response = loop {
        let mut request = client.post(url.clone());
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await?;
        // One that has just started reads its log first.
        let is_starting = response.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE
            && response.headers().contains_key(reqwest::header::RETRY_AFTER);
        if !is_starting {
            break response;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let status = response.status();
    let text = response.text().await?;
    let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
    if !status.is_success() {
        let message = answer["error"]["message"].as_str().map_or(text, str::to_owned);
        return Err(Failure::Message(format!("{base}: {message} (status {status})")));
    }
    Ok(serde_json::from_value(answer["lines"].take())?)
}

fn shown(line: &AuditLine) -> String {
    let verdict = if line.differences == 0 { "same" } else { "DIFFERENT" };
    let audited = match line.audited {
        Audited::Served => "served",
        Audited::View => "view",
    };
    let AuditLine { source, metric, hash, frontier, rows, found, recomputed, differences, .. } = line;
    let hash: String = hash.chars().take(12).collect();
    format!(
        "{verdict}  {audited:6}  {source}/{metric}@{hash}  frontier {frontier:?}  {rows} groups  \
         states {found}  recomputed {recomputed}  differences {differences}"
    )
}
