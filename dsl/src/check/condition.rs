//! A condition over the keys of a metric, which stands outside of a package.

use std::sync::Arc;

use super::Names;
use super::checker::{Checker, Column, Place};
use crate::ast;
use crate::diagnostic::Diagnostic;
use metricc_ir::exact::widened;
use metricc_ir::{Expr, Field, Path, RecordField, Source, Spelling};

/// The typed condition, plain `bool`; what is wrong with it is in `found`. Where it cannot be computed, it is
/// false. `metric` is what messages call the metric.
pub(crate) fn condition(
    text: &str,
    metric: &str,
    keys: &[RecordField],
    condition: &ast::Expr,
    found: &mut Vec<Diagnostic>,
) -> Option<Expr> {
    let names = Names::default();
    let columns =
        keys.iter().map(|key| Column { name: key.name.clone(), ty: Some(key.ty.clone()), span: None });
    let mut checker = Checker {
        source: Some(Arc::new(rows(metric, keys))),
        columns: columns.collect(),
        place: Place::Clause("where"),
        is_over_keys: true,
        ..Checker::over_metrics(text, &names, found)
    };
    let typed = checker.expr(condition)?;
    checker.need_bool(typed, "`where`").map(|typed| widened(&typed.expr))
}

/// The keys as the fields of a source: expressions are checked against one.
fn rows(metric: &str, keys: &[RecordField]) -> Source {
    let field = |key: &RecordField| Field {
        name: key.name.clone(),
        doc: String::new(),
        ty: key.ty.clone(),
        default: None,
        zone: None,
        unit: None,
        spelling: Spelling::default(),
        path: Path::default(),
        fields: Vec::new(),
    };
    let fields = keys.iter().map(field).collect();
    Source { name: metric.to_owned(), doc: String::new(), fields, time: 0, identity: Vec::new() }
}
