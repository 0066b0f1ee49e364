//! RFC 3339 text of instants and dates. The form is a contract with those who read results.

use super::civil_dates::{CivilDate, LocalTime};
use super::zone_offsets::ZoneRules;

/// An instant as RFC 3339 text: in UTC with `Z`, or in a zone with its offset.
///
/// Seconds are always shown, a fraction only if it is not zero, without trailing zeros. Two cases
/// are written in UTC with `Z` although a zone is given: a zone that never was anything but UTC, and
/// an instant where the offset is not whole minutes (local mean time, before zones), which RFC 3339
/// cannot say. Years outside of 0 to 9999 get a sign and six digits, as in ISO 8601.
pub fn instant_text(instant_us: i64, zone: Option<&ZoneRules>) -> String {
    let offset = zone
        .filter(|zone| !zone.is_utc())
        .map(|zone| zone.offset_at(instant_us))
        .filter(|offset| offset % 60 == 0);
    let local = LocalTime::at(instant_us, offset.unwrap_or(0));
    let mut text =
        format!("{}T{:02}:{:02}:{:02}", date_text(local.days), local.hour(), local.minute(), local.second());
    if local.microsecond != 0 {
        text.push_str(format!(".{:06}", local.microsecond).trim_end_matches('0'));
    }
    match offset {
        None => text.push('Z'),
        Some(offset) => {
            let minutes = offset.unsigned_abs() / 60;
            let sign = if offset < 0 { '-' } else { '+' };
            text.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
    }
    text
}

/// A date, in days since 1970-01-01, as `YYYY-MM-DD`.
pub fn date_text(days: i64) -> String {
    let CivilDate { year, month, day } = CivilDate::from_days(days);
    if (0..=9_999).contains(&year) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:+07}-{month:02}-{day:02}")
    }
}
