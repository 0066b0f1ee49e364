//! The phrase book: what people write who come from another language, and what they are told. Each phrase is
//! a snapshot of its own, of the text and the diagnostic.

use metricc_dsl::{Code, ITEMS, OPERATORS, VALUES, phrases, render};
use metricc_ir::functions::{AGGREGATES, FOREIGN, SCALARS, UNLAWFUL};

use super::{EVENTS, checked, codes, event_codes, file, over_events, rendered};

/// An example after [`EVENTS`], which it need not use.
fn with_events(example: &str) -> String {
    match example.starts_with("source") {
        true => example.to_owned(),
        false => format!("{EVENTS}metric used = count() {{ from events every day in india }}\n{example}"),
    }
}

/// `count(*)` → `count`, `a ? b : c` → `a_b_c`.
fn file_name(phrase: &str) -> String {
    let words = phrase.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let name = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_");
    match phrase {
        "=" => "equals".to_owned(),
        "**" => "power".to_owned(),
        "count(*)" => "count_star".to_owned(),
        _ => name,
    }
}

#[test]
fn every_phrase_is_answered_as_reviewed() {
    for phrase in phrases() {
        let text = with_events(phrase.example);
        assert_eq!(codes(&text), [Code::ForeignSpelling], "{}: {}", phrase.name, rendered(&text));
        let message = &checked(&text).diagnostics[0].message;
        assert!(message.starts_with(&format!("`{}`", phrase.name)), "{}: {message}", phrase.name);
        let help = &checked(&text).diagnostics[0].help[0];
        assert!(!help.contains("{A}") && !help.contains("{B}"), "{}: {help}", phrase.name);
        let name = format!("phrase__{}", file_name(phrase.name));
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, rendered(&text));
        });
    }
}

/// One line for each text: the text, and what is said of it.
fn said<'a>(texts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut all = String::new();
    for (shown, text) in texts {
        let file = file(text.as_str());
        let found = checked(&text).diagnostics;
        let first = render::short(&found[..1], &file);
        let behind = first.split_once(": ").map_or("", |(_, behind)| behind);
        all.push_str(&format!("{shown}\n  {behind}"));
    }
    all
}

#[test]
fn every_foreign_function_is_answered_as_reviewed() {
    let called = |name: &'static str| (name, over_events(&format!("{name}(n)"), ""));
    let aliases = SCALARS.iter().map(|spec| spec.aliases).chain(AGGREGATES.iter().map(|spec| spec.aliases));
    let names =
        FOREIGN.iter().map(|row| row.names).chain(UNLAWFUL.iter().map(|row| row.names)).chain(aliases);
    for name in names.flatten().filter(|name| **name != "every") {
        let codes = event_codes(&format!("{name}(n)"), "");
        assert!(matches!(codes[..], [Code::UnknownFunction | Code::NoLawfulState]), "{name}: {codes:?}");
    }
    insta::assert_snapshot!(said(FOREIGN.iter().map(|row| called(row.names[0]))));
}

#[test]
fn operators_values_and_items_of_other_languages_are_answered_as_reviewed() {
    let operators = OPERATORS.iter().flat_map(|row| row.words);
    let operators =
        operators.map(|word| (*word, over_events("count()", &format!("where flag {word} unsure"))));
    let values = VALUES.iter().flat_map(|row| row.words);
    let values = values.map(|word| (*word, over_events("count()", &format!("where maybe == {word}"))));
    let items = ITEMS.iter().flat_map(|row| row.words);
    let items = items.map(|word| (*word, format!("{word} sum(x) from events\n")));
    insta::assert_snapshot!(said(operators.chain(values).chain(items)));
}

