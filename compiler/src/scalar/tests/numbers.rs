//! Integers, floats, and casts between numbers.

use metricc_ir::{Func, Kind, Value};

use super::harness::{NONE, bool, call, check, column, constant, dec, decimal, evaluate, float, int};
use super::harness::{array, batch};

const INTS: [Kind; 2] = [Kind::Int, Kind::Int];
const FLOATS: [Kind; 2] = [Kind::Float, Kind::Float];

fn duration(us: i64) -> Value {
    Value::Duration(us)
}

fn moment(us: i64) -> Value {
    Value::Timestamp(us)
}

#[test]
fn c32_integer_overflow_gives_none() {
    let (min, max) = (int(i64::MIN), int(i64::MAX));
    check(
        &Func::Add,
        &INTS,
        &Kind::Int,
        &[
            (&[int(2), int(3)], int(5)),
            (&[max.clone(), int(1)], NONE),
            (&[max.clone(), int(0)], max.clone()),
            (&[min.clone(), int(-1)], NONE),
            (&[min.clone(), max.clone()], int(-1)),
            (&[NONE, int(1)], NONE),
            (&[int(1), NONE], NONE),
            (&[NONE, NONE], NONE),
        ],
    );
    check(
        &Func::Sub,
        &INTS,
        &Kind::Int,
        &[
            (&[min.clone(), int(1)], NONE),
            (&[int(0), min.clone()], NONE),
            (&[int(-1), min.clone()], max.clone()),
            (&[int(5), int(7)], int(-2)),
        ],
    );
    check(
        &Func::Neg,
        &[Kind::Int],
        &Kind::Int,
        &[(&[int(i64::MIN)], NONE), (&[max], int(-i64::MAX)), (&[NONE], NONE)],
    );
    check(&Func::Abs, &[Kind::Int], &Kind::Int, &[(&[min], NONE), (&[int(-3)], int(3)), (&[NONE], NONE)]);
}

#[test]
fn c49_a_product_beyond_64_bits_gives_none() {
    check(
        &Func::Mul,
        &INTS,
        &Kind::Int,
        &[
            (&[int(1 << 32), int(1 << 32)], NONE),
            (&[int(1 << 31), int(1 << 31)], int(1 << 62)),
            (&[int(i64::MIN), int(-1)], NONE),
            (&[int(i64::MIN), int(1)], int(i64::MIN)),
            (&[int(-3), int(7)], int(-21)),
            (&[NONE, int(0)], NONE),
        ],
    );
}

#[test]
fn c29_division_by_zero_gives_none() {
    for func in [Func::Div, Func::Rem] {
        check(
            &func,
            &INTS,
            &Kind::Int,
            &[
                (&[int(1), int(0)], NONE),
                (&[int(0), int(0)], NONE),
                (&[int(i64::MIN), int(0)], NONE),
                (&[NONE, int(0)], NONE),
            ],
        );
    }
    check(
        &Func::Div,
        &FLOATS,
        &Kind::Float,
        &[
            (&[float(1.0), float(0.0)], NONE),
            (&[float(0.0), float(0.0)], NONE),
            (&[float(-1.0), float(0.0)], NONE),
            (&[float(1.0), float(4.0)], float(0.25)),
            (&[float(0.0), float(-4.0)], float(0.0)),
        ],
    );
}

#[test]
fn c37_integer_division_truncates_toward_zero() {
    check(
        &Func::Div,
        &INTS,
        &Kind::Int,
        &[
            (&[int(-7), int(2)], int(-3)),
            (&[int(7), int(-2)], int(-3)),
            (&[int(-7), int(-2)], int(3)),
            (&[int(i64::MIN), int(-1)], NONE),
        ],
    );
    check(
        &Func::Rem,
        &INTS,
        &Kind::Int,
        &[(&[int(-7), int(2)], int(-1)), (&[int(7), int(-2)], int(1)), (&[int(i64::MIN), int(-1)], int(0))],
    );
}

#[test]
fn c27_a_guard_needs_no_short_circuit() {
    // x != 0 and 1 / x > 0
    let x = column(0, &Kind::Int);
    let guard = call(&Func::Ne, vec![x.clone(), constant(&int(0), &Kind::Int)], &Kind::Bool);
    let quotient = call(&Func::Div, vec![constant(&int(1), &Kind::Int), x], &Kind::Int);
    let positive = call(&Func::Gt, vec![quotient, constant(&int(0), &Kind::Int)], &Kind::Bool);
    let both = call(&Func::And, vec![guard, positive], &Kind::Bool);
    let rows = batch(&[Kind::Int], vec![array(&Kind::Int, &[int(0), int(1), int(2), int(-1), NONE])]);
    let expected = [false, true, false, false, false].map(bool);
    assert_eq!(evaluate(&both, &rows).expect("defined"), expected);
}

