use serde_json::{Value, json};

use super::*;
use crate::payload::{LastSchema, Payloads};
use crate::record_options::SchemaOrigin;

#[path = "../../tests/it/fake_registry.rs"]
mod fake_registry;
use fake_registry::{FakeRegistry, free_port};

const POINT: &str =
    r#"{"type":"record","name":"Point","namespace":"g","fields":[{"name":"x","type":"long"}]}"#;

fn registry(fake: &FakeRegistry, format: SchemaFormat, auth: Option<&str>) -> Registry {
    let address = RegistryAddress { url: fake.url.clone(), auth: auth.map(str::to_owned) };
    Registry::new(&address, format, false).expect("a registry")
}

/// A record in the wire format.
fn record(id: u32, payload: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), payload].concat()
}

fn problem(known: &Known) -> String {
    known.as_ref().as_ref().expect_err("records are rejected").clone()
}

#[test]
fn an_id_is_asked_for_once_by_all_readers() {
    let fake = FakeRegistry::start(free_port());
    fake.add("7", "AVRO", POINT, &[]);
    let registry = registry(&fake, SchemaFormat::Avro, None);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(registry.schema(7).expect("an answer").is_ok()));
        }
    });
    assert_eq!(fake.state().asked, ["/schemas/ids/7"]);
}

#[test]
fn references_are_read_each_once_and_before_they_are_used() {
    let fake = FakeRegistry::start(free_port());
    let line = r#"{"type":"record","name":"Line","namespace":"g","fields":[{"name":"from","type":"Point"},{"name":"to","type":"g.Point"}]}"#;
    let shape = r#"{"type":"record","name":"Shape","fields":[{"name":"line","type":"g.Line"},{"name":"at","type":"g.Point"}]}"#;
    fake.add("point", "AVRO", POINT, &[]);
    fake.add("line", "AVRO", line, &[("g.Point", "point")]);
    fake.add("1", "AVRO", shape, &[("g.Line", "line"), ("g.Point", "point")]);
    let origin = SchemaOrigin::Registry(RegistryAddress { url: fake.url.clone(), auth: None });
    let payloads = Payloads::new(SchemaFormat::Avro, &origin, false).expect("payloads");
    let json = payloads.json(&record(1, &[2, 4, 6]), &mut LastSchema::default()).expect("an answer");
    assert_eq!(
        String::from_utf8(json.expect("a record")).expect("text"),
        r#"{"line":{"from":{"x":1},"to":{"x":2}},"at":{"x":3}}"#
    );
    assert_eq!(fake.state().asked.len(), 3);

    fake.add("2", "AVRO", shape, &[("g.Line", "gone")]);
    let known = registry(&fake, SchemaFormat::Avro, None).schema(2).expect("an answer");
    assert_eq!(problem(&known), "it refers to version 1 of the subject `gone`, which is not known");

    let file = "syntax = \"proto3\"; package p; import \"other.proto\"; import \"confluent/meta.proto\"; import \"google/protobuf/timestamp.proto\"; \
                message A { message B { int64 n = 1; } Other o = 1; } message C { B b = 1; } message B { string s = 1; }";
    fake.add("other", "PROTOBUF", "syntax = \"proto3\"; package p; message Other { int32 n = 1; }", &[]);
    fake.add("3", "PROTOBUF", file, &[("other.proto", "other")]);
    let payloads = Payloads::new(SchemaFormat::Protobuf, &origin, false).expect("payloads");
    let read = |places: &[u8], message: &[u8]| {
        let payload = [places, message].concat();
        let json = payloads.json(&record(3, &payload), &mut LastSchema::default()).expect("an answer");
        json.map(|json| serde_json::from_slice::<Value>(&json).expect("JSON"))
    };
    // The first message, by the short form and by the long one; the one within it; the third.
    assert_eq!(read(&[0], &[0x0a, 2, 8, 5]), Ok(json!({"o": {"n": 5}})));
    assert_eq!(read(&[2, 0], &[]), Ok(json!({})));
    assert_eq!(read(&[4, 0, 0], &[8, 9]), Ok(json!({"n": 9})));
    assert_eq!(read(&[2, 4], &[0x0a, 1, b's']), Ok(json!({"s": "s"})));
    for (places, part) in [
        (&[2, 6][..], "no message at place 3"),
        (&[4, 2, 0], "no message at place 0"),
        (&[2], "ends before"),
        (&[1], "below 0"),
        (&[0x80; 6], "not a number"),
    ] {
        let problem = read(places, &[]).expect_err(part);
        assert!(problem.starts_with("no Protobuf of schema 3: ") && problem.contains(part), "{problem}");
    }
}

