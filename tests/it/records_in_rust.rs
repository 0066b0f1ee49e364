//! Records and lists of records in `#[derive(Event)]`: the same rows from files and from values of this
//! process.

use metricc::jiff::Timestamp;
use metricc::{Decimal, Event, EventLog, Events, Metric, Run, metric};

#[derive(Event)]
#[event(name = "baskets")]
struct Basket {
    #[event(key)]
    id: i64,
    #[event(time)]
    at: Timestamp,
    items: Vec<Item>,
    #[event(from = "shipTo")]
    address: Option<Address>,
    parcel: Parcel,
    best: Item,
}

/// An article in a basket.
#[derive(Event)]
#[event(record)]
struct Item {
    #[event(rename = "article", from = "SKU")]
    sku: String,
    #[event(from = price.amount, decimal(8, 2))]
    price: Decimal,
    gift: Option<bool>,
    size: Size,
}

#[derive(Event)]
enum Size {
    Small,
    Large,
}

#[derive(Event)]
#[event(record)]
struct Address {
    city: String,
}

#[derive(Event)]
#[event(record)]
struct Parcel {
    lines: Vec<Line>,
}

#[derive(Event)]
#[event(record)]
struct Line {
    text: String,
}

#[metric]
fn per_sku(baskets: Events<Basket>) -> Metric {
    baskets
        .flat_map(|b| b.items)
        .filter(|(_, item)| !item.gift.unwrap_or(false) && item.size == Size::Large)
        .key_by(|(_, item)| Key { sku: item.sku })
        .aggregate(|e| Value { pieces: e.count(), money: e.sum(|(_, item)| item.price) })
}

#[metric]
fn cities(baskets: Events<Basket>) -> Metric {
    baskets.distinct(|b| b.address.city)
}

#[metric]
fn lines(baskets: Events<Basket>) -> Metric {
    baskets
        .filter(|b| b.address.is_some() && b.best.sku != "z")
        .flat_map(|b| b.parcel.lines)
        .distinct(|(_, line)| line.text)
}

fn item(sku: &str, price: &str, gift: Option<bool>, size: Size) -> Item {
    Item { sku: sku.to_owned(), price: price.parse().expect("a decimal"), gift, size }
}

fn events() -> [Basket; 2] {
    let line = |text: &str| Line { text: text.to_owned() };
    [
        Basket {
            id: 1,
            at: "2026-04-25T10:00:00Z".parse().expect("a time"),
            items: vec![
                item("a", "2.50", None, Size::Large),
                item("b", "5.00", Some(true), Size::Large),
                item("a", "1.00", Some(false), Size::Large),
                item("a", "9.00", None, Size::Small),
            ],
            address: Some(Address { city: "Berlin".to_owned() }),
            parcel: Parcel { lines: vec![line("a"), line("b"), line("a")] },
            best: item("a", "2.50", None, Size::Small),
        },
        Basket {
            id: 2,
            at: "2026-04-25T11:00:00Z".parse().expect("a time"),
            items: Vec::new(),
            address: None,
            parcel: Parcel { lines: vec![line("c")] },
            best: item("z", "0.00", None, Size::Small),
        },
    ]
}

const LINES: &str = r#"{"id":1,"at":"2026-04-25T10:00:00Z","items":[{"SKU":"a","price":{"amount":2.50},"size":"large"},{"SKU":"b","price":{"amount":5},"gift":true,"size":"large"},{"SKU":"a","price":{"amount":1},"gift":false,"size":"large"},{"SKU":"a","price":{"amount":9},"size":"small"}],"shipTo":{"city":"Berlin"},"parcel":{"lines":[{"text":"a"},{"text":"b"},{"text":"a"}]},"best":{"SKU":"a","price":{"amount":2.50},"size":"small"}}
{"id":2,"at":"2026-04-25T11:00:00Z","items":[],"shipTo":null,"parcel":{"lines":[{"text":"c"}]},"best":{"SKU":"z","price":{"amount":0},"size":"small"}}
"#;

#[test]
fn records_are_the_same_from_files_and_from_values() {
    assert_eq!(
        Basket::SOURCE,
        "source baskets {\n  id: int key\n  at: timestamp time\n  items: list<{ article: string from \"SKU\", \
         price: decimal(8, 2) from price.amount, gift: bool?, size: enum(\"small\", \"large\") }>\n  address: { city: \
         string }? from \"shipTo\"\n  parcel: { lines: list<{ text: string }> }\n  best: { article: string from \"SKU\", price: \
         decimal(8, 2) from price.amount, gift: bool?, size: enum(\"small\", \"large\") }\n}\n"
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("baskets.ndjson");
    std::fs::write(&path, LINES).expect("the log is written");
    let of_file = EventLog::<Basket>::open(path.to_string_lossy()).expect("a log");
    let of_values = EventLog::of_events(&events()).expect("a log");
    for log in [of_file, of_values] {
        let answer = per_sku().batch(&log).expect("batch");
        let rows: Vec<_> = answer.rows.iter().map(|row| (row.key.sku.clone(), row.value.pieces)).collect();
        assert_eq!(rows, [("a".to_owned(), 2)]);
        let sums: Vec<String> =
            answer.rows.iter().flat_map(|row| row.value.money).map(|sum| sum.to_string()).collect();
        assert_eq!(sums, ["3.50"]);
        assert_eq!(per_sku().merged(&log, &log.frontier_at(1)).expect("merged").rows, answer.rows);
        assert_eq!(cities().batch(&log).expect("batch").rows[0].value, 1);
        assert_eq!(lines().batch(&log).expect("batch").rows[0].value, 2);
    }
    let mut stream = lines().stream().expect("a stream");
    stream.extend(&events()).expect("events");
    assert_eq!(stream.read().expect("rows").rows[0].value, 2);
}
