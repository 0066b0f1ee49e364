//! What proves that a log has lost acknowledged events: the mark beside it, and the views that were made from
//! it, of whatever source.
//!
//! Invariant: a node does not start on a log that lacks what one of them was made from, unless it is told to
//! accept the loss. Then the mark notes the epochs that they name, so that they prove nothing any more.

use std::sync::Arc;

use metricc_durable_log::{Disk, FoundMark, LogAndEpoch, LogMark, LogSnapshot, MARK_FILE};
use metricc_log::Frontier;
use metricc_views::{LogStamp, View, ViewError, ViewStore};
use object_store::ObjectStore;

use crate::error::NodeError;

/// What a log has lost.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// What is lost, and what proves it.
    pub(crate) said: Vec<String>,
    /// The epochs of lost events: those of losses that were accepted before come first.
    pub(crate) accepted: Vec<LogAndEpoch>,
    n_accepted_before: usize,
}

impl Losses {
    fn add(&mut self, proof: &LogAndEpoch, said: String) {
        if self.accepted[..self.n_accepted_before].contains(proof) {
            return;
        }
        self.said.push(said);
        if !self.accepted.contains(proof) {
            self.accepted.push(proof.clone());
        }
    }
}

/// Compares a log with what was made from it. `marked` is the folder of the mark.
///
/// # Errors
/// [`NodeError`] if that cannot be read.
pub(crate) async fn find(
    marked: &Arc<dyn Disk>,
    views: Arc<dyn ObjectStore>,
    log: &LogSnapshot,
) -> Result<Losses, NodeError> {
    let mut losses = Losses::default();
    match LogMark::read(marked)? {
        FoundMark::Nothing => {}
        FoundMark::Whole(mark) => {
            losses.accepted.clone_from(&mark.accepted);
            losses.n_accepted_before = mark.accepted.len();
            if let Some(lost) = lost_of_mark(&mark, log) {
                losses.add(&mark.log, format!("{lost}, as `{}` says", marked.shown(MARK_FILE)));
            }
        }
        FoundMark::Unreadable if is_empty(log) => losses.said.push(format!(
            "what `{}` was written for, which cannot be read: {}",
            marked.shown(MARK_FILE),
            found(log, "")
        )),
        FoundMark::Unreadable => {
            let path = marked.shown(MARK_FILE);
            tracing::warn!("`{path}` cannot be read; it is written again with the next events");
        }
    }
    for (source, view) in latest_views(views).await? {
        let by = format!("as the view in `views/{source}` shows");
        match view {
            Ok(view) => {
                if let Err(lost) = check(&view, log, &source) {
                    let LogStamp { id, epoch } = view.log;
                    losses.add(&LogAndEpoch { id, epoch }, format!("of source `{source}` {lost}, {by}"));
                }
            }
            Err(file) if is_empty(log) => losses.said.push(format!(
                "of source `{source}` what `views/{file}` was made from, which cannot be read: {}",
                found(log, "")
            )),
            // The log has events, and rebuilds it.
            Err(_) => {}
        }
    }
    Ok(losses)
}

/// The last version of the view of each source that has any, or the file of one where none can be read.
async fn latest_views(store: Arc<dyn ObjectStore>) -> Result<Vec<(String, Result<View, String>)>, ViewError> {
    let mut views = Vec::new();
    for folder in store.list_with_delimiter(None).await?.common_prefixes {
        let source = folder.filename().unwrap_or_default().to_owned();
        let of_source = ViewStore::new(store.clone(), &source);
        match of_source.latest().await? {
            Some(view) => views.push((source, Ok(view))),
            None => {
                let damaged = of_source.damaged_after(None).await?.pop();
                views.extend(damaged.map(|file| (source, Err(file))));
            }
        }
    }
    Ok(views)
}

/// Checks that the log has all that a view was made from; otherwise, what it has lost.
pub(crate) fn check(view: &View, log: &LogSnapshot, source: &str) -> Result<(), String> {
    let n_positions = view.frontier.n_positions();
    if view.log.id != format!("{:032x}", log.id()) {
        let found = found(log, source);
        return Err(format!("all {n_positions} positions up to {}; {found}", view.frontier));
    }
    let epochs = log.epochs(source);
    let Some(index) = epochs.iter().position(|(epoch, _)| *epoch == view.log.epoch) else {
        let end = log.end(source);
        return Err(format!(
            "what was written after the log ended at {end}, which includes the view up to {}: the log is an older copy",
            view.frontier
        ));
    };
    let end = epochs.get(index + 1).map_or_else(|| log.end(source), |(_, from)| from.clone());
    let lost = lost_positions(&view.frontier, &end);
    if lost.is_empty() { Ok(()) } else { Err(format!("{}: the log ends at {end}", lost.join(", "))) }
}

/// What a log has lost that a mark was written for.
fn lost_of_mark(mark: &LogMark, log: &LogSnapshot) -> Option<String> {
    // The log may be even older than the epoch that the mark names.
    let kept = |source: &str, from: &Frontier| {
        let end = log.end(source);
        let ends = end.0.iter().copied().chain(std::iter::repeat(0));
        Frontier(from.0.iter().zip(ends).map(|(from, end)| (*from).min(end)).collect())
    };
    let is_same = mark.log.id == format!("{:032x}", log.id());
    let from = mark.from.iter().map(|(source, from)| match is_same {
        true => format!("{} of `{source}`", kept(source, from)),
        false => format!("{from} of `{source}`"),
    });
    let from: Vec<String> = from.collect();
    let from = from.join(", ");
    if !is_same {
        let n_positions: u64 = mark.from.values().map(Frontier::n_positions).sum();
        return Some(match n_positions {
            0 => format!("all that was acknowledged; {}", found(log, "")),
            n => format!(
                "all {n} positions up to {from}, and what was acknowledged after them; {}",
                found(log, "")
            ),
        });
    }
    let is_known = log.epochs("").iter().any(|(epoch, _)| *epoch == mark.log.epoch);
    (!is_known).then(|| format!("what was acknowledged after {from}: the log is an older copy"))
}

/// What is in the place of the log that something was made from.
fn found(log: &LogSnapshot, source: &str) -> String {
    let has_events = log.end(source).n_positions() > 0;
    let found =
        if has_events || !is_empty(log) && source.is_empty() { "another log" } else { "an empty log" };
    format!("{found} is in its place")
}

/// Whether nothing was ever written to a log.
fn is_empty(log: &LogSnapshot) -> bool {
    log.epochs("").is_empty()
}

/// The offsets of each partition before a frontier that a log with this end does not have.
fn lost_positions(frontier: &Frontier, end: &Frontier) -> Vec<String> {
    let ends = end.0.iter().copied().chain(std::iter::repeat(0));
    let partitions = frontier.0.iter().zip(ends).enumerate();
    let lost = partitions.filter(|(_, (to, end))| *to > end);
    lost.map(|(partition, (to, end))| format!("offsets {end} to {to} of partition {partition}")).collect()
}
