//! Values as they are spelled in data: one set of rules, for the events of logs and for the rows of tables.

use crate::{Kind, Value};

pub mod csv;
pub mod duration;
pub mod number;
pub mod timestamp;

/// The value that a cell of CSV says. Timestamps have an offset, durations are spelled as in the language or
/// in µs; there are no lists.
///
/// # Errors
/// Why the text is not a value of that kind, as a phrase.
pub fn cell(text: &str, kind: &Kind) -> Result<Value, String> {
    let is_integer =
        || !text.is_empty() && text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
    let problem = |error: &dyn std::fmt::Display| error.to_string();
    match kind {
        Kind::Bool => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("neither true nor false".to_owned()),
        },
        Kind::Int => number::int(text).map(Value::Int).map_err(|error| problem(&error)),
        Kind::Decimal { precision, scale } => {
            number::decimal(text, *precision, *scale).map(Value::Decimal).map_err(|error| problem(&error))
        }
        Kind::Float => number::float(text).map(Value::Float).map_err(|error| problem(&error)),
        Kind::String => Ok(Value::String(text.to_owned())),
        Kind::Enum(names) => {
            let place =
                names.iter().position(|name| name == text).and_then(|place| u32::try_from(place).ok());
            place.map(Value::Enum).ok_or_else(|| "not one of the names of the enum".to_owned())
        }
        Kind::Date => timestamp::parse_date(text).map(Value::Date).map_err(|error| problem(&error)),
        Kind::Timestamp => {
            timestamp::parse(text, None).map(Value::Timestamp).map_err(|error| problem(&error))
        }
        Kind::Duration if is_integer() => {
            number::int(text).map(Value::Duration).map_err(|error| problem(&error))
        }
        Kind::Duration => duration::parse(text).map(Value::Duration).map_err(|error| problem(&error)),
        Kind::Int128 | Kind::List(_) | Kind::Record(_) => Err("CSV has no such values".to_owned()),
    }
}
