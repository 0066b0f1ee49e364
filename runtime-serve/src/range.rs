//! Ranges of windows: from the bounds of a request to instants, and what a range leaves of coarser windows.
//!
//! A range selects windows of the metric, each as a whole. So a bound inside of one is not met to the letter,
//! which a note says, and a coarser window may be rolled up from some of its windows alone, which marks it
//! as partial. Both follow from the range and the windows, never from the events that there are.

use metricc_client::{RangeBound, ServingError};
use metricc_ir::calendar::{WindowCut, ZoneRules, instant_text};
use metricc_ir::{Window, expression_text};

use crate::ReadOptions;

/// The zone of a window's calendar; `None` is UTC.
pub(crate) fn zone_of(window: &Window) -> Option<ZoneRules> {
    match window {
        Window::Calendar(_, calendar) => ZoneRules::named(&calendar.zone),
        _ => None,
    }
}

/// The zone in which dates of a range are read: that of the coarser windows, or else of the metric's own.
fn zone_of_dates(window: &Window, grain: Option<&Window>) -> Option<ZoneRules> {
    grain.and_then(zone_of).or_else(|| zone_of(window))
}

/// The first instant of a bound, µs, rounded up: a window starts at or after it if it does so at that µs.
fn first_instant(bound: RangeBound, zone: Option<&ZoneRules>) -> i64 {
    bound.first_instant(|days| match zone {
        Some(zone) => zone.first_instant_of_date(days),
        None => days.saturating_mul(metricc_ir::calendar::MICROS_PER_DAY),
    })
}

impl ReadOptions {
    /// The windows of a metric with windows of this kind that lie between two bounds, rolled up to a grain.
    pub fn of_range(
        window: &Window,
        from: Option<RangeBound>,
        to: Option<RangeBound>,
        grain: Option<Window>,
    ) -> Self {
        let zone = zone_of_dates(window, grain.as_ref());
        let instant = |bound| first_instant(bound, zone.as_ref());
        ReadOptions { from: from.map(instant), to: to.map(instant), grain, keys: None }
    }

    /// What a reader of a metric should know of the range: bounds at which no window of the metric starts.
    pub fn notes(&self, metric: &str, window: &Window) -> Vec<String> {
        let Some(cut) = WindowCut::new(window) else { return Vec::new() };
        let zone = zone_of_dates(window, self.grain.as_ref());
        let text = |instant: i64| instant_text(instant, zone.as_ref());
        let between = |bound: &i64| cut.start_of(*bound) != *bound;
        let nothing = |name: &str, bound: i64| {
            let window = expression_text::window(&window.cut());
            format!("`{name}`: no window of `{metric}`, which is `{window}`, starts at {}", text(bound))
        };
        let from = self.from.filter(between).map(|from| {
            format!("{}; the first one read starts at {}", nothing("from", from), text(cut.next_start(from)))
        });
        let to = self.to.filter(between).map(|to| {
            let start = cut.start_of(to);
            let (start, end) = (text(start), text(cut.end_of(start)));
            format!(
                "{}; the last one read starts at {start}, and is read to its end at {end}",
                nothing("to", to)
            )
        });
        from.into_iter().chain(to).collect()
    }

    /// Checks that the range leaves out no part of a coarser window, whose values then would not be
    /// comparable with those of an earlier one.
    ///
    /// # Errors
    /// [`ServingError::Request`], with bounds that can be compared.
    pub(crate) fn check_whole(&self, metric: &str, of_metric: &Window) -> Result<(), ServingError> {
        let is_rolled_up = |grain: &&Window| !grain.is_cut_as(of_metric);
        let Some(grain) = self.grain.as_ref().filter(is_rolled_up) else { return Ok(()) };
        let Some((own, cut)) = WindowCut::new(of_metric).zip(WindowCut::new(grain)) else { return Ok(()) };
        let zone = zone_of_dates(of_metric, Some(grain));
        for (name, bound) in [("from", self.from), ("to", self.to)] {
            let Some(first) = bound.map(|bound| own.next_start(bound)) else { continue };
            if cut.start_of(first) != first {
                let [start, end] = [cut.start_of(first), cut.next_start(first)];
                let [start, end] = [start, end].map(|instant| instant_text(instant, zone.as_ref()));
                let problem = format!(
                    "`{name}` leaves out a part of a window of `{metric}`, and `compare` is of whole windows: use \
                     `{name}={start}` or `{name}={end}`"
                );
                return Err(ServingError::Request(problem));
            }
        }
        Ok(())
    }

    /// For each window to which those of a metric are rolled up whether the range leaves out some of them;
    /// `None` if no range can: without one, or if no window is rolled up.
    pub(crate) fn partial(&self, of_metric: &Window, windows: Option<&[(i64, i64)]>) -> Option<Vec<bool>> {
        let is_rolled_up = self.grain.as_ref().is_some_and(|grain| !grain.is_cut_as(of_metric));
        if !is_rolled_up || (self.from.is_none() && self.to.is_none()) {
            return None;
        }
        let cut = WindowCut::new(of_metric)?;
        let first = self.from.map(|from| cut.next_start(from));
        let end = self.to.map(|to| cut.next_start(to));
        let is_partial = |(start, until): &(i64, i64)| {
            first.is_some_and(|first| first > *start) || end.is_some_and(|end| end < *until)
        };
        windows.map(|windows| windows.iter().map(is_partial).collect())
    }
}
