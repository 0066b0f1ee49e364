//! Windows as readers write them: `1h`, `day in Europe/London`, `week in us_east`, `week sunday`, `all`.

use crate::calendar::{ZoneRules, zone_names};
use crate::expression_text::{CALENDAR_UNITS, WEEKDAYS, calendar_unit, weekday};
use crate::suggest;
use crate::text::duration::language_micros;
use crate::{Calendar, CalendarUnit, Window};

/// The window that a reader asks for of a metric with windows.
///
/// A unit alone goes by the metric's own calendar, with its first day of the week. Another calendar is one of
/// the package's `calendars`, or a zone, whose weeks start on Monday. A day after `week` says where weeks
/// start instead.
///
/// # Errors
/// The problem, and what to write instead.
pub fn grain(text: &str, of: &Window, calendars: &[(String, Calendar)]) -> Result<Window, String> {
    let text = text.trim();
    if text == "all" {
        return Ok(Window::AllTime);
    }
    let (words, name) = match text.split_once(" in ") {
        Some((words, name)) => (words.trim(), Some(name.trim())),
        None => (text, None),
    };
    let (word, day) = match words.split_once(' ') {
        Some((word, day)) => (word, Some(day.trim())),
        None => (words, None),
    };
    let Some(unit) = calendar_unit(word) else { return fixed(text, word, name.is_some()) };
    let calendar = match (name, of) {
        (Some(name), _) => named(name, calendars)?,
        (None, Window::Calendar(_, calendar)) => calendar.clone(),
        (None, _) => {
            return Err(format!(
                "where a {word} begins depends on the place: write `{words} in {}`",
                example(calendars)
            ));
        }
    };
    let week_start = match day {
        None => calendar.week_start,
        Some(day) if unit == CalendarUnit::Week => weekday(day).ok_or_else(|| {
            format!("`{day}` is not a day of the week: write {}", suggest::one_of(&WEEKDAYS))
        })?,
        Some(day) => return Err(format!("`{word} {day}`: only weeks start on a day of the week")),
    };
    Ok(Window::Calendar(unit, Calendar { week_start, ..calendar }))
}

/// A window of a fixed length.
fn fixed(text: &str, word: &str, has_calendar: bool) -> Result<Window, String> {
    match language_micros(word) {
        Some(_) if has_calendar => Err(format!("`{word}` goes by the clock of no zone: leave out `in`")),
        Some(_) if word.ends_with('d') => Err(format!(
            "where a day begins depends on the place: write `day in Europe/London`, or `24h` from 00:00 UTC on, not `{word}`"
        )),
        Some(micros) if micros > 0 && word == text => Ok(Window::Tumbling(micros)),
        _ => match suggest::nearest(word, CALENDAR_UNITS) {
            Some(meant) => Err(format!("`{text}` is no window: did you mean `{meant}`?")),
            None => Err(format!(
                "`{text}` is no window: write `1h`, `day in Europe/London`, or `all` for one value of the whole range"
            )),
        },
    }
}

/// A calendar of the package, or that of a zone.
fn named(name: &str, calendars: &[(String, Calendar)]) -> Result<Calendar, String> {
    if let Some((_, calendar)) = calendars.iter().find(|(known, _)| known == name) {
        return Ok(calendar.clone());
    }
    if ZoneRules::named(name).is_some() {
        return Ok(Calendar { zone: name.to_owned(), week_start: 1 });
    }
    let own: Vec<&str> = calendars.iter().map(|(known, _)| known.as_str()).collect();
    let zones = zone_names().map(|zone| -> &str { zone });
    let in_city = || zone_names().find(|zone| zone.rsplit('/').next().is_some_and(|city| city == name));
    let meant = suggest::nearest(name, own.iter().copied().chain(zones)).or_else(in_city);
    let (nothing, help) = match (meant, own.is_empty()) {
        (Some(meant), true) => ("no time zone", format!("did you mean `{meant}`?")),
        (Some(meant), false) => ("no calendar and no time zone", format!("did you mean `{meant}`?")),
        (None, true) => ("no time zone", "write an IANA name, such as `Europe/London`".to_owned()),
        (None, false) => (
            "no calendar and no time zone",
            format!(
                "the package has {}, and zones have IANA names, such as `Europe/London`",
                suggest::all_of(&own)
            ),
        ),
    };
    Err(format!("there is {nothing} `{name}`: {help}"))
}

fn example(calendars: &[(String, Calendar)]) -> &str {
    calendars.first().map_or("Europe/London", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str, week_start: u8) -> Calendar {
        Calendar { zone: zone.to_owned(), week_start }
    }

    fn calendars() -> Vec<(String, Calendar)> {
        vec![
            ("us_east".to_owned(), calendar("America/New_York", 7)),
            ("india".to_owned(), calendar("Asia/Kolkata", 1)),
        ]
    }

    #[test]
    fn windows_are_read_as_they_are_written() {
        let hourly = Window::Tumbling(3_600_000_000);
        let daily = Window::Calendar(CalendarUnit::Day, calendar("America/New_York", 7));
        let week = |zone, start| Window::Calendar(CalendarUnit::Week, calendar(zone, start));
        for (text, of, expected) in [
            (" 6h ", &hourly, Window::Tumbling(6 * 3_600_000_000)),
            ("all", &hourly, Window::AllTime),
            (
                "day in Asia/Kolkata",
                &hourly,
                Window::Calendar(CalendarUnit::Day, calendar("Asia/Kolkata", 1)),
            ),
            ("month", &daily, Window::Calendar(CalendarUnit::Month, calendar("America/New_York", 7))),
            ("week", &daily, week("America/New_York", 7)),
            ("week monday", &daily, week("America/New_York", 1)),
            ("week in America/New_York", &daily, week("America/New_York", 1)),
            ("week  in  us_east", &hourly, week("America/New_York", 7)),
            ("week wednesday in india", &hourly, week("Asia/Kolkata", 3)),
            ("week sunday in America/New_York", &hourly, week("America/New_York", 7)),
        ] {
            assert_eq!(grain(text, of, &calendars()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_window_has_a_way_out() {
        let hourly = Window::Tumbling(3_600_000_000);
        let problem = |text| grain(text, &hourly, &calendars()).expect_err(text);
        for (text, expected) in [
            ("month", "depends on the place: write `month in us_east`"),
            ("week sunday", "write `week sunday in us_east`"),
            (
                "day in Mars",
                "no calendar and no time zone `Mars`: the package has `us_east` and `india`, and",
            ),
            ("day in us_eats", "did you mean `us_east`?"),
            ("day in New_York", "did you mean `America/New_York`?"),
            ("month sunday in india", "only weeks start on a day of the week"),
            ("week sun in india", "`sun` is not a day of the week: write `monday`, `tuesday`,"),
            ("1h in UTC", "the clock of no zone"),
            ("1d", "or `24h` from 00:00 UTC on"),
            ("1h x", "is no window"),
            ("0h", "is no window"),
            ("months in india", "did you mean `month`?"),
            ("fortnight", "is no window"),
            ("", "is no window"),
        ] {
            assert!(problem(text).contains(expected), "{text}: {}", problem(text));
        }
        let nothing = grain("day in Mars", &hourly, &[]).expect_err("no such zone");
        assert_eq!(nothing, "there is no time zone `Mars`: write an IANA name, such as `Europe/London`");
        assert!(grain("day", &hourly, &[]).expect_err("no calendar").contains("`day in Europe/London`"));
    }
}
