//! What a deployment changes, for people and as JSON.

use serde_json::{Value, json};

use crate::cli::terminal::{self, Failure, counted};

/// Parts of a definition that are fields of its source.
const OF_FIELD: &str = "field ";

/// What a deployment changes, and the notes on it.
pub(super) fn show(deployed: &Value, is_json: bool) -> Result<(), Failure> {
    for change in deployed["changes"].as_array().into_iter().flatten() {
        match is_json {
            true => terminal::data(&format!("{change}\n"))?,
            false => terminal::data(&format!("{}{}", line(change), parts(change)))?,
        }
    }
    notes(deployed);
    Ok(())
}

/// The notes on a step, on stderr.
pub(super) fn notes(answer: &Value) {
    let notes = answer["notes"].as_array().into_iter().flatten();
    notes.filter_map(Value::as_str).for_each(|note| terminal::note(format!("note: {note}")));
}

/// The last line of JSON: what became of the version.
pub(super) fn show_end(deployed: &Value, state: Option<&str>) -> Result<(), Failure> {
    let end = json!({
        "version": deployed["version"],
        "state": state,
        "unchanged": deployed["unchanged"],
        "notes": deployed["notes"],
    });
    terminal::data(&format!("{end}\n"))
}

fn line(change: &Value) -> String {
    let text = |name: &str| change[name].as_str().unwrap_or_default();
    let was = change["was"].as_str().map_or_else(String::new, |was| format!(" (was {was})"));
    let what = match change["positions"].as_u64() {
        Some(n) => {
            let seconds = change["seconds"].as_u64();
            let time = seconds.map_or_else(String::new, |seconds| format!(", about {seconds} s to read"));
            let events = counted(n as usize, "event of the log", "events of the log");
            format!("{events}{time}, then writes the view")
        }
        None if ["changed", "added", "presentation", "renamed"].contains(&text("effect")) => {
            "nothing to compute".to_owned()
        }
        None => String::new(),
    };
    let line = format!("{:13} {}{was}", text("effect"), text("metric"));
    format!("{}\n", format!("{line:40} {what}").trim_end())
}

/// The parts of the definition that differ, which are the reason of a change. All fields of a source are one of
/// them: each of its metrics has them, and the notes say more.
fn parts(change: &Value) -> String {
    let parts = change["parts"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |part: &Value| part["part"].as_str().unwrap_or_default().to_owned();
    let fields: Vec<String> =
        parts.iter().filter_map(|part| Some(name(part).strip_prefix(OF_FIELD)?.to_owned())).collect();
    let mut text = String::new();
    if !fields.is_empty() {
        text.push_str(&format!("  fields of the source: {}\n", fields.join(", ")));
    }
    for part in parts.iter().filter(|part| !name(part).starts_with(OF_FIELD)) {
        text.push_str(&format!("  {}\n", name(part)));
        for (sign, value) in [('-', &part["old"]), ('+', &part["new"])] {
            text.extend(value.as_str().map(|value| format!("    {sign} {value}\n")));
        }
    }
    text
}
