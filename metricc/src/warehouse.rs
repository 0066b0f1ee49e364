//! A metric against rows that another system computed, such as those of a warehouse.
//!
//! Rows that differ are explained by trial: the metric is computed again with one thing done otherwise, and a
//! cause is named only if that gives the numbers of the other system. Causes are tried one at a time, so two
//! that act on the same rows explain none of them.
//!
//! | module | what it does |
//! |---|---|
//! | `read` | the rows of a file, with the types of the metric |
//! | `span` | from which window to which one the file has rows |
//! | `question` | which rows differ, and which of them a trial explains |
//! | `variants` | the metric in another zone, with duplicates, with no value as zero |
//! | `floats` | the text of the package with floats instead of decimals |
//! | `frontier` | the position of the log at which the other system stopped |
//! | `zones` | days of another time zone |
//! | `trials` | all trials of a metric |

mod floats;
mod frontier;
mod question;
mod read;
mod span;
mod trials;
mod variants;
mod zones;

pub(crate) use question::{Compared, Example, Explained, Question, Trial, Verdict, compared};
pub(crate) use read::{Columns, TheirRows, read};
pub(crate) use trials::{LEAST_SHARE, Sources, all_trials};
pub(crate) use zones::ZONES;
