//! The least or greatest text, by bytes.

use super::{HeapValue, NOT_CANONICAL};
use crate::Checked;

/// The least or greatest text so far, if there is any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextExtreme {
    least: bool,
    text: Option<Box<str>>,
}

impl TextExtreme {
    pub(crate) fn new(least: bool) -> Self {
        TextExtreme { least, text: None }
    }

    /// Takes a text into account.
    #[inline]
    pub(crate) fn add(&mut self, text: &str) {
        let is_better = match &self.text {
            None => true,
            Some(own) if self.least => text < own.as_ref(),
            Some(own) => text > own.as_ref(),
        };
        if is_better {
            self.text = Some(text.into());
        }
    }

    /// Whether this is the least.
    pub(crate) fn is_least(&self) -> bool {
        self.least
    }

    /// The text; none without rows.
    pub fn value(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Reads canonical bytes: nothing for none, else a one and the text.
    pub(crate) fn decode(least: bool, bytes: &[u8]) -> Checked<Self> {
        let text = match bytes {
            [] => None,
            [1, text @ ..] => Some(std::str::from_utf8(text).map_err(|_| NOT_CANONICAL)?.into()),
            _ => return Err(NOT_CANONICAL),
        };
        Ok(TextExtreme { least, text })
    }
}

impl HeapValue for TextExtreme {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.least != other.least {
            return Err("the least and the greatest do not merge");
        }
        if let Some(text) = &other.text {
            self.add(text);
        }
        Ok(())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if let Some(text) = &self.text {
            out.push(1);
            out.extend(text.as_bytes());
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len())
    }
}
