//! Derived metrics: their typed meaning, and operands that do not fit together.

use metricc_dsl::Code;
use metricc_ir::expression_text;

use super::{checked, codes};

const PACKAGE: &str = r#"
source orders { id: int key  at: timestamp time  shop: string  country: string?  amount: decimal(8, 2)  paid: bool }
calendar utc { zone "UTC" }
calendar india { zone "Asia/Kolkata" }
metric placed = count() { from orders  every day in utc }
metric revenue = sum(amount) { from orders  where paid  every day in utc }
metric monthly = count() { from orders  every month in utc }
metric weekly = count() { from orders  every week in utc }
metric hourly = count() { from orders  every 1h }
metric by_shop = sum(amount) { from orders  by shop  every 1h }
metric by_both = sum(amount) { from orders  by country, shop  every 1h }
metric turned = sum(amount) { from orders  by shop, country  every 1h }
metric latency = { mean: mean(amount), n: count() } { from orders  every day in utc }
metric total = count() { from orders }
metric sliding = count() { from orders  over last 24h step 1h }
metric indian = count() { from orders  every day in india }
metric sessions = count() { from orders  session gap 30m }
"#;

fn of(text: &str) -> Vec<Code> {
    codes(&format!("{PACKAGE}{text}"))
}

#[test]
fn metrics_of_metrics_are_put_into_each_other() {
    let text = format!(
        "{PACKAGE}
        /// Change against a week ago.
        metric growth = ticket - ticket offset 7 day
        metric ticket = revenue / placed {{ unit \"EUR\" }}
        metric twice = growth offset 1 week"
    );
    let checked = checked(&text);
    assert_eq!(checked.diagnostics, []);
    let derived = &checked.package.derived;
    let names: Vec<&str> = derived.iter().map(|derived| derived.name.as_str()).collect();
    assert_eq!(names, ["growth", "ticket", "twice"]);
    let read = |place: usize| -> Vec<(&str, i64)> {
        let operands = derived[place].operands.iter();
        operands.map(|operand| (operand.metric.name.as_str(), operand.offset)).collect()
    };
    assert_eq!(read(0), [("revenue", 0), ("placed", 0), ("revenue", 7), ("placed", 7)]);
    assert_eq!(read(1), [("revenue", 0), ("placed", 0)]);
    assert_eq!(read(2), [("revenue", 7), ("placed", 7), ("revenue", 14), ("placed", 14)]);
    assert_eq!(derived[0].doc, "Change against a week ago.");
    assert_eq!(derived[1].unit.as_deref(), Some("EUR"));
    let output = &derived[0].outputs[0].expr;
    assert_eq!(
        expression_text::expression(output, &|column| ["r", "p", "r7", "p7"][column].to_owned()),
        "r / p - r7 / p7"
    );
    assert_eq!(output.ty.to_string(), "float?");
}

#[test]
fn what_is_said_twice_and_how_it_is_named_does_not_matter() {
    let hash = |text: &str| {
        let checked = checked(&format!("{PACKAGE}{text}"));
        assert_eq!(checked.diagnostics, [], "{text}");
        checked.package.derived.last().expect("a metric").definition_hash()
    };
    assert_eq!(hash("metric a = revenue / placed"), hash("/// Why.\nmetric b = (revenue) / placed"));
    assert_eq!(
        hash("metric r = revenue / placed\nmetric a = r offset 7 day"),
        hash("metric a = revenue offset 1 week / placed offset 7 day")
    );
    assert_ne!(hash("metric a = revenue / placed"), hash("metric a = placed / revenue"));
    assert_ne!(
        hash("metric a = placed - placed offset 1 day"),
        hash("metric a = placed - placed offset 2 day")
    );
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    for (text, expected) in [
        ("metric m = monthly / placed", vec![Code::Operands]),
        ("metric m = monthly / placed { every month in utc }", vec![]),
        ("metric m = monthly / weekly { every year in utc }", vec![Code::Operands]),
        ("metric m = monthly / placed { every year in utc }", vec![]),
        ("metric m = hourly / placed { every day in utc }", vec![]),
        ("metric m = hourly { every day in india }", vec![Code::Operands]),
        ("metric m = hourly { every 24h }", vec![]),
        ("metric m = hourly { every 90m }", vec![Code::Operands]),
        ("metric m = placed { every day in india }", vec![Code::Operands]),
        ("metric m = sliding / hourly", vec![Code::Operands]),
        ("metric m = sliding { every 24h }", vec![Code::Operands]),
        ("metric m = sessions - sessions", vec![]),
        ("metric p = sum(amount) { from orders  session gap 30m }\nmetric m = sessions / p", vec![]),
        (
            "metric p = count() { from orders  where paid  session gap 30m }\nmetric m = p / sessions",
            vec![Code::Operands],
        ),
        (
            "metric p = count() { from orders  session gap 20m }\nmetric m = p / sessions",
            vec![Code::Operands],
        ),
        ("metric m = sessions { by shop }", vec![Code::Operands]),
        ("metric m = total { every 1h }", vec![Code::Operands]),
        ("metric m = by_shop / by_both", vec![Code::Operands]),
        ("metric m = by_shop / by_both { by shop }", vec![]),
        ("metric m = turned / by_both", vec![]),
        ("metric m = turned / by_both { by shop, shop }", vec![Code::DuplicateName]),
        ("metric odd = count() { from orders  every 5h }\nmetric m = odd { every day in utc }", vec![Code::Operands]),
        (
            "calendar late { zone \"UTC\", week sunday }\nmetric other = count() { from orders  every week in late }
             metric m = weekly { every week in late }",
            vec![Code::Operands],
        ),
        ("metric m = by_shop / by_both { by country }", vec![Code::Operands]),
        ("metric m = by_both { by country ?? \"\" as country }", vec![Code::KeyName]),
        ("metric m = latency / placed", vec![Code::Operands]),
        ("metric m = latency.mean / latency.n", vec![]),
        ("metric m = latency.man / placed", vec![Code::UnknownName]),
        ("metric m = placed.n / placed", vec![Code::UnknownName]),
        ("metric m = placed / placd", vec![Code::UnknownMetric]),
        ("metric m = placed { where paid }", vec![Code::MissingFrom]),
        ("metric m = placed { let x = 1  every day in utc }", vec![Code::MissingFrom]),
        ("metric m = placed { session gap 1h }", vec![Code::MissingFrom]),
        ("metric m = 1 + 2", vec![Code::MissingFrom]),
        ("metric m = placed / count()", vec![Code::NotSupported]),
        ("metric m = placed / count() { from orders  every day in utc }", vec![Code::NotSupported]),
        ("metric m = { a: placed / 2, b: revenue, a: placed }", vec![Code::DuplicateName]),
        ("metric m = { one: 1, placed: placed }", vec![Code::NoAggregate]),
        ("metric m = if placed > 0 then revenue else none", vec![]),
        ("metric m = lower(placed)", vec![Code::TypeMismatch]),
        ("metric placed = revenue", vec![Code::DuplicateName]),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn offsets_are_whole_windows() {
    for (text, expected) in [
        ("metric m = placed offset 7 day", vec![]),
        ("metric m = placed offset 2 week", vec![]),
        ("metric m = placed offset 1 month", vec![Code::Offset]),
        ("metric m = placed offset 24h", vec![Code::Offset]),
        ("metric m = placed offset 1.5 day", vec![Code::Offset]),
        ("metric m = placed offset 0 day", vec![Code::Offset]),
        ("metric m = placed offset 7 days", vec![Code::Offset]),
        ("metric m = placed offset 9000000 day", vec![Code::Offset]),
        ("metric m = monthly offset 1 year", vec![]),
        ("metric m = monthly offset 1 quarter", vec![]),
        ("metric m = weekly offset 1 year", vec![Code::Offset]),
        ("metric m = hourly offset 24h", vec![]),
        ("metric m = hourly offset 30m", vec![Code::Offset]),
        ("metric m = hourly offset 1 day", vec![Code::Offset]),
        ("metric m = sliding offset 30m", vec![Code::Offset]),
        ("metric m = sliding offset 1h", vec![]),
        ("metric m = total offset 1 day", vec![Code::Offset]),
        ("metric m = sessions offset 1h", vec![Code::Offset]),
        ("metric m = (placed + revenue) offset 1 day", vec![Code::Offset]),
        ("metric m = latency.n offset 1 day", vec![]),
        ("metric m = hourly offset 1h offset 1h", vec![Code::Offset]),
        ("metric m = placed offset 1 month { every month in utc }", vec![]),
        ("metric g = placed offset 1 day\nmetric m = g { every month in utc }", vec![Code::Operands]),
        ("metric m = sum(amount) offset 1 day { from orders }", vec![Code::Offset]),
        ("metric m = sum(latency.n) { from orders }", vec![Code::UnknownName]),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn units_are_one_where_values_meet() {
    const UNITS: &str = "metric eur = sum(amount) { from orders  unit EUR }
        metric more = max(amount) { from orders  unit EUR }
        metric usd = sum(amount) { from orders  unit USD }
        metric n = count() { from orders }\n";
    for (text, expected) in [
        ("metric m = eur + more", vec![]),
        ("metric m = eur - usd", vec![Code::Units]),
        ("metric m = eur / usd", vec![]),
        ("metric m = eur * 2 + usd", vec![]),
        ("metric m = eur + 1", vec![]),
        ("metric m = eur ?? usd", vec![Code::Units]),
        ("metric m = if n > 3 then eur else usd", vec![Code::Units]),
        ("metric m = if eur > usd then 1 else n", vec![Code::Units]),
        ("metric m = min(abs(eur), round(usd, 1))", vec![Code::Units]),
        ("metric m = eur + more { unit USD }", vec![Code::Units]),
        ("metric m = eur + more { unit EUR }", vec![]),
        ("metric m = { a: eur, b: n } { unit USD }", vec![Code::Units]),
        ("metric m = eur / n { unit USD }", vec![]),
        ("metric e = eur + more\nmetric m = e - usd", vec![Code::Units]),
        ("metric e = eur / more\nmetric m = e - usd", vec![]),
    ] {
        assert_eq!(of(&format!("{UNITS}{text}")), expected, "{text}");
    }
    let checked = checked(&format!("{PACKAGE}{UNITS}metric m = eur - more\nmetric r = eur / n"));
    let units: Vec<_> = checked.package.derived.iter().map(|derived| derived.unit.as_deref()).collect();
    assert_eq!(units, [Some("EUR"), None]);
}

#[test]
fn circles_are_reported_once_and_end() {
    assert_eq!(of("metric a = a"), [Code::CircularMetric]);
    assert_eq!(of("metric a = b / placed\nmetric b = c\nmetric c = a - placed"), [Code::CircularMetric]);
    assert_eq!(
        of("metric a = broken / placed\nmetric broken = sum(amont) { from orders }"),
        [Code::UnknownName]
    );
    let chain: String = (1..200).map(|n| format!("metric m{n} = m{}\n", n + 1)).collect();
    assert_eq!(of(&format!("{chain}metric m200 = placed\n")), []);
}
