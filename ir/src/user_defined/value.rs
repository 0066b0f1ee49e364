//! Arguments and results of user-defined functions as Rust types.

use jiff::{SignedDuration, Timestamp, civil};

use super::cell::{self, Cell};

/// A Rust type of arguments and results.
pub trait Value: Sized {
    /// Its name in the language, such as `float` or `string?`.
    const TYPE: &'static str;
    /// Reads a value; `None` for a cell of another type.
    fn from_cell(cell: &Cell<'_>) -> Option<Self>;
    /// The value as a cell.
    fn to_cell(&self) -> Cell<'_>;
}

macro_rules! values {
    ($($ty:ty = $name:literal, $pattern:pat => $value:expr, |$own:ident| $cell:expr;)*) => {
        $(impl Value for $ty {
            const TYPE: &'static str = $name;
            fn from_cell(cell: &Cell<'_>) -> Option<Self> {
                match cell {
                    $pattern => $value,
                    _ => None,
                }
            }
            fn to_cell(&self) -> Cell<'_> {
                let $own = self;
                $cell
            }
        }
        impl Value for Option<$ty> {
            const TYPE: &'static str = concat!($name, "?");
            fn from_cell(cell: &Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::None => Some(None),
                    cell => <$ty>::from_cell(cell).map(Some),
                }
            }
            fn to_cell(&self) -> Cell<'_> {
                self.as_ref().map_or(Cell::None, Value::to_cell)
            }
        })*
    };
}

values! {
    bool = "bool", Cell::Bool(value) => Some(*value), |own| Cell::Bool(*own);
    i64 = "int", Cell::Int(value) => Some(*value), |own| Cell::Int(*own);
    f64 = "float", Cell::Float(value) => Some(*value), |own| Cell::Float(*own);
    String = "string", Cell::Text(value) => Some((*value).to_owned()), |own| Cell::Text(own);
    civil::Date = "date", Cell::Date(days) => date_of(*days), |own| cell::date(*own);
    Timestamp = "timestamp", Cell::Timestamp(micros) => Timestamp::from_microsecond(*micros).ok(), |own| cell::timestamp(*own);
    SignedDuration = "duration", Cell::Duration(micros) => Some(SignedDuration::from_micros(*micros)), |own| cell::duration(*own);
}

fn date_of(days: i32) -> Option<civil::Date> {
    civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// The arguments of a function or an aggregate: one value, or a tuple of up to six.
pub trait Arguments: Sized {
    /// Their types in the language.
    const TYPES: &'static [&'static str];
    /// Reads them; `None` for cells of other types.
    fn from_cells(cells: &[Cell<'_>]) -> Option<Self>;
}

impl<T: Value> Arguments for T {
    const TYPES: &'static [&'static str] = &[T::TYPE];
    fn from_cells(cells: &[Cell<'_>]) -> Option<Self> {
        match cells {
            [only] => T::from_cell(only),
            _ => None,
        }
    }
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => {
        $(impl<$($name: Value),*> Arguments for ($($name,)*) {
            const TYPES: &'static [&'static str] = &[$($name::TYPE),*];
            #[allow(non_snake_case)]
            fn from_cells(cells: &[Cell<'_>]) -> Option<Self> {
                match cells {
                    [$($name),*] => Some(($($name::from_cell($name)?,)*)),
                    _ => None,
                }
            }
        })*
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}
