//! `lost`: whether a row could not be computed.
//!
//! A kernel gives null both for a value that is not there and for one that has no place in its type. To tell
//! the difference, a tree of kernels is traced: beside each result there are the rows that are *lost*, since
//! something that they depend on left its type. The rules, which the interpreter of the tests has as well:
//!
//! - An operation with a value that is not there is none, whatever the others are. Else it is lost where an
//!   operand is, or where it has no result itself. A division by zero is none.
//! - Conditions are three-valued: `false and lost` is false, `true or lost` is true, a comparison with a lost
//!   value is lost unless the other one is none.
//! - `if` and `??` are lost where what they choose is, or what decides is. `??` does not replace what is
//!   lost.

use arrow::array::{Array, ArrayRef};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float64Type, Int64Type};
use datafusion_common::Result as EngineResult;
use metricc_ir::Func;
use metricc_ir::exact::may_leave_its_type;

use super::operand::{Operand, bools, primitive};

/// A result, and the rows that are lost; `None`: no row is. What a lost row holds is unspecified.
pub(super) struct Traced {
    pub(super) operand: Operand,
    pub(super) lost: Option<BooleanBuffer>,
}

impl Traced {
    pub(super) fn whole(operand: Operand) -> Self {
        Traced { operand, lost: None }
    }

    /// The rows that have no value for reasons of the data; `None`: all have one.
    fn none(&self, n_rows: usize) -> Option<BooleanBuffer> {
        let nulls = self.operand.nulls(n_rows)?;
        let none = !nulls.inner();
        Some(match &self.lost {
            Some(lost) => &none & &!lost,
            None => none,
        })
    }

    /// The rows in which a condition holds, or may.
    fn possible(&self, n_rows: usize) -> EngineResult<BooleanBuffer> {
        let holds = self.operand.plain_bools(n_rows)?;
        Ok(match &self.lost {
            Some(lost) => &holds | lost,
            None => holds,
        })
    }

    /// The rows in which a condition does not hold, or may not.
    fn doubtful(&self, n_rows: usize) -> EngineResult<BooleanBuffer> {
        let fails = !&self.operand.plain_bools(n_rows)?;
        Ok(match &self.lost {
            Some(lost) => &fails | lost,
            None => fails,
        })
    }
}

/// The lost rows of a condition and values, as plain bools: those that would count if they could be computed.
pub(super) fn rows_of(traced: &[Traced], n_rows: usize) -> EngineResult<ArrayRef> {
    let Some(mut lost) = any(traced.iter().map(|arg| arg.lost.as_ref())) else {
        return Ok(bools(BooleanBuffer::new_unset(n_rows)));
    };
    if let Some(condition) = traced.first() {
        lost = &lost & &condition.possible(n_rows)?;
    }
    for value in traced.iter().skip(1) {
        lost = without(lost, value.none(n_rows));
    }
    Ok(bools(lost))
}

/// The lost rows of a function: `value` is what it gave.
pub(super) fn lost_of(
    func: &Func,
    args: &[Traced],
    value: &Operand,
    n_rows: usize,
) -> EngineResult<Option<BooleanBuffer>> {
    let inherited = any(args.iter().map(|arg| arg.lost.as_ref()));
    match (func, args) {
        (Func::Coalesce, [left, right]) => {
            let needed = right.lost.as_ref().zip(left.none(n_rows)).map(|(lost, none)| lost & &none);
            return Ok(any([left.lost.as_ref(), needed.as_ref()]));
        }
        (Func::If, [condition, yes, no]) if inherited.is_some() => {
            let holds = condition.operand.plain_bools(n_rows)?;
            let yes = yes.lost.as_ref().map(|lost| lost & &holds);
            let no = no.lost.as_ref().map(|lost| lost & &!&holds);
            return Ok(any([condition.lost.as_ref(), yes.as_ref(), no.as_ref()]));
        }
        // None is a value like others.
        (Func::Eq | Func::Ne | Func::In | Func::Hash64 | Func::Contains, _) => return Ok(inherited),
        _ => {}
    }
    let own = match value.nulls(n_rows) {
        Some(nulls) if may_leave_its_type(func) => Some(failed(func, args, &nulls, n_rows)?),
        _ => None,
    };
    let Some(lost) = any([inherited.as_ref(), own.as_ref()]) else { return Ok(None) };
    Ok(Some(args.iter().fold(lost, |lost, arg| without(lost, arg.none(n_rows)))))
}

/// The rows without a result, but for divisions by zero.
fn failed(func: &Func, args: &[Traced], nulls: &NullBuffer, n_rows: usize) -> EngineResult<BooleanBuffer> {
    let failed = !nulls.inner();
    match (func, args) {
        (Func::Div | Func::Rem, [_, divisor]) => Ok(without(failed, Some(zeros(&divisor.operand, n_rows)?))),
        _ => Ok(failed),
    }
}

/// The rows in which a number is zero.
fn zeros(operand: &Operand, n_rows: usize) -> EngineResult<BooleanBuffer> {
    let array = operand.array();
    macro_rules! zeros {
        ($type:ty) => {{
            let values = primitive::<$type>(array)?.values();
            BooleanBuffer::collect_bool(n_rows, |row| {
                values[operand.index(row)]
                    == <$type as arrow::datatypes::ArrowPrimitiveType>::Native::default()
            })
        }};
    }
    Ok(match array.data_type() {
        DataType::Int64 => zeros!(Int64Type),
        DataType::Decimal128(..) => zeros!(Decimal128Type),
        DataType::Decimal256(..) => zeros!(Decimal256Type),
        _ => zeros!(Float64Type),
    })
}

/// `and`, or `or`: lost where an operand is, and no other decides.
pub(super) fn chain(args: &[Traced], is_or: bool, n_rows: usize) -> EngineResult<Traced> {
    let start = if is_or { BooleanBuffer::new_unset(n_rows) } else { BooleanBuffer::new_set(n_rows) };
    let mut value = start;
    let mut lost = any(args.iter().map(|arg| arg.lost.as_ref()));
    for arg in args {
        let holds = arg.operand.plain_bools(n_rows)?;
        value = if is_or { &value | &holds } else { &value & &holds };
        if let Some(lost) = &mut lost {
            *lost = &*lost & &if is_or { arg.doubtful(n_rows)? } else { arg.possible(n_rows)? };
        }
    }
    Ok(Traced { operand: Operand::column(bools(value)), lost })
}

/// The rows that are set in one of the masks; `None` if there is none.
fn any<'a>(masks: impl IntoIterator<Item = Option<&'a BooleanBuffer>>) -> Option<BooleanBuffer> {
    masks.into_iter().flatten().fold(None, |all: Option<BooleanBuffer>, mask| {
        Some(all.map_or_else(|| mask.clone(), |all| &all | mask))
    })
}

/// The rows of a mask that are not in another.
fn without(mask: BooleanBuffer, other: Option<BooleanBuffer>) -> BooleanBuffer {
    match other {
        Some(other) => &mask & &!&other,
        None => mask,
    }
}
