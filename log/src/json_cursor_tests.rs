use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn accepts(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.skip(0).and_then(|()| cursor.end()).is_ok()
}

/// Texts that are JSON or nearly so.
fn nearly_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| value.to_string()),
        "-?[0-9]{1,3}(\\.[0-9]{0,3})?([eE][-+]?[0-9]{0,3})?",
        "\"([a-zé\u{1F600} ]|\\\\[\"\\\\/bfnrtux]|\\\\u[0-9a-fA-F]{3,4}|\\\\ud8[0-9a-f]{2}\\\\udc[0-9a-f]{2}){0,6}\"",
    ];
    let tree = leaf.prop_recursive(4, 32, 5, |inner| {
        let key = prop_oneof!["\"[a-d]\"", Just("\"\\u0061\"".to_owned())];
        let members = prop::collection::vec((key, inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(", "))),
            members.prop_map(|members| {
                let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
                format!("{{{}}}", members.join(" ,"))
            }),
        ]
    });
    // One change by one character, or none.
    let change = prop::option::of((any::<prop::sample::Index>(), "[\\]\\[{}:,\"\\\\0-9a-z \u{1}-]?"));
    (tree, change).prop_map(|(text, change)| match change {
        None => text,
        Some((index, insert)) => {
            let mut chars: Vec<char> = text.chars().collect();
            let at = index.index(chars.len());
            chars.splice(at..=at, insert.chars());
            chars.into_iter().collect()
        }
    })
}

/// Whether serde_json takes the text too, as far as numbers go without turning them into floats.
fn oracle(text: &str) -> bool {
    fn check(raw: &RawValue) -> bool {
        match raw.get().as_bytes()[0] {
            b'"' => serde_json::from_str::<String>(raw.get()).is_ok(),
            b'[' => serde_json::from_str::<Vec<&RawValue>>(raw.get())
                .is_ok_and(|all| all.iter().all(|raw| check(raw))),
            b'{' => Members::read(raw.get()).is_some_and(|members| {
                let keys: HashSet<_> = members.iter().map(|(key, _)| key).collect();
                keys.len() == members.len() && members.iter().all(|(_, raw)| check(raw))
            }),
            _ => true,
        }
    }
    serde_json::from_str::<&RawValue>(text).is_ok_and(check)
}

/// The members of an object, with keys that occur twice.
struct Members;

impl Members {
    fn read(text: &str) -> Option<Vec<(String, Box<RawValue>)>> {
        // A map keeps the last of two equal keys, so each key is made different by its place first.
        let mut cursor = Cursor::new(text);
        let (mut first, mut members) = (true, Vec::new());
        cursor.begin_object(1).ok()?;
        while cursor.next_member(&mut first).ok()? {
            let start = cursor.at();
            cursor.string().ok()?;
            let key = serde_json::from_str(cursor.since(start)).ok()?;
            cursor.expect(b':', "").ok()?;
            cursor.peek();
            let start = cursor.at();
            cursor.skip(1).ok()?;
            members.push((key, serde_json::from_str(cursor.since(start)).ok()?));
        }
        Some(members)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_cursor_takes_what_serde_json_takes(text in nearly_json()) {
        prop_assert_eq!(accepts(&text), oracle(&text), "{}", text);
    }

    #[test]
    fn strings_read_as_serde_json_reads_them(
        text in "\"([a-zé\u{1F600}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-f]{4}|\\\\ud8[0-9a-f]{2}\\\\udc[0-9a-f]{2}){0,8}\""
    ) {
        let mut scratch = String::new();
        let read = Cursor::new(&text).text(&mut scratch).ok().map(str::to_owned);
        prop_assert_eq!(read, serde_json::from_str::<String>(&text).ok());
    }

    #[test]
    fn no_text_makes_the_cursor_panic(text in "[\\[\\]{}:,\"\\\\u0-9deE.+tfn -]{0,40}|\\PC{0,30}") {
        accepts(&text);
    }
}

#[test]
fn c5_keys_that_occur_twice_are_refused_at_every_depth() {
    assert!(!accepts(r#"{"a":1,"a":1}"#));
    assert!(!accepts(r#"{"a":1,"\u0061":1}"#));
    assert!(!accepts(r#"[{"a":{"b":1,"b":2}}]"#));
    let many: Vec<_> = (0..40).map(|index| format!("\"k{index}\":0")).collect();
    assert!(accepts(&format!("{{{}}}", many.join(","))));
    assert!(!accepts(&format!("{{{},\"k39\":1}}", many.join(","))));
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(accepts(&nested(MAX_DEPTH)));
    assert!(!accepts(&nested(MAX_DEPTH + 1)));
    assert!(!accepts(&"[".repeat(1_000_000)));
}

#[test]
fn every_proper_start_of_an_object_ended_too_early() {
    let text = r#" {"a" : [true, -1.5e+3, null], "é\u00e9\ud83d\ude00" : {"b":"c"}, "d": false}"#;
    assert!(accepts(text));
    for (at, _) in text.char_indices() {
        let mut cursor = Cursor::new(&text[..at]);
        let error = cursor.skip(0).unwrap_err();
        assert!(error.ended, "{} {error:?}", &text[..at]);
    }
    for text in ["{,", "{\"a\" 1", "[1 2", "{\"a\":tru ", "nul,", "[1. ]"] {
        assert!(!Cursor::new(text).skip(0).unwrap_err().ended, "{text}");
    }
}
