//! The book's tables of functions are the catalogue's. `METRICC_BLESS=1` writes them again.

use std::path::Path;

use metricc_ir::functions::{AGGREGATES, AggregateSpec, FOREIGN, Param, SCALARS, ScalarSpec, UNLAWFUL};

#[test]
fn the_table_of_aggregates_is_the_catalogue() {
    let rows = AGGREGATES.iter().map(aggregate);
    let head = ["aggregate", "computes", "of", "result", "of no rows"];
    assert_table("aggregates.md", "aggregates", &table(&head.map(str::to_owned), rows));
}

#[test]
fn the_table_of_scalar_functions_is_the_catalogue() {
    let head = ["function", "computes"];
    assert_table("expressions.md", "functions", &table(&head.map(str::to_owned), SCALARS.iter().map(scalar)));
}

#[test]
fn the_table_of_foreign_functions_is_the_catalogue() {
    let names = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let aliases = SCALARS.iter().map(|spec| (spec.aliases, spec.usage));
    let aliases = aliases.chain(AGGREGATES.iter().map(|spec| (spec.aliases, spec.usage)));
    let aliases = aliases.filter(|(aliases, _)| !aliases.is_empty());
    let rows = aliases.map(|(aliases, usage)| [names(aliases), format!("`{usage}`")]);
    let rows = rows.chain(FOREIGN.iter().map(|row| [names(row.names), row.help.to_owned()]));
    let rows = rows.chain(UNLAWFUL.iter().map(|row| [names(row.names), row.help.to_owned()]));
    let head = ["elsewhere", "here"];
    assert_table("from-sql.md", "foreign functions", &table(&head.map(str::to_owned), rows));
}

fn aggregate(spec: &AggregateSpec) -> [String; 5] {
    // Where an error bound may be left out, both calls are shown.
    let estimate = match spec.named() {
        Some(Param::Within { needed: [], .. }) => {
            format!(", `{}, within: 1%)`", spec.usage.trim_end_matches(')'))
        }
        _ => String::new(),
    };
    let of: Vec<&str> = spec.params.iter().filter_map(taken).collect();
    [
        format!("`{}`{estimate}", spec.usage),
        spec.doc.to_owned(),
        if of.is_empty() { "rows".to_owned() } else { of.join(", ") },
        spec.presents.text().to_owned(),
        spec.empty.to_owned(),
    ]
}

/// What a parameter takes of a row.
fn taken(param: &Param) -> Option<&'static str> {
    match param {
        Param::Value(sort) | Param::Alike(sort) | Param::By(sort) => Some(sort.text()),
        Param::Steps(_) => Some("conditions"),
        _ => None,
    }
}

fn scalar(spec: &ScalarSpec) -> [String; 2] {
    [format!("`{}`", spec.usage), spec.doc.to_owned()]
}

fn table<const N: usize>(head: &[String; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let line = |cells: &[String; N]| format!("| {} |\n", cells.join(" | "));
    let rows: String = rows.map(|cells| line(&cells)).collect();
    format!("{}{}\n{rows}", line(head), "|---".repeat(N) + "|")
}

/// Compares a table with the text between its markers in a chapter.
fn assert_table(chapter: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language").join(chapter);
    let text = std::fs::read_to_string(&path).expect("the chapter is there");
    let (begin, end) =
        (format!("<!-- {name}: written by ir/tests/book.rs -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the chapter has the begin marker");
    let (found, after) = rest.split_once(&end).expect("the chapter has the end marker");
    if std::env::var_os("METRICC_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, format!("{before}{begin}\n{table}\n{end}{after}"))
            .expect("the chapter is written");
        return;
    }
    assert_eq!(found.trim(), table.trim(), "{chapter}: run this test with METRICC_BLESS=1");
}
