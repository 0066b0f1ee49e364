//! A definition with one part of another version of it.
//!
//! It is made of typed metrics, so it means what the parts mean and nothing is parsed again. Expressions read
//! columns by their index, so those of the other version are first made to read the same fields by name. A
//! variant exists only where all fields that it reads are there with the same types.

use std::sync::Arc;

use metricc_ir::exact::may_overflow;
use metricc_ir::{Aggregate, Each, Expr, ExprKind, Key, Metric, Output, Source, Type, expression_text};

/// A part of a base metric in which two versions differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// The declaration of the source: its fields, and which of them are the key.
    Source,
    /// The `each` steps.
    Each,
    /// The `where`.
    Where,
    /// A key, by its name.
    Key(String),
    /// The window.
    Window,
    /// An aggregate, by its index in both.
    Aggregate(usize),
    /// An output, by its name.
    Output(Option<String>),
}

impl Part {
    /// As the language names it; `old` is the version before.
    pub(super) fn text(&self, old: &Metric) -> String {
        match self {
            Part::Source => format!("source {}", old.source.name),
            Part::Each => "each".to_owned(),
            Part::Where => "where".to_owned(),
            Part::Key(name) => format!("by {name}"),
            Part::Window => "window".to_owned(),
            Part::Aggregate(index) => aggregate_text(old, *index),
            Part::Output(name) => name.clone().unwrap_or_else(|| "value".to_owned()),
        }
    }
}

/// An aggregate with the names of the fields that it reads.
fn aggregate_text(metric: &Metric, index: usize) -> String {
    let row = |column: usize| {
        let fields = metric.source.fields.iter().map(|field| &field.name);
        fields.chain(metric.each.iter().map(|each| &each.name)).nth(column).cloned().unwrap_or_default()
    };
    metric.aggregates.get(index).map(|one| expression_text::aggregate(one, &row)).unwrap_or_default()
}

/// The parts in which two versions of a metric differ, as far as rows of both can tell.
pub(super) fn changed_parts(old: &Metric, new: &Metric) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut differs = |part: Part, is_same: bool| {
        if !is_same {
            parts.push(part);
        }
    };
    differs(Part::Source, old.source == new.source);
    let as_old = |expr: &Expr| moved(expr, new, old);
    let lists = |metric: &Metric| metric.each.iter().map(|each| each.list.clone()).collect::<Vec<_>>();
    differs(Part::Each, same_all(&lists(old), &lists(new), &as_old));
    differs(
        Part::Where,
        same_all(&Vec::from_iter(old.filter.clone()), &Vec::from_iter(new.filter.clone()), &as_old),
    );
    for key in &old.keys {
        if let Some(other) = new.keys.iter().find(|other| other.name == key.name) {
            differs(Part::Key(key.name.clone()), as_old(&other.expr).as_ref() == Some(&key.expr));
        }
    }
    differs(Part::Window, old.window.is_cut_as(&new.window));
    let aggregates: Vec<Option<Aggregate>> =
        new.aggregates.iter().map(|aggregate| moved_aggregate(aggregate, new, old)).collect();
    let is_alike = |(old, new): (&Aggregate, &Option<Aggregate>)| {
        new.as_ref().is_some_and(|new| old.op == new.op && old.ty == new.ty)
    };
    let has_same_form = old.outputs == new.outputs
        && old.aggregates.len() == aggregates.len()
        && old.aggregates.iter().zip(&aggregates).all(is_alike);
    if has_same_form {
        for (index, (old, new)) in old.aggregates.iter().zip(&aggregates).enumerate() {
            differs(Part::Aggregate(index), new.as_ref() == Some(old));
        }
        return parts;
    }
    for output in &old.outputs {
        if let Some(other) = new.outputs.iter().find(|other| other.name == output.name) {
            let is_same = same_output(&output.expr, &other.expr, &old.aggregates, &aggregates);
            differs(Part::Output(output.name.clone()), is_same);
        }
    }
    parts
}

fn same_all(old: &[Expr], new: &[Expr], as_old: &dyn Fn(&Expr) -> Option<Expr>) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| as_old(new).as_ref() == Some(old))
}

/// Whether two output expressions are the same over the same aggregates.
fn same_output(old: &Expr, new: &Expr, of_old: &[Aggregate], of_new: &[Option<Aggregate>]) -> bool {
    match (&old.kind, &new.kind) {
        (ExprKind::Column(old), ExprKind::Column(new)) => {
            let new = of_new.get(*new).and_then(Option::as_ref);
            new.is_some() && of_old.get(*old) == new
        }
        (ExprKind::Call(func, old_arguments), ExprKind::Call(other, new_arguments)) => {
            let mut pairs = old_arguments.iter().zip(new_arguments);
            func == other
                && old.ty == new.ty
                && old_arguments.len() == new_arguments.len()
                && pairs.all(|(old, new)| same_output(old, new, of_old, of_new))
        }
        _ => old == new,
    }
}

