//! What `metricc diff` says of rows that differ and of their causes: as text for people, and as JSON.

use metricc_ir::AnyMetric;
use metricc_ir::text::counted;
use serde_json::{Map, Value as Json, json};

use super::sides::Sides;
use crate::causes::Stop;
use crate::diff::data::{Causes, RowsReport};
use crate::diff::decided::{Cause, Fate, Seen};
use crate::diff::{Change, MetricChange};

/// Rows of one event that are shown; in sliding windows it has many.
const SHOWN_ROWS: usize = 3;

/// What was found of the rows of one metric.
#[derive(Debug)]
pub struct MetricRows {
    /// The metric, as the new version has it.
    pub metric: AnyMetric,
    /// The rows, or why they are not compared.
    pub rows: Result<RowsReport, String>,
    /// The events, or why none is searched; `None` if no row differs, or none is wanted.
    pub causes: Option<Result<Causes, String>>,
}

impl MetricRows {
    /// Whether rows differ, or there is nothing to compare.
    pub fn differ(&self) -> bool {
        self.rows.as_ref().map_or(true, |report| !report.comparison.different.is_empty())
    }
}

/// A metric as JSON: the change of its definition, and what was found of its rows.
///
/// # Errors
/// None that is expected: names and texts are JSON.
pub fn json(
    change: &MetricChange,
    found: Option<&MetricRows>,
    limit: usize,
) -> Result<Json, serde_json::Error> {
    let mut value = serde_json::to_value(change)?;
    if let (Some(members), Some(found)) = (value.as_object_mut(), found) {
        members.extend(members_of(found, limit));
    }
    Ok(value)
}

/// A line for each metric, and below it the parts that differ.
pub fn changes_text(changes: &[MetricChange]) -> String {
    let mut text = String::new();
    for change in changes {
        let (word, what_to_do) = match change.change {
            Change::Same => ("same", ""),
            Change::Renamed => ("renamed", "nothing to recompute"),
            Change::Presentation => ("presentation", "nothing to recompute"),
            Change::States => ("changed", "recomputed from the log"),
            Change::Added if change.recompute => ("added", "computed from the log"),
            Change::Added => ("added", "nothing to recompute"),
            Change::Removed => ("removed", ""),
        };
        let was = change.was.as_ref().map_or_else(String::new, |was| format!(" (was {was})"));
        let line = format!("{word:13} {}{was}", change.metric);
        text.push_str(format!("{line:40} {what_to_do}").trim_end());
        text.push('\n');
        for part in &change.parts {
            text.push_str(&format!("  {}\n", part.part));
            for (sign, value) in [('-', &part.old), ('+', &part.new)] {
                if let Some(value) = value {
                    text.push_str(&format!("    {sign} {value}\n"));
                }
            }
        }
    }
    text
}

/// The rows of a metric, and what makes them differ, for people.
pub fn text(name: &str, found: &MetricRows, limit: usize) -> String {
    let report = match &found.rows {
        Ok(report) => report,
        Err(problem) => return format!("{name}: not compared: {problem}\n"),
    };
    let sides = Sides { left: &report.old, right: &report.new, names: ["OLD", "NEW"] };
    let mut text =
        sides.table(&format!("{name}: {}", sides.counts(&report.comparison)), &report.comparison, limit);
    if let Some(note) = &report.note {
        text.push_str(&format!("  not row by row: {note}\n"));
    }
    for (output, version) in &report.unpaired {
        text.push_str(&format!("  `{output}` is in {version} alone: not compared\n"));
    }
    match &found.causes {
        None => {}
        Some(Err(problem)) => text.push_str(&format!("  causes: {problem}\n")),
        Some(Ok(causes)) => text.push_str(&causes_text(causes)),
    }
    text
}

fn causes_text(causes: &Causes) -> String {
    let found = &causes.found;
    let n_events =
        counted(found.events.len(), "event found that alone gives", "events found that alone give");
    let mut text = format!("  {n_events} other rows; {}\n", stop_text(found.stop));
    for (class, events) in &causes.classes {
        let parts: Vec<String> = class.parts.iter().map(|part| format!("`{part}`")).collect();
        let parts = if parts.is_empty() { String::new() } else { format!("{}: ", parts.join(", ")) };
        text.push_str(&format!("  {parts}{} ({})\n", class.how, counted(events.len(), "event", "events")));
        for event in events {
            text.push_str(&event_text(event));
        }
    }
    for interval in &found.together {
        let (from, to) = (interval.from(), interval.to());
        text.push_str(&format!("  only together: events from {from} to {to}, none of which does alone\n"));
    }
    if !causes.untested.is_empty() {
        let parts = causes.untested.join("`, `");
        text.push_str(&format!(
            "  not tested, since the other version has other fields, or a row may be lost by overflow: `{parts}`\n"
        ));
    }
    text
}

