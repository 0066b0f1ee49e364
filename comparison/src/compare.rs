//! Compares two sets of rows of one metric: those of two versions, or ours and those that a team trusts.
//!
//! It is pure: rows go in, the rows that differ come out. Reading logs and files, and writing what was found,
//! is done elsewhere.
//!
//! | module | what it does |
//! |---|---|
//! | `cell` | a value of a row as a number, as text and as JSON |
//! | `row_set` | presented rows, or the rows of a file, as columns that can be compared |
//! | `common` | by which keys and windows the rows of two versions have a row in common |
//! | `rounding` | the same rows with fewer digits after the point |
//! | `tolerance` | by how much numbers may differ |
//! | `rows` | the rows that differ, the largest differences first |

mod cell;
mod common;
mod rounding;
mod row_set;
mod rows;
mod tolerance;

pub use cell::{Number, json};
pub use common::Common;
pub use rounding::{Rounding, digits};
pub use row_set::{Clock, Column, RowSet, Windows};
pub use rows::{Comparison, DifferentRow, Size, compare, paired};
pub use tolerance::Tolerance;
