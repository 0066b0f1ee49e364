//! Windows as readers write them: `1h`, `day in Europe/London`, `all`.

use crate::calendar::ZoneRules;
use crate::spelling::calendar_unit;
use crate::text::duration::language_micros;
use crate::{Calendar, Window};

/// The window that a reader asks for of a metric with windows. A unit alone goes by the metric's own calendar; one of
/// another zone names it, and its weeks start on Monday.
///
/// # Errors
/// The problem, and what to write instead.
pub fn grain(text: &str, of: &Window) -> Result<Window, String> {
    let text = text.trim();
    if text == "all" {
        return Ok(Window::AllTime);
    }
    let (word, zone) = match text.split_once(" in ") {
        Some((word, zone)) => (word.trim(), Some(zone.trim())),
        None => (text, None),
    };
    let Some(unit) = calendar_unit(word) else {
        return match (language_micros(word), zone) {
            (Some(_), Some(_)) => Err(format!("`{word}` goes by the clock of no zone: leave out `in`")),
            (Some(_), None) if word.ends_with('d') => Err(format!(
                "where a day begins depends on the place: write `day in Europe/London`, or `24h` from 00:00 UTC on, not `{word}`"
            )),
            (Some(micros), None) if micros > 0 => Ok(Window::Tumbling(micros)),
            _ => Err(format!(
                "`{text}` is no window: write `1h`, `day in Europe/London`, or `all` for one value of the whole range"
            )),
        };
    };
    let calendar = match (zone, of) {
        (Some(zone), _) if ZoneRules::named(zone).is_none() => {
            return Err(format!(
                "there is no time zone `{zone}`: write an IANA name, such as `Europe/London`"
            ));
        }
        (Some(zone), _) => Calendar { zone: zone.to_owned(), week_start: 1 },
        (None, Window::Calendar(_, calendar)) => calendar.clone(),
        (None, _) => {
            return Err(format!(
                "where a {word} begins depends on the place: write `{word} in Europe/London`"
            ));
        }
    };
    Ok(Window::Calendar(unit, calendar.of(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CalendarUnit;

    #[test]
    fn windows_are_read_as_they_are_written() {
        let hourly = Window::Tumbling(3_600_000_000);
        let india =
            |unit| Window::Calendar(unit, Calendar { zone: "Asia/Kolkata".to_owned(), week_start: 1 });
        assert_eq!(grain(" 6h ", &hourly), Ok(Window::Tumbling(6 * 3_600_000_000)));
        assert_eq!(grain("all", &hourly), Ok(Window::AllTime));
        assert_eq!(grain("day in Asia/Kolkata", &hourly), Ok(india(CalendarUnit::Day)));
        assert_eq!(grain("month", &india(CalendarUnit::Day)), Ok(india(CalendarUnit::Month)));
        for (text, of, problem) in [
            ("month", &hourly, "depends on the place"),
            ("day in Mars", &hourly, "no time zone `Mars`"),
            ("1h in UTC", &hourly, "the clock of no zone"),
            ("1d", &hourly, "or `24h` from 00:00 UTC on"),
            ("0h", &hourly, "is no window"),
            ("fortnight", &hourly, "is no window"),
            ("", &hourly, "is no window"),
        ] {
            let found = grain(text, of).expect_err(text);
            assert!(found.contains(problem), "{found}");
        }
    }
}
