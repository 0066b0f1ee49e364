//! Every law for every aggregate over every type.

use arrow::array::{Array, AsArray, BooleanArray, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit};
use metricc_algebra::law_kit::{Sample, check_laws};
use metricc_algebra::{Layout, Monoid, Size, monoid, n_words};
use metricc_ir::functions::{AGGREGATES, Param, Parameters, Reads, Sort};
use metricc_ir::{AggregateOp as Op, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::sync::Arc;

use crate::inputs::{columns, input_types, monoids, one_group, samples};

fn check(monoid: &dyn Monoid, n_cases: u32) {
    let mut runner =
        TestRunner::new(Config { cases: n_cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(samples(monoid.inputs()), any::<u64>()), |(sample, seed)| {
        let states = check_laws(monoid, &sample, seed).map_err(TestCaseError::fail)?;
        if let Size::Fixed(limit) | Size::Bounded(limit) = monoid.laws().size {
            for row in 0..states.len() {
                let n_bytes =
                    metricc_algebra::law_kit::state_bytes(&states, row).map_err(TestCaseError::fail)?.len();
                prop_assert!(n_bytes <= limit, "{n_bytes} bytes, at most {limit} were declared");
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{}: {error}", monoid.name());
    }
}

fn check_all(is_wanted: impl Fn(&str) -> bool) {
    let wanted: Vec<_> = monoids().into_iter().filter(|monoid| is_wanted(&monoid.name())).collect();
    assert!(!wanted.is_empty());
    for monoid in wanted {
        check(monoid.as_ref(), 40);
    }
}

#[test]
fn c93_counts_sums_and_means_keep_every_law() {
    check_all(|name| ["count", "sum", "mean"].iter().any(|op| name.starts_with(op)));
}

#[test]
fn c76_variances_and_deviations_keep_every_law() {
    check_all(|name| name.starts_with("moments"));
}

#[test]
fn c91_minima_and_maxima_keep_every_law() {
    check_all(|name| name.starts_with("min") || name.starts_with("max"));
}

#[test]
fn any_and_all_keep_every_law() {
    check_all(|name| name.starts_with("any") || name.starts_with("all"));
}

#[test]
fn c92_exact_sets_keep_every_law() {
    check_all(|name| name.starts_with("distinct"));
}

#[test]
fn c72_hyperloglog_keeps_every_law() {
    check_all(|name| name.starts_with("hll"));
}

#[test]
fn c73_log_buckets_keep_every_law() {
    check_all(|name| name.starts_with("log_buckets"));
}

#[test]
fn c70_first_and_last_rows_keep_every_law() {
    check_all(|name| ["first", "last", "arg_"].iter().any(|op| name.starts_with(op)));
}

#[test]
fn c76_powers_and_pairs_keep_every_law() {
    check_all(|name| name.starts_with("powers") || name.starts_with("pairs"));
}

#[test]
fn bits_keep_every_law() {
    check_all(|name| name.starts_with("bits"));
}

#[test]
fn c75_tallies_and_sums_by_item_keep_every_law() {
    check_all(|name| name.starts_with("tallies") || name.starts_with("sums"));
}

#[test]
fn histograms_and_frequencies_keep_every_law() {
    check_all(|name| name.starts_with("histogram") || name.starts_with("count_min"));
}

#[test]
fn unions_keep_every_law() {
    check_all(|name| name.starts_with("union"));
}

#[test]
fn funnels_and_retention_keep_every_law() {
    check_all(|name| name.starts_with("funnel") || name.starts_with("retention"));
}

#[test]
fn sessions_keep_every_law() {
    check_all(|name| name.starts_with("sessions"));
}

#[test]
fn c93_thousands_of_rows_keep_the_laws_too() {
    let mut runner = TestRunner::new(Config { cases: 1, failure_persistence: None, ..Config::default() });
    for monoid in monoids() {
        let n_rows = 3_000;
        let args = columns(monoid.inputs(), n_rows);
        let outcome = runner.run(&(args, any::<u64>()), |(args, seed)| {
            let groups = (0..n_rows).map(|row| row * row % 5 % 3).collect();
            let sample = Sample { args, groups, filter: None, n_groups: 3 };
            check_laws(monoid.as_ref(), &sample, seed).map(|_| ()).map_err(TestCaseError::fail)
        });
        assert!(outcome.is_ok(), "{}", monoid.name());
    }
}

#[test]
fn every_aggregate_is_defined_over_the_types_it_should_be() {
    let n_types = |op: Op| {
        input_types().iter().filter(|input| monoid(&op, std::slice::from_ref(input)).is_ok()).count()
    };
    let all = input_types().len();
    assert!(monoid(&Op::Count, &[]).is_ok());
    assert_eq!(n_types(Op::Count), 0);
    for op in [Op::Sum, Op::Mean, Op::Variance, Op::Stddev, Op::Quantile { q_ppb: 0, error_ppm: 1000 }] {
        assert_eq!(n_types(op.clone()), 5, "{op:?}");
        assert!(monoid(&op, &[]).is_err());
    }
    for op in [Op::Min, Op::Max, Op::Distinct, Op::DistinctWithin { error_ppm: 20_000 }] {
        assert_eq!(n_types(op.clone()), all, "{op:?}");
    }
    for op in [Op::Any, Op::All] {
        assert_eq!(n_types(op.clone()), 1, "{op:?}");
    }
}

#[test]
fn parameters_out_of_range_are_refused() {
    let refused = |op: Op| monoid(&op, &[DataType::Int64]).is_err();
    assert!(refused(Op::DistinctWithin { error_ppm: 0 }));
    assert!(refused(Op::DistinctWithin { error_ppm: 2_031 }));
    assert!(!refused(Op::DistinctWithin { error_ppm: 2_032 }));
    assert!(refused(Op::DistinctWithin { error_ppm: 1_000_000 }));
    assert!(refused(Op::Quantile { q_ppb: 1_000_000_001, error_ppm: 10 }));
    assert!(refused(Op::Quantile { q_ppb: 1, error_ppm: 0 }));
    assert!(refused(Op::Quantile { q_ppb: 1, error_ppm: 1_000_000 }));
    assert!(monoid(&Op::Sum, &[DataType::Decimal128(10, -2)]).is_err());
    assert!(monoid(&Op::Max, &[DataType::Decimal128(5, 6)]).is_err());
}

#[test]
fn names_say_what_decides_the_state() {
    let name = |op: Op, input: DataType| monoid(&op, &[input]).unwrap().name();
    assert_eq!(name(Op::Sum, DataType::Decimal128(12, 2)), "sum(decimal(12, 2))");
    assert_eq!(name(Op::DistinctWithin { error_ppm: 10_000 }, DataType::Utf8View), "hll(p=14, string)");
    assert_eq!(name(Op::Variance, DataType::Int64), name(Op::Stddev, DataType::Int64));
    let p99 = Op::Quantile { q_ppb: 990_000_000, error_ppm: 10_000 };
    assert_eq!(name(p99, DataType::Int64), "log_buckets(38 per octave, int)");
}

#[test]
fn programs_cover_the_identity() {
    for monoid in monoids() {
        match monoid.layout() {
            Layout::Words(program) => assert_eq!(monoid.identity(), vec![0; 8 * n_words(&program)]),
            Layout::Heap => assert!(monoid.identity().is_empty()),
        }
    }
}

#[test]
fn c89_c90_values_that_cancel_leave_a_state_that_is_not_absence() {
    let column = Arc::new(Int64Array::from(vec![5, -5]));
    let max = monoid(&Op::Max, &[DataType::Int64]).unwrap();
    let zero = check_laws(max.as_ref(), &one_group(Arc::new(Int64Array::from(vec![0]))), 1).unwrap();
    assert_eq!(max.present(&zero).unwrap().as_primitive::<Int64Type>().value(0), 0);
    let mean = monoid(&Op::Mean, &[DataType::Int64]).unwrap();
    let states = check_laws(mean.as_ref(), &one_group(column), 1).unwrap();
    let presented = mean.present(&states).unwrap();
    assert!(presented.is_valid(0));
    assert_eq!(presented.as_primitive::<Float64Type>().value(0), 0.0);
    assert_ne!(metricc_algebra::law_kit::state_bytes(&states, 0).unwrap(), mean.identity());
    let float_mean = monoid(&Op::Mean, &[DataType::Float64]).unwrap();
    let cancelled = one_group(Arc::new(Float64Array::from(vec![1e300, -1e300])));
    let states = check_laws(float_mean.as_ref(), &cancelled, 1).unwrap();
    assert_eq!(float_mean.present(&states).unwrap().as_primitive::<Float64Type>().value(0), 0.0);
}

#[test]
fn c91_the_identity_of_min_is_not_a_float() {
    let min = monoid(&Op::Min, &[DataType::Float64]).unwrap();
    let largest = one_group(Arc::new(Float64Array::from(vec![f64::MAX])));
    let states = check_laws(min.as_ref(), &largest, 3).unwrap();
    assert_eq!(min.present(&states).unwrap().as_primitive::<Float64Type>().value(0), f64::MAX);
    let nothing = min.groups().emit(1).unwrap();
    assert!(min.present(&nothing).unwrap().is_null(0));
}

#[test]
fn rows_that_do_not_fit_together_are_refused() {
    let sum = monoid(&Op::Sum, &[DataType::Int64]).unwrap();
    let column: arrow::array::ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let args = [Arc::clone(&column)];
    let lift = |args: &[arrow::array::ArrayRef], groups: &[usize], filter: Option<&BooleanArray>| {
        sum.groups().lift(args, groups, filter, 1)
    };
    assert!(lift(&args, &[0, 0], None).is_ok());
    assert!(lift(&args, &[0, 1], None).is_err(), "group out of range");
    assert!(lift(&args, &[0], None).is_err(), "too few groups");
    assert!(lift(&[], &[0, 0], None).is_err(), "no argument");
    assert!(lift(&args, &[0, 0], Some(&BooleanArray::from(vec![true]))).is_err(), "short filter");
    let floats: arrow::array::ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    assert!(lift(&[floats], &[0, 0], None).is_err(), "another type");
    assert!(sum.groups().merge(&column, &[0, 0], 1).is_err(), "not states");
    assert!(sum.present(&column).is_err(), "not states");
}

#[test]
fn floats_that_are_not_finite_are_refused_unless_skipped() {
    for op in [Op::Sum, Op::Max, Op::Distinct, Op::Quantile { q_ppb: 1, error_ppm: 10_000 }] {
        let monoid = monoid(&op, &[DataType::Float64]).unwrap();
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let column: arrow::array::ArrayRef = Arc::new(Float64Array::from(vec![1.0, value]));
            let args = [column];
            assert!(monoid.groups().lift(&args, &[0, 0], None, 1).is_err(), "{op:?}");
            let filter = BooleanArray::from(vec![true, false]);
            assert!(monoid.groups().lift(&args, &[0, 0], Some(&filter), 1).is_ok(), "{op:?}");
        }
    }
}

#[test]
fn a_law_that_does_not_hold_is_found() {
    // Minimum and maximum disagree on what merging is: the kit has to notice.
    let sample = Sample { filter: None, ..one_group(Arc::new(Int64Array::from(vec![1, 2, 3]))) };
    let broken = Broken(monoid(&Op::Sum, &[DataType::Int64]).unwrap());
    assert!(check_laws(&broken, &sample, 0).unwrap_err().starts_with("a state merged with itself"));
}

/// A sum that claims to be idempotent.
#[derive(Debug)]
struct Broken(Arc<dyn Monoid>);

impl Monoid for Broken {
    fn name(&self) -> String {
        "broken".into()
    }
    fn version(&self) -> u32 {
        1
    }
    fn laws(&self) -> metricc_algebra::Laws {
        metricc_algebra::Laws { idempotent: true, ..self.0.laws() }
    }
    fn layout(&self) -> Layout {
        self.0.layout()
    }
    fn inputs(&self) -> &[DataType] {
        self.0.inputs()
    }
    fn presented(&self) -> DataType {
        self.0.presented()
    }
    fn identity(&self) -> Vec<u8> {
        self.0.identity()
    }
    fn groups(&self) -> Box<dyn metricc_algebra::Groups> {
        self.0.groups()
    }
    fn present(&self, states: &arrow::array::ArrayRef) -> metricc_algebra::Result<arrow::array::ArrayRef> {
        self.0.present(states)
    }
    fn heap_state(&self, bytes: &[u8]) -> metricc_algebra::Result<metricc_algebra::HeapState> {
        self.0.heap_state(bytes)
    }
}

#[test]
fn every_aggregate_of_the_catalogue_has_a_monoid() {
    let number = DataType::Int64;
    let [time, position] = [DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Decimal128(38, 0)];
    let edges = vec![Value::Int(1)];
    let exact = Parameters { count: 1, edges, item: Value::Int(0), ..Parameters::default() };
    let estimated = Parameters { error_ppm: Some(10_000), ..exact.clone() };
    for spec in AGGREGATES {
        let needs_error = matches!(spec.named(), Some(Param::Within { needed: [_, ..], .. }));
        let mut inputs = Vec::new();
        for param in spec.params {
            match param {
                Param::Value(Sort::Bool) => inputs.push(DataType::Boolean),
                Param::Value(Sort::List) => {
                    inputs.push(DataType::List(Arc::new(Field::new("item", number.clone(), true))));
                }
                Param::Value(_) | Param::Alike(_) | Param::By(_) => inputs.push(number.clone()),
                Param::Steps(_) => inputs.extend([DataType::Boolean, DataType::Boolean]),
                _ => {}
            }
        }
        match spec.reads {
            Reads::Nothing => {}
            Reads::Time => inputs.insert(1, time.clone()),
            Reads::TimeAndPosition => inputs.extend([time.clone(), position.clone()]),
        }
        for parameters in [&exact, &estimated].into_iter().skip(usize::from(needs_error)) {
            let monoid = monoid(&(spec.op)(parameters), &inputs);
            let monoid = monoid.unwrap_or_else(|error| panic!("{}: {error}", spec.name));
            assert_eq!(monoid.laws().idempotent, spec.idempotent, "{}", spec.name);
        }
    }
}
