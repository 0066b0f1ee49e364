//! Logic, equality, order, membership, choices: two-valued, with none as a value of its own.

use metricc_ir::{Func, Kind, Type, Value};

use super::harness::{
    NONE, array, at, batch, bool, call, check, column, constant, date, dec, decimal, evaluate, float, int,
    list, list_of, text,
};

const BOOLS: [Kind; 2] = [Kind::Bool, Kind::Bool];

fn status() -> Kind {
    Kind::Enum(["captured".to_owned(), "failed".to_owned(), "refunded".to_owned()].into())
}

#[test]
fn c26_none_counts_as_false_in_logic() {
    check(
        &Func::And,
        &BOOLS,
        &Kind::Bool,
        &[
            (&[bool(true), bool(true)], bool(true)),
            (&[bool(true), bool(false)], bool(false)),
            (&[bool(true), NONE], bool(false)),
            (&[NONE, NONE], bool(false)),
        ],
    );
    check(
        &Func::Or,
        &BOOLS,
        &Kind::Bool,
        &[
            (&[bool(false), bool(false)], bool(false)),
            (&[bool(true), NONE], bool(true)),
            (&[NONE, bool(false)], bool(false)),
        ],
    );
    check(
        &Func::Not,
        &[Kind::Bool],
        &Kind::Bool,
        &[(&[bool(true)], bool(false)), (&[bool(false)], bool(true)), (&[NONE], bool(true))],
    );
}

#[test]
fn long_chains_of_logic_do_not_nest() {
    let mut any = call(&Func::Eq, vec![column(0, &Kind::Int), constant(&int(0), &Kind::Int)], &Kind::Bool);
    for value in 1..4_000 {
        let equal =
            call(&Func::Eq, vec![column(0, &Kind::Int), constant(&int(value), &Kind::Int)], &Kind::Bool);
        any = call(&Func::Or, vec![any, equal], &Kind::Bool);
    }
    let rows = batch(&[Kind::Int], vec![array(&Kind::Int, &[int(3_999), int(4_000), NONE])]);
    let found = on_a_large_stack(move || {
        let found = evaluate(&any, &rows).expect("defined");
        std::mem::forget(any);
        found
    });
    assert_eq!(found, [true, false, false].map(bool));
}

/// The chain itself is a deep tree, which the test (not the kernel) walks and drops.
fn on_a_large_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(work).expect("a thread");
    thread.join().expect("no panic")
}

#[test]
fn c24_none_equals_none_and_nothing_else() {
    for (kind, value, other) in [
        (Kind::Int, int(i64::MIN), int(i64::MAX)),
        (Kind::Bool, bool(true), bool(false)),
        (Kind::String, text(""), text(" ")),
        (Kind::Float, float(0.0), float(5e-324)),
        (decimal(38, 2), dec(0), dec(1)),
        (status(), Value::Enum(0), Value::Enum(2)),
        (Kind::Date, date("2024-02-29"), date("2024-03-01")),
        (Kind::Timestamp, at("2024-02-29T00:00:00Z"), at("2024-02-29T00:00:00.000001Z")),
        (Kind::Duration, Value::Duration(0), Value::Duration(1)),
        (list_of(Kind::Int), list(&[int(1), NONE]), list(&[int(1)])),
    ] {
        let two = [kind.clone(), kind];
        let table = |is_equal: bool| {
            [
                (vec![value.clone(), value.clone()], bool(is_equal)),
                (vec![value.clone(), other.clone()], bool(!is_equal)),
                (vec![value.clone(), NONE], bool(!is_equal)),
                (vec![NONE, other.clone()], bool(!is_equal)),
                (vec![NONE, NONE], bool(is_equal)),
            ]
        };
        for (func, is_equal) in [(Func::Eq, true), (Func::Ne, false)] {
            let table = table(is_equal);
            let table: Vec<(&[Value], Value)> =
                table.iter().map(|(args, expected)| (args.as_slice(), expected.clone())).collect();
            check(&func, &two, &Kind::Bool, &table);
        }
    }
}

#[test]
fn order_is_false_where_one_side_is_none() {
    for (func, less, equal, greater) in [
        (Func::Lt, true, false, false),
        (Func::Le, true, true, false),
        (Func::Gt, false, false, true),
        (Func::Ge, false, true, true),
    ] {
        for (kind, small, large) in [
            (Kind::Int, int(i64::MIN), int(i64::MAX)),
            (Kind::Float, float(-1e308), float(0.0)),
            (decimal(38, 2), dec(-1), dec(0)),
            (status(), Value::Enum(0), Value::Enum(1)),
            (Kind::Bool, bool(false), bool(true)),
            (Kind::Date, date("0001-01-01"), date("9999-12-31")),
        ] {
            check(
                &func,
                &[kind.clone(), kind],
                &Kind::Bool,
                &[
                    (&[small.clone(), large.clone()], bool(less)),
                    (&[large.clone(), large.clone()], bool(equal)),
                    (&[large.clone(), small.clone()], bool(greater)),
                    (&[NONE, small.clone()], bool(false)),
                    (&[small.clone(), NONE], bool(false)),
                    (&[NONE, NONE], bool(false)),
                ],
            );
        }
    }
}

#[test]
fn c65_texts_are_ordered_by_bytes_and_never_compared_with_numbers() {
    check(
        &Func::Gt,
        &[Kind::String, Kind::String],
        &Kind::Bool,
        &[
            (&[text("10"), text("9")], bool(false)),
            (&[text("Z"), text("a")], bool(false)),
            (&[text("é"), text("z")], bool(true)),
            (&[text("a"), text("")], bool(true)),
        ],
    );
    let mixed = call(&Func::Gt, vec![column(0, &Kind::String), constant(&int(9), &Kind::Int)], &Kind::Bool);
    let rows = batch(&[Kind::String], vec![array(&Kind::String, &[text("10")])]);
    let error = evaluate(&mixed, &rows).expect_err("not of one kind");
    assert_eq!(error.to_string(), "function `>`: it is not defined as (string, int) → bool");
}