#[test]
fn spellings_that_are_no_phrases_are_answered_as_reviewed() {
    let clauses = |clauses: &str| over_events("count()", clauses);
    let all = [
        ("text in single quotes", clauses("where name == 'a'")),
        ("-- comment", clauses("-- all of them, don't ask\n where flag")),
        ("-- comment first", "-- all of them\nsource s { at: timestamp time }".to_owned()),
        ("# comment", clauses("# all of them, don't ask\n where flag")),
        ("/* comment */", clauses("/* all of them,\n don't ask */ where flag")),
        ("WHERE", clauses("WHERE flag")),
        ("AND", clauses("where flag AND flag")),
        ("in [ ]", clauses("where n in [1, 2]")),
        ("an unknown clause", clauses("shuffle flag")),
        ("an unknown function", clauses("where frobnicate(n) > 1")),
        ("functions that are near", clauses("where start_with(name, \"a\")")),
        ("a function in capitals", over_events("SUM(n)", "")),
    ];
    insta::assert_snapshot!(said(all.iter().map(|(name, text)| (*name, text.clone()))));
}

/// The rows of the book: what is written elsewhere, what to write here.
fn table_of_the_book() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let row = |elsewhere: &str, here: &str| format!("| {} | {} |\n", cell(elsewhere), cell(here));
    let words = |words: &[&str]| words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", ");
    let phrases = phrases().map(|phrase| row(&code(phrase.name), &open(phrase.help)));
    let single = OPERATORS.iter().chain(VALUES).chain(ITEMS);
    let single = single.map(|foreign| row(&words(foreign.words), foreign.help));
    let others = [("'text'", "`\"text\"`"), ("-- comment", "`// comment`"), ("# comment", "`// comment`")];
    let others = others.into_iter().chain([("/* comment */", "`// comment`")]);
    let others = others.map(|(elsewhere, here)| row(&code(elsewhere), here));
    let rows: String = phrases.chain(others).chain(single).collect();
    format!("| elsewhere | here |\n|---|---|\n{rows}")
}

fn code(text: &str) -> String {
    if text == "`" { "`` ` ``".to_owned() } else { format!("`{text}`") }
}

/// A help without what it repeats of a text: `{A}` → `x`.
fn open(help: &str) -> String {
    let names = [("{A}", "x"), ("{B}", "a"), ("{C}", "b"), ("{N}", "f"), ("{S}", "`\"…\"`")];
    names.iter().fold(help.to_owned(), |help, (letter, name)| help.replace(letter, name))
}

#[test]
fn the_chapter_has_the_phrase_book() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/language/from-sql.md");
    let text = std::fs::read_to_string(path).expect("the chapter is there");
    let (begin, end) = ("<!-- phrases: written by dsl/tests/it/phrases.rs -->\n", "<!-- end of phrases -->");
    let (before, rest) = text.split_once(begin).expect("the begin marker");
    let (found, after) = rest.split_once(end).expect("the end marker");
    let table = table_of_the_book();
    if std::env::var_os("METRICC_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(path, format!("{before}{begin}\n{table}\n{end}{after}")).expect("it is written");
        return;
    }
    assert_eq!(found.trim(), table.trim(), "run this test with METRICC_BLESS=1");
}

#[test]
fn two_phrases_of_an_item_are_both_reported_and_a_sound_item_has_none() {
    let text = over_events("count(*)", "where maybe is null and n between 1 and 5");
    let found = checked(&text).diagnostics;
    let of_the_metric = |found: &&metricc_dsl::Diagnostic| found.code == Code::ForeignSpelling;
    assert_eq!(found.iter().filter(of_the_metric).count(), 3, "{}", rendered(&text));
    // The words of phrases are names elsewhere.
    let text = "source s { id: int key  at: timestamp time  order: int  by_order: int  limit: int  having: int  like: int  is: int }
        metric m = { a: sum(order), b: sum(limit), c: max(having), d: max(like), e: max(is), f: max(by_order) } {
          from s
          where limit > order
          by having as like, limit as is
        }";
    assert_eq!(rendered(text), "");
}

