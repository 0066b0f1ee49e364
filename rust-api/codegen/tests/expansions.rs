//! What the macros expand to, as it would be written by hand.

use std::path::Path;

use metricc_codegen::{
    derive_event, derive_state, derive_table, event_stage, metric, metric_stage, metrics, monoid, scalar,
    table_stage,
};
use proc_macro2::TokenStream;

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

fn pretty(expansion: &TokenStream) -> String {
    let file = syn::parse2(expansion.clone()).unwrap_or_else(|error| panic!("{error}: {expansion}"));
    prettyplease::unparse(&file)
}

const VISIT: &str = r#"
/// A page view.
#[event(name = "visits")]
pub struct Visit {
    /// Of the session.
    #[event(key)]
    id: String,
    #[event(time)]
    at: Timestamp,
    #[event(default = "web")]
    shop: Option<String>,
    tags: Vec<String>,
}
"#;

/// The definition that a derive left after, in the form in which it calls back.
const VISITS: &str = r#"{ event Visit "visits" "source visits {\n  id: string key\n  at: timestamp time\n  kind: enum(\"human\", \"bot\")\n  spent: float\n}\n"
    (id = "id", at = "at", kind = "kind", spent = "spent") (enum Kind (Human = "human", Bot = "bot")) }"#;

#[test]
fn a_struct() {
    insta::assert_snapshot!(pretty(&derive_event(tokens(VISIT), "here")));
}

#[test]
fn an_enum() {
    let text = r#"pub(crate) enum Kind { Human, #[event(rename = "robot")] Bot }"#;
    insta::assert_snapshot!(pretty(&derive_event(tokens(text), "here")));
}

