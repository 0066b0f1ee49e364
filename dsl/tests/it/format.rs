//! The formatter: it keeps meaning and comments, and is idempotent.

use std::path::Path;

use metricc_dsl::{SourceText, check, format, render};

fn source(text: &str) -> SourceText {
    SourceText { name: "example.metric".to_owned(), bytes: text.as_bytes().to_vec() }
}

fn formatted(text: &str) -> String {
    format(&source(text)).unwrap_or_else(|found| panic!("{}\n{text}", render::short(&found, &source(text))))
}

/// Comments in the order of their texts.
fn comments(text: &str) -> Vec<String> {
    let behind = |line: &str| {
        let outside = line.split('"').step_by(2).collect::<Vec<_>>().join("\"");
        outside.find("//").map(|_| line[line.find("//").unwrap_or(0)..].trim().to_owned())
    };
    let mut comments: Vec<String> = text.lines().filter_map(behind).collect();
    comments.sort();
    comments
}

/// Lays a text out; asserts that nothing but its looks has changed.
fn assert_kept(text: &str) -> String {
    let laid_out = formatted(text);
    assert_eq!(formatted(&laid_out), laid_out, "not the same again\n{text}");
    assert_eq!(comments(text), comments(&laid_out), "{text}\n---\n{laid_out}");
    if check(&source(text)).has_errors() {
        return laid_out;
    }
    let typed = |text: &str| {
        let checked = check(&source(text));
        let metrics: Vec<String> = checked
            .package
            .metrics
            .iter()
            .map(|metric| serde_json::to_string(metric).expect("JSON"))
            .collect();
        let codes: Vec<&str> = checked.diagnostics.iter().map(|found| found.code.id()).collect();
        (metrics, codes.len())
    };
    assert_eq!(typed(text), typed(&laid_out), "{text}\n---\n{laid_out}");
    laid_out
}

/// The `metric` blocks of a page.
fn blocks(page: &str) -> Vec<String> {
    let fences = page.split("```metric").skip(1).filter_map(|rest| rest.split_once('\n'));
    fences.filter_map(|(_, rest)| rest.split("```").next()).map(str::to_owned).collect()
}

#[test]
fn every_fixture_keeps_its_meaning_and_its_comments() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &Path| std::fs::read_to_string(path).expect("the file is there");
    let mut texts = Vec::new();
    for example in ["flights", "payments", "requests", "views"] {
        texts.push(read(&root.join(format!("examples/{example}/{example}.metric"))));
    }
    for fixture in ["own", "payments"] {
        texts.push(read(&root.join(format!("tests/it/fixtures/{fixture}.metric"))));
    }
    for entry in std::fs::read_dir(root.join("docs/language")).expect("there is a language reference") {
        texts.extend(blocks(&read(&entry.expect("an entry").path())));
    }
    let mut n_read = 0;
    for code in metricc_dsl::Code::all() {
        texts.extend(blocks(code.explanation()));
    }
    for text in &texts {
        if format(&source(text)).is_ok() {
            assert_kept(text);
            n_read += 1;
        }
    }
    // Some explanations are about what cannot be read.
    assert!(n_read > 90 && texts.len() - n_read < 30, "{n_read} of {}", texts.len());
}

const MESSY: &str = r#"
//! About   the file.

   // Of the source.
/// Payments,
/// as they come.
source   payments{payment_id:string key, // identity
  created_at :timestamp time
  /// In euros.
  amount:decimal( 12,2 )?   =   0.0
  // of nobody
  tags:list< string >,

  status: enum("captured",   "failed")
  // the end
} // after
calendar   india{zone "Asia/Kolkata" week monday}
source few{at:timestamp time,x:int}
import function   miles( float,bool? ):float version 2
metric revenue=sum(amount)where status=="captured"{every 1h // hourly
  by merchant??"unknown"as merchant,   country
  // only what came
  where amount>0 from payments let a=-amount*( 3 -1 )}
metric two = {a:count(),b :p99(amount,within:1%),}{from payments}
metric three = {
  a: count(), // how many
  b: sum(amount % 7)
  // no more
} {   from payments }
metric plain = count() { from payments   where not(amount in(1,2)) and (status != "failed" or amount > 1000000000.00) and payment_id != "a long name of a payment" }
metric inside = sum(amount /* no */ + 1) { from payments }
"#;

#[test]
fn a_messy_file_is_laid_out_as_reviewed() {
    let text = MESSY.replace(" /* no */", "");
    let with_comment = format!("{text}metric long = sum(amount // why\n    + 1) {{ from payments }}\n");
    insta::assert_snapshot!(assert_kept(&with_comment));
}

#[test]
fn uses_and_tests_are_laid_out_as_reviewed() {
    let text = r#"use   events . { payments,views , }
use a_file_with_a_long_name.{a_first_source_with_a_long_name, a_second_source_with_a_long_name, a_third_source_with_one}
test "short"   {given payments[{id:1,at:"2026-04-25T10:00:00Z"}]
// what comes out
expect total[ {value:-1.50,}, ] }
test "long" { // why
  given payments [ // all of them
    {id: 1, tags: ["x","y"]}, // the first

    // the second
    {id: 2, at: "2026-04-25T10:00:00Z", merchant_id: 1234567, status: "captured", amount: 10.00, country: "IN", tags: []},
    {id: 3, at: "2026-04-25T10:00:00Z", merchant_id: 1234567, status: "captured", amount: 10.00, country: "IN", tags: ["a rather long one", "and another rather long one"]}
  ]
  given views []
  expect top [{ item: "a", best: [{ item: "x", value: 2 }, { item: none, value: 1 }] },
    {}]
}
"#;
    insta::assert_snapshot!(assert_kept(text));
}

#[test]
fn a_file_that_would_grow_beyond_the_limit_is_left_as_it_is() {
    let fields: String = (0..1000).map(|n| format!("f{n}:int,")).collect();
    let long = "a_name_to_align_the_others_with_that_is_rather_long";
    let comment = |n| format!("// {}\nsource s{{at:timestamp time,{long}:int,{fields}}}", "x".repeat(n));
    assert!(format(&source(&comment(100_000))).is_ok());
    let found = format(&source(&comment(250_000))).expect_err("it is too large");
    assert_eq!(found.len(), 1);
    assert!(found[0].message.starts_with("formatted, the file has "), "{}", found[0].message);
    assert!(found[0].help[0].contains("split the file"), "{:?}", found[0].help);
}

#[test]
fn what_cannot_be_read_is_said_and_not_touched() {
    for text in
        ["metric m = count( { from s }", "metric m = 'a'", "source s { at timestamp }", "\u{0}", "use a.b"]
    {
        assert!(format(&source(text)).is_err(), "{text}");
    }
    assert_eq!(formatted(""), "");
    assert_eq!(formatted("\n\n// alone\n\n\n// again\n"), "// alone\n\n// again\n");
    assert_eq!(formatted("\u{FEFF}source s { at: timestamp time }\r\n"), "source s { at: timestamp time }\n");
}

#[test]
fn minus_signs_in_a_row_stay_apart_and_are_no_comment() {
    let of = |value: &str| {
        assert_kept(&format!(
            "source s {{ at: timestamp time  v: int }}\nmetric m = sum(v) {{ from s  where {value} > 3 }}\n"
        ))
    };
    assert!(of("- - - - v").contains("- - - -v > 3"), "{}", of("- - - - v"));
    assert!(of("v - - v").contains("v - -v > 3"), "{}", of("v - - v"));
}
