//! Days of another time zone, or times as a clock there shows them.

use metricc_ir::Window;
use metricc_ir::calendar::{MICROS_PER_DAY, ZoneRules};

use super::question::{Judged, Question};
use super::trials::{Attempt, Computed, NO_TIME, Sources};
use super::variants::in_zone;
use metricc_comparison::causes::RowsError;
use metricc_comparison::compare::Clock;

/// The zones that are tried if none are given: those of many warehouses and head offices.
pub(crate) const ZONES: [&str; 12] = [
    "UTC",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Europe/London",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
];

/// Tries each zone. Zones that explain the same rows are one cause.
pub(super) fn zones(question: &Question<'_>, sources: &Sources<'_>) -> Result<Vec<Attempt>, RowsError> {
    const CAUSE: &str = "days of another time zone";
    let metric = &question.side.metric;
    let window = metric.row_type().window;
    let own = match &window {
        Window::Calendar(_, calendar) => Some(calendar.zone.as_str()),
        Window::Tumbling(_) => Some("UTC"),
        _ => None,
    };
    let is_local =
        question.theirs.rows.windows.as_ref().is_some_and(|windows| matches!(windows.clock, Clock::Local));
    let is_shown = is_local && matches!(window, Window::Tumbling(width) if width != MICROS_PER_DAY);
    let (mut attempts, mut seen): (Vec<Attempt>, Vec<(Judged, usize)>) = (Vec::new(), Vec::new());
    for zone in sources.zones.iter().filter(|zone| Some(zone.as_str()) != own) {
        let (Some(rules), moved) = (ZoneRules::named(zone), in_zone(metric, zone)) else { continue };
        let (cause, moved) = match moved {
            Some(moved) => {
                let not = own.map(|own| format!("not those of {own}, but ")).unwrap_or_default();
                (format!("days are {not}of {zone}"), moved)
            }
            None if is_shown => (format!("times of windows are those of a clock in {zone}"), metric.clone()),
            None => continue,
        };
        if sources.is_late() {
            attempts.push(Attempt::not_tried(cause, NO_TIME));
            continue;
        }
        let side = question.side.with(&moved, question.side.log())?;
        let rows = question.like_theirs(&side.rows(question.whole)?.0, Some(&rules))?;
        (sources.progress)();
        let judged = question.judge(&rows, question.tolerance)?;
        match seen.iter().find(|(known, _)| judged.is_cause() && known.is_same(&judged)) {
            Some((_, same)) => attempts[*same].cause.push_str(&format!(" or {zone}")),
            None => {
                seen.push((judged.clone(), attempts.len()));
                attempts.push(Attempt::of(cause, judged, Computed::Side(Box::new(side), Some(rules))));
            }
        }
    }
    if attempts.is_empty() {
        let why = "nothing in the metric is about days or local times, or no other zone is given";
        attempts.push(Attempt::not_tried(CAUSE, why));
    }
    Ok(attempts)
}
