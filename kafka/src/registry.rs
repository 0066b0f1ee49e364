//! The schemas of a registry, by their ids.
//!
//! An id always means the same schema, so each is asked for once. What the registry says of an id is a fact
//! about records, which may reject them; that it says nothing, or nonsense, is not: then nothing is known of
//! the records, and reading has to wait.

mod client;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::KafkaError;
use crate::avro::AvroSchema;
use crate::background::Background;
use crate::payload::{Known, RegistrySchema};
use crate::protobuf::ProtobufFile;
use crate::record_options::{RegistryAddress, SchemaFormat};
use client::{Client, Found, Reference};

/// After this time, an endless reader asks again about ids that were not known.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// The most schemas that one refers to, all together.
const MAX_REFERENCES: usize = 500;

/// A schema registry.
#[derive(Debug)]
pub(crate) struct Registry {
    client: Arc<Client>,
    background: Background,
    format: SchemaFormat,
    is_endless: bool,
    known: Mutex<HashMap<u32, Known>>,
    /// When an id was not known. Held while the registry is asked, so that several readers ask once.
    unknown_since: Mutex<HashMap<u32, Instant>>,
    /// What is known of an id that the registry does not know.
    unknown: Known,
}

/// A schema with those that it refers to, each after its own references.
#[derive(Debug, Default)]
struct Texts {
    /// The name that it is imported by, and its text.
    references: Vec<(String, String)>,
    text: String,
}

impl Registry {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// Why the client cannot be made.
    pub(crate) fn new(
        address: &RegistryAddress,
        format: SchemaFormat,
        is_endless: bool,
    ) -> Result<Self, String> {
        Ok(Registry {
            client: Arc::new(Client::new(address)?),
            background: Background::start().map_err(|error| error.to_string())?,
            format,
            is_endless,
            known: Mutex::default(),
            unknown_since: Mutex::default(),
            unknown: Arc::new(Err(format!("the registry `{}` does not know it", address.url))),
        })
    }

    /// Whether the registry may say something else of an id now.
    pub(crate) fn asks_again(&self, known: &Known) -> bool {
        self.is_endless && Arc::ptr_eq(known, &self.unknown)
    }

    /// What is known of an id. Blocks the calling thread.
    ///
    /// # Errors
    /// [`KafkaError::Registry`] if the registry does not answer.
    pub(crate) fn schema(&self, id: u32) -> Result<Known, KafkaError> {
        if let Some(known) = self.remembered(id) {
            return Ok(known);
        }
        let mut unknown_since = self.unknown_since.lock().unwrap_or_else(PoisonError::into_inner);
        // Another reader may have asked meanwhile.
        if let Some(known) = self.remembered(id) {
            return Ok(known);
        }
        let is_fresh = |since: &Instant| !self.is_endless || since.elapsed() < ASK_AGAIN;
        if unknown_since.get(&id).is_some_and(is_fresh) {
            return Ok(self.unknown.clone());
        }
        let client = self.client.clone();
        let texts = self.background.wait(async move { texts(&client, id).await });
        let Some(texts) = texts.unwrap_or_else(|| Err(crate::topic::panicked()))? else {
            unknown_since.insert(id, Instant::now());
            return Ok(self.unknown.clone());
        };
        let known: Known = Arc::new(texts.and_then(|(texts, ty)| self.compile(&texts, &ty)));
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, known.clone());
        Ok(known)
    }

    fn remembered(&self, id: u32) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn compile(&self, texts: &Texts, ty: &str) -> Result<RegistrySchema, String> {
        let name = self.format.name();
        if !ty.eq_ignore_ascii_case(name) {
            return Err(format!("it is of the type {ty}, and the records are to be {name}"));
        }
        let compiled = match self.format {
            SchemaFormat::Avro => {
                let references = texts.references.iter().map(|(_, text)| text.as_str());
                AvroSchema::compile(&texts.text, references).and_then(|schema| match schema.has_objects() {
                    true => Ok(RegistrySchema::Avro(schema)),
                    false => Err("its values are not records".to_owned()),
                })
            }
            SchemaFormat::Protobuf => {
                let imported: BTreeMap<_, _> = texts.references.iter().cloned().collect();
                ProtobufFile::compile(&texts.text, imported).map(RegistrySchema::Protobuf)
            }
        };
        compiled.map_err(|problem| format!("it cannot be used: {problem}"))
    }
}

/// The texts and the type of a schema, or why it cannot be used; `None` if its id is not known.
async fn texts(client: &Client, id: u32) -> Result<Option<Result<(Texts, String), String>>, KafkaError> {
    let Some(Found { text, ty, references }) = client.by_id(id).await? else { return Ok(None) };
    let mut texts = Texts { references: Vec::new(), text };
    let mut open: Vec<(Reference, bool)> =
        references.into_iter().rev().map(|reference| (reference, false)).collect();
    // Each reference is open twice: before its own references are, and after them.
    let mut bodies: HashMap<String, String> = HashMap::new();
    while let Some((reference, is_done)) = open.pop() {
        if is_done {
            if let Some(text) = bodies.get_mut(&reference.name) {
                texts.references.push((reference.name, std::mem::take(text)));
            }
            continue;
        }
        if bodies.contains_key(&reference.name) {
            continue;
        }
        if bodies.len() >= MAX_REFERENCES {
            return Ok(Some(Err(format!("it refers to more than {MAX_REFERENCES} schemas"))));
        }
        let Some(found) = client.by_subject(&reference).await? else {
            let Reference { subject, version, .. } = reference;
            return Ok(Some(Err(format!(
                "it refers to version {version} of the subject `{subject}`, which is not known"
            ))));
        };
        bodies.insert(reference.name.clone(), found.text);
        open.push((reference, true));
        open.extend(found.references.into_iter().rev().map(|inner| (inner, false)));
    }
    Ok(Some(Ok((texts, ty))))
}
