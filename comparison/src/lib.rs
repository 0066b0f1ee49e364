//! Comparing rows of one metric: those of two versions of its definition, or ours and those that a team
//! trusts.
//!
//! Pure but for reading the log: rows and plans go in, the rows that differ and the events that make them
//! differ come out, as values, as JSON or as text. The command compares files with it, and a node the
//! versions of its package.
//!
//! | module | what it does |
//! |---|---|
//! | `compare` | the rows of two sets that differ |
//! | `causes` | the events that make them differ |
//! | `diff` | two versions of a definition: their parts, their rows, and which part decides for an event |
//! | `report` | what was found, as a table for people and as JSON |

pub mod causes;
pub mod compare;
pub mod diff;
pub mod report;

/// The metrics of a text without errors.
#[cfg(test)]
fn checked(text: &str) -> Vec<metricc_ir::AnyMetric> {
    let text = metricc_dsl::SourceText { name: "a.metric".to_owned(), bytes: text.into() };
    let checked = metricc_dsl::check_with(&text, &metricc_dsl::NoFiles);
    assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
    checked.package.all_metrics().collect()
}
