//! Each file in `cases/` has a mistake; the `.stderr` file beside it is what the compiler prints.
//! `TRYBUILD=overwrite` accepts the current output.

#[test]
fn mistakes_are_reported_on_their_token_with_a_fix() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("cases/*.rs");
}
