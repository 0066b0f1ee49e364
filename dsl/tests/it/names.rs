//! Names and paths of the data, and records as types of fields.

use metricc_dsl::{Code, format};
use metricc_ir::explain_typed::explain_typed;
use metricc_ir::{Field, Kind, Source, expression_text};

use super::{checked, codes, file, rendered};

const HEAD: &str = "source ev {\n  id: int key from \"userId\"\n  at: timestamp time\n";

/// The source with these further fields, which have to be sound.
fn source(fields: &str) -> std::sync::Arc<Source> {
    let text = format!("{HEAD}{fields}\n}}\n");
    let checked = checked(&text);
    assert!(checked.diagnostics.is_empty(), "{}", rendered(&text));
    checked.package.sources[0].clone()
}

/// A metric over records, with these clauses.
fn over_records(value: &str, clauses: &str) -> String {
    let fields = "  items: list<{ sku: string, price: decimal(8, 2), note: string? }>\n  \
                  address: { city: string, zip: string?, geo: { lat: float, lon: float }? }?\n  home: { city: string }\n";
    format!("{HEAD}{fields}}}\nmetric m = {value} {{ from ev {clauses} }}\n")
}

fn record_codes(value: &str, clauses: &str) -> Vec<Code> {
    codes(&over_records(value, clauses))
}

/// The typed form of a metric over records, which has to be sound.
fn typed(value: &str, clauses: &str) -> String {
    let text = over_records(value, clauses);
    let checked = checked(&text);
    assert!(checked.diagnostics.is_empty(), "{}", rendered(&text));
    explain_typed(&checked.package.metrics[0]).to_text()
}

#[test]
fn a_path_is_words_quoted_names_and_indices() {
    let paths = |source: &Source| -> Vec<String> {
        source.fields.iter().map(|field| field.path.to_string()).collect()
    };
    let found = source(
        "  total: decimal(8, 2) from \"order total\"\n  revenue: decimal(8, 2) from properties.revenue\n  \
         first: string? from \"line items\"[0].sku\n  sender: string from \"from\"\n  unit: string from key.by.from\n  \
         own: int from own\n  odd: int from \"a.b\".\"\\u{1F600}\"[10][2].x = 3",
    );
    assert_eq!(
        paths(&found)[2..],
        [
            "\"order total\"",
            "properties.revenue",
            "\"line items\"[0].sku",
            "from",
            "key.by.from",
            "",
            "\"a.b\".\"😀\"[10][2].x",
        ]
    );
    assert_eq!(found.fields[0].path.to_string(), "userId");
    assert_eq!(found.fields[1].path.to_string(), "");
}

#[test]
fn records_nest_and_their_fields_have_attributes_of_their_own() {
    let found = source(
        "  items: list<{ sku: string from \"SKU\", at: timestamp unit ms, parts: list<{ n: int from a.b }>? }>?",
    );
    let items: &Field = &found.fields[2];
    assert_eq!(items.ty.to_string(), "list<{ sku: string, at: timestamp, parts: list<{ n: int }>? }>?");
    assert_eq!(items.fields[0].path.to_string(), "SKU");
    assert!(items.fields[1].unit.is_some());
    assert_eq!(items.fields[2].fields[0].path.to_string(), "a.b");
}

#[test]
fn the_path_is_part_of_the_meaning_unless_it_is_the_name() {
    let hash = |field: &str| {
        let text = format!("{HEAD}  {field}\n}}\nmetric m = count() {{ from ev }}\n");
        checked(&text).package.metrics[0].definition_hash()
    };
    assert_eq!(hash("x: int"), hash("x: int from x"));
    assert_eq!(hash("x: int"), hash("x: int from \"x\""));
    assert_ne!(hash("x: int"), hash("x: int from X"));
    assert_ne!(hash("x: int from a.b"), hash("x: int from \"a.b\""));
    assert_ne!(hash("r: { x: int }"), hash("r: { x: int from y }"));
}

