//! SQL over what is served.
//!
//! Each metric is a table: `window_start` and `window_end`, its keys, its outputs. Each source is one too: its
//! fields, `_partition` and `_offset`. DataFusion plans and runs the statements; what this crate adds is the
//! meaning of outputs. They are *measures*: `MEASURE(output)` under `GROUP BY` merges the states behind the rows
//! and presents once, so it is what the metric would be with those keys and windows. The convention is that of
//! Databricks' metric views, of Spark and of Cube; `AGG` and `AGGREGATE` are other names of it.
//!
//! To follow a statement, start at [`session()`]: `measure_rule` replaces measures in its plan, with `origin`, which
//! says where a column comes from, and `row_numbers`, which hands the number of each row up to where rows are
//! grouped; `measure_function` merges what they name. `metric_table` and `source_table` read.
//!
//! Invariant: all tables of a session are of one version of a package and of one frontier.

mod measure_function;
mod measure_rule;
mod metric_table;
mod origin;
mod point_read;
mod pushed_filters;
mod row_numbers;
mod row_texts;
mod session;
mod source_table;
mod statement;

pub use metric_table::MetricTable;
pub use point_read::PointRead;
pub use row_texts::{csv, json_lines, row_texts};
pub use session::{SCHEMA, Tables, register, session, session_state};
pub use source_table::{SourceLog, SourceTable};
pub use statement::{message, plan, rows, tables_of};

/// The engine that plans and runs statements.
pub use datafusion;
