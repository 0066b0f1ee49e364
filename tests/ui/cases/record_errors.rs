use metricc::jiff::Timestamp;
use metricc::{Event, Events, Metric, Table, metric};

#[derive(Event)]
struct Shop {
    #[event(time)]
    at: Timestamp,
    id: i64,
}

#[derive(Event)]
#[event(record)]
struct Marked {
    #[event(key)]
    sku: String,
    #[event(zone = "Moon")]
    at: Timestamp,
}

#[derive(Event)]
#[event(record, name = "items", null("-"))]
struct Named {
    n: i64,
}

#[derive(Event)]
#[event(record)]
struct Node {
    children: Vec<Node>,
}

#[derive(Event)]
#[event(record)]
struct Empty {}

#[derive(Event)]
#[event(record)]
enum Kind {
    A,
}

#[derive(Event)]
#[event(record)]
struct Item {
    sku: String,
    #[event(default = 1)]
    pieces: i64,
}

#[derive(Event)]
struct OfSources {
    #[event(time)]
    at: Timestamp,
    shop: Shop,
}

#[derive(Event)]
struct Defaults {
    #[event(time)]
    at: Timestamp,
    items: Vec<Item>,
}

#[derive(Event)]
#[event(name = "orders")]
struct Order {
    #[event(time)]
    at: Timestamp,
    item: Item,
}

#[derive(Table)]
#[table(name = "shops")]
struct Rows {
    #[table(key)]
    shop_id: i64,
    item: Item,
}

#[metric]
fn no_source(items: Events<Item>) -> Metric {
    items.count()
}

#[metric]
fn no_field(orders: Events<Order>) -> Metric {
    orders.sum(|o| o.item.price)
}

#[metric]
fn whole_record(orders: Events<Order>) -> Metric {
    orders.distinct(|o| o.item)
}

fn main() {}
