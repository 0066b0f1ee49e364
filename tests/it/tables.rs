//! Lookup tables in Rust: the same rows and meaning as in a file.

use metricc::jiff::{Timestamp, civil};
use metricc::{Decimal, Definition, Event, EventLog, Events, Metric, Run, Table, metric};

#[derive(Event, Debug, Clone)]
#[event(name = "sales")]
struct Sale {
    #[event(key)]
    sale_id: i64,
    #[event(time)]
    at: Timestamp,
    shop_id: Option<i64>,
    #[event(decimal(10, 2))]
    price: Decimal,
}

/// The kind of a shop.
#[derive(Event, Debug, Clone, Copy, PartialEq)]
enum Size {
    Branch,
    Kiosk,
}

/// A shop.
#[derive(Table)]
#[table(name = "shops")]
struct Shop {
    #[table(key)]
    shop_id: i64,
    city: String,
    opened: Option<civil::Date>,
    #[table(decimal(4, 3))]
    commission: Decimal,
    #[table(rename = "type")]
    size: Size,
}

/// Income of kiosks by city.
#[metric]
fn earned(sales: Events<Sale>) -> Metric {
    sales
        .lookup::<Shop>(|s| s.shop_id)
        .filter(|(_, shop)| shop.size == Size::Kiosk || shop.opened.is_some())
        .key_by(|(_, shop)| shop.city)
        .sum(|(s, shop)| s.price * shop.commission.unwrap_or(0))
}

/// A lookup with a column of another lookup, and one in a block.
#[metric]
fn neighbours(sales: Events<Sale>) -> Metric {
    sales
        .lookup::<Shop>(|s| s.shop_id.unwrap_or(1))
        .lookup::<Shop>(|(_, shop)| {
            let next = shop.shop_id.unwrap_or(0) + 1;
            next
        })
        .map(|((s, _), next)| (s.price, next))
        .key_by(|(_, next)| Key { index: next.city.unwrap_or("nowhere") })
        .aggregate(|e| Value {
            n: e.filter(|(price, next)| price > 1 && next.size != Size::Branch).count(),
            last: e.max(|(_, next)| next.opened),
        })
}

fn sales() -> Vec<Sale> {
    let sale = |number: i64| Sale {
        sale_id: number,
        at: Timestamp::from_second(1_700_000_000 + 1_000 * number).expect("in range"),
        shop_id: (number % 5 > 0).then_some(number % 5),
        price: Decimal::new(i128::from(number) * 25, 2).expect("a decimal"),
    };
    (0..25).map(sale).collect()
}

#[test]
fn rows_are_looked_up_in_both_engines_at_every_cut() {
    let log = EventLog::of_events(&sales()).expect("a log");
    let (by_city, by_place) =
        (earned().batch(&log).expect("batch"), neighbours().batch(&log).expect("batch"));
    let cities: Vec<(Option<&str>, Option<String>)> = by_city
        .rows
        .iter()
        .map(|row| (row.key.city.as_deref(), row.value.map(|sum| sum.to_string())))
        .collect();
    // A price is a quarter of its number: 1, 6, 11, 16, 21 for the first shop, and so on. The second shop is
    // a kiosk.
    assert_eq!(
        cities,
        [(Some("Jena"), Some("1.50000".to_owned())), (Some("Pune"), Some("4.15625".to_owned()))]
    );
    assert_eq!(by_place.rows.len(), 3);
    for cut in 0..=25 {
        let cut = log.frontier_at(cut);
        assert_eq!(earned().merged(&log, &cut).expect("merged").rows, by_city.rows);
        assert_eq!(neighbours().merged(&log, &cut).expect("merged").rows, by_place.rows);
    }
}

mod from_file {
    metricc::metrics!("fixtures/shops.metric");
}

fn definition_hash<D: Definition>(_: Metric<D>) -> (Option<&'static str>, Vec<&'static str>) {
    (D::HASH, D::FILES.iter().map(|(name, _)| *name).collect())
}

#[test]
fn a_struct_and_a_file_are_the_same_table() {
    let (from_rust, from_file) = (definition_hash(earned()), definition_hash(from_file::earned()));
    assert_eq!(from_rust, from_file);
    assert_eq!(from_rust.1, ["shops.csv"]);
    assert_eq!(<Shop as Table>::NAME, "shops");
}
