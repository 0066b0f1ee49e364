//! Progress bars on stderr, if stderr is a terminal.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use metricc_ir as ir;

use super::terminal::Failure;
use crate::{Bound, OpenLog, Package, bind_with};
use metricc_log::{Binding, Progress};
use std::sync::Arc;

/// A progress bar over `n` units of work.
pub(crate) fn bar(n: u64, unit: &'static str, label: &str) -> ProgressBar {
    let template = format!("{{msg:28}} {{bar:32}} {{human_pos}}/{{human_len}} {unit} {{eta}}");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(n).with_style(style);
    bar.set_message(label.to_owned());
    bar
}

/// What is done without knowing how much there is: how much of it is done.
pub(crate) fn spinner(label: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg:28} {human_pos} intervals, {elapsed}");
    let bar = ProgressBar::new_spinner();
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(label.to_owned());
    bar
}

/// What somebody else does, and does not say how far it is: for how long.
pub(crate) fn waiting(label: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let bar = ProgressBar::new_spinner();
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(label);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Opens the logs of all sources by `open`, with a progress bar while their files are indexed.
pub(crate) fn open(
    package: &Package,
    metrics: &[Arc<ir::Metric>],
    sources: &[(String, Binding)],
    open: &OpenLog<'_>,
) -> Result<Vec<Bound>, Failure> {
    let shown: Mutex<Option<ProgressBar>> = Mutex::new(None);
    let show = |source: &str, done: Progress| {
        let mut shown = shown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bar = shown.get_or_insert_with(|| bar(done.bytes_total, "bytes", ""));
        bar.set_message(format!("opening {source}"));
        bar.set_length(done.bytes_total);
        bar.set_position(done.bytes_done);
    };
    let bound = bind_with(package, metrics, sources, &show, open);
    if let Some(bar) = shown.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        bar.finish_and_clear();
    }
    Ok(bound?)
}
