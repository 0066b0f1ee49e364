//! Compiled expressions as DataFusion sees them: text, equality, children, types; and what is refused.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::expressions::Literal;
use metricc_ir::user_defined::Imports;
use metricc_ir::{Calendar, CalendarUnit, Expr, Func, Kind, Part, Type};

use super::harness::{NONE, array, batch, call, column, constant, decimal, evaluate, int, text};
use crate::scalar::{compile, field};

fn schema() -> Schema {
    Schema::new(vec![
        field("amount", &Type::optional(Kind::Int)),
        field("country", &Type::of(Kind::String)),
        field("at", &Type::of(Kind::Timestamp)),
    ])
}

fn compiled(expr: &Expr) -> Arc<dyn PhysicalExpr> {
    compile(expr, &schema(), &|column| column, &Imports::new()).expect("defined")
}

fn amount_plus(value: i64) -> Expr {
    call(&Func::Add, vec![column(0, &Kind::Int), constant(&int(value), &Kind::Int)], &Kind::Int)
}

#[test]
fn expressions_read_as_they_are_written() {
    let positive = call(&Func::Gt, vec![amount_plus(1), constant(&int(0), &Kind::Int)], &Kind::Bool);
    let start = call(
        &Func::StartsWith,
        vec![column(1, &Kind::String), constant(&text("I"), &Kind::String)],
        &Kind::Bool,
    );
    let both = compiled(&call(&Func::And, vec![positive, start], &Kind::Bool));
    assert_eq!(both.to_string(), "(((amount@0 + 1) > 0) and starts_with(country@1, I))");
    let india = Calendar { zone: "Asia/Kolkata".to_owned(), week_start: 1 };
    let at = || vec![column(2, &Kind::Timestamp)];
    let truncated = call(&Func::TruncateIn(CalendarUnit::Day, india), at(), &Kind::Timestamp);
    assert_eq!(compiled(&truncated).to_string(), "truncate(at@2, day, \"Asia/Kolkata\", week 1)");
    let hour = call(&Func::Part(Part::Hour, "UTC".to_owned()), at(), &Kind::Int);
    assert_eq!(compiled(&hour).to_string(), "hour(at@2, \"UTC\")");
    let cast = call(&Func::Cast, vec![column(0, &Kind::Int)], &decimal(20, 2));
    assert_eq!(compiled(&cast).to_string(), "cast(amount@0 as decimal(20, 2))");
}

#[test]
fn equal_expressions_are_equal_and_hash_alike() {
    let hash = |expr: &Arc<dyn PhysicalExpr>| {
        let mut hasher = DefaultHasher::new();
        expr.hash(&mut hasher);
        hasher.finish()
    };
    let (one, again, other) =
        (compiled(&amount_plus(1)), compiled(&amount_plus(1)), compiled(&amount_plus(2)));
    assert!(*one == *again && hash(&one) == hash(&again));
    assert!(*one != *other);
}

#[test]
fn new_children_make_a_new_kernel_constants_included() {
    let in_list =
        |value| call(&Func::In, vec![column(0, &Kind::Int), constant(&int(value), &Kind::Int)], &Kind::Bool);
    let (one, two) = (compiled(&in_list(1)), compiled(&in_list(2)));
    let children = two.children().into_iter().cloned().collect();
    let renewed = one.with_new_children(children).expect("of the same kinds");
    assert!(*renewed == *two);
    let rows = batch(&[Kind::Int], vec![array(&Kind::Int, &[int(1), int(2)])]);
    let found = renewed.evaluate(&rows).expect("total").into_array(2).expect("an array");
    assert_eq!(format!("{found:?}"), format!("{:?}", arrow::array::BooleanArray::from(vec![false, true])));
}

