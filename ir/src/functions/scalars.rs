//! The scalar functions.

use std::ops::RangeInclusive;

use super::result_types::Number;
use super::{Gives, Param, Parameters, ScalarSpec, Sort, Width};
use crate::{Func, Part};

const TEXT: &[Param] = &[Param::Value(Sort::Text)];
const FRACTION: &[Param] = &[Param::Value(Sort::Fraction)];
const ANY_NUMBER: &[Param] = &[Param::Value(Sort::AnyNumber)];

/// The most arguments of a function that takes any number of them.
const MANY: usize = 256;

/// What a row starts from: a text of a text.
const OF_TEXT: ScalarSpec = ScalarSpec {
    name: "",
    aliases: &[],
    usage: "",
    doc: "",
    params: TEXT,
    n_arguments: 1..=1,
    gives: Gives::Text,
    takes_calendar: false,
    func: |_| Func::Text,
};
const TEST_OF_TEXT: ScalarSpec = ScalarSpec { n_arguments: 2..=2, gives: Gives::Bool, ..OF_TEXT };
const ROUNDED: ScalarSpec = ScalarSpec { params: FRACTION, gives: Gives::Rounded, ..OF_TEXT };
const EXTREME: ScalarSpec = ScalarSpec {
    params: &[Param::Value(Sort::Ordered)],
    n_arguments: 2..=MANY,
    gives: Gives::Common,
    ..OF_TEXT
};
const OF_DATE: ScalarSpec =
    ScalarSpec { params: &[Param::Value(Sort::Instant)], gives: Gives::Int, takes_calendar: true, ..OF_TEXT };
const OF_TIME: ScalarSpec = ScalarSpec { params: &[Param::Value(Sort::Timestamp)], ..OF_DATE };

