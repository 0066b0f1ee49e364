//! Which rows of a source the metrics of a plan want, as far as single fields tell it: what the log need not
//! decode.
//!
//! Of a filter, this reads what its conjuncts say of one field each; everything else says nothing here, and
//! the row part applies the whole filter in any case.

use std::sync::Arc;

use metricc_ir::{Expr, ExprKind, Func, Kind, Metric, Source, Value};
use metricc_log::{Bound, FieldCondition, ValueRange, WantedRows};

/// The rows that at least one metric wants.
pub(crate) fn wanted_rows(source: &Source, metrics: &[Arc<Metric>]) -> Arc<WantedRows> {
    let conditions = metrics.iter().map(|metric| {
        let mut conditions = Vec::new();
        if let Some(filter) = &metric.filter {
            conjuncts(filter, source, &mut conditions);
        }
        conditions
    });
    Arc::new(WantedRows::any_of(conditions.collect()))
}

/// What the conjuncts of a filter say of single fields.
fn conjuncts(filter: &Expr, source: &Source, conditions: &mut Vec<FieldCondition>) {
    match &filter.kind {
        ExprKind::Call(Func::And, parts) => {
            parts.iter().for_each(|part| conjuncts(part, source, conditions));
        }
        // Columns after the fields are elements of lists.
        _ => conditions.extend(condition(filter).filter(|found| found.field < source.fields.len())),
    }
}

/// The values of a field for which a test is true, if it is one of a single field.
fn condition(test: &Expr) -> Option<FieldCondition> {
    let ExprKind::Call(func, arguments) = &test.kind else { return None };
    if *func == Func::Or {
        let mut parts = arguments.iter().map(condition);
        let mut all = parts.next()??;
        for part in parts {
            let part = part?;
            if part.field != all.field {
                return None;
            }
            all.ranges.extend(part.ranges);
        }
        return Some(all);
    }
    let (first, others) = arguments.split_first()?;
    if *func == Func::In {
        let ExprKind::Column(field) = first.kind else { return None };
        let ranges = others.iter().map(|other| Some(ValueRange::of(bound(other)?)));
        return Some(FieldCondition { field, ranges: ranges.collect::<Option<_>>()? });
    }
    let [other] = others else { return None };
    let (field, func, value) = match (&first.kind, &other.kind) {
        (ExprKind::Column(field), ExprKind::Literal(_)) => (*field, func.clone(), other),
        (ExprKind::Literal(_), ExprKind::Column(field)) => (*field, mirrored(func)?, first),
        _ => return None,
    };
    let bound = bound(value)?;
    // Enums are in the order of their declaration, files in that of their names.
    let has_order = !matches!(value.ty.kind, Kind::Enum(_));
    let range = match func {
        Func::Eq => ValueRange::of(bound),
        Func::Lt | Func::Le if has_order => ValueRange { least: None, greatest: Some(bound) },
        Func::Gt | Func::Ge if has_order => ValueRange { least: Some(bound), greatest: None },
        _ => return None,
    };
    Some(FieldCondition { field, ranges: vec![range] })
}

/// The comparison with its sides exchanged.
fn mirrored(func: &Func) -> Option<Func> {
    Some(match func {
        Func::Eq => Func::Eq,
        Func::Lt => Func::Gt,
        Func::Le => Func::Ge,
        Func::Gt => Func::Lt,
        Func::Ge => Func::Le,
        _ => return None,
    })
}

/// A constant, if it is of a kind that files have statistics of. The bounds of `<` and `>` are those of `<=`
/// and `>=`, which leaves a row group or two too many.
fn bound(constant: &Expr) -> Option<Bound> {
    let ExprKind::Literal(value) = &constant.kind else { return None };
    Some(match (value, &constant.ty.kind) {
        (Value::Int(value) | Value::Timestamp(value), _) => Bound::Int(*value),
        (Value::Date(day), _) => Bound::Int(i64::from(*day)),
        (Value::String(text), _) => Bound::Text(text.clone().into_bytes()),
        (Value::Enum(index), Kind::Enum(names)) => {
            Bound::Text(names.get(usize::try_from(*index).ok()?)?.clone().into_bytes())
        }
        _ => return None,
    })
}
