//! A metric with one thing done otherwise, made of the typed metric.

use std::sync::Arc;

use metricc_ir::calendar::MICROS_PER_DAY;
use metricc_ir::{
    AggregateOp, AnyMetric, Calendar, CalendarUnit, Derived, Expr, ExprKind, Func, Kind, Metric, Operand,
    Source, Type, Value, Window,
};

/// A metric, or all metrics that a derived one reads, changed; `None` if one of them cannot be.
fn changed(metric: &AnyMetric, change: &dyn Fn(&Metric) -> Option<Metric>) -> Option<AnyMetric> {
    Some(match metric {
        AnyMetric::Base(metric) => AnyMetric::Base(Arc::new(change(metric)?)),
        AnyMetric::Derived(derived) => {
            let operand = |operand: &Operand| {
                Some(Operand { metric: Arc::new(change(&operand.metric)?), ..operand.clone() })
            };
            let operands = derived.operands.iter().map(operand).collect::<Option<Vec<_>>>()?;
            AnyMetric::Derived(Arc::new(Derived { operands, ..derived.as_ref().clone() }))
        }
    })
}

/// The metric over another declaration of its source, which has the same fields.
pub(super) fn over(metric: &AnyMetric, source: &Arc<Source>) -> Option<AnyMetric> {
    changed(metric, &|metric| Some(Metric { source: source.clone(), ..metric.clone() }))
}

/// The metric with its calendars in another zone; `None` if nothing of it is about days.
pub(super) fn in_zone(metric: &AnyMetric, zone: &str) -> Option<AnyMetric> {
    let moved = changed(metric, &|metric| {
        let mut moved = metric.clone();
        moved.window = window_in(&metric.window, zone);
        let over = |expr: &Expr| expr_in(expr, zone);
        moved.each.iter_mut().for_each(|step| step.list = over(&step.list));
        moved.filter = metric.filter.as_ref().map(over);
        moved.keys.iter_mut().for_each(|key| key.expr = over(&key.expr));
        for aggregate in &mut moved.aggregates {
            aggregate.args = aggregate.args.iter().map(over).collect();
            aggregate.filter = aggregate.filter.as_ref().map(over);
            aggregate.lost = aggregate.lost.as_ref().map(over);
        }
        Some(moved)
    })?;
    let moved = match moved {
        AnyMetric::Derived(derived) => {
            let window = window_in(&derived.window, zone);
            AnyMetric::Derived(Arc::new(Derived { window, ..derived.as_ref().clone() }))
        }
        base => base,
    };
    (moved != *metric).then_some(moved)
}

fn window_in(window: &Window, zone: &str) -> Window {
    let in_zone = |calendar: &Calendar| Calendar { zone: zone.to_owned(), ..calendar.clone() };
    match window {
        Window::Calendar(unit, calendar) => Window::Calendar(*unit, in_zone(calendar)),
        Window::Tumbling(MICROS_PER_DAY) => {
            Window::Calendar(CalendarUnit::Day, in_zone(&Calendar::default()))
        }
        window => window.clone(),
    }
}

fn expr_in(expr: &Expr, zone: &str) -> Expr {
    let ExprKind::Call(func, arguments) = &expr.kind else { return expr.clone() };
    let (name, calendar) =
        (zone.to_owned(), |old: &Calendar| Calendar { zone: zone.to_owned(), ..old.clone() });
    let func = match func {
        Func::Part(part, _) => Func::Part(*part, name),
        Func::DateIn(_) => Func::DateIn(name),
        Func::TruncateIn(unit, old) => Func::TruncateIn(*unit, calendar(old)),
        Func::PeriodIn(unit, old) => Func::PeriodIn(*unit, calendar(old)),
        func => func.clone(),
    };
    let arguments = arguments.iter().map(|argument| expr_in(argument, zone)).collect();
    Expr { kind: ExprKind::Call(func, arguments), ty: expr.ty.clone() }
}

/// The metric with zero for each number that is none, where none is left out; `None` if it leaves out no
/// number. A sum is the same with it.
pub(super) fn none_as_zero(metric: &AnyMetric) -> Option<AnyMetric> {
    let filled = changed(metric, &|metric| {
        let mut filled = metric.clone();
        for aggregate in filled.aggregates.iter_mut().filter(|aggregate| is_of_number(&aggregate.op)) {
            aggregate.args = aggregate.args.iter().map(or_zero).collect();
        }
        Some(filled)
    })?;
    (filled != *metric).then_some(filled)
}

