//! What a source can declare so that records like a rejected one are read: a spelling of none, a decimal
//! comma, a format of times. A hint is a guess about what the producer means, so it is only ever said, never
//! applied.

use metricc_log::Quarantined;

/// Texts that producers write for a missing value.
const NULLS: [&str; 13] =
    ["NA", "N/A", "n/a", "NULL", "null", "None", "none", "nil", "\\N", "-", "--", "?", "nan"];

/// The hint for a rejected record, if its value looks like one that can be declared.
pub(crate) fn hint(record: &Quarantined) -> Option<String> {
    let (field, problem) = (record.field.as_deref()?, record.problem.as_str());
    let value = record.excerpt.trim_matches('"');
    if !problem.starts_with("not a") && !problem.starts_with("neither true nor false") {
        return None;
    }
    if NULLS.contains(&value) {
        return Some(format!("if `{value}` is none there, declare it: `{field}: …? null {value:?}`"));
    }
    if problem.starts_with("not a number") {
        return number(field, value);
    }
    if problem.starts_with("neither true nor false") {
        return Some(format!(
            "declare what is true and what is false: `{field}: bool true {value:?} false \"…\"`"
        ));
    }
    let format = match problem {
        problem if problem.starts_with("not a timestamp") => "%d.%m.%Y %H:%M",
        problem if problem.starts_with("not a date") => "%d.%m.%Y",
        _ => return None,
    };
    Some(format!("declare how it is written, such as `{field}: … format {format:?}`"))
}

/// The hint for a text that is a number with other marks.
fn number(field: &str, value: &str) -> Option<String> {
    let digits = value.trim().trim_start_matches(['-', '+']);
    let is_marked = digits.contains(',') && digits.chars().all(|c| c.is_ascii_digit() || ",.".contains(c));
    if !is_marked || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mark = match (digits.rfind(','), digits.rfind('.')) {
        // `1.234,50`
        (Some(comma), Some(point)) if point < comma => "thousands \".\" point \",\"",
        // `1,234.50` or `1,234,567`
        (Some(_), Some(_)) => "thousands \",\"",
        _ if digits.matches(',').count() > 1 => "thousands \",\"",
        _ => "point \",\"` or `thousands \",\"",
    };
    Some(format!("say what its marks mean: after the type of `{field}`, `{mark}`"))
}

#[cfg(test)]
mod tests {
    use metricc_log::Position;

    use super::*;

    fn of(problem: &str, value: &str) -> String {
        let record = Quarantined {
            position: Position { partition: 0, offset: 0 },
            path: "a.csv".into(),
            line: Some(1),
            has_known_offset: false,
            field: Some("v".to_owned()),
            problem: problem.to_owned(),
            excerpt: value.to_owned(),
        };
        hint(&record).unwrap_or_default()
    }

    #[test]
    fn values_that_can_be_declared_have_a_hint() {
        for (problem, value, part) in [
            ("not a number", "NA", "null \"NA\""),
            ("not a number", "\"\\N\"", "null \"\\\\N\""),
            ("not a timestamp such as `2026-04-25T10:00:00Z`", "-", "null \"-\""),
            ("not a number", "4941,15", "point \",\""),
            ("not a number", "1.234,50", "thousands \".\" point \",\""),
            ("not a number", "1,234.50", "thousands \",\""),
            ("not a date", "Oct 9 2001", "format \""),
            ("neither true nor false", "yes", "true \"yes\""),
        ] {
            assert!(of(problem, value).contains(part), "{problem} {value}: {}", of(problem, value));
        }
    }

    #[test]
    fn other_values_have_none() {
        for (problem, value) in [
            ("not a number", "seven"),
            ("not a number", "1;2"),
            ("more than 2 digits after the point", "1.005"),
            ("absent or null, and `int` is not optional", ""),
            ("not one of the names of the enum", "NA"),
        ] {
            assert_eq!(of(problem, value), "", "{problem} {value}");
        }
    }
}
