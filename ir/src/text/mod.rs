//! Values as they are spelled in data: one set of rules, for the events of logs and for the rows of tables.

use crate::{Kind, Value};

mod count;
pub mod csv_cells;
pub mod duration;
mod field_rules;
pub mod leading;
pub mod number;
mod terminal_escape;
mod thousands;
pub mod time_format;
pub mod timestamp;

pub use count::{counted, plural};
pub use terminal_escape::{visible, visible_lines};

pub use field_rules::{TextProblem, TextRules};

/// The value that a cell of CSV says, by the rules of its column; there are no lists. A float that is no
/// finite number is none.
///
/// # Errors
/// Why the text is not a value of that kind, as a phrase.
pub fn cell(text: &str, kind: &Kind, rules: &TextRules) -> Result<Value, TextProblem> {
    Ok(match kind {
        Kind::Bool => Value::Bool(rules.bool(text)?),
        Kind::Int => Value::Int(rules.int(text)?),
        Kind::Decimal { precision, scale } => Value::Decimal(rules.decimal(text, *precision, *scale)?),
        Kind::Float => rules.float(text)?.map_or(Value::None, Value::Float),
        Kind::String => Value::String(text.to_owned()),
        Kind::Enum(names) => {
            let place =
                names.iter().position(|name| name == text).and_then(|place| u32::try_from(place).ok());
            Value::Enum(place.ok_or("not one of the names of the enum")?)
        }
        Kind::Date => Value::Date(rules.date(text)?),
        Kind::Timestamp => Value::Timestamp(rules.timestamp(text)?),
        Kind::Duration => Value::Duration(rules.duration(text)?),
        Kind::Int128 | Kind::List(_) | Kind::Record(_) => return Err("CSV has no such values".into()),
    })
}
