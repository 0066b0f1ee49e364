//! Arguments of `sql`.

use std::path::PathBuf;

use clap::Args;

use super::{LogArguments, QueryFormat};

#[derive(Debug, Args)]
#[command(after_help = "\
Each metric is a table: `window_start`, `window_end`, its keys, its outputs (`value` if it has one). Each source is one too: its fields, `_partition`, `_offset`. MEASURE(OUTPUT) under GROUP BY merges states, so it is what the metric would give with those keys and windows; AGG and AGGREGATE are other names of it.

Examples:
  metricc sql payments.metric --source payments=log/ 'SELECT country, MEASURE(value) FROM revenue GROUP BY country'
  metricc sql payments.metric --source payments=log/ 'SELECT status, count(*) FROM payments GROUP BY status'
  metricc sql payments.metric --source payments=log/ --output csv \\
    \"SELECT * FROM revenue WHERE country = 'IN' AND window_start >= '2026-04-25T00:00:00Z'\"
  metricc sql payments.metric 'SHOW TABLES'
  metricc sql payments.metric 'DESCRIBE revenue'

Exit codes:
  0  the rows were written
  1  errors in the `.metric` file, or more records were rejected than allowed
  2  an error in the statement, wrong usage, or another failure")]
pub(crate) struct SqlArguments {
    /// The `.metric` file
    pub(crate) file: PathBuf,
    /// The statement; only what it reads is evaluated
    #[arg(value_name = "STATEMENT")]
    pub(crate) statement: String,
    #[command(flatten)]
    pub(crate) logs: LogArguments,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: QueryFormat,
    /// Maximum number of rows in a table; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) limit: usize,
}