#[test]
fn what_a_registry_says_of_an_id_rejects_its_records() {
    let fake = FakeRegistry::start(free_port());
    fake.add("1", "JSON", "{}", &[]);
    fake.add("2", "AVRO", "{\"type\":\"record\"}", &[]);
    fake.add("3", "AVRO", "\"string\"", &[]);
    let registry = registry(&fake, SchemaFormat::Avro, None);
    for (id, wanted) in [
        (1, "it is of the type JSON, and the records are to be Avro"),
        (2, "it cannot be used: a type `record` without a `name`"),
        (3, "it cannot be used: its values are not records"),
        (4, "does not know it"),
    ] {
        let said = problem(&registry.schema(id).expect("an answer"));
        assert!(said.contains(wanted), "{id}: {said}");
    }
    // An id that is not known is asked for more than once, since a registry may learn of it late; then never
    // again.
    let n_asked = fake.state().asked.len();
    assert!(n_asked > 5, "{n_asked}");
    assert!(registry.schema(4).expect("an answer").is_err());
    assert_eq!(fake.state().asked.len(), n_asked);
}

#[test]
fn a_registry_that_does_not_say_what_a_schema_is_rejects_nothing() {
    let fake = FakeRegistry::start(free_port());
    fake.add("1", "AVRO", POINT, &[]);
    fake.state().faults = vec![503, 500, 429];
    assert!(registry(&fake, SchemaFormat::Avro, None).schema(1).expect("an answer").is_ok());
    let error = |registry: &Registry| registry.schema(1).expect_err("nothing is known").to_string();
    fake.state().is_other = true;
    assert!(
        error(&registry(&fake, SchemaFormat::Avro, None))
            .contains("404 Not Found, but not as a schema registry does")
    );
    fake.state().is_other = false;
    fake.state().wants = Some("Basic dTpzM2NyZXQ=".to_owned());
    let said = error(&registry(&fake, SchemaFormat::Avro, Some("u:wr0ng")));
    assert!(said.contains("does not accept this client") && !said.contains("wr0ng"), "{said}");
    assert!(registry(&fake, SchemaFormat::Avro, Some("u:s3cret")).schema(1).expect("an answer").is_ok());
    fake.state().wants = Some("Bearer t0ken".to_owned());
    assert!(registry(&fake, SchemaFormat::Avro, Some("t0ken")).schema(1).expect("an answer").is_ok());

    let port = free_port();
    let address = RegistryAddress { url: format!("http://127.0.0.1:{port}"), auth: None };
    let gone = Registry::new(&address, SchemaFormat::Avro, false).expect("a registry");
    let said = error(&gone);
    assert!(
        said.starts_with(&format!(
            "the schema registry `http://127.0.0.1:{port}` does not give the schema: "
        )),
        "{said}"
    );
    // It is asked again as soon as it is there.
    let fake = FakeRegistry::start(port);
    fake.add("1", "AVRO", POINT, &[]);
    assert!(gone.schema(1).expect("an answer").is_ok());
}

#[test]
fn records_without_the_wire_format_are_rejected() {
    let fake = FakeRegistry::start(free_port());
    let origin = SchemaOrigin::Registry(RegistryAddress { url: fake.url.clone(), auth: None });
    let payloads = Payloads::new(SchemaFormat::Avro, &origin, false).expect("payloads");
    for value in [&b""[..], b"{}", b"\0\0\0\0", b"\x01\0\0\0\x01\x02"] {
        let json = payloads.json(value, &mut LastSchema::default()).expect("nothing is asked");
        assert!(json.expect_err("no record").starts_with("not a record of a schema registry: "));
    }
    assert!(fake.state().asked.is_empty());
}