/// Whether the result depends on how many values there are, or on their order.
fn is_of_number(op: &AggregateOp) -> bool {
    matches!(
        op,
        AggregateOp::Mean
            | AggregateOp::WideMean
            | AggregateOp::Min
            | AggregateOp::Max
            | AggregateOp::Variance
            | AggregateOp::Stddev
            | AggregateOp::Skewness
            | AggregateOp::Kurtosis
            | AggregateOp::Quantile { .. }
            | AggregateOp::ExactQuantile { .. }
    )
}

fn or_zero(expr: &Expr) -> Expr {
    let zero = match expr.ty.kind {
        Kind::Int => Value::Int(0),
        Kind::Decimal { .. } => Value::Decimal(0),
        Kind::Float => Value::Float(0.0),
        Kind::Duration => Value::Duration(0),
        _ => return expr.clone(),
    };
    // A float of a field may be none whatever its type says.
    if !expr.ty.optional && expr.ty.kind != Kind::Float {
        return expr.clone();
    }
    let ty = Type::of(expr.ty.kind.clone());
    let zero = Expr { kind: ExprKind::Literal(zero), ty: ty.clone() };
    Expr { kind: ExprKind::Call(Func::Coalesce, vec![expr.clone(), zero]), ty }
}

/// The source of a metric without its key; `None` if it has none.
pub(super) fn without_key(source: &Source) -> Option<Arc<Source>> {
    let without = Source { identity: Vec::new(), ..source.clone() };
    (!source.identity.is_empty()).then(|| Arc::new(without))
}

/// Whether a field that the metric reads is a decimal.
pub(super) fn reads_decimals(metric: &AnyMetric) -> bool {
    metric.base().iter().any(|metric| {
        let fields = metric.columns().into_iter().filter_map(|column| metric.source.fields.get(column));
        fields.into_iter().any(|field| matches!(field.ty.kind, Kind::Decimal { .. }))
    })
}

#[cfg(test)]
mod tests {
    use metricc_dsl::SourceText;

    use super::*;
    use crate::Package;

    /// The last metric of a package.
    fn metric(zone: &str, metrics: &str) -> AnyMetric {
        let text = format!(
            "source s {{ id: int key  at: timestamp time  x: int?  f: float  n: int }}\n\
             calendar here {{ zone \"{zone}\" }}\n{metrics}\n"
        );
        let package = Package::from_text(SourceText { name: "a.metric".to_owned(), bytes: text.into() });
        let found = package.checked.package.all_metrics().last();
        found.unwrap_or_else(|| panic!("{:?}", package.checked.diagnostics))
    }

    #[test]
    fn a_metric_in_another_zone_is_the_same_text_with_another_calendar() {
        for text in [
            "metric m = count() { from s  every week in here }",
            "metric m = count() where hour(at) in here > 3 { from s  by date(at) in here as day }",
            "metric a = count() { from s  every day in here }\nmetric m = a - a offset 1 day",
        ] {
            let moved = in_zone(&metric("Europe/Berlin", text), "Asia/Tokyo");
            assert_eq!(moved, Some(metric("Asia/Tokyo", text)), "{text}");
        }
        let day = in_zone(&metric("UTC", "metric m = count() { from s  every 24h }"), "Asia/Tokyo");
        assert_eq!(day, Some(metric("Asia/Tokyo", "metric m = count() { from s  every day in here }")));
        assert_eq!(in_zone(&metric("UTC", "metric m = count() { from s  every 1h }"), "Asia/Tokyo"), None);
    }

    #[test]
    fn zero_stands_for_none_where_none_would_be_left_out() {
        let filled = none_as_zero(&metric("UTC", "metric m = mean(x) { from s }"));
        let expected = metric("UTC", "metric m = mean(x ?? 0) { from s }");
        assert_eq!(
            filled.expect("it is filled").base()[0].aggregates[0].args,
            expected.base()[0].aggregates[0].args
        );
        assert!(none_as_zero(&metric("UTC", "metric m = max(f) { from s }")).is_some());
        for text in ["sum(x)", "mean(n)", "count()", "distinct(x)"] {
            assert_eq!(
                none_as_zero(&metric("UTC", &format!("metric m = {text} {{ from s }}"))),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn a_source_without_a_key_has_the_same_fields() {
        let metric = metric("UTC", "metric m = count() { from s }");
        let source = without_key(metric.only_source().expect("a source")).expect("it has a key");
        assert_eq!(without_key(&source), None);
        let over = over(&metric, &source).expect("it has the same fields");
        assert_eq!(over.base()[0].source, source);
        assert!(!reads_decimals(&over));
    }
}
