//! The one place where the records of a topic become the texts that log's decoder reads. A run over an
//! interval and a node both come through here, so a record is the same event in each of them.

use std::borrow::Cow;

use metricc_log::{LogError, RawRecord, RecordDecoder, RecordForm, RecordKind};

use crate::payload::{LastSchema, Payloads};
use crate::record_options::RecordOptions;
use crate::{KafkaError, Record};

/// How the records of a topic become texts. Clones share what is known of a registry.
#[derive(Debug, Clone)]
pub struct RecordTexts {
    form: RecordForm,
    payload: Payload,
}

#[derive(Debug, Clone)]
enum Payload {
    /// The value is the text.
    Plain,
    /// The value is a field.
    Text,
    Schema(Payloads),
}

/// What one reader of records remembers from one record to the next.
#[derive(Debug, Default)]
pub struct TextReader {
    last: LastSchema,
}

impl RecordTexts {
    /// Records of the topic `shown` that a run reads once: what a registry has said holds for all of it.
    ///
    /// # Errors
    /// [`LogError`] if such records cannot have the fields of the source, or their schema cannot be read.
    pub fn of_run(decoder: &RecordDecoder, options: &RecordOptions, shown: &str) -> Result<Self, LogError> {
        RecordTexts::new(decoder, options, shown, false)
    }

    /// Records of the topic `shown` that are read on and on: a registry is asked again about an id that it
    /// did not know.
    ///
    /// # Errors
    /// As [`RecordTexts::of_run`].
    pub fn of_node(decoder: &RecordDecoder, options: &RecordOptions, shown: &str) -> Result<Self, LogError> {
        RecordTexts::new(decoder, options, shown, true)
    }

    fn new(
        decoder: &RecordDecoder,
        options: &RecordOptions,
        shown: &str,
        is_endless: bool,
    ) -> Result<Self, LogError> {
        let (kind, payload) = match options {
            RecordOptions::Plain(kind) => (kind, Payload::Plain),
            RecordOptions::Text => (&RecordKind::EnvelopeAlone, Payload::Text),
            RecordOptions::Schema(format, origin) => {
                let payloads = Payloads::new(*format, origin, is_endless);
                (
                    &RecordKind::Json,
                    Payload::Schema(payloads.map_err(|problem| LogError::Request { problem })?),
                )
            }
        };
        Ok(RecordTexts { form: RecordForm::new(decoder, kind, shown)?, payload })
    }

    /// What the texts are.
    pub fn form(&self) -> &RecordForm {
        &self.form
    }

    /// The text of a record of a partition.
    ///
    /// # Errors
    /// [`KafkaError::Registry`] if a registry does not say what the schema of the record is.
    pub fn text<'r>(
        &self,
        partition: u32,
        record: &'r Record,
        reader: &mut TextReader,
    ) -> Result<RawRecord<'r>, KafkaError> {
        let Some(value) = record.value.as_deref() else { return Ok(RawRecord::Tombstone) };
        let text = match &self.payload {
            Payload::Plain => Cow::Borrowed(value),
            Payload::Schema(payloads) => match payloads.json(value, &mut reader.last)? {
                Ok(json) => Cow::Owned(json),
                Err(problem) => return Ok(RawRecord::Rejected(problem.into(), value)),
            },
            Payload::Text => {
                return Ok(match std::str::from_utf8(value) {
                    Ok(text) => RawRecord::Text(record.envelope_alone(partition, text).into()),
                    Err(error) => {
                        let problem = format!("not UTF-8 at byte {}", error.valid_up_to());
                        RawRecord::Rejected(problem.into(), value)
                    }
                });
            }
        };
        Ok(RawRecord::Text(if self.form.has_envelope() {
            record.with_envelope(partition, text)
        } else {
            text
        }))
    }
}
