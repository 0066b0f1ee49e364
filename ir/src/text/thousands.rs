//! Numbers with separators between groups of digits, and with another decimal point: only where a field
//! declares them, since `1,234` is two numbers to two readers.

use std::borrow::Cow;

use super::number::NumberProblem;
use super::timestamp::trimmed;

/// The number without separators and with `.` for the point.
///
/// The groups are those of most of the world (`1,234,567`) or of India (`12,34,567`); anything else may be
/// another decimal point.
///
/// # Errors
/// [`NumberProblem::NotANumber`] if the groups are no such groups, or another point is in it.
pub(super) fn plain(text: &str, thousands: Option<char>, point: char) -> Result<Cow<'_, str>, NumberProblem> {
    let text = trimmed(text);
    if point != '.' && thousands != Some('.') && text.contains('.') {
        return Err(NumberProblem::NotANumber);
    }
    let end = text.find([point, 'e', 'E']).unwrap_or(text.len());
    let (whole, behind) = text.split_at(end);
    let whole = match thousands {
        Some(mark) if whole.contains(mark) => Cow::Owned(without(whole, mark)?),
        _ => Cow::Borrowed(whole),
    };
    match behind.strip_prefix(point) {
        Some(_) if point == '.' && matches!(whole, Cow::Borrowed(_)) => Ok(Cow::Borrowed(text)),
        Some(fraction) => Ok(Cow::Owned(format!("{whole}.{fraction}"))),
        None if behind.is_empty() => Ok(whole),
        None => Ok(Cow::Owned(format!("{whole}{behind}"))),
    }
}

fn without(whole: &str, mark: char) -> Result<String, NumberProblem> {
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let groups: Vec<&str> = digits.split(mark).collect();
    let is_of = |group: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (Some((first, rest)), Some(last)) = (groups.split_first(), groups.last()) else {
        return Err(NumberProblem::NotANumber);
    };
    let between = &rest[..rest.len().saturating_sub(1)];
    let in_threes = is_of(first, 1..=3) && between.iter().all(|group| is_of(group, 3..=3));
    let in_twos = is_of(first, 1..=2) && between.iter().all(|group| is_of(group, 2..=2));
    if !is_of(last, 3..=3) || !(in_threes || in_twos) {
        return Err(NumberProblem::NotANumber);
    }
    Ok(whole.replace(mark, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, thousands: char, point: char) -> Option<String> {
        plain(text, Some(thousands), point).ok().map(Cow::into_owned)
    }

    #[test]
    fn groups_of_three_and_those_of_india_are_joined() {
        for (text, wanted) in [
            ("1,234", "1234"),
            ("-1,234,567.50", "-1234567.50"),
            (" +12,34,567 ", "+1234567"),
            ("12", "12"),
            ("1234.5", "1234.5"),
            ("1,234e2", "1234e2"),
        ] {
            assert_eq!(read(text, ',', '.').as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(read("1.234,5", '.', ',').as_deref(), Some("1234.5"));
        assert_eq!(read("1\u{202f}234,5", '\u{202f}', ',').as_deref(), Some("1234.5"));
        assert_eq!(plain("0,5", None, ',').as_deref(), Ok("0.5"));
    }

    #[test]
    fn what_may_be_another_point_is_refused() {
        for text in ["1,5", "1,23", "1,2345", ",123", "1,,234", "1234,567", "1,23,45", "12,345,67", "1,-23"] {
            assert_eq!(read(text, ',', '.'), None, "{text}");
        }
        assert_eq!(plain("1.5", None, ','), Err(NumberProblem::NotANumber));
        // The point comes last: what follows it is no group.
        assert_eq!(read("1.234.567,8.901", '.', ',').as_deref(), Some("1234567.8.901"));
    }
}
