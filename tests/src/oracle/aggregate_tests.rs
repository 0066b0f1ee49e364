use metricc_ir::{Expr, ExprKind, Type, Value};

use super::*;
use crate::oracle::present::json;

const FLOAT: Kind = Kind::Float;

fn decimal(precision: u8, scale: u8) -> Kind {
    Kind::Decimal { precision, scale }
}

/// An aggregate over a column of constants, as JSON text.
fn result_of(op: AggregateOp, kind: &Kind, values: &[Value], presented: &Kind) -> String {
    let column = Expr { kind: ExprKind::Column(0), ty: Type::optional(kind.clone()) };
    let ty = Type::optional(presented.clone());
    let aggregate = Aggregate { op, args: vec![column], filter: None, lost: None, ty };
    let rows: Vec<Vec<Datum>> =
        values.iter().map(|value| vec![Datum::of(value, kind), Datum::Timestamp(0)]).collect();
    json(&evaluate(&aggregate, &rows, 1).0, presented)
}

fn floats(op: AggregateOp, values: &[f64]) -> String {
    result_of(op, &FLOAT, &values.iter().map(|value| Value::Float(*value)).collect::<Vec<_>>(), &FLOAT)
}

fn ints(op: AggregateOp, values: &[i64], presented: &Kind) -> String {
    result_of(op, &Kind::Int, &values.iter().map(|value| Value::Int(*value)).collect::<Vec<_>>(), presented)
}

fn decimals(op: AggregateOp, values: &[i128], presented: &Kind) -> String {
    let values: Vec<Value> = values.iter().map(|value| Value::Decimal(*value)).collect();
    result_of(op, &decimal(38, 2), &values, presented)
}

fn quantile(q_ppb: u32) -> AggregateOp {
    AggregateOp::Quantile { q_ppb, error_ppm: 10_000 }
}

#[test]
fn c22_the_identities_of_an_empty_group() {
    assert_eq!(ints(AggregateOp::Sum, &[], &Kind::Int128), "0");
    assert_eq!(floats(AggregateOp::Sum, &[]), "0.0");
    assert_eq!(decimals(AggregateOp::Sum, &[], &decimal(38, 2)), "\"0.00\"");
    assert_eq!(floats(AggregateOp::Mean, &[]), "null");
    assert_eq!(ints(AggregateOp::Min, &[], &Kind::Int), "null");
    assert_eq!(ints(AggregateOp::Distinct, &[], &Kind::Int), "0");
    assert_eq!(floats(quantile(0), &[]), "null");
    assert_eq!(result_of(AggregateOp::Any, &Kind::Bool, &[], &Kind::Bool), "false");
    assert_eq!(result_of(AggregateOp::All, &Kind::Bool, &[], &Kind::Bool), "true");
}

#[test]
fn c30_none_is_skipped() {
    let values = [Value::Bool(true), Value::None];
    assert_eq!(result_of(AggregateOp::All, &Kind::Bool, &values, &Kind::Bool), "true");
    assert_eq!(result_of(AggregateOp::Distinct, &Kind::Bool, &values, &Kind::Int), "1");
    let values = [Value::Int(4), Value::None, Value::Int(2)];
    assert_eq!(result_of(AggregateOp::Mean, &Kind::Int, &values, &FLOAT), "3.0");
}

#[test]
fn c31_integer_sums_never_wrap() {
    assert_eq!(ints(AggregateOp::Sum, &[i64::MAX, 1], &Kind::Int128), "\"9223372036854775808\"");
    assert_eq!(ints(AggregateOp::Sum, &[i64::MIN, -1], &Kind::Int128), "\"-9223372036854775809\"");
}

#[test]
fn c34_decimal_sums_are_checked_when_presented() {
    let largest = 10_i128.pow(38) - 1;
    assert_eq!(decimals(AggregateOp::Sum, &[largest, 1], &decimal(38, 2)), "null");
    let back = decimals(AggregateOp::Sum, &[largest, 1, -1], &decimal(38, 2));
    assert_eq!(back, "\"999999999999999999999999999999999999.99\"");
}

