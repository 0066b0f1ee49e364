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
        /// Without its sign.
        abs() -> Num;
        /// Half away from even digits: to so many after the point.
        round(digits: Num) -> Num;
        /// The next int below.
        floor() -> Num;
        /// The next int above.
        ceil() -> Num;
        /// The lesser.
        min(other: Num) -> Num;
        /// The greater.
        max(other: Num) -> Num;
        /// As `int`, toward zero.
        int() -> Num;
        /// As `float`.
        float() -> Num;
        /// The value, or this one where there is none: of an operation that may fail, such as `/`.
        unwrap_or(other: Num) -> Num;
        /// A hash that never changes.
        hash64() -> Num;
    }
    Text {
        /// In lower case.
        lower() -> Text;
        /// In upper case.
        upper() -> Text;
        /// In lower case.
        to_lowercase() -> Text;
        /// In upper case.
        to_uppercase() -> Text;
        /// Without white space at its ends.
        trim() -> Text;
        /// Whether it starts so.
        starts_with(start: Text) -> bool;
        /// Whether it ends so.
        ends_with(end: Text) -> bool;
        /// Whether this is in it.
        contains(part: Text) -> bool;
        /// Whether a regular expression is found in it.
        matches(pattern: Text) -> bool;
        /// So many characters from a place on.
        substr(start: Num, length: Num) -> Text;
        /// The parts between separators.
        split(separator: Text) -> List<Text>;
        /// Both, one after the other.
        concat(other: Text) -> Text;
        /// Its number of characters.
        length() -> Num;
        /// Its number of characters.
        len() -> Num;
        /// The same; a metric has no references.
        as_str() -> Text;
        /// A hash that never changes.
        hash64() -> Num;
    }
    Length {
        /// Without its sign.
        abs() -> Length;
        /// A hash that never changes.
        hash64() -> Num;
    }
}

macro_rules! of_time {
    ($($ty:ty: $($name:ident $in_zone:ident $what:literal),*;)*) => {
        $(impl $ty {
            $(#[doc = $what]
            #[doc = ", in UTC."]
            pub fn $name(self) -> Num {
                Num
            }
            #[doc = $what]
            #[doc = ", in a zone by its IANA name."]
            pub fn $in_zone(self, _: Text) -> Num {
                Num
            })*
        })*
    };
}

of_time! {
    Instant:
        year year_in "The year", quarter quarter_in "The quarter", month month_in "The month",
        week week_in "The ISO week", day day_in "The day of the month", hour hour_in "The hour",
        minute minute_in "The minute", second second_in "The second", weekday weekday_in "The weekday, 1 for Monday";
    Day:
        year year_in "The year", quarter quarter_in "The quarter", month month_in "The month",
        week week_in "The ISO week", day day_in "The day of the month", weekday weekday_in "The weekday, 1 for Monday";
}

impl Instant {
    /// The start of its bucket: of a duration, such as `1h`, or of a calendar's unit, such as `day("UTC")`.
    pub fn truncate<W>(self, _: W) -> Instant {
        self
    }

    /// The date, in UTC.
    pub fn date(self) -> Day {
        Day
    }

    /// The date, in a zone by its IANA name.
    pub fn date_in(self, _: Text) -> Day {
        Day
    }
}

impl<E> Choice<E> {
    /// The name.
    pub fn text(self) -> Text {
        Text
    }
}

impl<T> List<T> {
    /// Its number of elements.
    pub fn len(self) -> Num {
        Num
    }

    /// Its number of elements.
    pub fn length(self) -> Num {
        Num
    }

    /// Whether this is among its elements.
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

    /// To so many digits after the point.
    pub fn round(self, _: Num) -> Out {
        Out
    }

    /// Without its sign.
    pub fn abs(self) -> Out {
        Out
    }

    /// The lesser.
    pub fn min<T>(self, _: T) -> Out {
        Out
    }

    /// The greater.
    pub fn max<T>(self, _: T) -> Out {
        Out
    }
}
