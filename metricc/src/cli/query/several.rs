//! `metricc query` of several metrics.

use metricc_client::Served;

use super::side_by_side::SideBySide;
use super::{is_number, overflows, parsed, text};
use crate::cli::arguments::{QueryArguments, QueryFormat};
use crate::cli::table::{self, Rows};
use crate::cli::terminal::{self, Failure, counted};

/// Refuses what is of one metric.
pub(super) fn check(arguments: &QueryArguments) -> Result<(), Failure> {
    let rows = &arguments.rows;
    let of_one = [
        ("--having", !rows.having.is_empty()),
        ("--order", rows.order.is_some()),
        ("--per-window", rows.per_window.is_some()),
        ("--share", rows.share.is_some()),
        ("--of-version", arguments.of_version.is_some()),
        ("--live", arguments.live),
        ("--page", arguments.page.is_some()),
        ("--cursor", arguments.cursor.is_some()),
        ("--explain", arguments.explain),
        ("--receipt", arguments.receipt),
        ("--plot", arguments.plot),
        ("--output arrow", arguments.output == QueryFormat::Arrow),
    ];
    match of_one.into_iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Failure::Message(format!(
            "`{option}` is of one metric, and {} are given\n  help: leave it out, or query the metrics one by one; a \
             derived metric has the values of several",
            arguments.metric.len()
        ))),
        None => Ok(()),
    }
}

/// Prints the rows of several metrics as one table.
pub(super) fn show(answers: &[Served], arguments: &QueryArguments) -> Result<(), Failure> {
    let table = SideBySide::of(answers)?;
    let cells = || table.rows.iter().map(|row| row.iter().cloned().map(text).collect::<Vec<_>>());
    match arguments.output {
        QueryFormat::Json => {
            for object in &table.objects {
                terminal::data(&format!("{object}\n"))?;
            }
        }
        QueryFormat::Csv => {
            let header = table.header.iter().cloned().map(Some).collect();
            for row in std::iter::once(header).chain(cells()) {
                terminal::data(&csv_line(&row))?;
            }
        }
        QueryFormat::Table | QueryFormat::Arrow => {
            let names: Vec<&str> = answers.iter().map(|served| served.metric.as_str()).collect();
            let rows: Vec<_> = cells().collect();
            let is_number = (0..table.header.len()).map(|column| {
                let mut values =
                    table.rows.iter().map(|row| &row[column]).filter(|value| !value.is_null()).peekable();
                values.peek().is_some() && values.all(is_number)
            });
            let is_number: Vec<bool> = is_number.collect();
            let (name, header) = (names.join(", "), &table.header[..]);
            let rows = Rows { name: &name, unit: None, doc: "", header, is_number: &is_number, rows: &rows };
            if !table.rows.is_empty() {
                terminal::data(&table::table(&rows, arguments.limit))?;
            }
        }
    }
    for served in answers {
        for overflow in overflows(&served.metric, &parsed(&served.rows)?) {
            terminal::warning(&overflow.to_string());
        }
        served.notes.iter().for_each(|note| terminal::warning(note));
        let hash = terminal::hash(&served.hash, arguments.full_hashes);
        let n_rows = counted(served.rows.len(), "row", "rows");
        terminal::note(format!("{}: {n_rows} at frontier {:?} of {hash}", served.metric, served.frontier));
    }
    Ok(())
}

/// A line of CSV as a node writes it: null is an empty cell, and an empty text is `""`.
fn csv_line(cells: &[Option<String>]) -> String {
    let cell = |cell: &Option<String>| match cell {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.clone(),
    };
    cells.iter().map(cell).collect::<Vec<_>>().join(",") + "\n"
}
