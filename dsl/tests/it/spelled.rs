//! What the values of fields look like: markers, their meaning, what contradicts them, and their layout.

use metricc_dsl::{Code, format};
use metricc_ir::{Field, Source, Spelling};

use super::{checked, codes, file, rendered};

const FLIGHTS: &str = r#"source flights {
  null "NA", "-"
  id:        int key
  dep:       timestamp time zone "America/New_York" format "%d.%m.%Y %H:%M", "%b %d %Y %I:%M %p"
  on_day:    date? format "%F"
  cancelled: bool null none true "yes", "1" false "no", "0"
  price:     decimal(10, 2) null "\\N" thousands "." point ","
  delays:    list<int?> null "?" thousands "'"
  delay:     int? invalid as none
  null:      string
  format:    string
}
"#;

fn source(text: &str) -> Source {
    assert_eq!(rendered(text), "");
    Source::clone(&checked(text).package.sources[0])
}

fn spelling<'a>(source: &'a Source, name: &str) -> &'a Spelling {
    &source.fields.iter().find(|field| field.name == name).expect("the field").spelling
}

#[test]
fn markers_are_the_spelling_of_their_field_and_the_source_s_null_of_all_others() {
    let source = source(FLIGHTS);
    let shown = |field: &Field| format!("{}{}", field.name, field.spelling.markers());
    let shown: Vec<String> = source.fields.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            r#"id null "-", "NA""#,
            r#"dep null "-", "NA" format "%d.%m.%Y %H:%M", "%b %d %Y %I:%M %p""#,
            r#"on_day null "-", "NA" format "%F""#,
            r#"cancelled true "1", "yes" false "0", "no""#,
            r#"price null "\\N" thousands "." point ",""#,
            r#"delays null "?" thousands "'""#,
            r#"delay null "-", "NA" invalid as none"#,
            r#"null null "-", "NA""#,
            r#"format null "-", "NA""#,
        ]
    );
    assert!(!spelling(&source, "id").is_default());
}

#[test]
fn what_is_declared_is_part_of_the_hash_and_what_is_not_leaves_it_alone() {
    let hash = |marks: &str| {
        let text = format!(
            "source s {{ at: timestamp time  x: decimal(8, 2){marks} }}\nmetric m = sum(x) {{ from s }}"
        );
        checked(&text).package.metrics[0].definition_hash()
    };
    let plain = hash("");
    assert_eq!(hash(r#" null none point ".""#), plain);
    let declared = [r#" null "NA""#, r#" point ",""#, r#" thousands ",""#, r#" null "NA", "-""#].map(hash);
    assert!(!declared.contains(&plain));
    let mut apart = declared.to_vec();
    apart.dedup();
    assert_eq!(apart.len(), declared.len());
    assert_eq!(hash(r#" null "-", "NA", "-""#), hash(r#" null "NA", "-""#));
}

#[test]
fn spellings_are_explained_with_the_source() {
    let text = format!("{FLIGHTS}metric m = count() {{ from flights }}");
    let metric = checked(&text).package.metrics[0].clone();
    let explained = format!("{:?}", metricc_ir::explain_typed::explain_typed(&metric));
    assert!(explained.contains("thousands") && explained.contains("invalid as none"), "{explained}");
}

#[test]
fn markers_that_mean_nothing_have_codes() {
    for (wrong, expected) in [
        (r#"x: int format "%Y""#, Code::FieldMarker),
        (r#"x: timestamp unit ms format "%F %z""#, Code::FieldMarker),
        (r#"x: timestamp format "%F""#, Code::Format),
        (r#"x: timestamp format "%F %z", "%q""#, Code::Format),
        (r#"x: date format "%d.%d.%Y""#, Code::Format),
        (r#"x: date format "%F %z""#, Code::Format),
        (r#"x: string true "yes""#, Code::FieldMarker),
        (r#"x: bool true "yes""#, Code::FieldMarker),
        (r#"x: bool false "no""#, Code::FieldMarker),
        (r#"x: bool true "yes" false "no", "yes""#, Code::FieldMarker),
        (r#"x: bool true "yes" false "no" null "no""#, Code::FieldMarker),
        (r#"x: date thousands ",""#, Code::FieldMarker),
        (r#"x: int point ",""#, Code::FieldMarker),
        (r#"x: int thousands "..""#, Code::FieldMarker),
        (r#"x: int thousands "0""#, Code::FieldMarker),
        (r#"x: float thousands ".""#, Code::FieldMarker),
        (r#"x: float thousands "," point ",""#, Code::FieldMarker),
        (r#"x: int invalid as none"#, Code::FieldMarker),
        (r#"x: list<int?> invalid as none"#, Code::FieldMarker),
        (r#"x: int null "a" null "b""#, Code::FieldMarker),
        (r#"x: int null"#, Code::ForeignSpelling),
        (r#"x: int invalid none"#, Code::Syntax),
    ] {
        let text = format!("source s {{ at: timestamp time  {wrong} }}");
        assert_eq!(codes(&text), [expected], "{wrong}\n{}", rendered(&text));
    }
}

#[test]
fn columns_of_tables_are_spelled_like_fields() {
    let text = r#"source s { id: int key  at: timestamp time  k: int }
table t {
  null "NA"
  k:  int key thousands ","
  on: date? format "%d.%m.%Y"
  is: bool true "J" false "N"
  at: timestamp zone "Europe/Berlin"
  z:  int? invalid as none
}
metric m = count() { from s  lookup row = t[k]  by row.on, row.is, row.z, row.at as since }"#;
    let rows = "k,on,is,at,z\n\"1,000\",30.01.2026,J,2026-01-30,x\n2,NA,N,2026-01-30 15:34, +3 \n";
    let checked = metricc_dsl::check_with(&file(text), &[("t.csv", rows)][..]);
    assert_eq!(checked.diagnostics, []);
    let values: Vec<String> =
        checked.package.tables[0].rows.iter().map(|row| serde_json::to_string(row).expect("JSON")).collect();
    assert_eq!(values.len(), 2);
    assert!(values.iter().any(|row| row.contains("1000") && row.contains("20483")), "{values:?}");
    assert!(values.iter().any(|row| row.contains("1769783640000000")), "{values:?}");
}

#[test]
fn the_layout_keeps_null_before_the_fields() {
    let laid_out = |text: &str| format(&file(text)).unwrap_or_else(|found| panic!("{found:?}\n{text}"));
    assert_eq!(laid_out(FLIGHTS), FLIGHTS);
    let one_line = "source s { null \"NA\", \"-\"  at: timestamp time  x: int null none }\n";
    assert_eq!(laid_out("source s{null \"NA\",\"-\", at:timestamp time, x:int null none,}"), one_line);
    let long = "source s {\n  // Of R.\n  null \"NA\"  // And nothing else.\n  at: timestamp time\n}\n";
    assert_eq!(laid_out(long), long);
}
