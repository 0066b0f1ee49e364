//! The same payments in all formats, encoded by hand: nothing that reads them has written them.

/// A payment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payment {
    pub(crate) id: i64,
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    pub(crate) country: Option<&'static str>,
    pub(crate) cents: i64,
}

pub(crate) const AVRO: &str = r#"{"type":"record","name":"Payment","namespace":"shop","fields":[
    {"name":"id","type":"long"},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"country","type":["null","string"],"default":null},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}}]}"#;

/// Without `country`, which is optional; with another field, and in another order.
pub(crate) const AVRO_WITHOUT_COUNTRY: &str = r#"{"type":"record","name":"Payment","namespace":"shop","fields":[
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
    {"name":"note","type":"string"},
    {"name":"id","type":"long"},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

/// Without `amount`, which is not.
pub(crate) const AVRO_WITHOUT_AMOUNT: &str = r#"{"type":"record","name":"Payment","namespace":"shop","fields":[
    {"name":"id","type":"long"},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;

pub(crate) const PROTOBUF: &str = r#"
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Refund { int64 id = 1; }
message Payment {
  int64 id = 1;
  google.protobuf.Timestamp at = 2;
  optional string country = 3;
  string amount = 4;
}
"#;

/// A number in zigzag.
pub(crate) fn long(value: i64) -> Vec<u8> {
    varint(((value << 1) ^ (value >> 63)).cast_unsigned())
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&long(i64::try_from(bytes.len()).expect("a length")), bytes].concat()
}

/// A field of a message: with a number as its value, or with bytes.
fn of_number(field: u64, value: i64) -> Vec<u8> {
    [varint(field << 3), varint(value.cast_unsigned())].concat()
}

fn of_bytes(field: u64, bytes: &[u8]) -> Vec<u8> {
    [&varint(field << 3 | 2), &varint(bytes.len() as u64), bytes].concat()
}

/// Confluent's wire format.
pub(crate) fn framed(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), payload].concat()
}

/// The text of milliseconds since 1970, found by counting years and months.
fn instant(millis: i64) -> String {
    let (mut days, of_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let n_days = |year| 365 + i64::from(is_leap(year));
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += n_days(year);
    }
    while days >= n_days(year) {
        days -= n_days(year);
        year += 1;
    }
    let mut month = 0;
    let lengths = [31, 28 + i64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", month + 1, days + 1, of_day % 1000)
}

impl Payment {
    fn amount(&self) -> String {
        format!("{}.{:02}", self.cents / 100, self.cents % 100)
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        let at = instant(self.at);
        let country = self.country.map_or("null".to_owned(), |country| format!("{country:?}"));
        let (id, amount) = (self.id, self.amount());
        format!(r#"{{"id":{id},"at":"{at}","country":{country},"amount":{amount}}}"#).into_bytes()
    }

    /// A datum of [`AVRO`].
    pub(crate) fn avro(&self) -> Vec<u8> {
        let country = match self.country {
            None => long(0),
            Some(country) => [long(1), prefixed(country.as_bytes())].concat(),
        };
        [long(self.id), long(self.at), country, prefixed(&self.cents.to_be_bytes())].concat()
    }

    /// A datum of [`AVRO_WITHOUT_COUNTRY`].
    pub(crate) fn avro_without_country(&self) -> Vec<u8> {
        [prefixed(&self.cents.to_be_bytes()), prefixed(b"a note"), long(self.id), long(self.at)].concat()
    }

    /// A datum of [`AVRO_WITHOUT_AMOUNT`].
    pub(crate) fn avro_without_amount(&self) -> Vec<u8> {
        [long(self.id), long(self.at)].concat()
    }

    /// A message of [`PROTOBUF`].
    pub(crate) fn protobuf(&self) -> Vec<u8> {
        let (seconds, millis) = (self.at.div_euclid(1000), self.at.rem_euclid(1000));
        let at = [of_number(1, seconds), of_number(2, millis * 1_000_000)].concat();
        let country = self.country.map(|country| of_bytes(3, country.as_bytes())).unwrap_or_default();
        [of_number(1, self.id), of_bytes(2, &at), country, of_bytes(4, self.amount().as_bytes())].concat()
    }

    /// As a registry has it: the message is the second of the file.
    pub(crate) fn framed_protobuf(&self, id: u32) -> Vec<u8> {
        framed(id, &[&long(1)[..], &long(1), &self.protobuf()].concat())
    }
}
