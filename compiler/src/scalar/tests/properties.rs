//! Random tables for every function, and arithmetic against plain big integers.

use metricc_ir::{Calendar, CalendarUnit, Func, Kind, Part, Type, Value};
use num_bigint::BigInt;
use proptest::prelude::*;

use super::harness::{NONE, apply, decimal, int, list_of, record_of};

fn enumeration() -> Kind {
    Kind::Enum(["a".to_owned(), "b".to_owned(), "ç".to_owned()].into())
}

/// Every function with the kinds of its arguments and its result.
fn signatures() -> Vec<(Func, Vec<Kind>, Kind)> {
    let mut all = Vec::new();
    let scalars = [
        Kind::Bool,
        Kind::Int,
        Kind::Int128,
        decimal(38, 3),
        Kind::Float,
        Kind::String,
        enumeration(),
        Kind::Date,
        Kind::Timestamp,
        Kind::Duration,
    ];
    for kind in scalars.iter().cloned().chain([list_of(Kind::Int), list_of(Kind::String)]) {
        for func in [Func::Eq, Func::Ne] {
            all.push((func, vec![kind.clone(), kind.clone()], Kind::Bool));
        }
        all.push((Func::In, vec![kind.clone(), kind.clone(), kind.clone()], Kind::Bool));
        all.push((Func::Coalesce, vec![kind.clone(), kind.clone()], kind.clone()));
        all.push((Func::If, vec![Kind::Bool, kind.clone(), kind.clone()], kind.clone()));
    }
    for kind in &scalars {
        for func in [Func::Lt, Func::Le, Func::Gt, Func::Ge] {
            all.push((func, vec![kind.clone(), kind.clone()], Kind::Bool));
        }
        for func in [Func::Least, Func::Greatest] {
            all.push((func, vec![kind.clone(), kind.clone(), kind.clone()], kind.clone()));
        }
        all.push((Func::Hash64, vec![kind.clone(), Kind::String], Kind::Int));
        all.push((Func::Contains, vec![list_of(kind.clone()), kind.clone()], Kind::Bool));
    }
    all.extend(of_numbers());
    all.extend(of_texts());
    all.extend(of_times());
    all
}

fn of_numbers() -> Vec<(Func, Vec<Kind>, Kind)> {
    let mut all = Vec::new();
    let (narrow, wide) = (decimal(12, 2), decimal(38, 2));
    for func in [Func::Add, Func::Sub, Func::Mul, Func::Div, Func::Rem, Func::Ratio] {
        let of_int = if func == Func::Ratio { Kind::Float } else { Kind::Int };
        all.push((func.clone(), vec![Kind::Int, Kind::Int], of_int));
        if func != Func::Rem {
            all.push((func.clone(), vec![Kind::Float, Kind::Float], Kind::Float));
        }
    }
    for func in [Func::Add, Func::Sub, Func::Rem] {
        all.push((func.clone(), vec![narrow.clone(), wide.clone()], wide.clone()));
        all.push((func, vec![Kind::Int128, Kind::Int128], Kind::Int128));
    }
    all.push((Func::Mul, vec![narrow.clone(), wide.clone()], decimal(38, 4)));
    all.push((Func::Div, vec![wide.clone(), narrow.clone()], decimal(38, 8)));
    for kind in [Kind::Int128, Kind::Int, wide.clone()] {
        all.push((Func::Ratio, vec![kind.clone(), decimal(38, 10)], Kind::Float));
        all.push((Func::Ratio, vec![decimal(38, 10), kind], Kind::Float));
    }
    for kind in [Kind::Int, Kind::Float, wide.clone(), Kind::Duration] {
        all.push((Func::Neg, vec![kind.clone()], kind.clone()));
        all.push((Func::Abs, vec![kind.clone()], kind));
    }
    for (func, to) in
        [(Func::Round(1), decimal(38, 1)), (Func::Floor, decimal(38, 0)), (Func::Ceil, decimal(38, 0))]
    {
        all.push((func, vec![wide.clone()], to));
    }
    for func in [Func::Round(0), Func::Floor, Func::Ceil] {
        all.push((func, vec![Kind::Float], Kind::Float));
    }
    let casts = [
        (Kind::Int, Kind::Int128),
        (Kind::Int, narrow.clone()),
        (Kind::Int, Kind::Float),
        (Kind::Int128, wide.clone()),
        (Kind::Int128, Kind::Float),
        (wide.clone(), narrow.clone()),
        (narrow, decimal(38, 20)),
        (wide.clone(), Kind::Float),
        (wide, Kind::Int),
        (Kind::Float, Kind::Int),
    ];
    all.extend(casts.into_iter().map(|(from, to)| (Func::Cast, vec![from], to)));
    all
}