#[test]
fn instants_and_durations_add_up_or_give_none() {
    let moments = [Kind::Timestamp, Kind::Duration];
    check(
        &Func::Add,
        &moments,
        &Kind::Timestamp,
        &[
            (&[moment(5), duration(-7)], moment(-2)),
            (&[moment(i64::MAX), duration(1)], NONE),
            (&[NONE, duration(1)], NONE),
        ],
    );
    check(&Func::Sub, &moments, &Kind::Timestamp, &[(&[moment(i64::MIN), duration(1)], NONE)]);
    check(
        &Func::Sub,
        &[Kind::Timestamp, Kind::Timestamp],
        &Kind::Duration,
        &[(&[moment(5), moment(7)], duration(-2)), (&[moment(i64::MAX), moment(-1)], NONE)],
    );
    let durations = [Kind::Duration, Kind::Duration];
    check(&Func::Add, &durations, &Kind::Duration, &[(&[duration(i64::MAX), duration(1)], NONE)]);
    check(&Func::Sub, &durations, &Kind::Duration, &[(&[duration(1), duration(3)], duration(-2))]);
    check(&Func::Neg, &[Kind::Duration], &Kind::Duration, &[(&[duration(i64::MIN)], NONE)]);
}

#[test]
fn c45_no_operation_gives_nan_infinity_or_negative_zero() {
    check(
        &Func::Add,
        &FLOATS,
        &Kind::Float,
        &[
            (&[float(1e308), float(1e308)], NONE),
            (&[float(-1e308), float(-1e308)], NONE),
            (&[float(0.1), float(0.2)], float(0.300_000_000_000_000_04)),
            (&[NONE, float(1.0)], NONE),
        ],
    );
    check(&Func::Sub, &FLOATS, &Kind::Float, &[(&[float(1e308), float(-1e308)], NONE)]);
    check(
        &Func::Mul,
        &FLOATS,
        &Kind::Float,
        &[
            (&[float(1e308), float(10.0)], NONE),
            (&[float(-1.0), float(0.0)], float(0.0)),
            (&[float(-5e-324), float(0.5)], float(0.0)),
        ],
    );
    check(&Func::Div, &FLOATS, &Kind::Float, &[(&[float(1e308), float(1e-308)], NONE)]);
    check(
        &Func::Neg,
        &[Kind::Float],
        &Kind::Float,
        &[(&[float(0.0)], float(0.0)), (&[float(1.5)], float(-1.5))],
    );
    check(&Func::Abs, &[Kind::Float], &Kind::Float, &[(&[float(-1e308)], float(1e308))]);
}

#[test]
fn floats_round_half_even_and_floor() {
    let of = |func: Func, table: &[(f64, f64)]| {
        for (value, expected) in table {
            check(&func, &[Kind::Float], &Kind::Float, &[(&[float(*value)], float(*expected))]);
        }
    };
    of(Func::Round(0), &[(0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.4, 0.0), (-1.5, -2.0), (1e308, 1e308)]);
    of(Func::Floor, &[(1.5, 1.0), (-0.5, -1.0), (-0.0 + 0.5, 0.0)]);
    of(Func::Ceil, &[(1.5, 2.0), (-0.5, 0.0), (-1.5, -1.0)]);
}

#[test]
fn c36_casts_truncate_round_or_give_none_in_one_place() {
    check(
        &Func::Cast,
        &[Kind::Float],
        &Kind::Int,
        &[
            (&[float(1.9)], int(1)),
            (&[float(-1.9)], int(-1)),
            (&[float(9_223_372_036_854_775_808.0)], NONE),
            (&[float(-9_223_372_036_854_775_808.0)], int(i64::MIN)),
            (&[float(1e308)], NONE),
            (&[NONE], NONE),
        ],
    );
    check(
        &Func::Cast,
        &[decimal(38, 2)],
        &Kind::Int,
        &[
            (&[dec(199)], int(1)),
            (&[dec(-199)], int(-1)),
            (&[dec(i128::from(i64::MAX) * 100 + 99)], int(i64::MAX)),
            (&[dec(i128::from(i64::MAX) * 100 + 100)], NONE),
        ],
    );
    check(
        &Func::Cast,
        &[Kind::Int],
        &Kind::Float,
        &[
            (&[int((1 << 53) + 1)], float(9_007_199_254_740_992.0)),
            (&[int((1 << 53) + 3)], float(9_007_199_254_740_996.0)),
            (&[int(i64::MAX)], float(9_223_372_036_854_775_808.0)),
        ],
    );
    check(
        &Func::Cast,
        &[Kind::Int],
        &Kind::Int128,
        &[(&[int(i64::MIN)], dec(i64::MIN.into())), (&[NONE], NONE)],
    );
    check(
        &Func::Cast,
        &[Kind::Int],
        &decimal(5, 2),
        &[(&[int(999)], dec(99_900)), (&[int(-1_000)], NONE), (&[int(i64::MAX)], NONE)],
    );
    check(&Func::Cast, &[Kind::Int], &decimal(38, 38), &[(&[int(0)], dec(0)), (&[int(1)], NONE)]);
    check(&Func::Cast, &[Kind::Int128], &Kind::Float, &[(&[dec(10_i128.pow(37))], float(1e37))]);
    check(
        &Func::Cast,
        &[Kind::Int128],
        &decimal(38, 1),
        &[(&[dec(10_i128.pow(36))], dec(10_i128.pow(37))), (&[dec(10_i128.pow(37))], NONE)],
    );
}

