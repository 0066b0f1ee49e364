use std::collections::HashMap;
use std::path::Path;

use prost_reflect::prost::Message;
use prost_reflect::{DynamicMessage, MapKey, Value};
use serde_json::json;

use super::ProtobufMessage;

const FILE: &str = r#"
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "confluent/type/decimal.proto";
import "part.proto";
enum Status { STATUS_UNKNOWN = 0; CAPTURED = 1; }
message Payment {
  int64 payment_id = 1;
  optional int64 maybe = 2;
  Status status = 3;
  google.protobuf.Timestamp created_at = 4;
  google.protobuf.Duration took = 5;
  google.protobuf.Int64Value wrapped = 6;
  google.protobuf.Struct extra = 7;
  repeated Part parts = 8;
  map<int32, string> names = 9;
  oneof how { string card = 10; uint64 cash = 11; }
  bytes raw = 12;
  double x = 13;
  float y = 14;
  fixed64 f = 15;
  sint32 z = 16;
  bool is_new = 17;
  confluent.type.Decimal amount = 18;
  map<string, Part> by_name = 19;
}
"#;
const PART: &str = "syntax = \"proto3\"; package shop; message Part { string name = 1; repeated int32 sizes = 2; Part inner = 3; }";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.proto"), FILE).expect("a file");
    std::fs::write(folder.path().join("part.proto"), PART).expect("a file");
    folder
}

fn payment() -> ProtobufMessage {
    ProtobufMessage::of_file(&folder().path().join("shop.proto"), None).expect("a message")
}

fn text(message: &ProtobufMessage, bytes: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    message.write_json(bytes, &mut out).map(|()| String::from_utf8(out).expect("text"))
}

/// A message of the pool with some fields.
fn of(message: &ProtobufMessage, name: &str, fields: Vec<(&str, Value)>) -> Value {
    let descriptor = message.0.parent_pool().get_message_by_name(name).expect("a message");
    let mut built = DynamicMessage::new(descriptor);
    for (name, value) in fields {
        built.try_set_field_by_name(name, value).expect("a field");
    }
    Value::Message(built)
}

fn encoded(value: Value) -> Vec<u8> {
    let Value::Message(message) = value else { panic!("a message") };
    message.encode_to_vec()
}

#[test]
fn fields_without_presence_have_their_defaults_and_others_are_absent() {
    let wanted = json!({
        "payment_id": 0, "status": "STATUS_UNKNOWN", "parts": [], "names": {}, "raw": "", "x": 0.0, "y": 0.0,
        "f": 0, "z": 0, "is_new": false, "by_name": {},
    });
    let found = text(&payment(), &[]).expect("JSON");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&found).expect("JSON"), wanted);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_type_has_its_text() {
    let payment = payment();
    let part = |fields| of(&payment, "shop.Part", fields);
    let name = |name: &str| ("name", Value::String(name.to_owned()));
    let number = of(&payment, "google.protobuf.Value", vec![("number_value", Value::F64(1.5))]);
    let null = of(&payment, "google.protobuf.Value", vec![("null_value", Value::EnumNumber(0))]);
    let list =
        of(&payment, "google.protobuf.ListValue", vec![("values", Value::List(vec![number.clone(), null]))]);
    let list = of(&payment, "google.protobuf.Value", vec![("list_value", list)]);
    let entries = HashMap::from([(MapKey::String("n".into()), number), (MapKey::String("l".into()), list)]);
    let inner = part(vec![("sizes", Value::List(vec![Value::I32(1), Value::I32(-2)]))]);
    let names =
        [(10, "ten"), (-1, "one")].map(|(key, value)| (MapKey::I32(key), Value::String(value.into())));
    let value = of(
        &payment,
        "shop.Payment",
        vec![
            ("payment_id", Value::I64(i64::MIN)),
            ("maybe", Value::I64(0)),
            ("status", Value::EnumNumber(1)),
            (
                "created_at",
                of(
                    &payment,
                    "google.protobuf.Timestamp",
                    vec![("seconds", Value::I64(-1)), ("nanos", Value::I32(999_999_999))],
                ),
            ),
            (
                "took",
                of(
                    &payment,
                    "google.protobuf.Duration",
                    vec![("seconds", Value::I64(-1)), ("nanos", Value::I32(-1))],
                ),
            ),
            ("wrapped", of(&payment, "google.protobuf.Int64Value", vec![])),
            ("extra", of(&payment, "google.protobuf.Struct", vec![("fields", Value::Map(entries))])),
            ("parts", Value::List(vec![part(vec![name("a"), ("inner", inner)])])),
            ("names", Value::Map(names.into())),
            ("cash", Value::U64(u64::MAX)),
            ("raw", Value::Bytes(vec![0xfb, 0xff].into())),
            ("x", Value::F64(f64::NEG_INFINITY)),
            ("y", Value::F32(0.1)),
            ("f", Value::U64(7)),
            ("z", Value::I32(i32::MIN)),
            ("is_new", Value::Bool(true)),
            (
                "amount",
                of(
                    &payment,
                    "confluent.type.Decimal",
                    vec![("value", Value::Bytes(vec![0xff, 0x38].into())), ("scale", Value::I32(2))],
                ),
            ),
            ("by_name", Value::Map(HashMap::from([(MapKey::String("p".into()), part(vec![]))]))),
        ],
    );
    let wanted = concat!(
        r#"{"payment_id":-9223372036854775808,"maybe":0,"status":"CAPTURED","#,
        r#""created_at":"1969-12-31T23:59:59.999999999Z","took":-1000001,"wrapped":0,"#,
        r#""extra":{"l":[1.5,null],"n":1.5},"#,
        r#""parts":[{"name":"a","sizes":[],"inner":{"name":"","sizes":[1,-2]}}],"#,
        r#""names":{"-1":"one","10":"ten"},"cash":18446744073709551615,"raw":"+/8=","x":-Infinity,"#,
        r#""y":0.10000000149011612,"f":7,"z":-2147483648,"is_new":true,"amount":-2.00,"#,
        r#""by_name":{"p":{"name":"","sizes":[]}}}"#,
    );
    assert_eq!(text(&payment, &encoded(value)), Ok(wanted.to_owned()));
}

