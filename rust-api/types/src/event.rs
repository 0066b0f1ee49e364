//! Events as Rust structs: the fields are the values of a source.

use jiff::civil;
use jiff::{SignedDuration, Timestamp, Zoned};
pub use metricc_ir::user_defined::Cell;
use metricc_ir::user_defined::cell;

use crate::row;

/// A record of a log. `#[derive(Event)]` writes the implementation.
pub trait Event {
    /// The event in a closure of a metric: its fields as the language sees them.
    type Row;
    /// Name of the source.
    const NAME: &'static str;
    /// Text of the language with the `source` item.
    const SOURCE: &'static str;

    /// Appends the values of all fields, in the order of the source.
    fn cells<'a>(&'a self, cells: &mut Vec<Cell<'a>>);
}

/// A row of a static table. `#[derive(Table)]` writes the implementation.
pub trait Table {
    /// The row in a closure of a metric: its columns as the language sees them, each of which may be `None`.
    type Row;
    /// Name of the table.
    const NAME: &'static str;
    /// Text of the language with the `table` item.
    const TABLE: &'static str;
}

/// A type that a field of an event may have.
pub trait Field {
    /// The field in a closure of a metric.
    type Row;
    /// The field there if it may be none.
    type Optional;
    /// The value.
    fn cell(&self) -> Cell<'_>;
}

macro_rules! field {
    ($($ty:ty => $row:ty, |$value:ident| $cell:expr;)*) => {
        $(impl Field for $ty {
            type Row = $row;
            type Optional = row::Opt<$row>;
            fn cell(&self) -> Cell<'_> {
                let $value = self;
                $cell
            }
        })*
    };
}

field! {
    bool => bool, |value| Cell::Bool(*value);
    i8 => row::Num, |value| Cell::Int(i64::from(*value));
    i16 => row::Num, |value| Cell::Int(i64::from(*value));
    i32 => row::Num, |value| Cell::Int(i64::from(*value));
    i64 => row::Num, |value| Cell::Int(*value);
    u8 => row::Num, |value| Cell::Int(i64::from(*value));
    u16 => row::Num, |value| Cell::Int(i64::from(*value));
    u32 => row::Num, |value| Cell::Int(i64::from(*value));
    f32 => row::Num, |value| Cell::Float(f64::from(*value));
    f64 => row::Num, |value| Cell::Float(*value);
    String => row::Text, |value| Cell::Text(value);
    crate::Decimal => row::Num, |value| Cell::Decimal(value.units(), value.scale());
    Timestamp => row::Instant, |value| cell::timestamp(*value);
    Zoned => row::Instant, |value| cell::timestamp(value.timestamp());
    civil::DateTime => row::Instant, |value| cell::local_time(*value);
    civil::Date => row::Day, |value| cell::date(*value);
    SignedDuration => row::Length, |value| cell::duration(*value);
}

impl<T: Field> Field for Option<T> {
    type Row = T::Optional;
    type Optional = T::Optional;

    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::None, Field::cell)
    }
}

impl<T: Field> Field for Vec<T> {
    type Row = row::List<T::Row>;
    type Optional = row::Opt<Self::Row>;

    fn cell(&self) -> Cell<'_> {
        Cell::List(self.iter().map(Field::cell).collect())
    }
}

#[cfg(feature = "rust_decimal")]
impl Field for rust_decimal::Decimal {
    type Row = row::Num;
    type Optional = row::Opt<row::Num>;

    fn cell(&self) -> Cell<'_> {
        Cell::Decimal(self.mantissa(), self.scale() as u8)
    }
}

#[cfg(feature = "chrono")]
mod of_chrono {
    use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};

    use super::{Cell, Field, row};

    /// From the days of chrono's common era to those since 1970-01-01.
    const EPOCH_DAYS: i32 = 719_163;

    impl<Tz: TimeZone> Field for DateTime<Tz> {
        type Row = row::Instant;
        type Optional = row::Opt<row::Instant>;

        fn cell(&self) -> Cell<'_> {
            Cell::Timestamp(self.timestamp_micros())
        }
    }

    impl Field for NaiveDateTime {
        type Row = row::Instant;
        type Optional = row::Opt<row::Instant>;

        fn cell(&self) -> Cell<'_> {
            Cell::LocalTime(self.and_utc().timestamp_micros())
        }
    }

    impl Field for NaiveDate {
        type Row = row::Day;
        type Optional = row::Opt<row::Day>;

        fn cell(&self) -> Cell<'_> {
            Cell::Date(self.num_days_from_ce() - EPOCH_DAYS)
        }
    }

    impl Field for TimeDelta {
        type Row = row::Length;
        type Optional = row::Opt<row::Length>;

        fn cell(&self) -> Cell<'_> {
            match self.num_microseconds() {
                Some(micros) if self.subsec_nanos() % 1000 == 0 => Cell::Duration(micros),
                Some(_) => Cell::Improper("digits beyond the microsecond would be lost"),
                None => Cell::Improper("beyond the 64 bits of a duration in microseconds"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_floored_to_the_microsecond() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        assert_eq!(at("1970-01-01T00:00:00.0000019Z").cell(), Cell::Timestamp(1));
        assert_eq!(at("1969-12-31T23:59:59.9999999Z").cell(), Cell::Timestamp(-1));
    }

    #[test]
    fn dates_count_from_1970() {
        assert_eq!(civil::date(1970, 1, 2).cell(), Cell::Date(1));
        assert_eq!(civil::date(1, 1, 1).cell(), Cell::Date(-719_162));
        assert_eq!(civil::date(9999, 12, 31).cell(), Cell::Date(2_932_896));
    }

    #[test]
    fn a_duration_loses_no_digits() {
        assert_eq!(SignedDuration::from_micros(-5).cell(), Cell::Duration(-5));
        assert!(matches!(SignedDuration::from_nanos(1).cell(), Cell::Improper(_)));
        assert!(matches!(SignedDuration::MAX.cell(), Cell::Improper(_)));
    }
}
