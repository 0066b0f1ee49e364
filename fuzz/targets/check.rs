//! A metric file of any bytes: it is checked without a panic, formatting it does not change its meaning, and
//! formatting is idempotent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use metricc_dsl::{Checked, SourceText, check, format};

fn source(bytes: &[u8]) -> SourceText {
    SourceText { name: "fuzz.metric".to_owned(), bytes: bytes.to_vec() }
}

/// The typed metrics as JSON.
fn typed(checked: &Checked) -> String {
    let package = &checked.package;
    serde_json::to_string(&(&package.metrics, &package.derived)).expect("typed metrics are JSON")
}

fuzz_target!(|bytes: &[u8]| {
    let checked = check(&source(bytes));
    let formatted = match format(&source(bytes)) {
        Ok(formatted) => formatted,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "the file is not formatted, without a reason");
            assert!(checked.has_errors(), "the file is valid and is not formatted");
            return;
        }
    };
    let again = source(formatted.as_bytes());
    assert_eq!(format(&again).ok().as_ref(), Some(&formatted), "formatting is not idempotent");
    if !checked.has_errors() {
        let checked_again = check(&again);
        assert!(!checked_again.has_errors(), "formatting makes the file invalid:\n{formatted}");
        assert_eq!(typed(&checked_again), typed(&checked), "formatting changes the meaning:\n{formatted}");
    }
});
