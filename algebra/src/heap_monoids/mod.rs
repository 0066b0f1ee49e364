//! The monoids whose states live on the heap.

mod distinct;
mod distinct_within;
mod float;
mod quantile;
mod text;

pub(crate) use distinct::{DistinctBooleans, DistinctDecimals, DistinctTexts, DistinctWords};
pub(crate) use distinct_within::{BooleanSketch, PrimitiveSketch, TextSketch};
pub(crate) use float::{FloatMeanKernel, FloatMomentsKernel, FloatSumKernel};
pub(crate) use quantile::{DecimalQuantile, FloatQuantile, IntQuantile, Quantile};
pub(crate) use text::TextExtremeKernel;
