//! Texts, and the hash.

use metricc_ir::{Func, Kind, Type, Value};

use super::harness::{NONE, apply, bool, check, date, dec, decimal, float, int, list, text};

const TEXT: [Kind; 1] = [Kind::String];
const TEXTS: [Kind; 2] = [Kind::String, Kind::String];

#[test]
fn c61_case_follows_unicode_without_a_locale() {
    check(
        &Func::Upper,
        &TEXT,
        &Kind::String,
        &[
            (&[text("ß")], text("SS")),
            (&[text("straße i")], text("STRASSE I")),
            (&[text("ﬁ")], text("FI")),
            (&[text("")], text("")),
            (&[NONE], NONE),
        ],
    );
    check(
        &Func::Lower,
        &TEXT,
        &Kind::String,
        &[
            (&[text("İ")], text("i\u{307}")),
            (&[text("ΟΔΥΣΣΕΥΣ")], text("οδυσσευς")),
            (&[text("ΑΣ Σ")], text("ας σ")),
            (&[text("I")], text("i")),
            (&[NONE], NONE),
        ],
    );
    // Only ASCII: changed in place.
    check(
        &Func::Upper,
        &TEXT,
        &Kind::String,
        &[
            (&[text("abc")], text("ABC")),
            (&[text("")], text("")),
            (&[NONE], NONE),
            (&[text("x1z")], text("X1Z")),
            (&[text("[`{@")], text("[`{@")),
        ],
    );
    check(&Func::Lower, &TEXT, &Kind::String, &[(&[text("ABC")], text("abc")), (&[text("Zz")], text("zz"))]);
}

#[test]
fn c64_trim_takes_unicode_white_space_from_both_ends() {
    check(
        &Func::Trim,
        &TEXT,
        &Kind::String,
        &[
            (&[text("\u{a0} a b\u{3000}\t\n")], text("a b")),
            (&[text("\u{200b}a")], text("\u{200b}a")),
            (&[text(" ")], text("")),
            (&[text("")], text("")),
            (&[NONE], NONE),
        ],
    );
}

#[test]
fn c62_starts_and_ends_know_no_wildcards() {
    check(
        &Func::StartsWith,
        &TEXTS,
        &Kind::Bool,
        &[
            (&[text("abc"), text("a_")], bool(false)),
            (&[text("a_c"), text("a_")], bool(true)),
            (&[text("a%c"), text("a%")], bool(true)),
            (&[text("abc"), text("a%")], bool(false)),
            (&[text("a\\b"), text("a\\")], bool(true)),
            (&[text("abc"), text("")], bool(true)),
            (&[text(""), text("a")], bool(false)),
        ],
    );
    check(
        &Func::EndsWith,
        &TEXTS,
        &Kind::Bool,
        &[
            (&[text("abc"), text("_c")], bool(false)),
            (&[text("a_c"), text("_c")], bool(true)),
            (&[text("e\u{301}"), text("\u{301}")], bool(true)),
            (&[text("é"), text("\u{301}")], bool(false)),
        ],
    );
    check(
        &Func::Contains,
        &TEXTS,
        &Kind::Bool,
        &[
            (&[text("a%b"), text("%")], bool(true)),
            (&[text("ab"), text("%")], bool(false)),
            (&[text("a\\_b"), text("\\_")], bool(true)),
            (&[text("ab"), text("")], bool(true)),
            (&[NONE, text("")], bool(false)),
            (&[text("ab"), NONE], bool(false)),
        ],
    );
}

#[test]
fn c63_anchors_hold_at_both_ends_of_the_text() {
    let table = |pattern: &str, matching: &[&str], others: &[&str]| {
        let rows =
            matching.iter().map(|value| (value, true)).chain(others.iter().map(|value| (value, false)));
        let rows: Vec<(Vec<Value>, Value)> =
            rows.map(|(value, found)| (vec![text(value)], bool(found))).collect();
        let rows: Vec<(&[Value], Value)> =
            rows.iter().map(|(args, found)| (args.as_slice(), found.clone())).collect();
        check(&Func::Matches(pattern.to_owned()), &TEXT, &Kind::Bool, &rows);
    };
    table("^abc$", &["abc"], &["abcd", "xabc", "", "abc\n", "a long text that is no inline view: abc"]);
    table("^a", &["a", "abc"], &["ba", "b\na"]);
    table("b$", &["ab"], &["ab\n", "ba"]);
    table("", &["", "x"], &[]);
    table("^\\w$", &["é", "ß"], &["e\u{301}x", "-"]);
}