#[test]
fn fields_of_records_are_read_with_dots() {
    let text = typed("sum(item.price)", "each item in items  by item.sku");
    assert!(text.contains("sku") && text.contains("item.price"), "{text}");
    let text = typed("count()", "where address != none and address.city == \"x\"  by home.city as c");
    assert!(text.contains("address.city == \"x\""), "{text}");
    let text = typed("max(address.geo.lat)", "let a = address  where (a.zip ?? \"\") != \"\"");
    assert!(text.contains("address.geo.lat"), "{text}");
    typed("count() where home == home", "");
    typed("sum(length(items))", "");
}

#[test]
fn a_field_of_a_record_that_may_be_none_may_be_none() {
    assert_eq!(record_codes("count()", "where address.city > \"a\""), [Code::MayBeNone]);
    assert_eq!(record_codes("count()", "where address != none and address.city > \"a\""), []);
    assert_eq!(record_codes("count()", "where address.city != none and address.city > \"a\""), []);
    assert_eq!(record_codes("count()", "where address != none and address.zip > \"a\""), [Code::MayBeNone]);
    assert_eq!(record_codes("count()", "where home.city != none"), [Code::NeverNone]);
}

#[test]
fn what_a_record_is_not() {
    for (value, clauses, code) in [
        ("count()", "by address", Code::TypeMismatch),
        ("count()", "by items as i", Code::TypeMismatch),
        ("last(address)", "", Code::TypeMismatch),
        ("distinct(home)", "", Code::TypeMismatch),
        ("sum(items.price)", "", Code::TypeMismatch),
        ("count()", "where home.town == \"x\"", Code::UnknownName),
        ("count()", "where home.city.x == \"x\"", Code::TypeMismatch),
        ("count()", "where home in (home)", Code::TypeMismatch),
        ("count()", "where home < home", Code::TypeMismatch),
        ("count()", "where hash64(home) == 1", Code::TypeMismatch),
        ("home.city", "", Code::FieldOutside),
    ] {
        assert_eq!(record_codes(value, clauses), [code], "{value} {clauses}");
    }
    for (field, code) in [
        ("r: { x: int } key", Code::KeyField),
        ("r: { x: int key }", Code::FieldMarker),
        ("r: { x: timestamp time }", Code::FieldMarker),
        ("r: { x: int } = 3", Code::DefaultValue),
        ("r: list<{ x: int = 3 }>", Code::DefaultValue),
        ("r: {}", Code::TypeArguments),
        ("r: { x: int, x: int }", Code::DuplicateName),
        ("r: { x: nothing }", Code::UnknownType),
        ("r: list<list<{ x: int }>>", Code::TypeArguments),
        ("r: int from a[1.5]", Code::FieldMarker),
        ("r: int from a[4294967296]", Code::FieldMarker),
        ("r: int from a from b", Code::FieldMarker),
        ("r: int from \"\\x\"", Code::StringLiteral),
    ] {
        assert_eq!(codes(&format!("{HEAD}  {field}\n}}\n")), [code], "{field}");
    }
    assert_eq!(codes("import function f({ x: int }): int"), [Code::TypeArguments]);
    assert_eq!(codes("table t { id: int key  r: { x: int } }"), [Code::TypeArguments]);
}

#[test]
fn deep_types_and_long_paths_are_a_limit_and_no_overflow() {
    let nested = |n: usize| format!("{HEAD}  r: {}int{}\n}}\n", "{ x: ".repeat(n), " }".repeat(n));
    assert_eq!(codes(&nested(30)), []);
    assert_eq!(codes(&nested(40)), [Code::LimitExceeded]);
    assert_eq!(codes(&nested(4_000)), [Code::LimitExceeded]);
    let lists = |n: usize| format!("{HEAD}  r: {}int{}\n}}\n", "list<{ x: ".repeat(n), " }>".repeat(n));
    assert_eq!(codes(&lists(14)), []);
    assert_eq!(codes(&lists(20)), [Code::LimitExceeded]);
    assert_eq!(codes(&lists(9_000)), [Code::LimitExceeded]);
    let inner = "list<".repeat(60);
    assert_eq!(codes(&format!("{HEAD}  r: {}", format!("{inner}{{ x: ").repeat(50))), [Code::LimitExceeded]);
    let path = |n: usize| format!("{HEAD}  r: int from a{}\n}}\n", ".a".repeat(n));
    assert_eq!(codes(&path(31)), []);
    assert_eq!(codes(&path(32)), [Code::LimitExceeded]);
    assert_eq!(codes(&path(20_000)), [Code::LimitExceeded]);
    let wide: String = (0..300).map(|index| format!("x{index}: int,")).collect();
    assert_eq!(codes(&format!("{HEAD}  r: {{ {wide} }}\n}}\n")), [Code::LimitExceeded]);
}