#[test]
fn constants_are_folded() {
    let sum =
        call(&Func::Add, vec![constant(&int(1), &Kind::Int), constant(&int(2), &Kind::Int)], &Kind::Int);
    let folded = compiled(&call(&Func::Mul, vec![sum, constant(&int(4), &Kind::Int)], &Kind::Int));
    let folded: &dyn std::any::Any = folded.as_ref();
    let folded = folded.downcast_ref::<Literal>().expect("a constant");
    assert_eq!(folded.to_string(), "12");
}

#[test]
fn types_and_nullability_are_those_of_the_metric() {
    let sum = compiled(&amount_plus(1));
    assert!(sum.nullable(&schema()).expect("known"));
    let mut length = call(&Func::Length, vec![column(1, &Kind::String)], &Kind::Int);
    length.ty = Type::of(Kind::Int);
    assert!(!compiled(&length).nullable(&schema()).expect("known"));
}

#[test]
fn c28_columns_that_are_not_read_do_not_matter() {
    let values = array(&Kind::Int, &[int(1), NONE, int(i64::MAX)]);
    let narrow = batch(&[Kind::Int], vec![values.clone()]);
    let wide =
        batch(&[Kind::String, Kind::Int], vec![array(&Kind::String, &[text("x"), NONE, text("")]), values]);
    let moved =
        compile(&amount_plus(1), wide.schema_ref(), &|column| column + 1, &Imports::new()).expect("defined");
    let given = moved.evaluate(&wide).expect("total").into_array(3).expect("an array");
    let expected = evaluate(&amount_plus(1), &narrow).expect("defined");
    assert_eq!(array(&Kind::Int, &expected).as_ref(), given.as_ref());
}

#[test]
fn what_a_checked_metric_cannot_hold_is_refused() {
    let at = || vec![column(2, &Kind::Timestamp)];
    let nowhere = Calendar { zone: "Nowhere".to_owned(), week_start: 1 };
    let cases = [
        (column(7, &Kind::Int), "column: there is no column 7 among 3"),
        (column(1, &Kind::Int), "column `country`: it is Utf8View where the metric reads `int?`"),
        (constant(&text("x"), &Kind::Int), "constant: String(\"x\") is not of `int`"),
        (
            call(&Func::Add, vec![column(0, &Kind::Int)], &Kind::Int),
            "function `+`: it is not defined as (int) → int",
        ),
        (
            call(&Func::Lower, at(), &Kind::String),
            "function `lower`: it is not defined as (timestamp) → string",
        ),
        (call(&Func::TruncateTo(0), at(), &Kind::Timestamp), "width of a bucket: 0 µs is not positive"),
        (
            call(&Func::DateIn("Nowhere".to_owned()), at(), &Kind::Date),
            "time zone: there is no zone `Nowhere`",
        ),
        (
            call(&Func::TruncateIn(CalendarUnit::Day, nowhere), at(), &Kind::Timestamp),
            "calendar: there is no zone `Nowhere`, or no weekday 1",
        ),
    ];
    for (expr, expected) in cases {
        let error = compile(&expr, &schema(), &|column| column, &Imports::new()).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    }
    let pattern = call(&Func::Matches("(".to_owned()), vec![column(1, &Kind::String)], &Kind::Bool);
    assert!(compile(&pattern, &schema(), &|column| column, &Imports::new()).is_err());
}

#[test]
fn nesting_has_a_limit() {
    let mut deep = column(0, &Kind::Int);
    for _ in 0..400 {
        deep = call(&Func::Neg, vec![deep], &Kind::Int);
    }
    let rows = batch(&[Kind::Int], vec![array(&Kind::Int, &[int(5)])]);
    assert_eq!(evaluate(&deep, &rows).expect("not too deep"), [int(5)]);
    for _ in 0..700 {
        deep = call(&Func::Neg, vec![deep], &Kind::Int);
    }
    let error = evaluate(&deep, &rows).expect_err("too deep");
    assert_eq!(error.to_string(), "expression: it nests deeper than 1040 levels");
}
