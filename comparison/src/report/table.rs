//! Rows as a table for people: one renderer for all commands.

use std::borrow::Cow;

use comfy_table::{CellAlignment, Table, presets};
use metricc_ir::text::visible;

/// A table of text.
pub struct Rows<'a> {
    /// The metric.
    pub name: &'a str,
    /// Its unit, if it has one.
    pub unit: Option<&'a str>,
    /// One line about it.
    pub doc: &'a str,
    /// Names of the columns.
    pub header: &'a [String],
    /// Per column, whether it holds numbers.
    pub is_number: &'a [bool],
    /// `None` where there is no value.
    pub rows: &'a [Vec<Option<String>>],
}

/// A title, the first rows, and how many there are beside them; 0 shows all.
pub fn table(rows: &Rows<'_>, limit: usize) -> String {
    let n_shown = if limit == 0 { rows.rows.len() } else { limit.min(rows.rows.len()) };
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_header(rows.header.iter().map(|name| visible(name)));
    for row in &rows.rows[..n_shown] {
        table.add_row(row.iter().map(|cell| shown(cell.as_deref())));
    }
    for (column, &is_number) in table.column_iter_mut().zip(rows.is_number) {
        if is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let unit = rows.unit.map_or_else(String::new, |unit| format!(" [{}]", visible(unit)));
    let doc = if rows.doc.is_empty() { String::new() } else { format!(": {}", visible(rows.doc)) };
    let more = match rows.rows.len() - n_shown {
        0 => String::new(),
        n_hidden => format!("… {n_hidden} more rows; --limit 0 shows all\n"),
    };
    format!("{}{unit}{doc}\n{table}\n{more}", visible(rows.name))
}

/// A cell on one line. No value is `none`; a text that would look like that, or like nothing, stands in
/// quotes.
pub fn shown(cell: Option<&str>) -> Cow<'_, str> {
    let Some(text) = cell else { return Cow::Borrowed("none") };
    let is_misread = text.is_empty() || text == "none" || text.starts_with('"') || text.trim() != text;
    match is_misread {
        true => Cow::Owned(format!("\"{}\"", visible(&text.replace('\\', "\\\\").replace('"', "\\\"")))),
        false => visible(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_and_texts_that_look_like_it_are_told_apart() {
        for (cell, text) in [
            (None, "none"),
            (Some("none"), "\"none\""),
            (Some(""), "\"\""),
            (Some(" a"), "\" a\""),
            (Some("\"a\""), "\"\\\"a\\\"\""),
            (Some("a b"), "a b"),
            (Some("a\nb\u{1b}[2J\u{202e}"), "a\\nb\\u001b[2J\\u202e"),
        ] {
            assert_eq!(shown(cell), text);
        }
    }

    #[test]
    fn a_row_is_one_line_whatever_it_holds() {
        let header = ["k".to_owned(), "value".to_owned()];
        let row = vec![Some("a\nb\r\u{1b}]0;x\u{7}".to_owned()), None];
        let rows = Rows {
            name: "m",
            unit: Some("EUR"),
            doc: "",
            header: &header,
            is_number: &[false, true],
            rows: &[row.clone(), row],
        };
        let text = table(&rows, 1);
        assert!(text.starts_with("m [EUR]\n"), "{text}");
        assert!(text.contains("│ a\\nb\\r\\u001b]0;x\\u0007 ┆  none │"), "{text}");
        assert!(text.ends_with("… 1 more rows; --limit 0 shows all\n"), "{text}");
        assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text}");
    }
}
