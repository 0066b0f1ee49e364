//! What is read in a plain form is what the general rules read.

use proptest::prelude::*;

use super::*;
use crate::text::{number, timestamp};

/// Checks all forms on a text that may go on behind its value, and that nothing before it matters.
fn check(text: &str) {
    check_values(text);
    let behind = format!("7.8-9012345{text}");
    let shift = |end: Option<usize>| end.map(|end| end + 11);
    let (bytes, at) = (behind.as_bytes(), text.as_bytes());
    assert_eq!(int(bytes, 11).map(|found| found.1), shift(int(at, 0).map(|found| found.1)), "{text}");
    assert_eq!(float(bytes, 11).map(|found| found.1), shift(float(at, 0).map(|found| found.1)), "{text}");
    assert_eq!(instant(bytes, 11).map(|found| found.1), shift(instant(at, 0).map(|found| found.1)), "{text}");
    assert_eq!(day(bytes, 11).map(|found| found.0), day(at, 0).map(|found| found.0), "{text}");
}

fn check_values(text: &str) {
    let bytes = text.as_bytes();
    assert_eq!(
        skip_digits(bytes, 0),
        bytes.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        "{text}"
    );
    if let Some((value, n_bytes)) = int(bytes, 0) {
        assert_eq!(number::any_int(&text[..n_bytes]), Ok(value), "{text}");
        assert_eq!(number::scan(bytes), Some(n_bytes), "{text}");
    }
    for (precision, scale) in [(10, 2), (18, 0), (18, 18), (38, 6), (1, 1)] {
        if let Some((units, n_bytes)) = decimal(bytes, 0, precision, scale) {
            let value = number::any_decimal(&text[..n_bytes], precision, scale);
            assert_eq!(value, Ok(units.into()), "{text}");
            assert_eq!(number::scan(bytes), Some(n_bytes), "{text}");
        }
    }
    if let Some((value, n_bytes)) = float(bytes, 0) {
        let general = number::any_float(&text[..n_bytes]).unwrap().map(f64::to_bits);
        assert_eq!(general, Some(value.to_bits()), "{text}");
        assert_eq!(number::scan(bytes), Some(n_bytes), "{text}");
    }
    if let Some((value, n_bytes)) = instant(bytes, 0) {
        assert_eq!(timestamp::any_instant(&text[..n_bytes], None), Ok(value), "{text}");
    }
    if let Some((value, n_bytes)) = day(bytes, 0) {
        assert_eq!(timestamp::parse_date(&text[..n_bytes]), Ok(value), "{text}");
    }
}

proptest! {
    #[test]
    fn numbers_are_those_of_the_general_rules(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?([eE,} \"x:].{0,9})?") {
        check(&text);
    }

    #[test]
    fn floats_are_the_nearest_ones(units in 0u64..=1 << 54, behind in 0usize..18, negative: bool) {
        let digits = format!("{units:0width$}", width = behind + 1);
        let (whole, fraction) = digits.split_at(digits.len() - behind);
        let text = format!("{}{whole}.{fraction}", if negative { "-" } else { "" });
        check(&text);
    }

    #[test]
    fn instants_are_those_of_the_general_rules(
        text in "[0-9]{4}-[01][0-9]-[0-3][0-9][T t][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?([.,][0-9]{0,8})?\
                 (Z|z|[+-][0-2][0-9]:?[0-6][0-9](:[0-9]{2})?|UTC| Z)?(\\[a\\])?[\",]?"
    ) {
        check(&text);
    }

    /// A plain text with one byte changed.
    #[test]
    fn damaged_texts_are_left_to_the_general_rules(of in 0usize..6, at in 0usize..34, with in any::<char>()) {
        let text = ["2026-04-25T10:00:00.123456Z", "2026-04-25 10:00:00+05:30", "2026-04-25", "-1234567.89",
            "123456789012345678", "0.000001"][of];
        let damaged: String =
            text.chars().enumerate().map(|(place, byte)| if place == at { with } else { byte }).collect();
        check(&damaged);
    }

    #[test]
    fn any_text_is_read_without_panic(text in ".{0,40}") {
        check(&text);
    }
}

#[test]
fn plain_texts_are_read_at_once() {
    let instants = [
        "2026-04-25T10:00:00Z",
        "2026-04-25 10:00:00.5Z",
        "2026-04-25T10:00:00.123456+05:30",
        "2000-02-29T24:00:00Z",
    ];
    for text in instants {
        let value = timestamp::any_instant(text, None).unwrap();
        assert_eq!(instant(format!("{text}\",").as_bytes(), 0), Some((value, text.len())));
    }
    assert_eq!(int(b"x-123456789012345678,", 1), Some((-123_456_789_012_345_678, 20)));
    assert_eq!(float(b"-0.25}", 0), Some((-0.25, 5)));
    assert_eq!(decimal(b"12.5", 0, 10, 2), Some((1250, 4)));
    assert_eq!(day(b"2026-04-25\"", 0), Some((20_568, 10)));
}

#[test]
fn other_forms_are_left_alone() {
    for text in ["", "-", "01", "-01", "1e3", "1.", ".5", "+1", "1.5.", "1.e1", "1234567890123456789", "١"] {
        assert_eq!((int(text.as_bytes(), 0), float(text.as_bytes(), 0)), (None, None), "{text}");
    }
    for text in [
        "2026-04-25T10:00Z",
        "2026-02-29T10:00:00Z",
        "2026-04-25T10:00:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "2026-04-25T10:00:00",
        "2026-04-25T10:00:00.1234567Z",
    ] {
        assert_eq!(instant(text.as_bytes(), 0), None, "{text}");
    }
}
