//! A metric against rows that another system computed, such as those of a warehouse.
//!
//! Rows that differ are explained by trial: the metric is computed again with one thing done otherwise, and a
//! cause is named only if that gives the numbers of the other system. Causes are tried one at a time, so two
//! that act on the same rows explain none of them.
//!
//! | module | what it does |
//! |---|---|
//! | `read` | the rows of a file, with the types of the metric |
//! | `columns` | which column of the file has which key, window or value |
//! | `span` | from which window to which one the file has rows |
//! | `question` | which rows differ, and which of them a trial explains |
//! | `absent_keys` | keys that are none on one side and a text such as `null` on the other |
//! | `variants` | the metric in another zone, with duplicates, with no value as zero |
//! | `floats` | the text of the package with floats instead of decimals |
//! | `rounding` | values rounded to the digits that the file shows |
//! | `frontier` | the position of the log at which the other system stopped |
//! | `zones` | days of another time zone |
//! | `trials` | all trials of a metric |

mod absent_keys;
mod columns;
mod floats;
mod frontier;
mod question;
mod read;
mod rounding;
mod span;
mod trials;
mod variants;
mod zones;

pub(crate) use absent_keys::AbsentKey;
pub(crate) use columns::Columns;
pub(crate) use question::{Compared, Example, Explained, Question, Trial, Verdict, compared};
pub(crate) use read::{TheirRows, read};
pub(crate) use trials::{LEAST_SHARE, Sources, all_trials};
pub(crate) use zones::ZONES;
