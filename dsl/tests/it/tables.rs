//! Tables and lookups: reading, meaning, and every error.

use metricc_dsl::{Checked, Code, check_with};
use metricc_ir::explain_typed::explain_typed;

use super::file;

const SOURCE: &str =
    "source sales { id: int key  at: timestamp time  shop_id: int?  country: string  price: decimal(8, 2) }";
const SHOPS: &str = "shop_id,city,opened,active\r\n7,\"Jena, Ost\",2024-03-01,true\r\n1,Pune,,false\r\n";
const TABLE: &str = "table shops { shop_id: int key  city: string  opened: date?  active: bool }";

fn with(items: &str, files: &[(&str, &str)]) -> Checked {
    check_with(&file(format!("{SOURCE}\n{items}")), files)
}

/// The metric `m` of a body, with the table of shops.
fn over_shops(value: &str, body: &str, shops: &str) -> Checked {
    with(&format!("{TABLE}\nmetric m = {value} {{ from sales {body} }}"), &[("shops.csv", shops)])
}

fn codes(checked: &Checked) -> Vec<Code> {
    checked.diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// Messages, labels and helps, a line for each finding.
fn said(checked: &Checked) -> String {
    let one = |found: &metricc_dsl::Diagnostic| {
        let label = found.labels.iter().find(|label| label.primary).map_or("", |label| label.text.as_str());
        format!("{} {} | {label} | {}\n", found.code.id(), found.message, found.help.join(" | "))
    };
    checked.diagnostics.iter().map(one).collect()
}

fn typed(checked: &Checked) -> String {
    assert_eq!(checked.diagnostics, [], "{}", said(checked));
    explain_typed(&checked.package.metrics[0]).to_text()
}

#[test]
fn a_table_is_its_declared_columns_in_an_order_of_its_keys() {
    let checked = over_shops("count()", "lookup s = shops[shop_id] by s.city", SHOPS);
    assert_eq!(checked.diagnostics, []);
    let table = &checked.package.tables[0];
    insta::assert_debug_snapshot!(table);
    assert_eq!(checked.used.iter().map(|used| used.name.as_str()).collect::<Vec<_>>(), ["shops.csv"]);
}

#[test]
fn a_column_of_a_row_is_an_expression_that_may_be_none() {
    let body = "lookup s = shops[shop_id]
        let since = s.opened ?? \"2020-01-01\"
        where s.active and s.city != none and starts_with(s.city, \"J\")
        where since > \"2021-01-01\"
        by s.city, s.shop_id as shop";
    let refused = over_shops("count()", body, SHOPS);
    assert_eq!(codes(&refused), [Code::MayBeNone], "{}", said(&refused));
    let body = body.replace("where s.active", "where (s.active ?? false)");
    insta::assert_snapshot!(typed(&over_shops("max(s.opened) where s.active == true", &body, SHOPS)));
}

#[test]
fn several_keys_are_given_in_their_order_and_ints_become_decimals() {
    let files = [("rates.csv", "rate,price,country\n0.19,100,DE\n0.07,100,IN\n")];
    let checked = with(
        "table rates { country: string key  price: decimal(10, 2) key  rate: decimal(4, 3) }
         metric m = max(r.rate) { from sales  lookup r = rates[country, shop_id ?? 1] }
         metric n = max(r.rate) { from sales  lookup r = rates[\"DE\", price] }",
        &files,
    );
    insta::assert_snapshot!(typed(&checked));
}

/// The definition hash of a metric that groups by city.
fn hash(shops: &str) -> String {
    let checked = over_shops("count()", "lookup s = shops[shop_id] by s.city", shops);
    assert_eq!(checked.diagnostics, [], "{}", said(&checked));
    checked.package.metrics[0].definition_hash()
}

#[test]
fn the_content_that_is_looked_up_is_part_of_what_a_metric_means() {
    let same = "active,opened,shop_id,city,more\nfalse,,1,Pune,x\ntrue,2024-03-01,7,\"Jena, Ost\",y\n";
    assert_eq!(
        hash(SHOPS),
        hash(same),
        "neither the order of rows and columns nor other columns say anything"
    );
    let other_column = SHOPS.replace("2024-03-01", "2025-03-01");
    assert_eq!(hash(SHOPS), hash(&other_column), "a declared column that no metric looks up says nothing");
    let more = format!("{SHOPS}9,,,true\n");
    let optional = |shops: &str| {
        let table = TABLE.replace("city: string", "city: string?");
        let text =
            format!("{table}\nmetric m = count() {{ from sales  lookup s = shops[shop_id]  by s.city }}");
        with(&text, &[("shops.csv", shops)]).package.metrics[0].definition_hash()
    };
    assert_eq!(hash(SHOPS), optional(SHOPS), "there may be no row anyway");
    assert_eq!(hash(SHOPS), optional(&more), "a row without a value says what no row says");
    for changed in
        [SHOPS.replace("Pune", "Puna"), SHOPS.replace("\r\n1,", "\r\n2,"), format!("{SHOPS}2,Pune,,true\n")]
    {
        assert_ne!(hash(SHOPS), hash(&changed), "{changed}");
    }
    // The name of the table and of the row are names alone.
    let renamed = with(
        "table stores { shop_id: int key  city: string }
         metric m = count() { from sales  lookup store = stores[shop_id]  by store.city }",
        &[("stores.csv", SHOPS)],
    );
    assert_eq!(renamed.package.metrics[0].definition_hash(), hash(SHOPS));
}

#[test]
fn a_file_that_is_no_table_is_reported_with_its_lines() {
    let by_city = |shops: &str| said(&over_shops("count()", "lookup s = shops[shop_id] by s.city", shops));
    let of = |files: &[(&str, &str)]| {
        let text =
            format!("{TABLE}\nmetric m = count() {{ from sales  lookup s = shops[shop_id]  by s.city }}");
        said(&with(&text, files))
    };
    let problems = [
        of(&[]),
        by_city(""),
        by_city("\n\n"),
        by_city("shop_id,town,opened,active\n"),
        by_city("shop_id,city,city,opened,active\n"),
        by_city("shop_id,city,opened,active\n1,Pune,,true\n2,Jena,,maybe\n3,Jena,2024-02-30,true\n"),
        by_city("shop_id,city,opened,active\n1,Pune,true\n"),
        by_city("\n\nshop_id,\"city\n"),
        by_city("shop_id;city;opened;active\n1;Pune;;true\n"),
        by_city(&format!("{}\n", "column,".repeat(1_000))),
        by_city("shop_id,city,opened,active\r1,Pune,,true\r"),
        of(&[("shops.csv", &format!("shop_id,city,opened,active\n1,a,\"{}\n\",true\n", "x".repeat(1_000)))]),
        by_city("shop_id,city,opened,active\n1,Pu\"ne,,true\n"),
        by_city("shop_id,city,opened,active\n1,,,true\n"),
        by_city("shop_id,city,opened,active\n,Pune,,true\n"),
        by_city("shop_id,city,opened,active\n1,Pune,,true\n2,Pune,,true\n1,Jena,,true\n"),
        by_city(&format!("shop_id,city,opened,active\n{}", "x,Pune,,true\n".repeat(100))),
    ];
    insta::assert_snapshot!(problems.concat());
    let latin = check_with(
        &file(format!(
            "{SOURCE}\n{TABLE}\nmetric m = count() {{ from sales  lookup s = shops[shop_id]  by s.city }}"
        )),
        &Bytes(b"shop_id,city\n1,\xe9"),
    );
    assert_eq!(codes(&latin), [Code::TableFile]);
}

struct Bytes(&'static [u8]);

impl metricc_dsl::Files for Bytes {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.to_vec())
    }
}

#[test]
fn tables_and_lookups_that_mean_nothing_are_refused() {
    let table = |columns: &str| {
        said(&with(
            &format!("table shops {{ {columns} }}\nmetric m = count() {{ from sales }}"),
            &[("shops.csv", SHOPS)],
        ))
    };
    let lookup = |body: &str| said(&over_shops("count()", body, SHOPS));
    let problems = [
        table("shop_id: int"),
        table("shop_id: int? key"),
        table("shop_id: float key"),
        table("shop_id: int key  city: list<string>"),
        table("shop_id: int key  opened: date time"),
        table("shop_id: int key  shop_id: int"),
        table("shop_id: int key  city: string"),
        lookup("lookup s = shop[shop_id] by s.city"),
        lookup("lookup s = stores[shop_id] by s.city"),
        lookup("lookup s = shops[] by s.city"),
        lookup("lookup s = shops[shop_id, country] by s.city"),
        lookup("lookup s = shops[country] by s.city"),
        lookup("lookup s = shops[none] by s.city"),
        lookup("lookup s = shops[1.5] by s.city"),
        lookup("lookup s = shops[shop_id] by s.town"),
        lookup("lookup s = shops[shop_id] by s"),
        lookup("lookup s = shops[shop_id] by t.city"),
        lookup("lookup s = shops[shop_id] by shops.city"),
        lookup("lookup s = shops[shop_id]"),
        lookup("lookup country = shops[shop_id] by country"),
        lookup("lookup s = shops[shop_id] lookup s = shops[1] by s.city"),
        lookup("lookup s = shops[t.shop_id] lookup t = shops[1] by s.city"),
        lookup("lookup s = shops[s.shop_id] by s.city"),
        lookup("lookup s = shops[shop_id] where s.active"),
        said(&over_shops("s.city", "lookup s = shops[shop_id]", SHOPS)),
        said(&with("metric a = count() { from sales } metric b = a / a { lookup s = nothing[here] }", &[])),
        lookup("lookup s = shops shop_id by s.city"),
    ];
    insta::assert_snapshot!(problems.concat());
}

#[test]
fn a_lookup_of_what_another_found_and_one_after_an_element_are_fine() {
    let body = "lookup s = shops[shop_id] lookup t = shops[length(s.city ?? \"\")] by t.city";
    insta::assert_snapshot!(typed(&over_shops("count()", body, SHOPS)));
}

#[test]
fn the_words_of_tables_are_names_elsewhere() {
    let text = "source s { id: int key  at: timestamp time  table: int  lookup: string }
table lookup { table: int key  at: string }
metric table = count() {
  from s
  where table > 1
  by
lookup,
table as key,
  lookup m = lookup[table]
}
metric lookup = max(table) { from s  lookup m = lookup[table]  by m.at }";
    let checked = check_with(&file(text), &[("lookup.csv", "table,at\n1,x\n")][..]);
    assert_eq!(codes(&checked), [Code::Unused], "{}", said(&checked));
    assert_eq!(checked.package.metrics[0].keys.len(), 2);
}

#[test]
fn a_table_of_another_file_is_taken_with_its_rows() {
    let shops = format!("{TABLE}\n");
    let text = "use places.{shops}\nmetric m = count() { from sales  lookup s = shops[shop_id]  by s.city }";
    let taken = with(text, &[("places.metric", &shops), ("shops.csv", SHOPS)]);
    assert_eq!(taken.diagnostics, [], "{}", said(&taken));
    assert_eq!(taken.package.metrics[0].definition_hash(), hash(SHOPS));
    let names: Vec<&str> = taken.used.iter().map(|used| used.name.as_str()).collect();
    assert_eq!(names, ["places.metric", "shops.csv"]);
    // What is taken for a metric of the name is no unused table.
    let both = format!("{SOURCE}\n{shops}metric shops = count() {{ from sales }}\n");
    let taken = with(
        "use places.{shops}\nmetric twice = shops * 2",
        &[("places.metric", &both), ("shops.csv", SHOPS)],
    );
    assert_eq!(taken.diagnostics, [], "{}", said(&taken));
    // Its errors are its own.
    let broken = with(text, &[("places.metric", &shops), ("shops.csv", "")]);
    assert_eq!(codes(&broken), [Code::UsedFile]);
}
