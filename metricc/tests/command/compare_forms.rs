//! `metricc compare`: rows of another system that writes values in another form.

use serde_json::json;

use super::compare::{Case, causes};

#[test]
fn numbers_may_differ_by_an_amount() {
    let case = Case::new();
    let rows = "shop,n,sum\na,3,12.61\nb,3,8.2\nc,1,3.02\n";
    let (code, said, _) = case.compare("both", rows, &["--absolute-tolerance", "0.01"]);
    let counts = "both: 1 row equal, 1 equal within the tolerance, 1 changed";
    assert!(code == 1 && said.contains(counts), "{said}");
    let (code, said, _) = case.compare("both", rows, &["--absolute-tolerance", "0.02"]);
    assert!(code == 0 && said.contains("2 equal within the tolerance, 0 changed"), "{said}");
    // One of both suffices.
    let both = ["--absolute-tolerance", "0.01", "--tolerance", "1%"];
    assert_eq!(case.compare("both", rows, &both).0, 0);
    for text in ["-1", "x", "1%"] {
        let (code, _, problems) = case.compare("both", rows, &[&format!("--absolute-tolerance={text}")]);
        assert!(code == 2 && problems.contains("not a number such as `0.01`"), "{problems}");
    }
}

#[test]
fn rounded_numbers_are_a_cause() {
    let case = Case::new();
    // The sums are 12.60, 8.20 and 3.00.
    let found = case.json("both", "shop,n,sum\na,3,13\nb,3,8\nc,1,3\n", &[]);
    assert_eq!(causes(&found), [("`sum` is rounded to whole numbers".to_owned(), 2, 0)], "{found}");
    let found = case.json("both", "shop,n,sum\na,3,12\nb,3,8\nc,1,3\n", &[]);
    assert_eq!(causes(&found), [("`sum` is cut to whole numbers, not rounded".to_owned(), 2, 0)], "{found}");
    // The means are 3.5, 3.5 and 1.
    let found = case.json("rating", "shop,value\na,4\nb,4\nc,1\n", &[]);
    assert_eq!(causes(&found)[0], ("numbers are rounded to whole numbers".to_owned(), 2, 0), "{found}");
    let (code, said, _) = case.compare("rating", "shop,value\na,9\nb,9\nc,1\n", &[]);
    assert!(code == 1 && said.contains("  tried: numbers are rounded to whole numbers\n"), "{said}");
}

#[test]
fn rounding_explains_only_what_it_gives() {
    let case = Case::new();
    let mean = "metric mean_price = mean(amount) { from orders  by shop }\n";
    let package = std::fs::read_to_string(case.path("orders.metric")).expect("the package");
    case.write("orders.metric", &(package + mean));
    // The means are 4.2, 2.7333… and 3.
    let found = case.json("mean_price", "shop,value\na,4.2\nb,2.73\nc,3\n", &[]);
    let expected = ("numbers are rounded to 2 digits after the point".to_owned(), 1, 0);
    assert_eq!(causes(&found), [expected], "{found}");
    assert_eq!(found["causes"][0]["examples"], json!([]), "{found}");
    let found = case.json("mean_price", "shop,value\na,4.2\nb,2.74\nc,3\n", &[]);
    assert!(causes(&found).is_empty(), "{found}");
    let (_, said, _) = case.compare("both", "shop,n,sum\na,3,12.61\nb,3,8.25\nc,1,3.01\n", &[]);
    let why =
        "  not tried: numbers are rounded: no value of the file has fewer digits after the point than OURS\n";
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_key_that_is_none_on_one_side_and_a_text_on_the_other_is_named() {
    let case = Case::new();
    case.write(
        "orders.metric",
        "source orders { id: int key  at: timestamp time  shop: string? }\nmetric n = count() { from orders  by shop }\n",
    );
    let event =
        |id: u32, shop: &str| format!("{{\"id\":{id},\"at\":\"2026-04-25T10:00:00Z\",\"shop\":{shop}}}\n");
    case.write("orders.ndjson", &[event(1, "\"a\""), event(2, "null"), event(3, "null")].concat());
    let found = case.json("n", "shop,value\na,1\nNULL,2\n", &[]);
    let expected = json!([{ "key": "shop", "none_in": "ours", "text": "NULL", "compared": 1, "equal": 1 }]);
    assert_eq!(found["absent_keys"], expected, "{found}");
    let (_, said, _) = case.compare("n", "shop,value\na,1\nNULL,5\n", &[]);
    let line = "  key `shop` is none in OURS and the text \"NULL\" in THEIRS: with none in both, 1 more row would be \
                compared, and 0 of them equal\n";
    assert!(said.contains(line), "{said}");
    // A text that means something is none of these, nor is one beside a row with none.
    for rows in ["shop,value\na,1\nx,2\n", "shop,value\na,1\n,3\nnull,2\n"] {
        let found = case.json("n", rows, &[]);
        assert_eq!(found["absent_keys"], json!([]), "{found}");
    }
    case.write("orders.ndjson", &[event(1, "\"a\""), event(2, "\"\"")].concat());
    case.write("rows.ndjson", "{\"shop\":\"a\",\"value\":1}\n{\"shop\":null,\"value\":1}\n");
    let (_, said, _) = case.compare_with("n", "rows.ndjson", &[]);
    assert!(said.contains("key `shop` is none in THEIRS and the text \"\" in OURS: "), "{said}");
}

/// A node keeps its latest events in its journal, which is no file of events.
#[test]
fn the_folder_of_a_node_is_refused_with_the_files_that_have_events() {
    let case = Case::new();
    let folder = case.folder.path().join("data/log/events/orders");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("0-0-3.requests"), "x").expect("a file");
    case.write("data/log-mark.json", "{}");
    case.write("rows.csv", "value\n1\n");
    for path in ["data", "data/log/events/orders"] {
        let source = format!("orders={}", case.path(path));
        let (package, rows) = (case.path("orders.metric"), case.path("rows.csv"));
        let arguments = ["compare", &package, "--metric", "price", "--source", &source, "--with", &rows];
        let problems = super::stderr(&super::metricc(&arguments));
        assert!(problems.contains("is a folder of a node, and no log of files\n"), "{problems}");
        assert!(problems.contains("/data/log/events/orders/*[0-9].parquet`"), "{problems}");
    }
}
