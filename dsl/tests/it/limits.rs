//! Limits: input that is too large, too deep or unreadable gives one clear error, quickly.

use metricc_dsl::{Code, check, render};

use super::{EVENTS, codes, event_codes, file, over_events, rendered};

#[test]
fn ten_thousand_parentheses_give_one_error() {
    let value = format!("max({}n{})", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(event_codes(&value, ""), [Code::LimitExceeded]);
    assert_eq!(codes(&"(".repeat(10_000)), [Code::LimitExceeded]);
    assert_eq!(codes(&format!("metric m = {}", "(".repeat(10_000))), [Code::LimitExceeded]);
}

#[test]
fn ten_thousand_additions_give_one_error() {
    assert_eq!(event_codes(&format!("max(n{})", " + n".repeat(10_000)), ""), [Code::LimitExceeded]);
}

#[test]
fn long_runs_of_prefixes_and_ifs_give_one_error() {
    assert_eq!(
        event_codes("count()", &format!("where {} flag", "not ".repeat(9_000))),
        [Code::LimitExceeded]
    );
    assert_eq!(event_codes(&format!("max({} n)", "- ".repeat(9_000)), ""), [Code::LimitExceeded]);
    assert_eq!(event_codes(&format!("max({} n)", "-(".repeat(9_000)), ""), [Code::LimitExceeded]);
    let ifs = "if flag then n else ".repeat(5_000);
    assert_eq!(event_codes(&format!("max({ifs} n)"), ""), [Code::LimitExceeded]);
    let inner = "if if ".repeat(5_000);
    assert_eq!(event_codes(&format!("max({inner} n)"), ""), [Code::LimitExceeded]);
    let lists = "list<".repeat(9_000);
    assert_eq!(codes(&format!("source s {{ at: timestamp time  x: {lists} }}")), [Code::LimitExceeded]);
}

#[test]
fn what_is_just_within_the_limits_is_accepted() {
    // One bracket is that of the body or of the aggregate.
    assert_eq!(event_codes(&format!("max({}n{})", "(".repeat(63), ")".repeat(63)), ""), []);
    assert_eq!(event_codes(&format!("max(n{})", " + n".repeat(256)), ""), []);
    assert_eq!(event_codes("count()", &format!("where {} flag", "not ".repeat(63))), []);
    let conditions = vec!["n == 1"; 128].join(" or ");
    assert_eq!(event_codes("count()", &format!("where {conditions}")), []);
    let lists = (0..200).map(|index| format!("  l{index}: list<string>\n")).collect::<String>();
    assert_eq!(codes(&format!("source s {{ at: timestamp time\n{lists}}}")), []);
}

#[test]
fn lets_cannot_grow_a_metric_without_bound() {
    let doubled: String = (1..60).map(|index| format!(" let x{index} = x{0} * x{0}", index - 1)).collect();
    let clauses = format!(" let x0 = ratio {doubled}");
    assert_eq!(event_codes("max(x59)", &clauses), [Code::LimitExceeded]);
    let chained: String =
        (1..12).map(|index| format!(" let x{index} = x{}{}", index - 1, " + 1".repeat(50))).collect();
    assert_eq!(event_codes("max(x11)", &format!(" let x0 = n {chained}")), [Code::LimitExceeded]);
}

#[test]
fn large_files_tokens_and_literals_are_refused() {
    assert_eq!(codes(&" ".repeat(256 * 1024 + 1)), [Code::LimitExceeded]);
    assert_eq!(codes(&"a ".repeat(60_000)), [Code::LimitExceeded]);
    let text = format!("source s {{ at: timestamp time  x: string = \"{}\" }}", "x".repeat(70_000));
    assert_eq!(codes(&text), [Code::LimitExceeded]);
    let fields: String = (0..300).map(|index| format!(" f{index}: int")).collect();
    assert_eq!(codes(&format!("source s {{ at: timestamp time {fields} }}")), [Code::LimitExceeded]);
    let metrics: String =
        (0..300).map(|index| format!("metric m{index} = count() {{ from events }}\n")).collect();
    assert!(codes(&format!("{EVENTS}{metrics}")).contains(&Code::LimitExceeded));
}

#[test]
fn numbers_of_any_size_are_answered() {
    let huge = "9".repeat(60_000);
    assert_eq!(event_codes("count()", &format!("where n == {huge}")), [Code::NumberLiteral]);
    assert_eq!(event_codes("count()", "where n == 1e999999"), [Code::NumberLiteral]);
    assert_eq!(event_codes("count()", &format!("where took > {}h", "9".repeat(30))), [Code::NumberLiteral]);
}

#[test]
fn a_file_that_is_not_utf8_is_named_with_its_place() {
    let file = file(b"source s { at: timestamp time }\n// \xff\xfe\n".to_vec());
    let checked = check(&file);
    assert_eq!(checked.diagnostics[0].code, Code::UnreadableText);
    let text = render::short(&checked.diagnostics, &file);
    assert_eq!(text, "example.metric:2:4: error[M0001]: the file is not UTF-8 (save the file as UTF-8)\n");
    assert!(!render::full(&checked.diagnostics, &file, true, 80).is_empty());
}

#[test]
fn control_characters_are_refused_everywhere() {
    for hidden in ['\0', '\u{202E}', '\u{2066}', '\u{7f}', '\u{200F}'] {
        let comment = format!("{EVENTS} // {hidden}\n");
        assert!(codes(&comment).contains(&Code::UnreadableText), "{hidden:?}");
        let text = over_events("count()", &format!("where name == \"{hidden}\""));
        assert!(codes(&text).contains(&Code::UnreadableText), "{hidden:?}");
    }
}

#[test]
fn a_byte_order_mark_and_foreign_line_ends_do_no_harm() {
    let text = format!("\u{FEFF}{}", over_events("count()", "every day in india").replace('\n', "\r\n"));
    assert_eq!(rendered(&text), "");
}

#[test]
fn a_file_full_of_mistakes_is_answered() {
    let values: Vec<String> = (0..600).map(|index| format!("\"value{index}\"")).collect();
    let wrong: Vec<String> = (0..6_000).map(|index| format!("\"valeu{index}\"")).collect();
    let text = format!(
        "source s {{ at: timestamp time  e: enum({}) }}\nmetric m = distinct(e) {{ from s  where e in ({}) }}\n",
        values.join(", "),
        wrong.join(", ")
    );
    assert_eq!(codes(&text).len(), 200);
    let zones: String =
        (0..3_000).map(|index| format!("calendar c{index} {{ zone \"Europe/Berln{index}\" }}\n")).collect();
    assert_eq!(codes(&zones).len(), 200);
}

#[test]
fn many_findings_are_cut_and_counted() {
    let metrics: String =
        (0..250).map(|index| format!("metric m{index} = nope() {{ from events }}\n")).collect();
    let checked = super::checked(&format!("{EVENTS}{metrics}"));
    assert_eq!(checked.diagnostics.len(), 200);
    assert!(checked.has_errors());
    let notes = &checked.diagnostics.last().expect("a finding").notes;
    assert_eq!(notes, &["50 more diagnostics are not shown"]);
}
