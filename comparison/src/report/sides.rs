//! Rows that differ, as a table for people and as JSON: one form for all commands that compare.

use metricc_ir::text::counted;
use serde_json::{Map, Value as Json, json};

use super::table::{self, Rows};
use crate::compare::{Column, Comparison, DifferentRow, Number, RowSet, paired};

/// The two sides of a comparison, by the names that they have in messages.
pub struct Sides<'a> {
    /// One side.
    pub left: &'a RowSet,
    /// The other side.
    pub right: &'a RowSet,
    /// `OLD` and `NEW`, for example.
    pub names: [&'a str; 2],
}

impl Sides<'_> {
    /// How many rows are equal, and how many differ in which way.
    pub fn counts(&self, comparison: &Comparison) -> String {
        let [left, right] = self.names;
        let within = match comparison.n_within {
            0 => String::new(),
            n => format!(", {n} equal within the tolerance"),
        };
        format!(
            "{} equal{within}, {} changed, {} only in {left}, {} only in {right}",
            counted(comparison.n_equal, "row", "rows"),
            comparison.n_changed,
            comparison.n_only_left,
            comparison.n_only_right
        )
    }

    /// The first rows that differ as a table; empty if none does.
    pub fn table(&self, title: &str, comparison: &Comparison, limit: usize) -> String {
        let shown = comparison.first(limit);
        if shown.is_empty() {
            return format!("{title}\n");
        }
        let pairs = self.shown_pairs(shown);
        let group_header = self.left.group_header();
        let (mut header, mut is_number) = (group_header.clone(), vec![false; group_header.len()]);
        for (left, _) in &pairs {
            let name = if self.left.outputs.len() == 1 { String::new() } else { format!("{} ", left.name) };
            let [of_left, of_right] = self.names;
            header.extend([of_left, of_right, "difference"].map(|what| format!("{name}{what}")));
            is_number.extend([true; 3]);
        }
        let rows: Vec<Vec<Option<String>>> = shown.iter().map(|row| self.cells(row, &pairs)).collect();
        let table =
            Rows { name: title, unit: None, doc: "", header: &header, is_number: &is_number, rows: &rows };
        let more = match comparison.different.len() - shown.len() {
            0 => String::new(),
            n => {
                let more = counted(n, "more row that differs", "more rows that differ");
                format!("… {more}; --rows 0 shows all\n")
            }
        };
        format!("{}{more}", table::table(&table, 0))
    }

    /// The values to show: those that differ in one of the rows, or all if none does.
    fn shown_pairs(&self, shown: &[DifferentRow]) -> Vec<(&Column, &Column)> {
        let all = paired(self.left, self.right);
        let differs = |(left, right): &(&Column, &Column)| {
            shown.iter().any(|row| match (row.left, row.right) {
                (Some(of_left), Some(of_right)) => left.text(of_left) != right.text(of_right),
                _ => true,
            })
        };
        let different: Vec<_> = all.iter().copied().filter(differs).collect();
        if different.is_empty() { all } else { different }
    }

    fn cells(&self, row: &DifferentRow, pairs: &[(&Column, &Column)]) -> Vec<Option<String>> {
        let mut cells = self.group_cells(row);
        for (left, right) in pairs {
            let cell = |column: &Column, row: Option<usize>| match row {
                Some(row) => column.text(row),
                None => Some("no row".to_owned()),
            };
            cells.push(cell(left, row.left));
            cells.push(cell(right, row.right));
            cells.push(Some(difference(row, left, right).unwrap_or_else(|| "-".to_owned())));
        }
        cells
    }

    /// Window and keys of a row that is on one side or on both, in the order of the left side.
    fn group_cells(&self, row: &DifferentRow) -> Vec<Option<String>> {
        if let Some(left) = row.left {
            return self.left.group_cells(left);
        }
        let Some(right) = row.right else { return Vec::new() };
        let (names, cells) = (self.right.group_header(), self.right.group_cells(right));
        let cell = |name: &String| {
            names.iter().position(|other| other == name).and_then(|place| cells.get(place).cloned().flatten())
        };
        self.left.group_header().iter().map(cell).collect()
    }

    /// How many rows differ in which way, and the first of them.
    pub fn json(&self, comparison: &Comparison, limit: usize) -> Map<String, Json> {
        let [left, right] = self.names.map(str::to_lowercase);
        let shown = comparison.first(limit).iter().map(|row| {
            let (rows, at) = match (row.left, row.right) {
                (Some(at), _) => (self.left, at),
                (None, at) => (self.right, at.unwrap_or_default()),
            };
            let side = |rows: &RowSet, at: Option<usize>| at.map_or(Json::Null, |at| rows.output_json(at));
            let pairs = paired(self.left, self.right);
            let differences = pairs.iter().filter_map(|(left, right)| {
                Some((left.name.clone(), Json::from(difference(row, left, right)?)))
            });
            let differences: Map<String, Json> = differences.collect();
            let mut members = Map::new();
            members.insert("key".to_owned(), rows.key_json(at));
            members.insert("window".to_owned(), rows.window_json(at));
            members.insert(left.clone(), side(self.left, row.left));
            members.insert(right.clone(), side(self.right, row.right));
            members.insert("difference".to_owned(), Json::Object(differences));
            Json::Object(members)
        });
        let mut members = Map::new();
        members.insert("equal".to_owned(), json!(comparison.n_equal));
        members.insert("equal_within".to_owned(), json!(comparison.n_within));
        members.insert("changed".to_owned(), json!(comparison.n_changed));
        members.insert(format!("only_{left}"), json!(comparison.n_only_left));
        members.insert(format!("only_{right}"), json!(comparison.n_only_right));
        members.insert("different".to_owned(), shown.collect());
        members
    }
}

/// What is added to the number on the left to make the one on the right; `None` if they are no numbers.
fn difference(row: &DifferentRow, left: &Column, right: &Column) -> Option<String> {
    let (from, to) = (left.value(row.left?), right.value(row.right?));
    let (from, to) = (Number::of(&from, &left.kind)?, Number::of(&to, &right.kind)?);
    (!from.is(to)).then(|| from.to(to).signed_text())
}
