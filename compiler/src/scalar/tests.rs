//! Every function on adversarial values. The harness evaluates each table as columns, as constants, in
//! every mix of both and in slices, and wants one answer.

mod compares;
mod dates;
mod decimals;
mod forms;
mod harness;
mod lists;
mod lookups;
mod numbers;
mod properties;
mod records;
mod texts;
mod windows;