fn stop_text(stop: Stop) -> String {
    let left = |n: usize| counted(n, "interval that differs is", "intervals that differ are");
    match stop {
        Stop::Complete => "there are no others".to_owned(),
        Stop::Events(n) => format!("stopped at this number (`--causes`), {} not searched", left(n)),
        Stop::Time(n) => format!("stopped when the time was over (`--within`), {} not searched", left(n)),
    }
}

fn event_text(event: &Cause) -> String {
    let (file, at) = (&event.file, event.position);
    let fields = event.fields.as_ref().map(|fields| fields.row_text()).unwrap_or_default();
    let seen = |name: &str, seen: &Seen| format!("      {name}  {}\n", seen_text(seen));
    format!(
        "    {file}, position [{}, {}]: {fields}\n{}{}",
        at.partition,
        at.offset,
        seen("OLD", &event.old),
        seen("NEW", &event.new)
    )
}

fn seen_text(seen: &Seen) -> String {
    match &seen.fate {
        Fate::Rejected(why) => format!("rejected: {why}"),
        Fate::Duplicate => "a duplicate".to_owned(),
        Fate::LeftOut => "left out".to_owned(),
        Fate::Counted if seen.rows.n_rows == 0 => "no row".to_owned(),
        Fate::Counted => {
            let row = |row: usize| {
                let group = seen.rows.group_text(row);
                let group = if group.is_empty() { group } else { format!("{group}: ") };
                format!("{group}{}", seen.rows.output_text(row))
            };
            let n_more = seen.rows.n_rows.saturating_sub(SHOWN_ROWS);
            let more = if n_more == 0 { String::new() } else { format!("; … {n_more} more") };
            (0..seen.rows.n_rows.min(SHOWN_ROWS)).map(row).collect::<Vec<_>>().join("; ") + &more
        }
    }
}

/// The members that a metric has in JSON beside those of its definition.
fn members_of(found: &MetricRows, limit: usize) -> Map<String, Json> {
    let mut members = Map::new();
    match &found.rows {
        Err(problem) => members.insert("rows".to_owned(), json!({ "not_compared": problem })),
        Ok(report) => {
            let sides = Sides { left: &report.old, right: &report.new, names: ["OLD", "NEW"] };
            let mut rows = sides.json(&report.comparison, limit);
            rows.insert("note".to_owned(), json!(report.note));
            members.insert("rows".to_owned(), Json::Object(rows))
        }
    };
    let causes = match &found.causes {
        None => Json::Null,
        Some(Err(problem)) => json!({ "not_searched": problem }),
        Some(Ok(causes)) => causes_json(causes),
    };
    members.insert("causes".to_owned(), causes);
    members
}

fn causes_json(causes: &Causes) -> Json {
    let event = |event: &Cause| {
        let seen = |seen: &Seen| {
            let rows = (0..seen.rows.n_rows).map(|row| {
                json!({
                    "key": seen.rows.key_json(row),
                    "window": seen.rows.window_json(row),
                    "values": seen.rows.output_json(row),
                })
            });
            json!({ "record": fate_name(&seen.fate), "rows": rows.collect::<Vec<_>>() })
        };
        json!({
            "file": event.file,
            "partition": event.position.partition,
            "offset": event.position.offset,
            "fields": event.fields.as_ref().map(|fields| fields.json()),
            "old": seen(&event.old),
            "new": seen(&event.new),
        })
    };
    let classes = causes.classes.iter().map(|(class, events)| {
        json!({ "parts": class.parts, "how": class.how, "events": events.iter().map(event).collect::<Vec<_>>() })
    });
    let together =
        causes.found.together.iter().map(|interval| json!({ "from": interval.from(), "to": interval.to() }));
    let (stopped, n_left) = match causes.found.stop {
        Stop::Complete => ("complete", 0),
        Stop::Events(n) => ("events", n),
        Stop::Time(n) => ("time", n),
    };
    json!({
        "classes": classes.collect::<Vec<_>>(),
        "together": together.collect::<Vec<_>>(),
        "untested": causes.untested,
        "stopped": stopped,
        "intervals_left": n_left,
        "intervals_evaluated": causes.found.n_evaluated,
    })
}

fn fate_name(fate: &Fate) -> &'static str {
    match fate {
        Fate::Rejected(_) => "rejected",
        Fate::Duplicate => "duplicate",
        Fate::LeftOut => "left_out",
        Fate::Counted => "counted",
    }
}