#[test]
fn what_has_no_text_is_left_as_it_is() {
    let payment = payment();
    let part_of = |value: Value, field: &str| {
        let found = text(&payment, &encoded(value)).expect("JSON");
        serde_json::from_str::<serde_json::Value>(&found).expect("JSON")[field].clone()
    };
    let at = |seconds, nanos| {
        let time = vec![("seconds", Value::I64(seconds)), ("nanos", Value::I32(nanos))];
        let time = of(&payment, "google.protobuf.Timestamp", time);
        part_of(of(&payment, "shop.Payment", vec![("created_at", time)]), "created_at")
    };
    assert_eq!(at(253_402_300_799, 0), json!("9999-12-31T23:59:59Z"));
    assert_eq!(at(253_402_300_800, 0), json!({"seconds": 253_402_300_800i64, "nanos": 0}));
    assert_eq!(at(0, -1), json!({"seconds": 0, "nanos": -1}));
    let unknown = of(&payment, "shop.Payment", vec![("status", Value::EnumNumber(9))]);
    assert_eq!(part_of(unknown, "status"), json!(9));
}

#[test]
fn what_is_no_message_is_rejected() {
    let payment = payment();
    for bytes in [&[0xff; 20][..], &[0x0a, 5, 1], &[0]] {
        assert!(text(&payment, bytes).expect_err("no message").contains("failed to decode"));
    }
    // A message within itself, more often than the library follows.
    let mut nested = Vec::new();
    for _ in 0..200 {
        let mut outer = vec![0x1a];
        prost_reflect::prost::encoding::encode_varint(nested.len() as u64, &mut outer);
        outer.append(&mut nested);
        nested = outer;
    }
    let part = ProtobufMessage::of_file(&folder().path().join("part.proto"), None).expect("a message");
    assert!(text(&part, &nested).is_err());
}

#[test]
fn a_file_says_its_messages_and_what_is_wrong_with_it() {
    let folder = folder();
    let of_file = |name: &str, text: &str, message: Option<&str>| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        ProtobufMessage::of_file(&path, message).map(|message| message.0.full_name().to_owned())
    };
    let two = "syntax = \"proto3\"; package p; message A { message In {} } message B {}";
    assert_eq!(of_file("two.proto", two, Some("B")), Ok("p.B".to_owned()));
    assert_eq!(of_file("two.proto", two, Some("p.A")), Ok("p.A".to_owned()));
    assert_eq!(of_file("two.proto", two, Some("A.In")), Ok("p.A.In".to_owned()));
    for (text, message, part) in [
        (two, None, "it has several messages: set `message` to one of `p.A`, `p.B`"),
        (two, Some("C"), "it has no message `C`, but `p.A`, `p.B`"),
        ("syntax = \"proto3\";", None, "it has no message"),
        ("syntax = \"proto3\"; import \"no.proto\"; message A {}", None, "no.proto"),
        ("syntax = \"proto3\";\nmessage A { int64 n }", None, "bad.proto:2:"),
    ] {
        let problem = of_file("bad.proto", text, message).expect_err(part);
        assert!(problem.contains(part), "{problem}");
    }
    assert!(ProtobufMessage::of_file(Path::new("/no/such.proto"), None).is_err());
}
