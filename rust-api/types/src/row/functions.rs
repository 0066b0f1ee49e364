//! Functions of the language as methods.

use super::{Choice, Day, Instant, Length, List, Num, Out, Shape, Text};

macro_rules! functions {
    ($($ty:ty { $($(#[$doc:meta])* $name:ident($($argument:ident: $argument_type:ty),*) -> $result:ty;)* })*) => {
        $(impl $ty {
            $($(#[$doc])*
            pub fn $name(self $(, $argument: $argument_type)*) -> $result {
                $(let _ = $argument;)*
                <$result as Shape>::SHAPE
            })*
        })*
    };
}

functions! {
    Num {
        /// The number without its sign.
        abs() -> Num;
        /// The number rounded half to even: to a number of digits after the point, or to a whole number.
        round(digits: Num) -> Num;
        /// The greatest whole number that is not above the number.
        floor() -> Num;
        /// The least whole number that is not below the number.
        ceil() -> Num;
        /// The least of several values.
        min(other: Num) -> Num;
        /// The greatest of several values.
        max(other: Num) -> Num;
        /// The number as an `int`, without its fraction.
        int() -> Num;
        /// The nearest `float`.
        float() -> Num;
        /// The value, or this one where there is none: of an operation that may fail, such as `/`.
        unwrap_or(other: Num) -> Num;
        /// A hash of 64 bits that is the same in every version.
        hash64() -> Num;
    }
    Text {
        /// The text in lower case.
        lower() -> Text;
        /// The text in upper case.
        upper() -> Text;
        /// The text in lower case.
        to_lowercase() -> Text;
        /// The text in upper case.
        to_uppercase() -> Text;
        /// The text without white space at its ends.
        trim() -> Text;
        /// Whether the text starts with another.
        starts_with(start: Text) -> bool;
        /// Whether the text ends with another.
        ends_with(end: Text) -> bool;
        /// Whether the text contains another, or the list an element.
        contains(part: Text) -> bool;
        /// Whether a regular expression is found in the text.
        matches(pattern: Text) -> bool;
        /// A number of characters from a position on; positions count from 0.
        substr(start: Num, length: Num) -> Text;
        /// The parts of the text between separators.
        split(separator: Text) -> List<Text>;
        /// The texts, one after the other.
        concat(other: Text) -> Text;
        /// The number of characters of a text, or of elements of a list.
        length() -> Num;
        /// The number of characters of a text, or of elements of a list.
        len() -> Num;
        /// The same; a metric has no references.
        as_str() -> Text;
        /// A hash of 64 bits that is the same in every version.
        hash64() -> Num;
    }
    Length {
        /// The number without its sign.
        abs() -> Length;
        /// A hash of 64 bits that is the same in every version.
        hash64() -> Num;
    }
}

macro_rules! of_time {
    ($($ty:ty: $($name:ident $in_zone:ident $what:literal),*;)*) => {
        $(impl $ty {
            $(#[doc = $what]
            #[doc = " In UTC."]
            pub fn $name(self) -> Num {
                Num
            }
            #[doc = $what]
            #[doc = " In a zone by its IANA name."]
            pub fn $in_zone(self, _: Text) -> Num {
                Num
            })*
        })*
    };
}

of_time! {
    Instant:
        year year_in "The year.",
        quarter quarter_in "The quarter of the year, 1 to 4.",
        month month_in "The month, 1 to 12.",
        week week_in "The ISO week, 1 to 53.",
        iso_year iso_year_in "The year of the ISO week, which at New Year may differ from `year`.",
        day day_in "The day of the month, 1 to 31.",
        hour hour_in "The hour, 0 to 23.",
        minute minute_in "The minute, 0 to 59.",
        second second_in "The second, 0 to 59.",
        weekday weekday_in "The day of the week, 1 for Monday to 7 for Sunday.";
    Day:
        year year_in "The year.",
        quarter quarter_in "The quarter of the year, 1 to 4.",
        month month_in "The month, 1 to 12.",
        week week_in "The ISO week, 1 to 53.",
        iso_year iso_year_in "The year of the ISO week, which at New Year may differ from `year`.",
        day day_in "The day of the month, 1 to 31.",
        weekday weekday_in "The day of the week, 1 for Monday to 7 for Sunday.";
}

impl Day {
    /// The number of a period, of a width or of a unit in a calendar, counted from that of 1970-01-01.
    pub fn period<W>(self, _: W) -> Num {
        Num
    }
}

impl Instant {
    /// The number of a period, of a width or of a unit in a calendar, counted from that of 1970-01-01.
    pub fn period<W>(self, _: W) -> Num {
        Num
    }

    /// The start of the bucket that a timestamp lies in: of a duration, or of a unit such as `day` in a
    /// calendar.
    pub fn truncate<W>(self, _: W) -> Instant {
        self
    }

    /// The date of a timestamp; a date is its own.
    pub fn date(self) -> Day {
        Day
    }

    /// The date, in a zone by its IANA name.
    pub fn date_in(self, _: Text) -> Day {
        Day
    }
}

impl<E> Choice<E> {
    /// The name of an enum's value.
    pub fn text(self) -> Text {
        Text
    }
}

impl<T> List<T> {
    /// The number of characters of a text, or of elements of a list.
    pub fn len(self) -> Num {
        Num
    }

    /// The number of characters of a text, or of elements of a list.
    pub fn length(self) -> Num {
        Num
    }

    /// Whether the text contains another, or the list an element.
    pub fn contains<U>(self, _: U) -> bool {
        false
    }
}

impl Out {
    /// Allows an error of this share: `0.01` is one percent. Of a funnel: allows this time for all steps,
    /// such as `1h`.
    pub fn within<W>(self, _: W) -> Out {
        Out
    }

    /// The value, or this one where there is none.
    pub fn unwrap_or<T>(self, _: T) -> Out {
        Out
    }

    /// The number rounded half to even: to a number of digits after the point, or to a whole number.
    pub fn round(self, _: Num) -> Out {
        Out
    }

    /// The number without its sign.
    pub fn abs(self) -> Out {
        Out
    }

    /// The least of several values.
    pub fn min<T>(self, _: T) -> Out {
        Out
    }

    /// The greatest of several values.
    pub fn max<T>(self, _: T) -> Out {
        Out
    }
}