impl ScalarSpec {
    const fn called(self, name: &'static str, aliases: &'static [&'static str], usage: &'static str) -> Self {
        ScalarSpec { name, aliases, usage, ..self }
    }

    const fn computes(self, doc: &'static str, func: fn(&Parameters) -> Func) -> Self {
        ScalarSpec { doc, func, ..self }
    }

    const fn takes(self, params: &'static [Param], n_arguments: RangeInclusive<usize>) -> Self {
        ScalarSpec { params, n_arguments, ..self }
    }

    const fn gives(self, gives: Gives) -> Self {
        ScalarSpec { gives, ..self }
    }
}

/// All scalar functions, in the order of the book.
pub static SCALARS: &[ScalarSpec] = &[
    OF_TEXT
        .called("lower", &["lowercase", "lcase", "tolower", "to_lower"], "lower(text)")
        .computes("The text in lower case.", |_| Func::Lower),
    OF_TEXT
        .called("upper", &["uppercase", "ucase", "toupper", "to_upper"], "upper(text)")
        .computes("The text in upper case.", |_| Func::Upper),
    OF_TEXT
        .called("trim", &["strip", "btrim"], "trim(text)")
        .computes("The text without white space at its ends.", |_| Func::Trim),
    TEST_OF_TEXT
        .called("starts_with", &["startswith", "has_prefix"], "starts_with(text, \"start\")")
        .computes("Whether the text starts with another.", |_| Func::StartsWith),
    TEST_OF_TEXT
        .called("ends_with", &["endswith", "has_suffix"], "ends_with(text, \"end\")")
        .computes("Whether the text ends with another.", |_| Func::EndsWith),
    TEST_OF_TEXT
        .called("contains", &["includes", "array_contains", "list_contains"], "contains(text, \"part\")")
        .computes("Whether the text contains another, or the list an element.", |_| Func::Contains)
        .takes(&[Param::Value(Sort::TextOrList), Param::Member], 2..=2),
    TEST_OF_TEXT
        .called("matches", &["regexp_like", "regexp_matches", "rlike"], "matches(text, \"pattern\")")
        .computes("Whether a regular expression is found in the text.", |given| {
            Func::Matches(given.pattern.clone())
        })
        .takes(&[Param::Value(Sort::Text), Param::Pattern], 2..=2),
    OF_TEXT
        .called("substr", &["substring", "mid"], "substr(text, start, length)")
        .computes("A number of characters from a position on; positions count from 0.", |_| Func::Substr)
        .takes(&[Param::Value(Sort::Text), Param::Value(Sort::Int), Param::Value(Sort::Int)], 3..=3),
    OF_TEXT
        .called("split", &["string_to_array", "str_split"], "split(text, \",\")")
        .computes("The parts of the text between separators.", |_| Func::Split)
        .takes(&[Param::Value(Sort::Text), Param::Separator], 2..=2)
        .gives(Gives::Texts),
    OF_TEXT
        .called("concat", &[], "concat(text, text)")
        .computes("The texts, one after the other.", |_| Func::Concat)
        .takes(TEXT, 2..=MANY),
    OF_TEXT
        .called("length", &["len", "char_length", "character_length", "array_length"], "length(text)")
        .computes("The number of characters of a text, or of elements of a list.", |_| Func::Length)
        .takes(&[Param::Value(Sort::TextOrList)], 1..=1)
        .gives(Gives::Int),
    OF_TEXT
        .called("text", &["to_string", "to_text"], "text(enum)")
        .computes("The name of an enum's value.", |_| Func::Text)
        .takes(&[Param::Value(Sort::Enum)], 1..=1),
    OF_TEXT
        .called("abs", &[], "abs(number)")
        .computes("The number without its sign.", |_| Func::Abs)
        .takes(&[Param::Value(Sort::Number)], 1..=1)
        .gives(Gives::Same),
    ROUNDED
        .called("round", &[], "round(decimal, digits)")
        .computes(
            "The number rounded half to even: to a number of digits after the point, or to a whole \
             number.",
            |given| Func::Round(given.digits),
        )
        .takes(&[Param::Value(Sort::Fraction), Param::Digits], 1..=2),
    ROUNDED
        .called("floor", &[], "floor(number)")
        .computes("The greatest whole number that is not above the number.", |_| Func::Floor),
    ROUNDED
        .called("ceil", &["ceiling"], "ceil(number)")
        .computes("The least whole number that is not below the number.", |_| Func::Ceil),
    EXTREME.called("min", &["least"], "min(a, b)").computes("The least of several values.", |_| Func::Least),
    EXTREME
        .called("max", &["greatest"], "max(a, b)")
        .computes("The greatest of several values.", |_| Func::Greatest),
    OF_TEXT
        .called("int", &["to_int", "toint"], "int(number)")
        .computes("The number as an `int`, without its fraction.", |_| Func::Cast)
        .takes(ANY_NUMBER, 1..=1)
        .gives(Gives::Cast(Number::Int)),
    OF_TEXT
        .called("float", &["to_float", "tofloat", "to_double"], "float(number)")
        .computes("The nearest `float`.", |_| Func::Cast)
        .takes(ANY_NUMBER, 1..=1)
        .gives(Gives::Cast(Number::Float)),
    OF_TEXT
        .called("hash64", &["hash", "xxhash64", "xxh3"], "hash64(value)")
        .computes("A hash of 64 bits that is the same in every version.", |_| Func::Hash64)
        .takes(&[Param::Optional(Sort::Plain)], 1..=MANY)
        .gives(Gives::Int),
    OF_TIME
        .called("truncate", &["time_bucket", "trunc_date"], "truncate(timestamp, 1h)")
        .computes(
            "The start of the bucket that a timestamp lies in: of a duration, or of a unit such as \
             `day` in a calendar.",
            |given| match given.width {
                Width::Duration(micros) => Func::TruncateTo(micros),
                Width::Unit(unit) => Func::TruncateIn(unit, given.calendar.clone().of(unit)),
            },
        )
        .takes(&[Param::Value(Sort::Timestamp), Param::Width], 2..=2)
        .gives(Gives::Timestamp),
    OF_DATE
        .called("period", &["period_index", "date_diff", "datediff"], "period(timestamp, week) in CALENDAR")
        .computes(
            "The number of a period, of a width or of a unit in a calendar, counted from that of \
             1970-01-01.",
            |given| match given.width {
                Width::Duration(micros) => Func::PeriodTo(micros),
                Width::Unit(unit) => Func::PeriodIn(unit, given.calendar.clone().of(unit)),
            },
        )
        .takes(&[Param::Value(Sort::Instant), Param::Width], 2..=2),
    OF_DATE
        .called("year", &[], "year(timestamp) in CALENDAR")
        .computes("The year.", |given| part(Part::Year, given)),
    OF_DATE
        .called("quarter", &[], "quarter(timestamp) in CALENDAR")
        .computes("The quarter of the year, 1 to 4.", |given| part(Part::Quarter, given)),
    OF_DATE
        .called("month", &[], "month(timestamp) in CALENDAR")
        .computes("The month, 1 to 12.", |given| part(Part::Month, given)),
    OF_DATE
        .called("week", &["weekofyear", "iso_week"], "week(timestamp) in CALENDAR")
        .computes("The ISO week, 1 to 53.", |given| part(Part::Week, given)),
    OF_DATE
        .called(
            "iso_year",
            &["week_year", "isoyear", "yearofweek", "weekyear"],
            "iso_year(timestamp) in CALENDAR",
        )
        .computes("The year of the ISO week, which at New Year may differ from `year`.", |given| {
            part(Part::IsoYear, given)
        }),
    OF_DATE
        .called("day", &["dayofmonth", "day_of_month"], "day(timestamp) in CALENDAR")
        .computes("The day of the month, 1 to 31.", |given| part(Part::Day, given)),
    OF_TIME
        .called("hour", &[], "hour(timestamp) in CALENDAR")
        .computes("The hour, 0 to 23.", |given| part(Part::Hour, given)),
    OF_TIME
        .called("minute", &[], "minute(timestamp) in CALENDAR")
        .computes("The minute, 0 to 59.", |given| part(Part::Minute, given)),
    OF_TIME
        .called("second", &[], "second(timestamp) in CALENDAR")
        .computes("The second, 0 to 59.", |given| part(Part::Second, given)),
    OF_DATE
        .called("weekday", &["dayofweek", "day_of_week"], "weekday(timestamp) in CALENDAR")
        .computes("The day of the week, 1 for Monday to 7 for Sunday.", |given| part(Part::Weekday, given)),
    OF_TIME
        .called("date", &["to_date"], "date(timestamp) in CALENDAR")
        .computes("The date of a timestamp; a date is its own.", |given| {
            Func::DateIn(given.calendar.zone.clone())
        })
        .takes(&[Param::Value(Sort::Instant)], 1..=1)
        .gives(Gives::Date),
];

fn part(part: Part, given: &Parameters) -> Func {
    Func::Part(part, given.calendar.zone.clone())
}