#[test]
fn names_of_the_data_are_answered_with_the_path_to_write() {
    for (field, help) in [
        ("UserID: int", "`user_id: int from \"UserID\"`"),
        ("from: string", "`from_: string from \"from\"`"),
        ("by: list<string>?", "`by_: list<string>? from \"by\"`"),
        ("\"order total\": decimal(8, 2)", "`order_total: decimal(8, 2) from \"order total\"`"),
        ("properties.revenue: decimal(8, 2)", "`revenue: decimal(8, 2) from properties.revenue`"),
        ("items[0].sku: string", "`sku: string from items[0].sku`"),
        ("r: { userId: int }", "`user_id: int from \"userId\"`"),
    ] {
        let text = rendered(&format!("{HEAD}  {field}\n}}\n"));
        assert!(text.contains("error[M0011]") && text.contains(help), "{field}\n{text}");
    }
    let told = rendered(&format!("{HEAD}  userId: int from \"userId\"\n}}\n"));
    assert!(told.contains("write `user_id`"), "{told}");
    let metric = rendered(&format!("{HEAD}}}\nmetric Total = count() {{ from ev }}\n"));
    assert!(metric.contains("write `total`") && !metric.contains("from \""), "{metric}");
}

#[test]
fn tables_name_their_columns_too() {
    assert_eq!(
        codes("table t { id: int key from \"shopId\"  r: string from a from b }")[0],
        Code::FieldMarker
    );
}

#[test]
fn the_formatter_keeps_paths_and_lays_records_out() {
    let text = "source ev {\n  id: int key from \"userId\"\n  at: timestamp time\n  a: string? from  \"line items\" [ 0 ] . sku\n  \
                b: list< { sku :string from by[ 1 ] ,price: decimal( 8,2 ) , } > ?\n  c: list<int> from x [2] = [1 ,2]\n}\n";
    let laid = format(&file(text)).expect("it parses");
    assert!(laid.contains("a:  string? from \"line items\"[0].sku\n"), "{laid}");
    assert!(laid.contains("b:  list<{ sku: string from by[1], price: decimal(8, 2) }>?\n"), "{laid}");
    assert!(laid.contains("c:  list<int> from x[2] = [1, 2]\n"), "{laid}");
    assert_eq!(format(&file(laid.clone())).expect("it parses"), laid);
}

#[test]
fn a_record_is_spelled_as_it_is_written() {
    let found = source("  r: { x: int, y: string? }?");
    let Kind::Record(fields) = &found.fields[2].ty.kind else { panic!("{}", found.fields[2].ty) };
    assert_eq!(fields.len(), 2);
    let value = metricc_ir::Value::Record(vec![metricc_ir::Value::Int(1), metricc_ir::Value::None]);
    assert_eq!(expression_text::value(&value, &found.fields[2].ty.kind), "{ x: 1, y: none }");
}

#[test]
fn a_path_of_the_data_in_a_metric_is_answered_with_how_to_declare_it() {
    let text = rendered(&over_records("max(payload.user.id)", ""));
    let help = "declare it in source `ev`, as `id: … from payload.user.id`, and write `id`";
    assert!(text.contains("`payload` has no `user`") && text.contains(help), "{text}");
}
