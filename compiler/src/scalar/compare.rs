//! `==`, `!=` and the orderings. They always give plain bools.

use std::sync::Arc;

use arrow::array::{Array, AsArray, DynComparator, make_comparator};
use arrow::buffer::BooleanBuffer;
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp;
use metricc_ir::{Func, Kind};

use super::data_type;
use super::operand::{Body, Operand, Result, bools, plain, two};

/// Bytes of a text that its view holds in place.
const SHORT_BYTES: usize = 12;

/// `==` or `!=` of values of one kind: null equals null and nothing else.
pub(super) fn equality(kind: &Kind, negated: bool) -> Body {
    let kind = kind.clone();
    Arc::new(move |operands, n_rows| {
        let (left, right) = two(operands)?;
        let equal = equal(left, right, &kind, n_rows)?;
        Ok(bools(if negated { !&equal } else { equal }))
    })
}

/// Row by row, whether two operands of one kind are equal, where null equals null.
pub(super) fn equal(left: &Operand, right: &Operand, kind: &Kind, n_rows: usize) -> Result<BooleanBuffer> {
    if left.is_scalar() && right.is_scalar() {
        let left = Operand::column(left.array().clone());
        let is_equal = equal(&left, right, kind, 1)?.value(0);
        return Ok(if is_equal { BooleanBuffer::new_set(n_rows) } else { BooleanBuffer::new_unset(n_rows) });
    }
    if let Some(equal) = equals_short_text(left, right).or_else(|| equals_short_text(right, left)) {
        return Ok(equal);
    }
    if let Kind::List(_) | Kind::Record(_) = kind {
        let compare = comparator(left, right)?;
        return Ok(BooleanBuffer::collect_bool(n_rows, |row| {
            compare(left.index(row), right.index(row)).is_eq()
        }));
    }
    let compared = if left.array().data_type() == right.array().data_type() {
        cmp::not_distinct(left, right)?
    } else {
        let wanted = data_type(kind);
        cmp::not_distinct(&left.conformed(&wanted)?, &right.conformed(&wanted)?)?
    };
    Ok(plain(&compared))
}

/// Row by row, whether a column of texts is equal to one short text, which is its own view: one comparison of
/// 16 bytes a row. `None` for other operands.
fn equals_short_text(column: &Operand, text: &Operand) -> Option<BooleanBuffer> {
    if column.is_scalar() || !text.is_scalar() {
        return None;
    }
    let (texts, text) = (column.array().as_string_view_opt()?, text.array().as_string_view_opt()?);
    if text.is_null(0) || text.value(0).len() > SHORT_BYTES {
        return None;
    }
    let (views, wanted) = (texts.views(), text.views()[0]);
    let equal = BooleanBuffer::collect_bool(views.len(), |row| views[row] == wanted);
    Some(match texts.nulls() {
        Some(nulls) if nulls.null_count() > 0 => &equal & nulls.inner(),
        _ => equal,
    })
}

/// Compares by indices in the two arrays; null equals null, also within lists.
pub(super) fn comparator(left: &Operand, right: &Operand) -> Result<DynComparator> {
    make_comparator(left.array().as_ref(), right.array().as_ref(), SortOptions::default())
}

/// `<`, `<=`, `>`, `>=` of values of one kind: false if one is null. Lists have no order.
pub(super) fn order(func: &Func, kind: &Kind) -> Option<Body> {
    let compare = match func {
        Func::Lt => cmp::lt,
        Func::Le => cmp::lt_eq,
        Func::Gt => cmp::gt,
        Func::Ge => cmp::gt_eq,
        _ => return None,
    };
    if let Kind::List(_) | Kind::Record(_) = kind {
        return None;
    }
    let wanted = data_type(kind);
    Some(Arc::new(move |operands, _| {
        let (left, right) = two(operands)?;
        let compared = if left.array().data_type() == right.array().data_type() {
            compare(left, right)?
        } else {
            compare(&left.conformed(&wanted)?, &right.conformed(&wanted)?)?
        };
        Ok(bools(plain(&compared)))
    }))
}

/// Whether two kinds are one, but for the precision of decimals: values compare by their digits.
pub(super) fn alike(left: &Kind, right: &Kind) -> bool {
    match (left, right) {
        (Kind::Decimal { scale: left, .. }, Kind::Decimal { scale: right, .. }) => left == right,
        (Kind::List(left), Kind::List(right)) => alike(&left.kind, &right.kind),
        (left, right) => left == right,
    }
}