/// A version with a part of the other one; `None` if that reads what is not there, or would not know which
/// rows are lost.
pub(super) fn with_part(base: &Metric, other: &Metric, part: &Part) -> Option<Metric> {
    let mut variant = base.clone();
    // Aggregates know the rows of which `where` and the keys are not known, so none of these goes alone.
    let is_of_rows = matches!(part, Part::Where | Part::Key(_) | Part::Aggregate(_) | Part::Output(_));
    if is_of_rows && (may_lose_rows(base) || may_lose_rows(other)) {
        return None;
    }
    match part {
        Part::Source => {
            variant.source = other.source.clone();
            return in_scope(variant, base);
        }
        Part::Each => {
            variant.each.clear();
            for step in &other.each {
                // A step reads the fields and the steps before it.
                let list = moved(&step.list, other, &variant)?;
                variant.each.push(Each { name: step.name.clone(), list });
            }
            return in_scope(variant, base);
        }
        Part::Where => {
            variant.filter = match &other.filter {
                Some(filter) => Some(moved(filter, other, base)?),
                None => None,
            };
        }
        Part::Key(name) => {
            let key = other.keys.iter().find(|key| key.name == *name)?;
            let expr = moved(&key.expr, other, base)?;
            let place = variant.keys.iter_mut().find(|key| key.name == *name)?;
            *place = Key { name: name.clone(), expr };
        }
        Part::Window => variant.window = other.window.clone(),
        Part::Aggregate(index) => {
            *variant.aggregates.get_mut(*index)? =
                moved_aggregate(other.aggregates.get(*index)?, other, base)?;
        }
        Part::Output(name) => {
            let output = other.outputs.iter().find(|output| output.name == *name)?;
            let n_own = variant.aggregates.len();
            for aggregate in &other.aggregates {
                variant.aggregates.push(moved_aggregate(aggregate, other, base)?);
            }
            let expr = columns_by(&output.expr, &|column, _| Some(n_own + column))?;
            let place = variant.outputs.iter_mut().find(|output| output.name == *name)?;
            *place = Output { name: name.clone(), expr };
        }
    }
    Some(variant)
}

/// Whether it may not be known of a row whether it passes, or in which group it is.
fn may_lose_rows(metric: &Metric) -> bool {
    let of_rows = metric.filter.iter().chain(metric.keys.iter().map(|key| &key.expr));
    of_rows.into_iter().any(may_overflow)
}

/// A metric over all rows that this one takes: how many there are.
pub(super) fn row_count(metric: &Metric) -> Metric {
    let ty = Type::of(metricc_ir::Kind::Int);
    let count = Aggregate {
        op: metricc_ir::AggregateOp::Count,
        args: Vec::new(),
        filter: None,
        lost: None,
        ty: ty.clone(),
    };
    Metric {
        keys: Vec::new(),
        window: metricc_ir::Window::AllTime,
        aggregates: vec![count],
        outputs: vec![Output { name: None, expr: Expr { kind: ExprKind::Column(0), ty } }],
        unit: None,
        ..metric.clone()
    }
}

/// The expressions of `base`, which read the rows of `base`, over the rows of the variant.
fn in_scope(mut variant: Metric, base: &Metric) -> Option<Metric> {
    let to = variant.clone();
    let over = |expr: &Expr| moved(expr, base, &to);
    if variant.each.len() == base.each.len() && variant.source != base.source {
        for step in &mut variant.each {
            step.list = over(&step.list)?;
        }
    }
    if let Some(filter) = &mut variant.filter {
        *filter = over(filter)?;
    }
    for key in &mut variant.keys {
        key.expr = over(&key.expr)?;
    }
    for aggregate in &mut variant.aggregates {
        *aggregate = moved_aggregate(aggregate, base, &to)?;
    }
    Some(variant)
}

fn moved_aggregate(aggregate: &Aggregate, from: &Metric, to: &Metric) -> Option<Aggregate> {
    let over = |expr: &Expr| moved(expr, from, to);
    let optional = |expr: &Option<Expr>| match expr {
        Some(expr) => over(expr).map(Some),
        None => Some(None),
    };
    Some(Aggregate {
        args: aggregate.args.iter().map(over).collect::<Option<_>>()?,
        filter: optional(&aggregate.filter)?,
        lost: optional(&aggregate.lost)?,
        ..aggregate.clone()
    })
}

/// An expression over the rows of one metric as one over the rows of another; `None` if a column is not
/// there, or has another type.
pub(super) fn moved(expr: &Expr, from: &Metric, to: &Metric) -> Option<Expr> {
    columns_by(expr, &|column, ty| column_in(column, ty, from, to))
}

fn column_in(column: usize, ty: &Type, from: &Metric, to: &Metric) -> Option<usize> {
    let (own, others): (&Source, &Source) = (&from.source, &to.source);
    match own.fields.get(column) {
        Some(field) => {
            let is_same = |other: &metricc_ir::Field| other.name == field.name && other.ty == field.ty;
            others.fields.iter().position(is_same)
        }
        None => {
            let step = column.checked_sub(own.fields.len())?;
            let element = |metric: &Metric| match &metric.each.get(step)?.list.ty.kind {
                metricc_ir::Kind::List(element) => Some(element.as_ref().clone()),
                _ => None,
            };
            let is_there = element(to)? == element(from).unwrap_or_else(|| ty.clone());
            is_there.then_some(others.fields.len() + step)
        }
    }
}