fn of_texts() -> Vec<(Func, Vec<Kind>, Kind)> {
    let text = || Kind::String;
    let mut all = vec![
        (Func::Substr, vec![text(), Kind::Int, Kind::Int], text()),
        (Func::Split, vec![text(), text()], Kind::List(Box::new(Type::of(text())))),
        (Func::Concat, vec![text(), text(), text()], text()),
        (Func::Length, vec![text()], Kind::Int),
        (Func::Length, vec![list_of(Kind::Int)], Kind::Int),
        (Func::Field(1), vec![record_of(&[Kind::Int, text()])], text()),
        (Func::Text, vec![enumeration()], text()),
        (Func::Matches("^a.*ß?".to_owned()), vec![text()], Kind::Bool),
    ];
    all.extend([Func::Lower, Func::Upper, Func::Trim].map(|func| (func, vec![text()], text())));
    all.extend(
        [Func::StartsWith, Func::EndsWith, Func::Contains]
            .map(|func| (func, vec![text(), text()], Kind::Bool)),
    );
    all
}

fn of_times() -> Vec<(Func, Vec<Kind>, Kind)> {
    let (moment, zone) = (Kind::Timestamp, "America/New_York".to_owned());
    let mut all = vec![
        (Func::Add, vec![moment.clone(), Kind::Duration], moment.clone()),
        (Func::Sub, vec![moment.clone(), Kind::Duration], moment.clone()),
        (Func::Sub, vec![moment.clone(), moment.clone()], Kind::Duration),
        (Func::Add, vec![Kind::Duration, Kind::Duration], Kind::Duration),
        (Func::DateIn(zone.clone()), vec![moment.clone()], Kind::Date),
        (Func::TruncateTo(300_000_000), vec![moment.clone()], moment.clone()),
    ];
    for part in [
        Part::Year,
        Part::Quarter,
        Part::Month,
        Part::Week,
        Part::IsoYear,
        Part::Day,
        Part::Hour,
        Part::Minute,
        Part::Second,
        Part::Weekday,
    ] {
        all.push((Func::Part(part, zone.clone()), vec![moment.clone()], Kind::Int));
        all.push((Func::Part(part, zone.clone()), vec![Kind::Date], Kind::Int));
    }
    for unit in [
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ] {
        let calendar = Calendar { zone: zone.clone(), week_start: 7 };
        all.push((Func::PeriodIn(unit, calendar.clone()), vec![moment.clone()], Kind::Int));
        all.push((Func::PeriodIn(unit, calendar.clone()), vec![Kind::Date], Kind::Int));
        all.push((Func::TruncateIn(unit, calendar), vec![moment.clone()], moment.clone()));
    }
    all.push((Func::PeriodTo(300_000_000), vec![moment.clone()], Kind::Int));
    all.push((Func::PeriodTo(300_000_000), vec![Kind::Date], Kind::Int));
    all
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -3..=3_i64, Just(i64::MIN), Just(i64::MAX), Just(1 << 53)]
}

fn digits(precision: u32) -> impl Strategy<Value = i128> {
    let limit = 10_i128.pow(precision);
    prop_oneof![1 - limit..limit, -3..=3_i128, Just(limit - 1), Just(1 - limit)]
}

fn value(kind: &Kind) -> BoxedStrategy<Value> {
    let present = match kind {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int => integer().prop_map(Value::Int).boxed(),
        Kind::Int128 => digits(38).prop_map(Value::Decimal).boxed(),
        Kind::Decimal { precision, .. } => digits(u32::from(*precision)).prop_map(Value::Decimal).boxed(),
        Kind::Float => prop_oneof![
            prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL,
            prop::sample::select(vec![0.0, 1.5, -0.5, 1e308, -1e308, 5e-324, 9_223_372_036_854_775_808.0]),
        ]
        .prop_map(Value::Float)
        .boxed(),
        Kind::String => {
            let known = ["", "a", "aß", "İ", "\u{a0}x ", "e\u{301}", "a_b", "%", ",", "a,b,,c", "ΑΣ"];
            prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), "\\PC{0,6}"]
                .prop_map(Value::String)
                .boxed()
        }
        Kind::Enum(names) => (0..names.len() as u32).prop_map(Value::Enum).boxed(),
        Kind::Date => prop_oneof![-800_000..3_000_000_i32, any::<i32>()].prop_map(Value::Date).boxed(),
        Kind::Timestamp => prop_oneof![1_700_000_000_000_000..1_740_000_000_000_000_i64, integer()]
            .prop_map(Value::Timestamp)
            .boxed(),
        Kind::Duration => integer().prop_map(Value::Duration).boxed(),
        Kind::List(element) => {
            prop::collection::vec(value(&element.kind), 0..4).prop_map(Value::List).boxed()
        }
        Kind::Record(fields) => {
            let parts: Vec<BoxedStrategy<Value>> = fields.iter().map(|field| value(&field.ty.kind)).collect();
            parts.prop_map(Value::Record).boxed()
        }
    };
    prop_oneof![8 => present, 1 => Just(NONE)].boxed()
}

