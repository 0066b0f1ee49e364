//! Records of Protobuf as JSON text. Files are compiled by protox, and messages decoded by prost-reflect,
//! which takes no deeper nesting than 100 messages.

mod confluent;
mod files;
mod message;
#[cfg(test)]
mod tests;

use prost_reflect::{DynamicMessage, FileDescriptor, MessageDescriptor};

/// A compiled file of a registry: each record says which of its messages it is.
#[derive(Debug)]
pub(crate) struct ProtobufFile(FileDescriptor);

/// A message of a file.
#[derive(Debug, Clone)]
pub(crate) struct ProtobufMessage(MessageDescriptor);

impl ProtobufMessage {
    /// Writes a record, which is all of some bytes, as JSON.
    ///
    /// # Errors
    /// Why the bytes are not such a message.
    pub(crate) fn write_json(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let message = DynamicMessage::decode(self.0.clone(), bytes).map_err(|error| error.to_string())?;
        message::write(&message, out).map_err(str::to_owned)
    }
}

impl ProtobufFile {
    /// The message of a record, and its bytes: before them stand the places of the message in the file, from
    /// the outermost message to it, after their number. The first message of the file is written as 0.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn message<'b>(&self, bytes: &'b [u8]) -> Result<(ProtobufMessage, &'b [u8]), String> {
        let mut rest = bytes;
        let n_places = place(&mut rest)?;
        let first = if n_places == 0 { 0 } else { place(&mut rest)? };
        let mut found = nth(self.0.messages(), first)?;
        for _ in 1..n_places {
            let inner = place(&mut rest)?;
            // The entries of maps are messages as well, which the file does not name.
            found = nth(found.child_messages().filter(|message| !message.is_map_entry()), inner)?;
        }
        Ok((ProtobufMessage(found), rest))
    }
}

fn nth(
    mut messages: impl Iterator<Item = MessageDescriptor>,
    index: usize,
) -> Result<MessageDescriptor, String> {
    messages.nth(index).ok_or_else(|| format!("the schema has no message at place {index}"))
}

/// A number in zigzag, as Avro and Protobuf have it.
fn place(bytes: &mut &[u8]) -> Result<usize, String> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("it ends before the place of its message")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let is_place = value & 1 == 0;
            return usize::try_from(value >> 1)
                .ok()
                .filter(|_| is_place)
                .ok_or_else(|| "a place below 0".to_owned());
        }
    }
    Err("the place of its message is not a number".to_owned())
}
