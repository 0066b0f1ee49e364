//! Serving: ⊕ of the segments that cover an interval, then `present`.
//!
//! Batch and stream both give states. This is the one place where states of several segments become one, and
//! where a state becomes a value. It merges with [`Segment::merge`](metricc_compiler::Segment::merge) and
//! presents with the monoids and the compiled output expressions; it has no arithmetic of its own.
//!
//! To follow a read, start at [`LocalServing`]: a request is resolved to a [`Query`], which is answered from
//! one [`Published`] version. Inside, every module uses those above it in this list:
//!
//! | module | what it does |
//! |---|---|
//! | `access` | what a reader may read of them |
//! | `read_options`, `range`, `roll_up`, `window_assembly` | kept states → states of the windows and keys that are read |
//! | `overflow` | what could not be computed |
//! | `present`, `derived_metrics` | states → rows, of base metrics and of derived ones |
//! | `presented_cell`, `json_rows`, `text_table`, `typed_column`, `export`, `table_columns` | rows → JSON, text, CSV, Arrow |
//! | `row_pieces`, `row_writer` | all rows of a metric, written piece by piece |
//! | `condition`, `row_selection`, `gap_filling`, `row_order`, `reading` | which rows are read, and in which order |
//! | `values_beside`, `total_rows`, `asked_rows` | totals, shares and earlier windows beside them |
//! | `evaluated_segments` | the segments of an evaluation, and any metric that they suffice for |
//! | `merge_segments`, `segment_ranges`, `key_index`, `indexed_segment`, `published` | one version of what is served |
//! | `served_metrics`, `cursor`, `row_estimate`, `query` | a request, resolved, and its answer |
//! | `answer_rows`, `answer_writer`, `turns` | answers piece by piece, and the threads that compute them |
//! | `measures`, `measured_rows` | rows that another language groups: each with the states behind it |
//! | `served_table`, `local_serving` | the serving layer |
//!
//! Invariants: an answer covers its interval without gap or overlap, or there is no answer. Rows are sorted
//! by window, then keys. The JSON of rows is a contract with readers.

mod access;
mod answer_rows;
mod answer_writer;
mod asked_rows;
mod column_names;
mod condition;
mod cursor;
mod derived_metrics;
mod error;
mod evaluated_segments;
mod export;
mod gap_filling;
mod indexed_segment;
mod json_rows;
mod key_index;
mod local_serving;
mod measured_rows;
mod measures;
mod merge_segments;
mod overflow;
mod overlapping_rows;
mod present;
mod presented_cell;
mod published;
mod query;
mod range;
mod read_options;
mod reading;
mod roll_up;
mod row_estimate;
mod row_order;
mod row_pieces;
mod row_selection;
mod row_writer;
mod segment_ranges;
mod served_metrics;
mod served_table;
mod sorted_keys;
mod table_columns;
mod text_table;
mod total_rows;
mod turns;
mod typed_column;
mod values_beside;
mod window_assembly;

pub use access::{Access, Readable, RowFilter};
pub use answer_rows::{AnswerRows, OpenAnswer};
pub use answer_writer::{AnswerWriter, FEW_ROWS};
pub use derived_metrics::derive;
pub use error::ServeError;
pub use evaluated_segments::Evaluated;
pub use export::{OVERFLOW_METADATA, arrow_stream, csv, record_batch, row_schema, write_arrow};
pub use indexed_segment::IndexedSegment;
pub use json_rows::{json_lines, to_json};
pub use local_serving::{LocalServing, ServedSnapshot, Versions};
pub use measured_rows::{MeasuredRows, RowColumn};
pub use measures::{DeclaredAggregate, Mergeable};
pub use merge_segments::merge;
pub use overflow::{Overflow, OverflowSum, OverflowSummary};
pub use present::{Presented, present, read};
pub use presented_cell::value_at;
pub use published::Published;
pub use query::answer::whole;
pub use query::{Query, RowEstimate};
pub use read_options::ReadOptions;
pub use reading::Reading;
pub use row_estimate::{estimated_derived_rows, estimated_rows};
pub use row_pieces::RowPieces;
pub use row_writer::{WriteError, typed_batches, typed_schema, write_arrow_stream, write_csv, write_json};
pub use segment_ranges::{read_ranges, whole as whole_segment};
pub use served_metrics::ServedVersion;
pub use served_table::{ServedTable, ServingTables, explained, served};
pub use table_columns::TableColumns;
pub use text_table::{TextTable, text_table};
pub use total_rows::TotalRows;
pub use turns::Turns;
pub use typed_column::typed_column;
