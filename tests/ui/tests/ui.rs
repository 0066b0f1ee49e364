//! Each file in `cases/` has a mistake, and beside it what the compiler says. `TRYBUILD=overwrite` accepts what it says now.

#[test]
fn mistakes_are_shown_on_their_token_with_the_way_out() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("cases/*.rs");
}