/// The expression with other columns.
fn columns_by(expr: &Expr, column: &dyn Fn(usize, &Type) -> Option<usize>) -> Option<Expr> {
    let kind = match &expr.kind {
        ExprKind::Column(index) => ExprKind::Column(column(*index, &expr.ty)?),
        ExprKind::Literal(value) => ExprKind::Literal(value.clone()),
        ExprKind::Call(func, arguments) => {
            let arguments = arguments.iter().map(|argument| columns_by(argument, column));
            ExprKind::Call(func.clone(), arguments.collect::<Option<_>>()?)
        }
    };
    Some(Expr { kind, ty: expr.ty.clone() })
}

/// A metric that has no other owner.
pub(super) fn base(metric: Metric) -> metricc_ir::AnyMetric {
    metricc_ir::AnyMetric::Base(Arc::new(metric))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 4] = ["at: timestamp time", "x: int", "k: string", "tags: list<string>"];

    fn metric_over(fields: &[&str], metric: &str) -> Metric {
        let text = format!("source s {{ {} }}\nmetric m = {metric}\n", fields.join("  "));
        match crate::checked(&text).remove(0) {
            metricc_ir::AnyMetric::Base(metric) => Metric::clone(&metric),
            metricc_ir::AnyMetric::Derived(_) => panic!("{metric} is derived"),
        }
    }

    fn metric(metric: &str) -> Metric {
        metric_over(&FIELDS, metric)
    }

    #[test]
    fn a_variant_is_the_definition_with_that_part() {
        let old = metric("sum(x) { from s  each t in tags  where x > 3 and t == \"a\"  by k  every 1h }");
        let new = metric(
            "sum(x) where x > 1 { from s  each t in split(k, \",\")  where t != k  by lower(t) as k  every 2h }",
        );
        let parts = [Part::Each, Part::Where, Part::Key("k".to_owned()), Part::Window, Part::Aggregate(0)];
        assert_eq!(changed_parts(&old, &new), parts);
        for (part, text) in parts.iter().zip([
            "sum(x) { from s  each t in split(k, \",\")  where x > 3 and t == \"a\"  by k  every 1h }",
            "sum(x) { from s  each t in tags  where t != k  by k  every 1h }",
            "sum(x) { from s  each t in tags  where x > 3 and t == \"a\"  by lower(t) as k  every 1h }",
            "sum(x) { from s  each t in tags  where x > 3 and t == \"a\"  by k  every 2h }",
            "sum(x) where x > 1 { from s  each t in tags  where x > 3 and t == \"a\"  by k  every 1h }",
        ]) {
            assert_eq!(with_part(&old, &new, part), Some(metric(text)), "{part:?}");
        }
        assert_eq!(parts[4].text(&old), "sum(x)");
    }

    #[test]
    fn fields_are_found_by_name_and_type_in_another_source() {
        let text = "sum(x) { from s  each t in tags  where t == k  by k }";
        let reordered = ["k: string", "tags: list<string>", "at: timestamp time", "x: int", "y: int"];
        let (old, new) = (metric(text), metric_over(&reordered, "count() { from s }"));
        assert_eq!(with_part(&old, &new, &Part::Source), Some(metric_over(&reordered, text)));
        assert_eq!(changed_parts(&old, &metric_over(&reordered, text)), [Part::Source]);
        for lacking in [
            ["at: timestamp time", "k: string", "tags: list<string>"],
            ["at: timestamp time", "x: float", "k: string"],
        ] {
            assert_eq!(with_part(&old, &metric_over(&lacking, "count() { from s }"), &Part::Source), None);
        }
    }

    #[test]
    fn parts_that_may_lose_rows_are_not_put_into_another_version() {
        let old = metric("sum(x) { from s  where x * x * x > 3  by k }");
        let new = metric("sum(x) { from s  where x > 3  by lower(k) as k }");
        for part in [Part::Where, Part::Key("k".to_owned())] {
            assert_eq!(with_part(&old, &new, &part), None, "{part:?}");
        }
        assert!(with_part(&old, &new, &Part::Window).is_some());
    }

    #[test]
    fn outputs_are_the_same_over_the_same_aggregates_in_any_order() {
        let old = metric("{ a: sum(x), b: count(), c: max(x) } { from s }");
        let new = metric("{ b: count(), a: sum(x), c: max(x) + 1 } { from s }");
        assert_eq!(changed_parts(&old, &new), [Part::Output(Some("c".to_owned()))]);
        let variant = with_part(&old, &new, &Part::Output(Some("c".to_owned()))).expect("a variant");
        assert_eq!(variant.outputs[..2], old.outputs[..2]);
        assert_eq!(variant.aggregates.len(), old.aggregates.len() + new.aggregates.len());
        let read = variant.outputs[2].expr.columns();
        assert!(
            read.iter().all(|column| variant.aggregates[*column].op == metricc_ir::AggregateOp::Max),
            "{read:?}"
        );
    }
}
