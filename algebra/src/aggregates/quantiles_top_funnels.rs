//! Quantiles, histograms, top k, funnels and retention.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow::datatypes::{DataType, Fields, TimeUnit};

use metricc_ir::{AggregateOp, Value};

use super::{decimal_scale, describe, does_not_fit, growing, laws_of, over, refused, shape_of, type_name};
use crate::heap_groups::HeapMonoid;
use crate::heap_monoids::{
    DecimalQuantile, ExactQuantile, FloatQuantile, Funnel, HistogramKernel, IntQuantile, Quantile, Retention,
    Top, TopByDecimals, TopByInts, TopWords, TopWordsBy, WordQuantile, cohort_fields, ranked_fields,
};
use crate::list_values::element_field;
use crate::ordered_words::n_words_of;
use crate::scalar::hash64;
use crate::states::{ItemSum, ValueCount, max_buckets, resolution_for};
use crate::values::constant_bytes;
use crate::{Exactness, Laws, Monoid, Result, Size, StateError};

/// Buckets of the finest histogram: one more than edges.
pub const MAX_BUCKETS: u32 = 257;

/// Steps of the longest funnel.
pub const MAX_STEPS: usize = 32;

/// Periods that retention presents at most.
const MAX_PERIODS: u32 = 1_000;

const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

pub(super) fn quantile(
    op: &AggregateOp,
    q_ppb: u32,
    error_ppm: u32,
    input: &DataType,
) -> Result<Arc<dyn Monoid>> {
    if q_ppb > 1_000_000_000 {
        return Err(StateError::new(op.name(), "the quantile is not between 0 and 1"));
    }
    if !(1..1_000_000).contains(&error_ppm) {
        return Err(StateError::new(op.name(), "the relative error is not between 0.0001 % and 100 %"));
    }
    let resolution = resolution_for(error_ppm);
    // A bucket's distance to the last takes up to 5 bytes, its count up to 9.
    let laws = Laws {
        exactness: Exactness::RelativeError(error_ppm),
        ..laws_of(op, Size::Bounded(max_buckets(resolution) * 14))
    };
    let name = format!("log_buckets({resolution} per octave, {})", type_name(input));
    let description = describe(name, laws, std::slice::from_ref(input), DataType::Float64);
    let quantile = Quantile { q_ppb, resolution };
    match (input, decimal_scale(input)) {
        (DataType::Int64, _) => Ok(HeapMonoid::boxed(description, IntQuantile(quantile))),
        (DataType::Float64, _) => Ok(HeapMonoid::boxed(description, FloatQuantile(quantile))),
        (_, Some(scale)) => Ok(HeapMonoid::boxed(description, DecimalQuantile { scale, quantile })),
        _ => does_not_fit(op, input),
    }
}

pub(super) fn exact_quantile(op: &AggregateOp, q_ppb: u32, input: &DataType) -> Result<Arc<dyn Monoid>> {
    if q_ppb > 1_000_000_000 {
        return Err(refused(op, "the quantile is not between 0 and 1"));
    }
    let kernel = ExactQuantile { shape: shape_of(op, input)?, presented: input.clone(), q_ppb };
    let description = describe(
        tallies(input),
        laws_of(op, growing(shape_of(op, input)?, 2, "distinct value")),
        std::slice::from_ref(input),
        input.clone(),
    );
    Ok(match n_words_of(input) {
        Some(1) => HeapMonoid::boxed(description, WordQuantile(kernel)),
        _ => HeapMonoid::boxed(description, kernel),
    })
}

/// Exact quantiles and the top by rows have one state, hence one name.
fn tallies(input: &DataType) -> String {
    format!("tallies({})", type_name(input))
}

/// A presented list of records.
fn list_of(fields: Fields) -> DataType {
    DataType::List(element_field(&DataType::Struct(fields)))
}

pub(super) fn histogram(op: &AggregateOp, edges: &[Value], input: &DataType) -> Result<Arc<dyn Monoid>> {
    shape_of(op, input)?;
    let edges: Option<Vec<Vec<u8>>> = edges.iter().map(|edge| constant_bytes(edge, input)).collect();
    let edges = edges.ok_or_else(|| refused(op, "an edge is of another type"))?;
    let is_sorted = edges.is_sorted_by(|left, right| left < right);
    if edges.is_empty() || edges.len() >= MAX_BUCKETS as usize || !is_sorted {
        return Err(refused(op, "the edges are not 1 to 256 ascending values"));
    }
    // The state means nothing without its edges; their hash stands for them in its name.
    let mut bytes = Vec::new();
    for edge in &edges {
        bytes.extend((edge.len() as u64).to_le_bytes());
        bytes.extend(edge);
    }
    let name = format!("histogram({}, {} edges {:016x})", type_name(input), edges.len(), hash64(&bytes));
    let laws = laws_of(op, Size::Bounded(8 * (edges.len() + 1)));
    let presented = DataType::List(element_field(&DataType::Int64));
    let description = describe(name, laws, std::slice::from_ref(input), presented);
    Ok(HeapMonoid::boxed(description, HistogramKernel { edges: edges.into() }))
}

