//! Values rounded to the digits that the other system shows.

use std::collections::BTreeMap;

use metricc_comparison::causes::RowsError;
use metricc_comparison::compare::{Rounding, RowSet, digits};

use super::question::{Judged, Question};
use super::trials::{Attempt, Computed, NO_TIME, Sources};

/// Rounds our values to the digits that theirs show, where ours have more.
pub(super) fn rounded(question: &Question<'_>, sources: &Sources<'_>) -> Result<Attempt, RowsError> {
    const CAUSE: &str = "numbers are rounded";
    if sources.is_late() {
        return Ok(Attempt::not_tried(CAUSE, NO_TIME));
    }
    let ours = question.like_theirs(&question.side.rows(question.whole)?.0, None)?;
    let shown = fewer_digits(&ours, &question.theirs.rows);
    if shown.iter().all(Option::is_none) {
        return Ok(Attempt::not_tried(
            CAUSE,
            "no value of the file has fewer digits after the point than OURS",
        ));
    }
    let mut best: Option<(Judged, Rounding)> = None;
    for rounding in [Rounding::HalfAway, Rounding::HalfEven, Rounding::Cut] {
        let judged = question.judge(&ours.rounded(&shown, rounding), question.tolerance)?;
        (sources.progress)();
        if best.as_ref().is_none_or(|(known, _)| !known.is_at_least(&judged)) {
            best = Some((judged, rounding));
        }
    }
    let (judged, rounding) = best.unwrap_or((Judged::default(), Rounding::HalfAway));
    Ok(Attempt::of(cause_text(&ours, &shown, rounding), judged, Computed::Rows))
}

/// The digits after the point of each of their values, where it has fewer than ours.
fn fewer_digits(ours: &RowSet, theirs: &RowSet) -> Vec<Option<u32>> {
    let of_output = |name: &str| theirs.outputs.iter().find(|other| other.name == name).and_then(digits);
    let fewer = |(own, other): (u32, u32)| (other < own).then_some(other);
    let outputs = ours.outputs.iter();
    outputs.map(|output| digits(output).zip(of_output(&output.name)).and_then(fewer)).collect()
}

/// For example `numbers are rounded to 2 digits after the point`.
fn cause_text(ours: &RowSet, shown: &[Option<u32>], rounding: Rounding) -> String {
    let mut by_digits: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (output, n_digits) in ours.outputs.iter().zip(shown) {
        if let Some(n_digits) = n_digits {
            by_digits.entry(*n_digits).or_default().push(format!("`{}`", output.name));
        }
    }
    let verb = if rounding == Rounding::Cut { "cut" } else { "rounded" };
    let parts = by_digits.iter().map(|(n_digits, names)| {
        let names = if ours.outputs.len() == 1 { "numbers".to_owned() } else { names.join(" and ") };
        let is = if names == "numbers" || names.contains(' ') { "are" } else { "is" };
        let to = match n_digits {
            0 => "whole numbers".to_owned(),
            1 => "1 digit after the point".to_owned(),
            n => format!("{n} digits after the point"),
        };
        format!("{names} {is} {verb} to {to}")
    });
    let text = parts.collect::<Vec<_>>().join(", ");
    match rounding {
        Rounding::HalfAway => text,
        Rounding::HalfEven => format!("{text}, halves to the even digit"),
        Rounding::Cut => format!("{text}, not rounded"),
    }
}