#[test]
fn c64_parts_of_texts_are_counted_in_characters_and_clamped() {
    check(
        &Func::Substr,
        &[Kind::String, Kind::Int, Kind::Int],
        &Kind::String,
        &[
            (&[text("hello"), int(1), int(3)], text("ell")),
            (&[text("hello"), int(-2), int(3)], text("hel")),
            (&[text("hello"), int(4), int(99)], text("o")),
            (&[text("hello"), int(5), int(1)], text("")),
            (&[text("hello"), int(99), int(1)], text("")),
            (&[text("hello"), int(0), int(0)], text("")),
            (&[text("hello"), int(0), int(-1)], text("")),
            (&[text("hello"), int(i64::MAX), int(i64::MAX)], text("")),
            (&[text("hello"), int(i64::MIN), int(i64::MAX)], text("hello")),
            (&[text("héllo wörld"), int(1), int(8)], text("éllo wör")),
            (&[text("日本語"), int(2), int(1)], text("語")),
            (&[text("日本語"), int(1), int(0)], text("")),
            (&[text("日本語"), int(3), int(i64::MAX)], text("")),
            (&[text("日本語"), int(0), int(3)], text("日本語")),
            (&[text("e\u{301}"), int(0), int(1)], text("e")),
            (&[NONE, int(0), int(1)], NONE),
            (&[text("a"), NONE, int(1)], NONE),
            (&[text("a"), int(0), NONE], NONE),
        ],
    );
    check(
        &Func::Length,
        &TEXT,
        &Kind::Int,
        &[
            (&[text("")], int(0)),
            (&[text("hello")], int(5)),
            (&[text("日本語")], int(3)),
            (&[text("e\u{301}")], int(2)),
            (&[text("\0")], int(1)),
            (&[NONE], NONE),
        ],
    );
}

#[test]
fn split_keeps_empty_parts() {
    let parts = Kind::List(Box::new(Type::of(Kind::String)));
    check(
        &Func::Split,
        &TEXTS,
        &parts,
        &[
            (&[text("a,b,,c"), text(",")], list(&[text("a"), text("b"), text(""), text("c")])),
            (&[text(""), text(",")], list(&[text("")])),
            (&[text(","), text(",")], list(&[text(""), text("")])),
            (&[text("aaa"), text("aa")], list(&[text(""), text("a")])),
            (&[text("a→b"), text("→")], list(&[text("a"), text("b")])),
            (&[NONE, text(",")], NONE),
            (&[text("a"), NONE], NONE),
        ],
    );
}

#[test]
fn concat_joins_and_none_gives_none() {
    check(
        &Func::Concat,
        &[Kind::String, Kind::String, Kind::String],
        &Kind::String,
        &[
            (&[text("a"), text(""), text("ß")], text("aß")),
            (&[text(""), text(""), text("")], text("")),
            (&[text("a"), NONE, text("b")], NONE),
        ],
    );
}

#[test]
fn an_enum_is_named_by_its_text() {
    let kind = Kind::Enum(["captured".to_owned(), "".to_owned(), "ß".to_owned()].into());
    check(
        &Func::Text,
        &[kind],
        &Kind::String,
        &[
            (&[Value::Enum(0)], text("captured")),
            (&[Value::Enum(1)], text("")),
            (&[Value::Enum(2)], text("ß")),
            (&[NONE], NONE),
        ],
    );
}

/// XXH3-64 of the documented bytes.
fn hashed(bytes: &[u8]) -> Value {
    int(metricc_algebra::hash64(bytes).cast_signed())
}

#[test]
fn c71_a_hash_is_of_the_documented_bytes() {
    let of = |kind: Kind, value: Value, bytes: &[u8]| {
        check(
            &Func::Hash64,
            &[kind],
            &Kind::Int,
            &[(&[value], hashed(bytes)), (&[NONE], hashed(&[0, 0, 0, 0, 0]))],
        );
    };
    of(Kind::Bool, bool(true), &[1, 1, 0, 0, 0, 1]);
    of(Kind::Int, int(-2), &[2, 8, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255]);
    of(Kind::Int128, dec(1), &[3, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    of(decimal(9, 2), dec(1), &[4, 17, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    of(Kind::Float, float(1.0), &[5, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 63]);
    of(Kind::String, text("ß"), &[6, 2, 0, 0, 0, 195, 159]);
    of(Kind::Enum(["a".to_owned(), "b".to_owned()].into()), Value::Enum(1), &[7, 1, 0, 0, 0, 98]);
    of(Kind::Date, date("1969-12-31"), &[8, 4, 0, 0, 0, 255, 255, 255, 255]);
    of(Kind::Timestamp, Value::Timestamp(1), &[9, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    of(Kind::Duration, Value::Duration(1), &[10, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_hash_is_fixed_for_ever() {
    let hashes = apply(&Func::Hash64, &[Kind::String, Kind::Int], &Kind::Int, &[vec![text("a"), int(1)]]);
    assert_eq!(hashes, [hashed(&[6, 1, 0, 0, 0, 97, 2, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0])]);
}

#[test]
fn neighbours_in_a_hash_cannot_be_mistaken_for_each_other() {
    let rows = [vec![text("ab"), text("c")], vec![text("a"), text("bc")], vec![text("abc"), text("")]];
    let hashes = apply(&Func::Hash64, &TEXTS, &Kind::Int, &rows);
    assert!(hashes[0] != hashes[1] && hashes[1] != hashes[2] && hashes[0] != hashes[2]);
}