#[test]
fn decimals_of_one_scale_compare_whatever_their_precision() {
    let two = [decimal(5, 2), decimal(12, 2)];
    check(&Func::Eq, &two, &Kind::Bool, &[(&[dec(100), dec(100)], bool(true)), (&[NONE, NONE], bool(true))]);
    check(&Func::Lt, &two, &Kind::Bool, &[(&[dec(100), dec(101)], bool(true))]);
}

#[test]
fn c25_membership_is_two_valued() {
    let three = [Kind::Int, Kind::Int, Kind::Int];
    check(
        &Func::In,
        &three,
        &Kind::Bool,
        &[
            (&[int(1), int(1), NONE], bool(true)),
            (&[int(2), int(1), NONE], bool(false)),
            (&[NONE, int(1), NONE], bool(true)),
            (&[NONE, int(1), int(2)], bool(false)),
        ],
    );
}

#[test]
fn c25_long_lists_of_constants_are_looked_up_alike() {
    let number = |value: i64| match value {
        0 => NONE,
        value => int(value),
    };
    for (kind, of) in [
        (Kind::Int, Box::new(number) as Box<dyn Fn(i64) -> Value>),
        (Kind::String, Box::new(|value| if value == 0 { NONE } else { text(&value.to_string()) })),
        (decimal(38, 1), Box::new(|value| if value == 0 { NONE } else { dec(value.into()) })),
        (Kind::Date, Box::new(|value| if value == 0 { NONE } else { Value::Date(value as i32) })),
        (Kind::Timestamp, Box::new(|value| if value == 0 { NONE } else { Value::Timestamp(value) })),
        (Kind::Duration, Box::new(|value| if value == 0 { NONE } else { Value::Duration(value) })),
        (Kind::Float, Box::new(|value| if value == 0 { NONE } else { float(value as f64) })),
        (list_of(Kind::Int), Box::new(|value| if value == 0 { NONE } else { list(&[int(value)]) })),
    ] {
        for constants in
            [(1..=20).collect::<Vec<i64>>(), (0..=20).collect(), (0..=3).collect(), (4..=6).collect()]
        {
            let mut args = vec![column(0, &kind)];
            args.extend(constants.iter().map(|value| constant(&of(*value), &kind)));
            let values: Vec<i64> = (0..40).collect();
            let rows = values.iter().map(|value| of(*value)).collect::<Vec<_>>();
            let rows = batch(std::slice::from_ref(&kind), vec![array(&kind, &rows)]);
            let expected: Vec<Value> = values.iter().map(|value| bool(constants.contains(value))).collect();
            let given = evaluate(&call(&Func::In, args, &Kind::Bool), &rows).expect("defined");
            assert_eq!(given, expected, "{kind} in {constants:?}");
        }
    }
}

#[test]
fn coalesce_takes_the_first_that_is_there() {
    for (kind, value, other) in [
        (Kind::Int, int(1), int(2)),
        (Kind::Bool, bool(false), bool(true)),
        (Kind::String, text(""), text("unknown")),
        (decimal(12, 2), dec(0), dec(5)),
        (list_of(Kind::String), list(&[]), list(&[text("a"), NONE])),
    ] {
        let two = [kind.clone(), kind.clone()];
        check(
            &Func::Coalesce,
            &two,
            &kind,
            &[
                (&[value.clone(), other.clone()], value.clone()),
                (&[NONE, other.clone()], other.clone()),
                (&[value.clone(), NONE], value.clone()),
                (&[NONE, NONE], NONE),
            ],
        );
    }
}

#[test]
fn if_takes_the_second_or_the_third() {
    for (kind, yes, no) in [
        (Kind::Int, int(1), int(2)),
        (Kind::Bool, bool(true), bool(false)),
        (Kind::String, text("yes"), text("no")),
        (Kind::Float, float(1.0), float(2.0)),
        (Kind::Date, date("2024-01-01"), date("2024-01-02")),
        (Kind::Timestamp, Value::Timestamp(1), Value::Timestamp(2)),
        (Kind::Duration, Value::Duration(1), Value::Duration(2)),
        (status(), Value::Enum(1), Value::Enum(2)),
        (list_of(Kind::Int), list(&[int(1)]), list(&[])),
    ] {
        let three = [Kind::Bool, kind.clone(), kind.clone()];
        check(
            &Func::If,
            &three,
            &kind,
            &[
                (&[bool(true), yes.clone(), no.clone()], yes.clone()),
                (&[bool(false), yes.clone(), no.clone()], no.clone()),
                (&[NONE, yes.clone(), no.clone()], no.clone()),
                (&[bool(true), NONE, no.clone()], NONE),
                (&[bool(false), yes.clone(), NONE], NONE),
            ],
        );
    }
}

#[test]
fn a_choice_has_exactly_the_type_that_was_promised() {
    let narrow = Kind::List(Box::new(Type::of(Kind::Int)));
    let kinds = [Kind::Bool, narrow, list_of(Kind::Int)];
    check(
        &Func::If,
        &kinds,
        &list_of(Kind::Int),
        &[
            (&[bool(true), list(&[int(1)]), list(&[NONE])], list(&[int(1)])),
            (&[bool(false), list(&[int(1)]), list(&[NONE])], list(&[NONE])),
        ],
    );
    check(&Func::Coalesce, &[decimal(5, 2), decimal(9, 2)], &decimal(9, 2), &[(&[NONE, dec(7)], dec(7))]);
}
