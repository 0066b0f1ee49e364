//! `metricc compare`: which column of the file has which key, window or value.

use super::compare::Case;

const ROWS: &str = "day,store,eur\n2026-04-25,a,10\n2026-04-25,b,0.2\n2026-04-26,a,2.6\n2026-04-26,b,8\n";

#[test]
fn all_missing_columns_are_named_at_once_with_what_was_probably_meant() {
    let case = Case::new();
    for (rows, problem) in [
        (
            ROWS,
            "has no columns `window_start`, `shop`, `value`\n  help: its columns are `day`, `eur`, `store`; say which \
             has what: `--column window_start=COLUMN --column shop=COLUMN --column value=COLUMN`",
        ),
        (
            "window_start,Shop,Value,x\n2026-04-25,a,1,1\n",
            "has no columns `shop`, `value`\n  help: its columns are `Shop`, `Value`, `window_start`, `x`; did you mean \
             `--column shop=Shop --column value=Value`?",
        ),
        (
            "window_start,store,value\n2026-04-25,a,1\n",
            "has no column `shop`\n  help: its columns are `store`, `value`, `window_start`; did you mean `--column \
             shop=store`?",
        ),
    ] {
        let (code, _, problems) = case.compare("revenue", rows, &[]);
        assert!(code == 2 && problems.contains(problem), "{problem}\n{problems}");
    }
    // Of several values, some may be missing, but no key.
    let (code, _, problems) = case.compare("both", "store,n\na,3\n", &[]);
    assert!(code == 2 && problems.contains("has no column `shop`\n"), "{problems}");
    let (code, _, problems) = case.compare("both", "shop,count,total\na,3,1\n", &[]);
    assert!(code == 2 && problems.contains("has no columns `n`, `sum`\n"), "{problems}");
    // Also in a file whose columns only its rows tell.
    case.write("rows.ndjson", "{\"store\":\"a\",\"n\":3}\n{\"store\":\"b\",\"n\":3}\n");
    let (code, _, problems) = case.compare_with("both", "rows.ndjson", &[]);
    assert!(code == 2 && problems.contains("has no column `shop`\n"), "{problems}");
    let shop = ["--column", "shop=store"];
    let (code, said, problems) = case.compare_with("both", "rows.ndjson", &shop);
    assert!(code == 1 && said.contains("both: 2 rows equal, 0 changed, 1 only in OURS"), "{said}{problems}");
}

#[test]
fn columns_are_called_as_the_options_say() {
    let case = Case::new();
    let named = ["--column", "window_start=day", "--column", "shop=store", "--column", "value=eur"];
    let (code, said, problems) = case.compare("revenue", ROWS, &named);
    assert!(code == 0 && said.contains("revenue: 4 rows equal, 0 changed"), "{said}{problems}");
    let mixed = ["--window", "day", "--column", "shop=store", "--value", "eur"];
    assert_eq!(case.compare("revenue", ROWS, &mixed).0, 0);
    let (code, said, problems) =
        case.compare("both", "shop,n,count,sum\na,9,3,12.6\nb,9,3,8.2\nc,9,1,3\n", &["--column", "n=count"]);
    assert_eq!(code, 0, "{said}{problems}");
}

#[test]
fn columns_that_are_named_wrongly_are_refused() {
    let case = Case::new();
    for (metric, arguments, problem) in [
        (
            "revenue",
            &["--column", "shopp=store"][..],
            "`revenue` has no key, window or value `shopp`\n  help: did you mean `shop`?",
        ),
        (
            "revenue",
            &["--column", "country=land"],
            "value `country`\n  help: it has `window_start`, `shop`, `value`",
        ),
        ("price", &["--column", "window_start=day"], "`price` has no key, window or value `window_start`"),
        ("revenue", &["--column", "shop"], "not a name and a column such as `shop=store_name`"),
        ("revenue", &["--column", "shop=a", "--column", "shop=b"], "`shop` is both `a` and `b`"),
        (
            "revenue",
            &["--column", "window_start=day", "--window", "day"],
            "`--window` and `--column window_start=…` both name a column: leave out one",
        ),
        (
            "revenue",
            &["--window", "day", "--column", "shop=storre", "--value", "eur"],
            "has no column `storre`\n  help: its columns are `day`, `eur`, `store`; did you mean `--column shop=store`?",
        ),
        // A value that an option names is not left out.
        ("both", &["--column", "shop=store", "--column", "n=day", "--column", "sum=x"], "has no column `x`"),
        ("both", &["--value", "eur"], "or say which is which, such as `--column n=eur`"),
    ] {
        let (code, _, problems) = case.compare(metric, ROWS, arguments);
        assert!(code == 2 && problems.contains(problem), "{problem}\n{problems}");
    }
}