#[test]
fn mistakes_of_a_first_day_are_answered_as_reviewed() {
    let daily = "metric busy = count() { from events  every day in india }\n";
    let all = [
        ("an aggregate of a metric", format!("{EVENTS}{daily}metric l = max(busy)\n")),
        (
            "an aggregate of a metric, in a sum",
            format!("{EVENTS}{daily}metric l = 1 + mean(busy) {{ every month in india }}\n"),
        ),
        ("a field with its source", over_events("count()", "by events.name as name")),
        ("a large exponent", over_events("count()", "where ratio > 1e400")),
        ("a negative exponent", over_events("count()", "where ratio > 1e-3")),
        ("a hexadecimal number", over_events("count()", "where n == 0x1F")),
        ("minutes", over_events("count()", "where took > 5min")),
        ("months", over_events("count()", "where took > 2months")),
        ("a surrogate", over_events("count()", "where name == \"\\u{D800}\"")),
        ("an escape of JSON", over_events("count()", "where name == \"\\u00e9\"")),
        ("an escape with too many digits", over_events("count()", "where name == \"\\u{0001F600}\"")),
        ("another escape", over_events("count()", "where name == \"\\d+\"")),
        ("a negative scale", "source s { at: timestamp time  x: decimal(38, -1) }".to_owned()),
        ("three sizes", "source s { at: timestamp time  x: decimal(10, 2, 1) }".to_owned()),
        ("one size", "source s { at: timestamp time  x: decimal(10) }".to_owned()),
        ("no sizes", "source s { at: timestamp time  x: decimal }".to_owned()),
        ("too many digits", "source s { at: timestamp time  x: decimal(300, 2) }".to_owned()),
        (
            "more digits after the point than there are",
            "source s { at: timestamp time  x: decimal(2, 3) }".to_owned(),
        ),
    ];
    insta::assert_snapshot!(said(all.iter().map(|(name, text)| (*name, text.clone()))));
}

#[test]
fn what_a_help_repeats_is_spelled_as_the_language_spells_it() {
    let help = |aggregate: &str| checked(&over_events(aggregate, "")).diagnostics[0].help[0].clone();
    assert_eq!(help("sum(case when name = 'a' then n else 0 end)"), "write `if name == \"a\" then n else 0`");
    assert_eq!(
        help("sum(case when name <> 'say \"a\"' then n else 0 end)"),
        "write `if name != \"say \\\"a\\\"\" then n else 0`"
    );
}

#[test]
fn the_date_of_a_date_is_itself() {
    assert_eq!(event_codes("count()", "by date(day_of) as on_day"), []);
    assert_eq!(event_codes("count()", "where date(day_of) in india == \"2026-04-25\""), []);
    assert_eq!(event_codes("count()", "where date(n) == \"2026-04-25\""), [Code::TypeMismatch]);
}

#[test]
fn minus_signs_before_an_operand_are_no_comment() {
    assert_eq!(event_codes("sum(n --1)", ""), []);
    assert_eq!(event_codes("sum(n - -1)", ""), []);
    assert_eq!(event_codes("sum(n -- 1\n)", ""), [Code::ForeignSpelling]);
}

#[test]
fn an_invisible_character_is_named_by_its_code_point() {
    for (character, message, label, help) in [
        ('\u{A0}', "U+00A0 no-break space between words", "it looks like a space", "write a plain space"),
        (
            '\u{3000}',
            "U+3000 ideographic space between words",
            "it looks like a space",
            "write a plain space",
        ),
        ('\u{200D}', "U+200D zero width joiner has no meaning here", "it is invisible", "remove it"),
        ('\u{FEFF}', "U+FEFF byte order mark has no meaning here", "it is invisible", "remove it"),
        ('\u{301}', "U+0301 has no meaning here", "it is invisible", "remove it"),
        ('£', "`£` has no meaning here", "U+00A3", "remove it, or put it in quotes"),
    ] {
        let text = over_events("count()", &format!("where {character} flag"));
        let found = &checked(&text).diagnostics[0];
        assert_eq!(found.code, Code::UnreadableText);
        let said = (found.message.as_str(), found.labels[0].text.as_str(), found.help[0].as_str());
        assert_eq!(said, (message, label, help));
    }
    // It is no letter of a name either, and before the first byte it is none at all.
    assert_eq!(event_codes("sum(n\u{200D})", ""), [Code::UnreadableText]);
    assert_eq!(codes(&format!("\u{FEFF}{}", with_events(""))), []);
}