#[test]
fn c35_decimal_means_have_six_more_digits_half_even() {
    assert_eq!(decimals(AggregateOp::Mean, &[100, 100, 0], &decimal(38, 8)), "\"0.66666667\"");
    let half = result_of(
        AggregateOp::Mean,
        &decimal(38, 38),
        &[Value::Decimal(1), Value::Decimal(2)],
        &decimal(38, 38),
    );
    assert_eq!(half, format!("\"0.{:0>38}\"", 2));
}

#[test]
fn c38_float_sums_are_exact() {
    assert_eq!(floats(AggregateOp::Sum, &[1e16, 1.0, -1e16]), "1.0");
    assert_eq!(floats(AggregateOp::Sum, &[0.1; 10]), "1.0");
    assert_eq!(floats(AggregateOp::Sum, &[f64::MAX, f64::MAX]), "null");
    assert_eq!(floats(AggregateOp::Sum, &[f64::MAX, f64::MAX, -f64::MAX]), "1.7976931348623157e308");
    assert_eq!(floats(AggregateOp::Sum, &[5e-324, 5e-324]), "1e-323");
}

#[test]
fn means_are_rounded_once() {
    assert_eq!(ints(AggregateOp::Mean, &[i64::MAX, i64::MAX], &FLOAT), "9.223372036854776e18");
    assert_eq!(floats(AggregateOp::Mean, &[f64::MAX, f64::MAX]), "1.7976931348623157e308");
    assert_eq!(ints(AggregateOp::Mean, &[1, 0, 0], &FLOAT), "0.3333333333333333");
}

#[test]
fn c42_the_least_and_the_greatest() {
    assert_eq!(floats(AggregateOp::Min, &[0.0, -5e-324]), "-5e-324");
    assert_eq!(ints(AggregateOp::Max, &[9, 10], &Kind::Int), "10");
    let texts = ["10", "9", ""].map(|text| Value::String(text.to_owned()));
    assert_eq!(result_of(AggregateOp::Max, &Kind::String, &texts, &Kind::String), "\"9\"");
    assert_eq!(result_of(AggregateOp::Min, &Kind::String, &texts, &Kind::String), "\"\"");
}

#[test]
fn c74_the_variance_of_one_row_is_none_and_of_a_constant_zero() {
    assert_eq!(floats(AggregateOp::Variance, &[1.0]), "null");
    assert_eq!(floats(AggregateOp::Stddev, &[1.0]), "null");
    assert_eq!(floats(AggregateOp::Variance, &[0.1, 0.1, 0.1]), "0.0");
}

#[test]
fn c76_variances_do_not_cancel() {
    assert_eq!(floats(AggregateOp::Variance, &[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]), "30.0");
    assert_eq!(ints(AggregateOp::Variance, &[1, 2, 3, 4], &FLOAT), "1.6666666666666667");
    assert_eq!(ints(AggregateOp::Stddev, &[1, 2, 3, 4], &FLOAT), "1.2909944487358056");
    assert_eq!(decimals(AggregateOp::Variance, &[100, 300], &FLOAT), "2.0");
    assert_eq!(floats(AggregateOp::Variance, &[1e308, -1e308]), "null");
}

#[test]
fn c14_distinct_texts_are_told_apart_by_bytes() {
    let texts = ["é", "e\u{301}", "é"].map(|text| Value::String(text.to_owned()));
    assert_eq!(result_of(AggregateOp::Distinct, &Kind::String, &texts, &Kind::Int), "2");
}

#[test]
fn quantiles_are_of_lower_rank() {
    let values = [40, 10, 30, 20];
    let at = |q_ppb| ints(quantile(q_ppb), &values, &FLOAT);
    assert_eq!(at(0), "10.0");
    assert_eq!(at(500_000_000), "20.0");
    assert_eq!(at(990_000_000), "30.0");
    assert_eq!(at(1_000_000_000), "40.0");
}
