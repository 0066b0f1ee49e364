//! The payload of a record with a schema: a datum alone, or in Confluent's wire format, after byte 0 and the
//! four bytes of the schema's id in a registry.

use std::sync::Arc;

use metricc_log::MAX_RECORD_BYTES;

use crate::KafkaError;
use crate::avro::AvroSchema;
use crate::protobuf::{ProtobufFile, ProtobufMessage};
use crate::record_options::{SchemaFormat, SchemaOrigin};
use crate::registry::Registry;

/// The longest JSON of a record; a longer one is rejected.
pub(crate) const LONGEST: usize = MAX_RECORD_BYTES;
pub(crate) const TOO_LONG: &str = "more than 1048576 bytes as JSON";
/// The first byte of Confluent's wire format.
const MAGIC: u8 = 0;
/// The bytes before the payload.
const HEAD: usize = 5;

/// A schema of a registry, ready to read records.
#[derive(Debug)]
pub(crate) enum RegistrySchema {
    Avro(AvroSchema),
    Protobuf(ProtobufFile),
}

/// What is known of an id: its schema, or why records that have it are rejected.
pub(crate) type Known = Arc<Result<RegistrySchema, String>>;

/// How the payloads of a topic are read.
#[derive(Debug, Clone)]
pub(crate) enum Payloads {
    Avro(Arc<AvroSchema>),
    Protobuf(ProtobufMessage),
    Registry(Arc<Registry>),
}

/// The schema that was used last. Nearly always, the next record has it as well.
#[derive(Debug, Default)]
pub(crate) struct LastSchema(Option<(u32, Known)>);

/// The JSON of a record, or why it is rejected.
pub(crate) type Json = Result<Vec<u8>, String>;

impl Payloads {
    /// Reads the schema, if it is a file.
    ///
    /// # Errors
    /// What is wrong with the file or the address, with its name.
    pub(crate) fn new(format: SchemaFormat, origin: &SchemaOrigin, is_endless: bool) -> Result<Self, String> {
        let (path, message) = match origin {
            SchemaOrigin::Registry(address) => {
                return Ok(Payloads::Registry(Arc::new(Registry::new(address, format, is_endless)?)));
            }
            SchemaOrigin::File { path, message } => (path, message),
        };
        let wrong = |problem| format!("the schema `{}` cannot be used: {problem}", path.display());
        match format {
            SchemaFormat::Protobuf => {
                let message = ProtobufMessage::of_file(path, message.as_deref()).map_err(wrong)?;
                Ok(Payloads::Protobuf(message))
            }
            SchemaFormat::Avro => {
                let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
                let schema = AvroSchema::compile(&text, []).map_err(wrong)?;
                if !schema.has_objects() {
                    return Err(wrong("its values are not records".to_owned()));
                }
                Ok(Payloads::Avro(Arc::new(schema)))
            }
        }
    }

    /// The JSON of a value.
    ///
    /// # Errors
    /// [`KafkaError::Registry`] if the registry does not say what a schema is. Nothing is known of the record
    /// then.
    pub(crate) fn json(&self, value: &[u8], last: &mut LastSchema) -> Result<Json, KafkaError> {
        let mut out = Vec::with_capacity(value.len() * 2);
        let (written, name) = match self {
            Payloads::Avro(schema) => (schema.write_json(value, &mut out), "Avro"),
            Payloads::Protobuf(message) => (message.write_json(value, &mut out), "Protobuf"),
            Payloads::Registry(registry) => return of_registry(registry, value, last, out),
        };
        Ok(written.map(|()| out).map_err(|problem| format!("no {name} of the schema: {problem}")))
    }
}

fn of_registry(
    registry: &Registry,
    value: &[u8],
    last: &mut LastSchema,
    mut out: Vec<u8>,
) -> Result<Json, KafkaError> {
    let [MAGIC, a, b, c, d, payload @ ..] = value else {
        return Ok(Err(format!(
            "not a record of a schema registry: it does not begin with byte {MAGIC} and the id of a schema, which are {HEAD} bytes"
        )));
    };
    let id = u32::from_be_bytes([*a, *b, *c, *d]);
    let known = match &last.0 {
        Some((last_id, known)) if *last_id == id && !registry.asks_again(known) => known.clone(),
        _ => registry.schema(id)?,
    };
    let known = &last.0.insert((id, known)).1;
    let (written, name) = match known.as_ref() {
        Ok(RegistrySchema::Avro(schema)) => (schema.write_json(payload, &mut out), "Avro"),
        Ok(RegistrySchema::Protobuf(file)) => {
            let written =
                file.message(payload).and_then(|(message, bytes)| message.write_json(bytes, &mut out));
            (written, "Protobuf")
        }
        Err(problem) => return Ok(Err(format!("schema {id}: {problem}"))),
    };
    Ok(written.map(|()| out).map_err(|problem| format!("no {name} of schema {id}: {problem}")))
}
