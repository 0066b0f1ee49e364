//! The monoids whose states live on the heap.

mod actors;
mod chosen;
mod distinct;
mod distinct_within;
mod exact_quantile;
mod float;
mod listed;
mod powers;
mod quantile;
mod ranked;
mod tallies;
mod text;

pub(crate) use actors::{Funnel, Retention, cohort_fields};
pub(crate) use chosen::{ByTime, ByValue, Choice};
pub(crate) use distinct::{DistinctBooleans, DistinctDecimals, DistinctTexts, DistinctWords};
pub(crate) use distinct_within::Sketch;
pub(crate) use exact_quantile::{ExactQuantile, WordQuantile};
pub(crate) use float::{FloatMeanKernel, FloatMomentsKernel, FloatSumKernel};
pub(crate) use listed::{Listable, Listed, UnionDecimals, UnionTexts, UnionWords};
pub(crate) use powers::{FloatPairsKernel, FloatPowersKernel};
pub(crate) use quantile::{DecimalQuantile, FloatQuantile, IntQuantile, Quantile};
pub(crate) use ranked::{Top, TopByDecimals, TopByInts, TopWords, ranked_fields};
pub(crate) use tallies::{Frequency, HistogramKernel};
pub(crate) use text::TextExtremeKernel;
