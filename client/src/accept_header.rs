//! The header `Accept`: which format of rows a client prefers.

use crate::Format;

/// How well a range of media types fits a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    All,
    Kind,
    Exact,
}

impl Format {
    /// The format that an `Accept` header prefers; JSON if it has none of them. Of the ranges that a format
    /// is in, the narrowest one says how much it is wanted: `q=0` excludes it. Of formats that are wanted as
    /// much, the one that is named first is taken.
    pub fn accepted(accept: &str) -> Format {
        let ranges: Vec<(&str, u16)> = accept.split(',').map(range).collect();
        let wanted = |format: &Format| {
            let fits = ranges.iter().enumerate().filter_map(|(place, (range, wanted))| {
                Some((fit(range, format.media_type())?, std::cmp::Reverse(place), *wanted))
            });
            fits.max().map(|(_, place, wanted)| (wanted, place))
        };
        let named = Format::ALL.into_iter().filter_map(|format| Some((wanted(&format)?, format)));
        let named: Vec<_> = named.collect();
        // The first of those that are equal: a range of several formats means the first of them.
        let best =
            named.iter().rev().filter(|((wanted, _), _)| *wanted > 0).max_by_key(|(wanted, _)| *wanted);
        let is_excluded = |format: &Format| named.iter().any(|(_, known)| known == format);
        match best {
            Some((_, format)) => *format,
            None => Format::ALL.into_iter().find(|format| !is_excluded(format)).unwrap_or(Format::Json),
        }
    }
}

/// A range, and how much it is wanted, in thousandths.
fn range(part: &str) -> (&str, u16) {
    let mut parts = part.split(';').map(str::trim);
    let range = parts.next().unwrap_or_default();
    let weight = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f64>().ok())?
    });
    (range, (weight.unwrap_or(1.0).clamp(0.0, 1.0) * 1000.0).round() as u16)
}

fn fit(range: &str, media_type: &str) -> Option<Fit> {
    let (kind, _) = media_type.split_once('/')?;
    if range.eq_ignore_ascii_case(media_type) {
        return Some(Fit::Exact);
    }
    match range.split_once('/')? {
        ("*", "*") => Some(Fit::All),
        (other, "*") if other.eq_ignore_ascii_case(kind) => Some(Fit::Kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_that_is_wanted_most_is_taken_and_excluded_ones_are_not() {
        let arrow = Format::Arrow.media_type();
        for (accept, format) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/html, */*;q=0.8", Format::Json),
            ("text/html", Format::Json),
            ("text/html, text/csv;q=0.9, */*;q=0.8", Format::Csv),
            ("text/html, text/csv;q=0.9, */*", Format::Json),
            ("text/csv", Format::Csv),
            ("TEXT/CSV; header=present", Format::Csv),
            ("text/csv;q=0.5, application/json", Format::Json),
            ("text/csv;q=0.5, application/json;q=0.4", Format::Csv),
            ("application/json;q=0.2, text/csv; q=0.201", Format::Csv),
            ("text/csv, application/json", Format::Csv),
            ("application/json, text/csv", Format::Json),
            ("text/csv;q=0, */*", Format::Json),
            ("application/json;q=0, */*", Format::Csv),
            ("application/json;q=0", Format::Csv),
            ("*/*;q=0, text/csv", Format::Csv),
            ("*/*, text/csv;q=0.1", Format::Json),
            ("text/*, application/json;q=0.9", Format::Csv),
            ("application/*;q=0, text/*;q=0.1", Format::Csv),
            ("application/json;q=0, application/*", Format::Arrow),
            ("text/csv;Q=0.1, application/json;q=x", Format::Json),
            ("*/*;q=0", Format::Json),
            (arrow, Format::Arrow),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
