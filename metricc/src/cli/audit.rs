//! `metricc audit`: a node recomputes what it serves from its log, and compares the states.

use std::process::ExitCode;
use std::time::Duration;

use metricc_client::ServingError;
use metricc_node::{AuditLine, Audited};
use serde::Deserialize;

use super::arguments::AuditArguments;
use super::node_client::{NodeClient, error_of};
use super::progress;
use super::terminal::{self, Failure, counted};

pub(crate) fn run(arguments: &AuditArguments) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let spinner = progress::waiting("the node is reading its log from the start".to_owned());
    let lines = runtime.block_on(audit(arguments));
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
    let is_of_verdicts = |line: &AuditLine| line.audited == Audited::Verdicts && line.differences > 0;
    let help = if lines.iter().any(is_of_verdicts) {
        "other records of the log are duplicates than its declaration gives, and no rebuilt view changes that: \
         declare another source, and send the events to it"
    } else if arguments.full {
        "the views have been rebuilt: run `metricc audit` again to check what is served now"
    } else {
        "`metricc audit --full` rebuilds the views from the log"
    };
    terminal::error(&format!(
        "{compared}, {differences}\n  help: {help}; please report this as a bug, with these lines"
    ));
    Ok(ExitCode::from(1))
}

/// The body of the answer.
#[derive(Deserialize)]
struct Audit {
    lines: Vec<AuditLine>,
}

async fn audit(arguments: &AuditArguments) -> Result<Vec<AuditLine>, Failure> {
    let mut node = NodeClient::new(&arguments.node, &["audit"], None)?;
    if arguments.full {
        node.url.query_pairs_mut().append_pair("full", "true");
    }
    loop {
        let response = node.post().send().await.map_err(|error| node.failure(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(serde_json::from_str::<Audit>(&response.text().await?)?.lines);
        }
        match error_of(response).await {
            // A node that has just started reads its log first.
            ServingError::NotReady { .. } => tokio::time::sleep(Duration::from_secs(1)).await,
            error => {
                let base = &arguments.node.node;
                return Err(Failure::of_node(&error, &format!("{base}: {error} (status {status})")));
            }
        }
    }
}

fn shown(line: &AuditLine) -> String {
    let verdict = if line.differences == 0 { "same" } else { "DIFFERENT" };
    let audited = match line.audited {
        Audited::Served => "served",
        Audited::View => "view",
        Audited::Verdicts => "verdicts",
    };
    let AuditLine { source, metric, hash, frontier, rows, found, recomputed, differences, .. } = line;
    if line.audited == Audited::Verdicts {
        return format!(
            "{verdict}  {audited}  {source}  frontier {frontier:?}  {rows} records  duplicates {found}  \
             derived {recomputed}  differences {differences}"
        );
    }
    let hash: String = hash.chars().take(12).collect();
    format!(
        "{verdict}  {audited:6}  {source}/{metric}@{hash}  frontier {frontier:?}  {rows} groups  \
         states {found}  recomputed {recomputed}  differences {differences}"
    )
}