#[test]
fn a_struct_asks_its_enums_what_they_are() {
    let text = "struct Visit { #[event(time)] at: Timestamp, kind: events::Kind }";
    insta::assert_snapshot!("asks", pretty(&derive_event(tokens(text), "here")));
    let answer = format!(r#"{{ enum Kind (Human = "human", Bot = "bot") }} {text}"#);
    insta::assert_snapshot!("is_answered", pretty(&event_stage(tokens(&answer), "here")));
}

#[test]
fn a_function() {
    let function = r#"/// Time that people spent.
pub fn spent(visits: Events<Visit>) -> Metric {
    visits
        .filter(|v| matches!(v.kind, Kind::Human))
        .key_by(|v| Key { hour: v.at.hour_in("Europe/London") })
        .every(24h)
        .aggregate(|e| Value { total: e.sum(|v| v.spent), p95: e.p95(|v| v.spent).within(0.01) })
}"#;
    insta::assert_snapshot!("asks_its_event", pretty(&metric(&tokens(""), &tokens(function), "here")));
    insta::assert_snapshot!(
        "function",
        pretty(&metric_stage(tokens(&format!("{VISITS} () {function}")), "here"))
    );
}

#[test]
fn the_path_of_the_crate_can_be_another() {
    let function = "fn n(visits: Events<Visit>) -> Metric { visits.count() }";
    let expansion =
        pretty(&metric_stage(tokens(&format!("{VISITS} (crate = crate::engine) {function}")), "here"));
    assert!(expansion.contains("crate::engine::Metric") && !expansion.contains("::metricc"), "{expansion}");
    let text = format!("#[event(crate = renamed)] {VISIT}");
    let expansion = pretty(&derive_event(tokens(&text), "here"));
    assert!(expansion.contains("renamed::Event") && !expansion.contains("metricc::"), "{expansion}");
}

#[test]
fn a_file() {
    let caller = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansions.rs");
    let expansion = pretty(&metrics(tokens(r#""fixtures/visits.metric""#), Some(&caller)));
    insta::assert_snapshot!(expansion.replace(env!("CARGO_MANIFEST_DIR"), "CRATE"));
}

/// Whatever the tokens are, there is an answer.
#[test]
fn nothing_panics() {
    let odd = [
        "",
        "fn",
        "fn f() {}",
        "struct",
        "struct S;",
        "enum E {}",
        "{ }",
        "{ event } () fn f() {}",
        "1 2 3",
        "async",
        "fn f(x: Events<>) -> Metric { x }",
        "fn f(x: Events<A<B>>) -> Metric { x.a().b() }",
        "() ()",
        "union U { a: u8 }",
        "struct S { #[event] a: i64, #[event = 3] b: i64, #[event(decimal())] c: Decimal }",
        "fn f(v: Events<Visit>) -> Metric { v.aggregate(|e| e.within(1).within(2)).unit().every() }",
        "fn f(v: Events<Visit>) -> Metric { v.key_by(|()| ()).map(|(a, b)| (a, (b, v))).sum(|&[x]| x.0.0) }",
        "fn f(v: Events<Visit>) -> Metric { v.filter(|v| matches!(v)).filter(|v| dec!()).filter(|| true).count() }",
        "fn f(v: Events<Visit>) -> Metric { v.lookup::<A>(|v| v).lookup::<B<C>, D>(1).lookup(|(a, b)| b.c).count() }",
        "fn f(a: Metric, b: Metric) -> Metric { a.offset() / b.offset(days()).x.key_by(|k| ()).every().unit() }",
        "fn f(a: Metric, a: Metric) -> Metric { Value { x: a.offset(days(a)), ..b }.key_by(|k| k).every(day()) }",
        "{ metric \"a\" \"\" () 3 } () fn f(a: Metric) -> Metric { a }",
        "{ table A \"a\" \"\" \"\" () () } () fn f(a: Metric) -> Metric { a }",
        "fn f(v: Events<Visit>) -> Metric { { v }.quantile(|v| { let (a, b) = v; a; v.spent = 3 }, 0.5).within() }",
    ];
    for text in odd {
        let _ = derive_event(tokens(text), "here");
        let _ = event_stage(tokens(text), "here");
        let _ = metric(&tokens(text), &tokens(text), "here");
        let _ = metric_stage(tokens(text), "here");
        let _ = metric_stage(tokens(&format!("{VISITS} () {text}")), "here");
        let _ = metrics(tokens(text), None);
        let _ = derive_table(tokens(text), "here", None);
        let _ = table_stage(tokens(text), "here", None);
    }
}

#[test]
fn a_user_defined_function() {
    let function = "/// Of the earth.\npub(crate) fn miles(km: f64, late: Option<bool>) -> f64 { km / 1.6 }";
    insta::assert_snapshot!(pretty(&scalar(tokens("version = 2"), &tokens(function), "here")));
}

#[test]
fn a_user_defined_aggregate() {
    let implementation = r#"impl Monoid for Drivers {
    type Input = (String, i64);
    type State = Seen;
    type Output = i64;
    const NAME: &'static str = "drivers";
}"#;
    insta::assert_snapshot!(pretty(&monoid(tokens("pub"), &tokens(implementation), "here")));
}

#[test]
fn a_user_defined_state() {
    let product = "#[state(crate = other)] struct Seen { trips: Sum, drivers: Bits<16> }";
    insta::assert_snapshot!(pretty(&derive_state(tokens(product))));
}

#[test]
fn a_table() {
    let shop = "#[table(name = \"shops\", file = \"tests/fixtures/shops.csv\")]
        struct Shop { #[table(key)] id: i64, city: String, opened: Option<Date> }";
    // Without the path of the checkout, whose length would decide where lines are broken.
    let expansion = derive_table(tokens(shop), "here", None).to_string();
    insta::assert_snapshot!(pretty(&tokens(&expansion.replace(env!("CARGO_MANIFEST_DIR"), "FOLDER"))));
}

#[test]
fn a_function_over_metrics() {
    let function = "/// Share.\npub(crate) fn share(spent: Metric, all: Metric) -> Metric { (spent / all).unit(\"percent\") }";
    let first = metric(&tokens(""), &tokens(function), "here");
    insta::assert_snapshot!("asks_its_first_metric", first.to_string());
    let package = |name: &str| {
        let text = format!(
            "source visits {{ id: int key  at: timestamp time }} metric {name} = count() {{ from visits }}"
        );
        format!("{{ metric {name:?} {text:?} () 2 }}")
    };
    let known = format!("{} {}", package("all"), package("spent"));
    insta::assert_snapshot!(
        "over_metrics",
        pretty(&metric_stage(tokens(&format!("{known} () {function}")), "here"))
    );
}

#[test]
fn a_function_with_imports() {
    let function = r#"fn far(visits: Events<Visit>) -> Metric {
    visits.filter(|v| geo::miles(v.spent, None) > 5.0).user_defined(Drivers, |v| (v.id, 1))
}"#;
    let arguments = "(import(geo::miles, Drivers))";
    let first = metric_stage(tokens(&format!("{VISITS} {arguments} {function}")), "here");
    insta::assert_snapshot!("asks_the_first_import", first.to_string());
    let known = r#"{ import Drivers "drivers" true "import aggregate drivers(string, int): int version 1\n" }
        { import miles "miles" false "import function miles(float, bool?): float version 1\n" }"#;
    let expansion = metric_stage(tokens(&format!("{known} {VISITS} {arguments} {function}")), "here");
    insta::assert_snapshot!("uses_its_imports", pretty(&expansion));
}
