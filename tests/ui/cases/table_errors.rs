use metricc::jiff::Timestamp;
use metricc::{Event, Events, Metric, Table, metric};

#[derive(Event)]
struct Sale {
    #[event(time)]
    at: Timestamp,
    shop_id: i64,
    city: String,
}

#[derive(Table)]
#[table(name = "shops")]
struct Shop {
    #[table(key)]
    shop_id: i64,
    city: String,
}

#[derive(Table)]
struct NoFile {
    #[table(key)]
    id: i64,
}

#[derive(Table)]
#[table(name = "shops")]
struct Repeated {
    #[table(key)]
    city: String,
}

#[derive(Table)]
enum Size {
    Small,
}

#[derive(Table)]
#[table(name = "shops")]
struct Timed {
    #[table(key)]
    shop_id: i64,
    #[table(time)]
    opened: Timestamp,
}

#[derive(Table)]
#[table(name = "shops")]
struct Digits {
    #[table(key)]
    shop_id: metricc::Decimal,
}

use Shop as Store;

#[metric]
fn by_another_name(sales: Events<Sale>) -> Metric {
    sales
        .lookup::<Store>(|s| s.shop_id)
        .lookup::<crate::Shop>(|(s, _)| s.shop_id)
        .key_by(|((_, one), other)| Key { city: one.city, same: other.city })
        .count()
}

#[metric]
fn which_table(sales: Events<Sale>) -> Metric {
    sales.lookup(|s| s.shop_id).key_by(|(_, shop)| shop.city).count()
}

#[metric]
fn no_table(sales: Events<Sale>) -> Metric {
    sales.lookup::<Sale>(|s| s.shop_id).key_by(|(_, shop)| shop.city).count()
}

#[metric]
fn no_column(sales: Events<Sale>) -> Metric {
    sales.lookup::<Shop>(|s| s.shop_id).key_by(|(_, shop)| Key { town: shop.town }).count()
}

#[metric]
fn no_value(sales: Events<Sale>) -> Metric {
    sales.lookup::<Shop>(|s| s.shop_id).filter(|(_, shop)| shop == 1).count()
}

#[metric]
fn other_key(sales: Events<Sale>) -> Metric {
    sales.lookup::<Shop>(|s| s.city).key_by(|(_, shop)| shop.city).count()
}

#[metric]
fn may_be_none(sales: Events<Sale>) -> Metric {
    sales.lookup::<Shop>(|s| s.shop_id).filter(|(_, shop)| shop.shop_id > 1).count()
}

fn main() {}
