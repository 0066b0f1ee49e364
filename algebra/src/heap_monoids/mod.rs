//! The monoids whose states live on the heap.

mod arg_extreme;
mod bucket_counts;
mod distinct;
mod distinct_within;
mod exact_quantile;
mod float_moments;
mod float_powers;
mod funnel_retention;
mod keyed_kernels;
mod quantile;
mod set_list;
mod text_extreme;
mod top_k;

pub(crate) use arg_extreme::{ByTime, ByValue, Choice};
pub(crate) use bucket_counts::{Frequency, HistogramKernel};
pub(crate) use distinct::{DistinctBooleans, DistinctDecimals, DistinctTexts, DistinctWords};
pub(crate) use distinct_within::Sketch;
pub(crate) use exact_quantile::{ExactQuantile, WordQuantile};
pub(crate) use float_moments::{FloatMeanKernel, FloatMomentsKernel, FloatSumKernel};
pub(crate) use float_powers::{FloatPairsKernel, FloatPowersKernel};
pub(crate) use funnel_retention::{Funnel, Retention, cohort_fields};
pub(crate) use quantile::{DecimalQuantile, FloatQuantile, IntQuantile, Quantile};
pub(crate) use set_list::{Listable, Listed, UnionDecimals, UnionTexts, UnionWords};
pub(crate) use text_extreme::TextExtremeKernel;
pub(crate) use top_k::{Top, TopByDecimals, TopByInts, TopWords, TopWordsBy, ranked_fields};
