//! Keys that are none on one side, and on the other a text that systems write for none.

use std::collections::BTreeSet;

use arrow::array::{Array as _, BooleanArray};
use arrow::compute::nullif;
use metricc_comparison::causes::RowsError;
use metricc_comparison::compare::{Column, Comparison, RowSet, Tolerance, compare};

/// What systems write for none, in small letters.
const WRITTEN: [&str; 10] = ["", "null", "none", "nil", "nan", "n/a", "\\n", "(null)", "<null>", "undefined"];

/// A key that is none on one side and a text on the other, which keeps rows apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AbsentKey {
    /// The key.
    pub(crate) key: String,
    /// Whether it is none in our rows; otherwise in theirs.
    pub(crate) is_none_in_ours: bool,
    /// What the other side has.
    pub(crate) text: String,
    /// How many more rows of both sides would be compared if the text were none.
    pub(crate) n_met: usize,
    /// How many of these are equal.
    pub(crate) n_equal: usize,
}

/// Those that keep rows apart: with none for the text, more rows of both sides are of one group.
///
/// # Errors
/// If rows cannot be compared.
pub(super) fn absent_keys(
    (ours, theirs): (&RowSet, &RowSet),
    found: &Comparison,
    tolerance: Tolerance,
) -> Result<Vec<AbsentKey>, RowsError> {
    let mut absent = Vec::new();
    if found.n_only_left == 0 || found.n_only_right == 0 {
        return Ok(absent);
    }
    for (key, own) in ours.keys.iter().enumerate() {
        let Some(other) = theirs.keys.iter().position(|other| other.is_alike(own)) else { continue };
        for is_none_in_ours in [true, false] {
            let (none, (written, at)) = match is_none_in_ours {
                true => (own, (theirs, other)),
                false => (&theirs.keys[other], (ours, key)),
            };
            if none.values.null_count() == 0 {
                continue;
            }
            for text in written_texts(&written.keys[at]) {
                let changed = with_none(written, at, &text)?;
                if changed.repeated()?.is_some() {
                    continue;
                }
                let met = match is_none_in_ours {
                    true => compare(ours, &changed, tolerance)?,
                    false => compare(&changed, theirs, tolerance)?,
                };
                let n_met = found.n_only_left.saturating_sub(met.n_only_left);
                let n_equal = (met.n_equal + met.n_within).saturating_sub(found.n_equal + found.n_within);
                if n_met > 0 {
                    let key = own.name.clone();
                    absent.push(AbsentKey { key, is_none_in_ours, text, n_met, n_equal });
                }
            }
        }
    }
    Ok(absent)
}

/// The texts of a column that systems write for none.
fn written_texts(column: &Column) -> BTreeSet<String> {
    let texts = (0..column.values.len()).filter(|row| column.values.is_valid(*row));
    let texts = texts.filter_map(|row| column.text(row));
    texts.filter(|text| WRITTEN.contains(&text.trim().to_lowercase().as_str())).collect()
}

/// The rows with none for a text of a key.
fn with_none(rows: &RowSet, key: usize, text: &str) -> Result<RowSet, RowsError> {
    let mut rows = rows.clone();
    let column = &mut rows.keys[key];
    let is_text: BooleanArray =
        (0..column.values.len()).map(|row| Some(column.text(row).as_deref() == Some(text))).collect();
    column.values = nullif(&column.values, &is_text)?;
    Ok(rows)
}
