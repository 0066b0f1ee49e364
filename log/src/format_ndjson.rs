//! NDJSON: one JSON object a line. A blank line at the very end is not a record; elsewhere it is one
//! that does not decode.

use crate::decode_value::{Problem, Reject};
use crate::json_cursor::{Cursor, Syntax};
use crate::json_object::{ObjectParser, Scratch};
use crate::read_stats::FieldStats;
use crate::record_decoder::SharedDecoder;
use crate::row_builder::RowBuilder;

/// Decodes lines.
#[derive(Debug)]
pub(crate) struct NdjsonParser {
    decoder: SharedDecoder,
    object: ObjectParser,
    scratch: Scratch,
}

impl NdjsonParser {
    pub(crate) fn new(decoder: &SharedDecoder) -> Self {
        let object = ObjectParser::new(&decoder.fields);
        NdjsonParser { object, scratch: Scratch::default(), decoder: SharedDecoder::clone(decoder) }
    }

    /// Whether each field was in a record, be it with null.
    pub(crate) fn fields_seen(&self) -> Vec<FieldStats> {
        self.object.fields_seen(&self.decoder.fields)
    }

    /// Appends the record to the rows; the caller ends it there.
    pub(crate) fn decode(
        &mut self,
        text: &str,
        unfinished: bool,
        rows: &mut RowBuilder,
    ) -> Result<(), Reject> {
        let fields = &self.decoder.fields;
        self.scratch.notes.clear();
        self.scratch.n_values_left = Scratch::n_values_of(text.len());
        let mut cursor = Cursor::new(text);
        let walked = self.object.walk(&mut cursor, fields, &mut rows.columns, &mut self.scratch, 1);
        let reject = walked.and_then(|reject| cursor.end().map(|()| reject));
        match reject.map_err(|syntax| reject_syntax(syntax, text, unfinished))? {
            Some(reject) => Err(reject),
            None => {
                rows.note_all(&mut self.scratch.notes);
                self.object.fill(fields, &mut rows.columns)
            }
        }
    }
}

fn reject_syntax(syntax: Syntax, text: &str, unfinished: bool) -> Reject {
    if text.trim_ascii().is_empty() {
        return Problem::new("a blank line", "").in_record();
    }
    let problem = if syntax.ended && unfinished {
        "the file ends in the middle of the record".into()
    } else if syntax.ended {
        format!("the line ends in the middle of the object: {}", syntax.problem)
    } else {
        format!("no JSON at byte {}: {}", syntax.at, syntax.problem)
    };
    Problem::new(problem, text).in_record()
}

#[cfg(test)]
#[path = "format_ndjson_tests.rs"]
mod tests;