#[test]
fn c36_decimals_become_the_nearest_float() {
    check(
        &Func::Cast,
        &[decimal(38, 1)],
        &Kind::Float,
        &[
            (&[dec(1)], float(0.1)),
            (&[dec(-3)], float(-0.3)),
            (&[dec(0)], float(0.0)),
            (&[dec(90_071_992_547_409_935)], float(9_007_199_254_740_994.0)),
        ],
    );
    check(
        &Func::Cast,
        &[decimal(38, 38)],
        &Kind::Float,
        &[
            (&[dec(1)], float(1e-38)),
            (&[dec(33_333_333_333_333_333_333_333_333_333_333_333_333)], float(1.0 / 3.0)),
        ],
    );
}

#[test]
fn c47_floats_have_64_bits_only() {
    use arrow::array::Float32Array;
    use arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;

    let schema = Arc::new(Schema::new(vec![Field::new("f", DataType::Float32, true)]));
    let rows =
        arrow::record_batch::RecordBatch::try_new(schema, vec![Arc::new(Float32Array::from(vec![0.1]))]);
    let error = evaluate(&column(0, &Kind::Float), &rows.expect("one column")).expect_err("not a typed row");
    assert_eq!(error.to_string(), "column `f`: it is Float32 where the metric reads `float?`");
}

#[test]
fn least_and_greatest_take_one_of_their_arguments() {
    let three = [Kind::Int, Kind::Int, Kind::Int];
    check(
        &Func::Least,
        &three,
        &Kind::Int,
        &[
            (&[int(3), int(1), int(2)], int(1)),
            (&[int(i64::MIN), int(i64::MAX), int(0)], int(i64::MIN)),
            (&[int(3), NONE, int(2)], NONE),
            (&[NONE, NONE, NONE], NONE),
        ],
    );
    check(
        &Func::Greatest,
        &three,
        &Kind::Int,
        &[(&[int(3), int(1), int(2)], int(3)), (&[int(1), int(2), NONE], NONE)],
    );
    check(&Func::Greatest, &FLOATS, &Kind::Float, &[(&[float(-1.0), float(0.0)], float(0.0))]);
    check(&Func::Least, &[Kind::Int], &Kind::Int, &[(&[int(7)], int(7)), (&[NONE], NONE)]);
    check(&Func::Least, &[decimal(5, 2), decimal(9, 2)], &decimal(9, 2), &[(&[dec(100), dec(99)], dec(99))]);
}

#[test]
fn a_ratio_is_rounded_once() {
    let third = float(1.0 / 3.0);
    check(
        &Func::Ratio,
        &INTS,
        &Kind::Float,
        &[
            (&[int(1), int(3)], third.clone()),
            (&[int(0), int(-5)], float(0.0)),
            (&[int(1), int(0)], NONE),
            (&[int(0), int(0)], NONE),
            (&[int(i64::MAX), int(i64::MAX)], float(1.0)),
            (&[int(i64::MIN), int(1)], float(-9_223_372_036_854_775_808.0)),
            (&[int((1 << 53) + 1), int(1)], float(9_007_199_254_740_992.0)),
            (&[NONE, int(1)], NONE),
        ],
    );
    check(
        &Func::Ratio,
        &[Kind::Int128, Kind::Int],
        &Kind::Float,
        &[(&[dec(10_i128.pow(37)), int(3)], float(10e37 / 30.0)), (&[dec(1), int(3)], third.clone())],
    );
    check(
        &Func::Ratio,
        &[decimal(38, 0), decimal(38, 38)],
        &Kind::Float,
        &[(&[dec(10_i128.pow(37)), dec(1)], float(1e75)), (&[dec(1), dec(3)], float(1e38 / 3.0))],
    );
    check(
        &Func::Ratio,
        &[decimal(38, 38), decimal(38, 0)],
        &Kind::Float,
        &[(&[dec(1), dec(10_i128.pow(37))], float(1e-75)), (&[dec(10_i128.pow(37)), dec(1)], float(0.1))],
    );
    check(&Func::Ratio, &[decimal(12, 2), Kind::Int], &Kind::Float, &[(&[dec(1_000), int(4)], float(2.5))]);
    check(
        &Func::Ratio,
        &FLOATS,
        &Kind::Float,
        &[(&[float(1.0), float(3.0)], third), (&[float(1.0), float(0.0)], NONE)],
    );
}