pub(super) fn top(op: &AggregateOp, k: u32, inputs: &[DataType]) -> Result<Arc<dyn Monoid>> {
    let (item, by) = (&inputs[0], inputs.get(1));
    let shape = shape_of(op, item)?;
    if k == 0 {
        return Err(refused(op, "has no place for any item"));
    }
    let k = k as usize;
    let describe = |name: String, weight: &DataType, may_be_none: bool| {
        let presented = list_of(ranked_fields(item, weight, may_be_none));
        describe(
            name,
            laws_of(op, growing(shape, if by.is_none() { 2 } else { 26 }, "item")),
            inputs,
            presented,
        )
    };
    let sums = |by: &DataType| format!("sums({}, by {})", type_name(by), type_name(item));
    let item_type = item.clone();
    Ok(match (by, by.and_then(decimal_scale)) {
        (None, _) => {
            let kernel: Top<ValueCount> =
                Top { k, shape, item: item_type, weight: DataType::Int64, by: PhantomData };
            let description = describe(tallies(item), &DataType::Int64, false);
            match n_words_of(item) {
                Some(1) => HeapMonoid::boxed(description, TopWords(kernel)),
                _ => HeapMonoid::boxed(description, kernel),
            }
        }
        (Some(by @ DataType::Int64), _) => {
            let weight = DataType::Decimal128(38, 0);
            let description = describe(sums(by), &weight, true);
            let top = TopByInts(Top { k, shape, item: item_type, weight, by: PhantomData });
            match n_words_of(item) {
                Some(1) => HeapMonoid::boxed(description, TopWordsBy(top)),
                _ => HeapMonoid::boxed(description, top),
            }
        }
        (Some(by), Some(scale)) => {
            let weight = DataType::Decimal128(38, scale as i8);
            let description = describe(sums(by), &weight, true);
            let top = TopByDecimals(Top { k, shape, item: item_type, weight, by: PhantomData });
            match n_words_of(item) {
                Some(1) => HeapMonoid::boxed(description, TopWordsBy(top)),
                _ => HeapMonoid::boxed(description, top),
            }
        }
        (Some(by @ DataType::Float64), _) => {
            let description = describe(sums(by), by, true);
            let kernel: Top<ItemSum> =
                Top { k, shape, item: item_type, weight: DataType::Float64, by: PhantomData };
            match n_words_of(item) {
                Some(1) => HeapMonoid::boxed(description, TopWordsBy(kernel)),
                _ => HeapMonoid::boxed(description, kernel),
            }
        }
        (Some(by), None) => return does_not_fit(op, by),
    })
}

pub(super) fn funnel(
    op: &AggregateOp,
    within: i64,
    actor: &DataType,
    time: &DataType,
    steps: &[DataType],
) -> Result<Arc<dyn Monoid>> {
    let shape = shape_of(op, actor)?;
    if *time != TIME || steps.iter().any(|step| *step != DataType::Boolean) {
        return Err(refused(op, "is not told event time and whether a row is each step"));
    }
    if steps.is_empty() || steps.len() > MAX_STEPS || within < 0 {
        return Err(refused(op, "has no steps, more than 32, or less than no time for them"));
    }
    let inputs = [&[actor.clone(), time.clone()], steps].concat();
    let presented = DataType::List(element_field(&DataType::Int64));
    let size = growing(shape, 11, "actor, and 9 B for each further time of one");
    let description = describe(over(op, actor), laws_of(op, size), &inputs, presented);
    Ok(HeapMonoid::boxed(description, Funnel { shape, n_steps: steps.len(), within }))
}

pub(super) fn retention(
    op: &AggregateOp,
    n_periods: u32,
    actor: &DataType,
    period: &DataType,
) -> Result<Arc<dyn Monoid>> {
    let shape = shape_of(op, actor)?;
    if !matches!(period, DataType::Int64 | DataType::Date32) {
        return does_not_fit(op, period);
    }
    if !(1..=MAX_PERIODS).contains(&n_periods) {
        return Err(refused(op, "presents 1 to 1000 periods"));
    }
    let size = growing(shape, 10, "actor, and 8 B for each further period of one");
    let name = format!("{}({}, by {})", op.name(), type_name(actor), type_name(period));
    let inputs = [actor.clone(), period.clone()];
    let description = describe(name, laws_of(op, size), &inputs, list_of(cohort_fields(period)));
    let kernel = Retention { shape, period: period.clone(), n_periods: n_periods as usize };
    Ok(HeapMonoid::boxed(description, kernel))
}
