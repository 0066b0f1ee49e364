//! The functions of the language, applied to values.

use metricc_ir::{Expr, Func, Kind, Lookup, Value};
use num_bigint::BigInt;

use super::datum::Datum;
use super::{numbers, strings, times};

/// Applies a function: first the functions that test for none, then the rule that an argument that is none
/// gives none, then the functions of each kind.
pub(super) fn call(func: &Func, values: &[Datum], args: &[Expr], result: &Kind) -> Datum {
    match (func, values) {
        (Func::Eq, [left, right]) => Datum::Bool(left == right),
        (Func::Ne, [left, right]) => Datum::Bool(left != right),
        (Func::In, [first, others @ ..]) => Datum::Bool(others.contains(first)),
        (Func::Coalesce, [left, right]) => if left.is_none() { right } else { left }.clone(),
        (Func::If, [Datum::Bool(holds), yes, no]) => if *holds { yes } else { no }.clone(),
        (Func::Contains, [Datum::List(elements), element]) => Datum::Bool(elements.contains(element)),
        (Func::Hash64, values) => hash(values),
        (Func::Lookup(table), keys) => looked_up(table, keys),
        // Two-valued logic: no value is less or greater than none.
        (Func::Lt | Func::Le | Func::Gt | Func::Ge, values) if values.iter().any(Datum::is_none) => {
            Datum::Bool(false)
        }
        (_, values) if values.iter().any(Datum::is_none) => Datum::None,
        _ => call_on_values(func, values, args, result),
    }
}

/// The column of the first row that has the keys.
fn looked_up(lookup: &Lookup, keys: &[Datum]) -> Datum {
    let table = lookup.table();
    let of = |row: &[Value], column: usize| Datum::of(&row[column], &table.columns[column].ty.kind);
    let has_keys = |row: &&Vec<Value>| {
        !keys.iter().any(Datum::is_none)
            && table.keys.iter().zip(keys).all(|(column, key)| of(row, *column) == *key)
    };
    table.rows.iter().find(has_keys).map_or(Datum::None, |row| of(row, lookup.index()))
}

/// Applies a function to values that are not none.
fn call_on_values(func: &Func, values: &[Datum], args: &[Expr], result: &Kind) -> Datum {
    match (func, values) {
        (Func::And, [Datum::Bool(left), Datum::Bool(right)]) => Datum::Bool(*left && *right),
        (Func::Or, [Datum::Bool(left), Datum::Bool(right)]) => Datum::Bool(*left || *right),
        (Func::Not, [Datum::Bool(value)]) => Datum::Bool(!value),
        (Func::Lt, [left, right]) => Datum::Bool(left < right),
        (Func::Le, [left, right]) => Datum::Bool(left <= right),
        (Func::Gt, [left, right]) => Datum::Bool(left > right),
        (Func::Ge, [left, right]) => Datum::Bool(left >= right),
        (Func::Least, [first, others @ ..]) => {
            others.iter().fold(first, |least, other| least.min(other)).clone()
        }
        (Func::Greatest, [first, others @ ..]) => {
            others.iter().fold(first, |greatest, other| greatest.max(other)).clone()
        }
        (Func::Length, [Datum::List(elements)]) => Datum::Int(BigInt::from(elements.len())),
        (Func::Field(index), [Datum::Record(parts)]) => parts[*index].1.clone(),
        (Func::Text, [Datum::Enum(index)]) => enum_text(*index, &args[0].ty.kind),
        (
            Func::Part(..)
            | Func::DateIn(_)
            | Func::TruncateTo(_)
            | Func::TruncateIn(..)
            | Func::PeriodTo(_)
            | Func::PeriodIn(..),
            [value],
        ) => times::call(func, value),
        (_, [Datum::Text(_), ..]) => strings::call(func, values),
        _ => numbers::call(func, values, result),
    }
}

/// The name at an index of the declared list.
fn enum_text(index: u32, kind: &Kind) -> Datum {
    let Kind::Enum(names) = kind else { panic!("`text` of `{kind}`") };
    let name = usize::try_from(index).ok().and_then(|index| names.get(index));
    Datum::Text(name.unwrap_or_else(|| panic!("index {index} is beyond `{kind}`")).clone())
}

/// A stand-in for `hash64`: equal for equal arguments, in all likelihood different for others. Its
/// values are *not* the product's, so a generated metric may compare and count hashes, not show them.
fn hash(values: &[Datum]) -> Datum {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in format!("{values:?}").bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        state ^= state >> 29;
    }
    Datum::Int(BigInt::from(state.cast_signed()))
}

#[cfg(test)]
#[path = "scalar_tests.rs"]
mod tests;