fn table(kinds: &[Kind]) -> impl Strategy<Value = Vec<Vec<Value>>> + use<> {
    let row: Vec<BoxedStrategy<Value>> = kinds.iter().map(value).collect();
    prop::collection::vec(row, 1..12)
}

#[test]
fn constants_columns_and_slices_agree_for_every_function() {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    for (func, kinds, result) in signatures() {
        let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let outcome = runner.run(&table(&kinds), |rows| {
            apply(&func, &kinds, &result, &rows);
            Ok(())
        });
        assert!(outcome.is_ok(), "{func:?} {kinds:?}: {outcome:?}");
    }
}

/// The nearest integer to a quotient; of two, the even one.
fn half_even(left: &BigInt, right: &BigInt) -> BigInt {
    let (two, zero) = (BigInt::from(2), BigInt::from(0));
    let (left, right) = if *right < zero { (-left, -right) } else { (left.clone(), right.clone()) };
    let remainder = ((&left % &right) + &right) % &right;
    let floor = (&left - &remainder) / &right;
    let twice = &remainder * &two;
    let is_odd = &floor % &two != zero;
    if twice > right || (twice == right && is_odd) { floor + 1 } else { floor }
}

/// As digits of a decimal(38, _), or none.
fn fitted(value: &BigInt) -> Value {
    match i128::try_from(value) {
        Ok(value) if value.unsigned_abs() < 10_u128.pow(38) => Value::Decimal(value),
        _ => NONE,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_are_exact_or_none(left in integer(), right in integer()) {
        let (l, r) = (i128::from(left), i128::from(right));
        let operations = [
            (Func::Add, Some(l + r)),
            (Func::Sub, Some(l - r)),
            (Func::Mul, Some(l * r)),
            (Func::Div, l.checked_div(r)),
            (Func::Rem, l.checked_rem(r)),
        ];
        for (func, exact) in operations {
            let expected = exact.and_then(|exact| i64::try_from(exact).ok()).map_or(NONE, int);
            let given = apply(&func, &[Kind::Int, Kind::Int], &Kind::Int, &[vec![int(left), int(right)]]);
            prop_assert_eq!(&given[0], &expected, "{:?}", func);
        }
    }

    #[test]
    fn decimals_are_exact_or_rounded_once(
        left in digits(38),
        right in digits(38),
        left_scale in 0..=38_u8,
        right_scale in 0..=38_u8,
        scale in 0..=38_u8,
    ) {
        let kinds = [decimal(38, left_scale), decimal(38, right_scale)];
        let rows = [vec![Value::Decimal(left), Value::Decimal(right)]];
        let ten = BigInt::from(10);
        let numerator = BigInt::from(left) * ten.pow(u32::from(scale) + u32::from(right_scale));
        let denominator = BigInt::from(right) * ten.pow(u32::from(left_scale));
        let expected =
            if right == 0 { NONE } else { fitted(&half_even(&numerator, &denominator)) };
        prop_assert_eq!(&apply(&Func::Div, &kinds, &decimal(38, scale), &rows)[0], &expected);

        let rescaled = half_even(&(BigInt::from(left) * ten.pow(scale.into())), &ten.pow(left_scale.into()));
        let one = [vec![Value::Decimal(left)]];
        prop_assert_eq!(&apply(&Func::Cast, &kinds[..1], &decimal(38, scale), &one)[0], &fitted(&rescaled));

        if left_scale + right_scale <= 38 {
            let product = BigInt::from(left) * BigInt::from(right);
            let result = decimal(38, left_scale + right_scale);
            prop_assert_eq!(&apply(&Func::Mul, &kinds, &result, &rows)[0], &fitted(&product));
        }
    }
}
