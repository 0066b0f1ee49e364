//! Lookup tables in every command that reads them.

use super::{code, metricc, stderr, stdout, succeed};

const PACKAGE: &str = "source sales { id: int key  at: timestamp time  shop_id: int  price: decimal(8, 2) }

table shops {
  shop_id: int key
  city:    string
  note:    string?
}

metric sold = sum(price) { from sales  lookup shop = shops[shop_id]  by shop.city }

test \"a shop that is not known\" {
  given sales [{ id: 1, at: \"2026-04-25T10:00:00Z\", shop_id: 3, price: 1.50 }]
  expect sold [{ city: none, value: 1.50 }]
}
";
const SHOPS: &str = "shop_id,city,note\n1,Pune,\n2,Jena,small\n";
const SALES: &str = "{\"id\":1,\"at\":\"2026-04-25T10:00:00Z\",\"shop_id\":1,\"price\":2.50}
{\"id\":2,\"at\":\"2026-04-25T10:00:00Z\",\"shop_id\":2,\"price\":1.00}
{\"id\":3,\"at\":\"2026-04-25T10:00:00Z\",\"shop_id\":7,\"price\":0.25}
";

fn package() -> (tempfile::TempDir, impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("sold.metric", PACKAGE), ("shops.csv", SHOPS), ("sales.ndjson", SALES)] {
        std::fs::write(folder.path().join(name), text).expect("it is written");
    }
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name).to_string_lossy().into_owned())
}

#[test]
fn metrics_with_lookups_are_checked_tested_run_verified_and_explained() {
    let (_folder, path) = package();
    let (package, source) = (path("sold.metric"), format!("sales={}", path("sales.ndjson")));
    succeed(&["check", &package]);
    succeed(&["fmt", "--check", &package]);
    succeed(&["test", &package]);
    let rows = succeed(&["run", &package, "--source", &source, "--output", "json"]);
    assert_eq!(
        rows,
        "{\"metric\":\"sold\",\"key\":{\"city\":null},\"window\":null,\"value\":\"0.25\"}\n\
         {\"metric\":\"sold\",\"key\":{\"city\":\"Jena\"},\"window\":null,\"value\":\"1.00\"}\n\
         {\"metric\":\"sold\",\"key\":{\"city\":\"Pune\"},\"window\":null,\"value\":\"2.50\"}\n"
    );
    succeed(&["verify", &package, "--source", &source]);
    let explained = succeed(&["explain", &package, "sold"]);
    assert!(explained.contains("table: name=shops, column=city, rows=2, content="), "{explained}");
    assert!(explained.contains("shops[shop_id].city"), "{explained}");
}

#[test]
fn a_changed_row_changes_the_metric_only_if_its_column_is_used() {
    let (_folder, path) = package();
    let new = path("new");
    std::fs::create_dir(&new).expect("a folder");
    std::fs::write(path("new/sold.metric"), PACKAGE).expect("it is written");
    let diff = |shops: &str| {
        std::fs::write(path("new/shops.csv"), shops).expect("it is written");
        let output = metricc(&["diff", &path("sold.metric"), &path("new/sold.metric")]);
        (code(&output), stdout(&output))
    };
    assert_eq!(diff(&SHOPS.replace("small", "large")).0, 0);
    let (code, said) = diff(&SHOPS.replace("Jena", "Gera"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("rows of shops.city"), "{said}");
}

#[test]
fn an_invalid_table_is_an_error_with_its_line() {
    let (_folder, path) = package();
    std::fs::write(path("shops.csv"), format!("{SHOPS}2,Gera,\n")).expect("it is written");
    let output = metricc(&["check", &path("sold.metric")]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(said.contains("error[M0062]: `shops.csv` has two rows of the key 2"), "{said}");
    assert!(said.contains("lines 3 and 4"), "{said}");
    std::fs::remove_file(path("shops.csv")).expect("it is removed");
    let output = metricc(&["check", &path("sold.metric")]);
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(said.contains("`shops.csv` cannot be read: there is no such file in this folder"), "{said}");
    assert!(said.contains("with the header `shop_id,city,note`"), "{said}");
}

#[test]
fn a_client_crate_contains_the_tables() {
    let (_folder, path) = package();
    succeed(&["compile", &path("sold.metric"), "--out", &path("out")]);
    let read = |name: &str| std::fs::read_to_string(path(name)).expect("it is there");
    assert_eq!(read("out/rust/src/used/shops.csv"), SHOPS);
    assert!(read("out/rust/src/metrics/sold.rs").contains("include_str!(\"../used/shops.csv\")"));
}
