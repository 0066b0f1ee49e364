//! `in`: membership by `==`.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrowPrimitiveType};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use datafusion_physical_expr::PhysicalExpr;
use metricc_ir::{Func, Kind};

use super::operand::{Body, Operand, Result, bools, one};
use super::{compare, data_type, literal_of};
use crate::CompileError;

/// Up to this many constants are compared one by one, which is vectorised; more are looked up in a set.
const MAX_COMPARED: usize = 8;

/// `in` over constants, if this is one: how many arguments to evaluate, and the body that holds the rest.
pub(super) fn of_constants(
    func: &Func,
    kinds: &[Kind],
    args: &[Arc<dyn PhysicalExpr>],
) -> std::result::Result<Option<(usize, Body)>, CompileError> {
    let ([kind, others @ ..], Func::In, [_, constants @ ..]) = (kinds, func, args) else {
        return Ok(None);
    };
    if !others.iter().all(|other| compare::alike(kind, other)) {
        return Ok(None);
    }
    let Some(literals) = constants.iter().map(literal_of).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let failed = |error| CompileError::engine("function `in`", error);
    let mut scalars = Vec::with_capacity(literals.len());
    for literal in literals {
        scalars.push(Operand::scalar(literal.value().to_array_of_size(1).map_err(failed)?));
    }
    if scalars.len() > MAX_COMPARED
        && let Some(body) = lookup(kind, &scalars).map_err(|error| failed(error.into()))?
    {
        return Ok(Some((1, body)));
    }
    let kind = kind.clone();
    let body: Body = Arc::new(move |operands, n_rows| {
        one(operands).and_then(|value| any_equal(value, &scalars, &kind, n_rows)).map(bools)
    });
    Ok(Some((1, body)))
}

/// `in` over values of rows.
pub(super) fn of_values(kind: &Kind) -> Body {
    let kind = kind.clone();
    Arc::new(move |operands, n_rows| {
        let value = one(operands)?;
        any_equal(value, &operands[1..], &kind, n_rows).map(bools)
    })
}

fn any_equal(value: &Operand, others: &[Operand], kind: &Kind, n_rows: usize) -> Result<BooleanBuffer> {
    let mut found = BooleanBuffer::new_unset(n_rows);
    for other in others {
        found = &found | &compare::equal(value, other, kind, n_rows)?;
    }
    Ok(found)
}

/// A body that looks values up in a hash set; `None` for kinds that are few-valued or lists.
fn lookup(kind: &Kind, constants: &[Operand]) -> Result<Option<Body>> {
    Ok(match data_type(kind) {
        DataType::Utf8View => {
            let mut texts = HashSet::new();
            for constant in constants.iter().filter(|constant| constant.array().is_valid(0)) {
                texts.insert(constant.strings()?.value(0).to_owned());
            }
            let has_none = has_none(constants);
            Some(Arc::new(move |operands, n_rows| {
                let (operand, strings) = (one(operands)?, one(operands)?.strings()?);
                let found = |row| texts.contains(strings.value(row));
                Ok(bools(present_and(operand, n_rows, has_none, found)))
            }))
        }
        DataType::Int64 => Some(lookup_primitive::<Int64Type>(constants)?),
        DataType::Int32 => Some(lookup_primitive::<Int32Type>(constants)?),
        DataType::Date32 => Some(lookup_primitive::<Date32Type>(constants)?),
        DataType::Decimal128(..) => Some(lookup_primitive::<Decimal128Type>(constants)?),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Some(lookup_primitive::<TimestampMicrosecondType>(constants)?)
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            Some(lookup_primitive::<DurationMicrosecondType>(constants)?)
        }
        _ => None,
    })
}

fn lookup_primitive<T: ArrowPrimitiveType>(constants: &[Operand]) -> Result<Body>
where
    T::Native: Hash + Eq,
{
    let mut values = HashSet::new();
    for constant in constants.iter().filter(|constant| constant.array().is_valid(0)) {
        values.insert(constant.primitive::<T>()?.value(0));
    }
    let has_none = has_none(constants);
    Ok(Arc::new(move |operands, n_rows| {
        let (operand, column) = (one(operands)?, one(operands)?.primitive::<T>()?);
        let found = |row| values.contains(&column.value(row));
        Ok(bools(present_and(operand, n_rows, has_none, found)))
    }))
}

fn has_none(constants: &[Operand]) -> bool {
    constants.iter().any(|constant| constant.array().is_null(0))
}

/// `found` where there is a value, `has_none` where it is null.
fn present_and(
    operand: &Operand,
    n_rows: usize,
    has_none: bool,
    found: impl Fn(usize) -> bool,
) -> BooleanBuffer {
    match operand.nulls(n_rows) {
        None => BooleanBuffer::collect_bool(n_rows, found),
        Some(nulls) => {
            BooleanBuffer::collect_bool(n_rows, |row| if nulls.is_valid(row) { found(row) } else { has_none })
        }
    }
}
