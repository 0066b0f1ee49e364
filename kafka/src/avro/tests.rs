//! The library of Avro writes the datums, so what is read here is compared with another implementation.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::types::Value;
use apache_avro::{Decimal, Schema, to_avro_datum};
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType};
use metricc_ir::{Field, Kind, Source, Type};
use metricc_log::EventDecoder;

use super::AvroSchema;

fn json(schema: &str, datum: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    let written = AvroSchema::compile(schema, []).expect("a schema").write_json(datum, &mut out);
    written.map(|()| String::from_utf8(out).expect("text"))
}

fn datum(schema: &str, value: Value) -> Vec<u8> {
    to_avro_datum(&Schema::parse_str(schema).expect("a schema"), value).expect("a datum")
}

/// The JSON of a value of a type.
fn of(ty: &str, value: Value) -> String {
    json(ty, &datum(ty, value)).expect("JSON")
}

fn record(fields: Vec<(&str, Value)>) -> Value {
    Value::Record(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[test]
fn each_type_has_its_text() {
    let logical = |ty: &str, name: &str| format!(r#"{{"type":"{ty}","logicalType":"{name}"}}"#);
    let of_long = |name: &str, value: Value| of(&logical("long", name), value);
    assert_eq!(of("\"long\"", Value::Long(i64::MIN)), "-9223372036854775808");
    assert_eq!(of("\"long\"", Value::Long(i64::MAX)), "9223372036854775807");
    assert_eq!(of("\"int\"", Value::Int(i32::MIN)), "-2147483648");
    assert_eq!(of("\"float\"", Value::Float(0.1)), "0.10000000149011612");
    assert_eq!(of("\"double\"", Value::Double(f64::NAN)), "NaN");
    assert_eq!(of("\"string\"", Value::String("a\"\n\u{1F600}".into())), "\"a\\\"\\n\u{1F600}\"");
    assert_eq!(of("\"bytes\"", Value::Bytes(vec![0xfb, 0xff])), "\"+/8=\"");
    assert_eq!(of_long("timestamp-millis", Value::TimestampMillis(-1)), "\"1969-12-31T23:59:59.999Z\"");
    assert_eq!(of_long("timestamp-micros", Value::TimestampMicros(1)), "\"1970-01-01T00:00:00.000001Z\"");
    assert_eq!(of_long("timestamp-nanos", Value::TimestampNanos(-1)), "\"1969-12-31T23:59:59.999999999Z\"");
    assert_eq!(of_long("local-timestamp-millis", Value::LocalTimestampMillis(0)), "\"1970-01-01T00:00:00\"");
    assert_eq!(of_long("time-micros", Value::TimeMicros(1_500_000)), "\"00:00:01.500000\"");
    assert_eq!(of(&logical("int", "time-millis"), Value::TimeMillis(86_399_999)), "\"23:59:59.999\"");
    assert_eq!(of(&logical("int", "date"), Value::Date(-1)), "\"1969-12-31\"");
    // What a logical type does not go with is the type.
    assert_eq!(of(&logical("long", "date"), Value::Long(5)), "5");
    assert_eq!(of(&logical("string", "uuid"), Value::String("not a uuid".into())), "\"not a uuid\"");
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#;
    assert_eq!(of(decimal, Value::Decimal(Decimal::from(vec![0xff, 0x38]))), "-2.00");
    let fixed = |size: usize, rest: &str| format!(r#"{{"type":"fixed","name":"f","size":{size}{rest}}}"#);
    assert_eq!(json(&fixed(2, ""), &[0xfb, 0xff]), Ok("\"+/8=\"".into()));
    let decimal = fixed(3, r#","logicalType":"decimal","precision":6,"scale":3"#);
    assert_eq!(json(&decimal, &[0, 4, 0xd2]), Ok("1.234".into()));
    let uuid: Vec<u8> = (0..16).collect();
    let wanted = "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"";
    assert_eq!(json(&fixed(16, r#","logicalType":"uuid""#), &uuid), Ok(wanted.into()));
    let duration = [1, 0, 0, 0, 2, 0, 0, 0, 0xbc, 0x0b, 0, 0];
    assert_eq!(json(&fixed(12, r#","logicalType":"duration""#), &duration), Ok("\"P1M2DT3.004S\"".into()));
    // 1234 and the scale 2, within five bytes.
    assert_eq!(json(&logical("bytes", "big-decimal"), &[8, 4, 4, 0xd2, 4]), Ok("12.34".into()));
}

#[test]
fn types_that_have_others_in_them() {
    let schema = r#"{"type":"record","name":"Node","namespace":"a.b","fields":[
        {"name":"kind","type":{"type":"enum","name":"Kind","symbols":["LEAF","INNER"]}},
        {"name":"other","type":"a.b.Kind"},
        {"name":"tags","type":{"type":"array","items":["null","string"]}},
        {"name":"sizes","type":{"type":"map","values":"long"}},
        {"name":"next","type":["null","Node"]}]}"#;
    let node = |kind: &str, index, next: Value, is_some: u32| {
        record(vec![
            ("kind", Value::Enum(index, kind.to_owned())),
            ("other", Value::Enum(0, "LEAF".to_owned())),
            (
                "tags",
                Value::Array(vec![
                    Value::Union(0, Box::new(Value::Null)),
                    Value::Union(1, Box::new("x".into())),
                ]),
            ),
            ("sizes", Value::Map(HashMap::from([("a".to_owned(), Value::Long(-1))]))),
            ("next", Value::Union(is_some, Box::new(next))),
        ])
    };
    let value = node("INNER", 1, node("LEAF", 0, Value::Null, 0), 1);
    let inner = r#""other":"LEAF","tags":[null,"x"],"sizes":{"a":-1},"next":"#;
    let wanted = format!(r#"{{"kind":"INNER",{inner}{{"kind":"LEAF",{inner}null}}}}"#);
    assert_eq!(of(schema, value), wanted);
    // Blocks may say their size: two longs in two blocks, the first with a size.
    let array = r#"{"type":"array","items":"long"}"#;
    assert_eq!(json(array, &[1, 2, 2, 2, 4, 0]), Ok("[1,2]".into()));
    assert_eq!(json(array, &[0]), Ok("[]".into()));
}

/// A record with a field of each kind that a source can have.
const ROW: &str = r#"{"type":"record","name":"Row","fields":[
    {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
    {"name":"n","type":"long"},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":38,"scale":9}},
    {"name":"day","type":{"type":"int","logicalType":"date"}},
    {"name":"x","type":["null","double"]},
    {"name":"s","type":["string","null"]}]}"#;

fn row_source() -> Arc<Source> {
    let fields = vec![
        Field::new("at", Type::of(Kind::Timestamp)),
        Field::new("n", Type::of(Kind::Int)),
        Field::new("amount", Type::of(Kind::Decimal { precision: 38, scale: 9 })),
        Field::new("day", Type::of(Kind::Date)),
        Field::new("x", Type::optional(Kind::Float)),
        Field::new("s", Type::optional(Kind::String)),
    ];
    Arc::new(Source { name: "rows".into(), doc: String::new(), fields, time: 0, identity: Vec::new() })
}

/// Numbers that look random (Steele and Vigna, SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number whose length is random as well, or a limit.
    fn long(&mut self) -> i64 {
        let value = self.next().cast_signed() >> (self.next() % 64);
        *[value, value, value, i64::MIN, i64::MAX].get(self.next() as usize % 5).expect("one of five")
    }
}

#[test]
fn random_records_have_their_values_after_the_decoder() {
    let schema = Schema::parse_str(ROW).expect("a schema");
    let compiled = AvroSchema::compile(ROW, []).expect("a schema");
    let most = 10i128.pow(38) - 1;
    let (mut random, mut lines, mut wanted) = (Random(7), Vec::new(), Vec::new());
    for _ in 0..2_000 {
        // Years 0001 to 9999.
        let at = random.long().rem_euclid(315_537_897_599_999_999) - 62_135_596_800_000_000;
        let day = (random.long().rem_euclid(3_652_059) - 719_162) as i32;
        let amount = (i128::from(random.long()) << 64 | i128::from(random.next())) % most;
        let amount = [amount, amount >> 70, most, -most][random.next() as usize % 4];
        let x = [f64::from_bits(random.next()), 0.5, f64::NAN, f64::INFINITY][random.next() as usize % 4];
        let text = char::from_u32(random.next() as u32 % 0x11_0000).map(|c| format!("{c}\"{c}"));
        let n = random.long();
        // As few bytes as the number needs.
        let bytes = amount.to_be_bytes();
        let n_fill = (0..15).take_while(|at| {
            let fill = if amount < 0 { 0xff } else { 0 };
            bytes[*at] == fill && (bytes[at + 1] ^ fill) & 0x80 == 0
        });
        let unscaled = bytes[n_fill.count()..].to_vec();
        let (x_index, x_value) = if n % 3 == 0 { (0, Value::Null) } else { (1, Value::Double(x)) };
        let (s_index, s_value) = text.clone().map_or((1, Value::Null), |text| (0, Value::String(text)));
        let value = record(vec![
            ("at", Value::TimestampMicros(at)),
            ("n", Value::Long(n)),
            ("amount", Value::Decimal(Decimal::from(unscaled))),
            ("day", Value::Date(day)),
            ("x", Value::Union(x_index, Box::new(x_value))),
            ("s", Value::Union(s_index, Box::new(s_value))),
        ]);
        let datum = to_avro_datum(&schema, value).expect("a datum");
        compiled.write_json(&datum, &mut lines).expect("JSON");
        lines.push(b'\n');
        let x = (n % 3 != 0 && x.is_finite()).then_some(x + 0.0);
        wanted.push((at, n, amount, day, x, text));
    }
    let events = EventDecoder::new(&row_source()).expect("a decoder").ndjson(&lines);
    assert!(events.rejected().is_empty(), "{:?}", events.rejected().first());
    let [at, n, amount, day, x, s] = events.rows() else { panic!("{} columns", events.rows().len()) };
    for (row, wanted) in wanted.into_iter().enumerate() {
        let x = x.as_primitive::<Float64Type>();
        let s = s.as_string_view();
        let found = (
            at.as_primitive::<TimestampMicrosecondType>().value(row),
            n.as_primitive::<Int64Type>().value(row),
            amount.as_primitive::<Decimal128Type>().value(row),
            day.as_primitive::<Date32Type>().value(row),
            x.is_valid(row).then(|| x.value(row)),
            s.is_valid(row).then(|| s.value(row).to_owned()),
        );
        assert_eq!(found, wanted, "row {row}");
    }
}

#[test]
fn what_is_no_datum_is_said_with_its_place() {
    let nested = r#"{"type":"record","name":"A","fields":[{"name":"items","type":{"type":"array","items":
        {"type":"record","name":"B","fields":[{"name":"price","type":["null","int"]},{"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}}]}}}]}"#;
    for (datum, wanted) in [
        (&[2, 4, 0, 0, 0][..], "at `items.price`: a union of 2 types has no type 2"),
        (&[2, 0, 2, 0], "at `items.e`: an enum of 1 symbols has no symbol 1"),
        (&[2, 2, 0x80], "at `items.price`: the record ends in the middle of a value"),
        (&[2, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "at `items.price`: an int of more than 32 bits"),
        (&[2, 0, 0], "at `items`: the record ends in the middle of a value"),
        (&[0, 1, 2], "2 bytes follow the record"),
        (&[0xff; 12], "at `items`: a number of more than 64 bits"),
    ] {
        assert_eq!(json(nested, datum), Err(wanted.to_owned()), "{datum:?}");
    }
    assert_eq!(json("\"string\"", &[2, 0xff]), Err("a string that is not UTF-8".into()));
    assert_eq!(json("\"string\"", &[1]), Err("-1 bytes".into()));
    assert_eq!(json("\"boolean\"", &[2]), Err("a boolean that is neither 0 nor 1".into()));
}

#[test]
fn a_datum_costs_no_more_than_a_record_may() {
    // Items without bytes, whose number is what a datum says it is.
    let nothings = r#"{"type":"array","items":"null"}"#;
    let datum = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0];
    assert_eq!(json(nothings, &datum), Err("more than 1048576 bytes as JSON".into()));
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    let deep = json(list, &[2; 100_000]).expect_err("too deep");
    assert!(deep.ends_with(": nested more than 64 deep"), "{deep}");
    let endless = r#"{"type":"record","name":"L","fields":[{"name":"next","type":"L"}]}"#;
    assert!(json(endless, &[]).is_err());
}

#[test]
fn damaged_records_are_read_or_rejected() {
    let schema = Schema::parse_str(ROW).expect("a schema");
    let compiled = AvroSchema::compile(ROW, []).expect("a schema");
    let whole = to_avro_datum(
        &schema,
        record(vec![
            ("at", Value::TimestampMicros(1 << 40)),
            ("n", Value::Long(-70_000)),
            ("amount", Value::Decimal(Decimal::from(vec![1, 2, 3]))),
            ("day", Value::Date(20_000)),
            ("x", Value::Union(1, Box::new(Value::Double(0.5)))),
            ("s", Value::Union(0, Box::new(Value::String("text".into())))),
        ]),
    );
    let whole = whole.expect("a datum");
    let mut random = Random(3);
    let (mut n_read, n_all) = (0, 20_000);
    for _ in 0..n_all {
        let mut bytes = whole.clone();
        for _ in 0..=random.next() % 3 {
            let at = random.next() as usize % bytes.len();
            bytes[at] = random.next() as u8;
        }
        bytes.truncate(bytes.len() - (random.next() as usize % 8).saturating_sub(5));
        let mut out = Vec::new();
        if compiled.write_json(&bytes, &mut out).is_ok() {
            n_read += 1;
            std::str::from_utf8(&out).expect("text");
            let read = apache_avro::from_avro_datum(&schema, &mut bytes.as_slice(), None);
            assert!(read.is_ok(), "{bytes:?}");
        }
    }
    assert!((n_all / 20..n_all).contains(&n_read), "{n_read}");
    for n_bytes in 0..whole.len() {
        compiled.write_json(&whole[..n_bytes], &mut Vec::new()).expect_err("the record is cut off");
    }
}

#[test]
fn what_is_no_schema_is_said_with_its_place() {
    for (schema, part) in [
        ("{", "no JSON"),
        ("5", "`5` is not a type"),
        ("[]", "a union without a type"),
        ("{}", "an object without a `type`"),
        ("\"Thing\"", "the type `Thing` is not defined"),
        (r#"{"type":"array"}"#, "a type `array` without `items`"),
        (r#"{"type":"enum","name":"E"}"#, "the enum `E` has no list of `symbols`"),
        (r#"{"type":"fixed","name":"F"}"#, "the fixed type `F` has no `size`"),
        (
            r#"{"type":"record","name":"n.R","fields":[{"name":"a","type":{"type":"map","values":"X"}}]}"#,
            "in the field `a` of `n.R`: the type `n.X` is not defined",
        ),
    ] {
        let problem = AvroSchema::compile(schema, []).expect_err(part);
        assert!(problem.contains(part), "{schema}: {problem}");
    }
    let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(101), "}".repeat(101));
    assert!(AvroSchema::compile(&deep, []).expect_err("deep").contains("nested"));
}
