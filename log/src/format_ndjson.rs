//! NDJSON: one JSON object a line. A blank line at the very end is not a record; elsewhere it is one
//! that does not decode.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::column::Column;
use crate::decode::{Problem, Raw, Reject, Rows, SharedDecoder, excerpt, scalar};
use crate::json::{Cursor, KeySet, Syntax, unescape};
use crate::record_decoder::{ValueDecoder, ValueFormat};

/// How many keys are remembered as the usual ones.
const MAX_LAYOUT: usize = 256;
/// How many of the usual keys a record may leave out at once.
const MAX_LEAP: usize = 16;

/// Decodes lines.
///
/// Records of one file mostly have the same keys in the same order. `layout` learns this order, and
/// a record whose keys are some of it in its order needs neither a look-up nor a check for keys that occur
/// twice: the keys of the layout differ, and it is walked in one direction.
#[derive(Debug)]
pub(crate) struct NdjsonParser {
    decoder: SharedDecoder,
    by_name: HashMap<String, usize>,
    layout: Vec<(String, Option<usize>)>,
    /// For each field, the number of the last record that had it.
    seen: Vec<u64>,
    record: u64,
    scratch: String,
}

/// The keys of the present record.
#[derive(Default)]
struct Keys<'a> {
    /// Index in the layout after the last key found there.
    at: usize,
    /// Ignored keys found in the layout.
    usual: Vec<usize>,
    /// All ignored keys, once one was not found there.
    all: Option<KeySet<'a>>,
}

impl NdjsonParser {
    pub(crate) fn new(decoder: &SharedDecoder) -> Self {
        let names = decoder.fields.iter().enumerate();
        NdjsonParser {
            by_name: names.map(|(index, field)| (field.name.clone(), index)).collect(),
            layout: Vec::new(),
            seen: vec![0; decoder.fields.len()],
            record: 0,
            scratch: String::new(),
            decoder: SharedDecoder::clone(decoder),
        }
    }

    /// Appends the record to the rows; the caller ends it there.
    pub(crate) fn decode(&mut self, text: &str, unfinished: bool, rows: &mut Rows) -> Result<(), Reject> {
        self.record += 1;
        if let Some(reject) =
            self.object(text, rows).map_err(|syntax| reject_syntax(syntax, text, unfinished))?
        {
            return Err(reject);
        }
        let decoder = SharedDecoder::clone(&self.decoder);
        for (index, field) in decoder.fields.iter().enumerate() {
            if self.seen[index] != self.record {
                rows.push_absent(index, field)?;
            }
        }
        Ok(())
    }

    /// Walks the object to its end, so that a mistake in its form is found before one in a value counts.
    fn object(&mut self, text: &str, rows: &mut Rows) -> Result<Option<Reject>, Syntax> {
        let mut cursor = Cursor::new(text);
        let (mut first, mut keys, mut reject) = (true, Keys::default(), None);
        cursor.begin_object(1)?;
        while cursor.next_member(&mut first)? {
            let target = self.key(&mut cursor, &mut keys)?;
            cursor.expect(b':', "a `:` is expected after a key")?;
            let found = match target {
                Some(index) => self.field(&mut cursor, index, rows)?,
                None => cursor.skip(1).map(|()| None)?,
            };
            reject = reject.or(found);
        }
        cursor.end()?;
        Ok(reject)
    }

    /// Reads a key: the field that it names, or none for one that is ignored.
    fn key<'a>(&mut self, cursor: &mut Cursor<'a>, keys: &mut Keys<'a>) -> Result<Option<usize>, Syntax> {
        let start = cursor.at();
        let quoted = cursor.string()?;
        let key: Cow<'a, str> = if quoted.escaped {
            let mut key = String::new();
            unescape(quoted.inner, &mut key).map_err(|problem| Syntax {
                problem,
                at: start,
                ended: false,
            })?;
            Cow::Owned(key)
        } else {
            Cow::Borrowed(quoted.inner)
        };
        let ahead = self.layout.iter().enumerate().skip(keys.at).take(MAX_LEAP);
        let usual =
            ahead.into_iter().find(|(_, (name, _))| *name == key).map(|(index, (_, field))| (index, *field));
        let field = match usual {
            Some((index, field)) => {
                keys.at = index + 1;
                field
            }
            None => self.unusual_key(&key, keys),
        };
        let is_new = match (field, usual) {
            (Some(index), _) => std::mem::replace(&mut self.seen[index], self.record) != self.record,
            (None, Some((index, _))) if keys.all.is_none() => {
                keys.usual.push(index);
                true
            }
            (None, _) => keys.all.get_or_insert_default().insert(key),
        };
        if is_new { Ok(field) } else { Err(cursor.repeated_key()) }
    }

    /// Looks up a key that the layout does not have next, and teaches it to the layout if it has it nowhere.
    fn unusual_key(&mut self, key: &str, keys: &mut Keys<'_>) -> Option<usize> {
        let field = self.by_name.get(key).copied();
        let layout = &self.layout;
        keys.all.get_or_insert_with(|| {
            let mut all = KeySet::default();
            keys.usual.iter().for_each(|&index| {
                all.insert(Cow::Owned(layout[index].0.clone()));
            });
            all
        });
        if self.layout.len() < MAX_LAYOUT && self.layout.iter().all(|(name, _)| name != key) {
            self.layout.insert(keys.at, (key.to_owned(), field));
            keys.at += 1;
        }
        field
    }

    fn field(
        &mut self,
        cursor: &mut Cursor<'_>,
        index: usize,
        rows: &mut Rows,
    ) -> Result<Option<Reject>, Syntax> {
        let field = &self.decoder.fields[index];
        if cursor.peek() == Some(b'n') {
            cursor.literal("null")?;
            return Ok(rows.push_absent(index, field).err());
        }
        let problem = push(cursor, &field.value, &mut rows.columns[index], &mut self.scratch, 1)?;
        Ok(problem.map(|problem| problem.in_field(index)))
    }
}

/// Reads a value that is not null and appends it, or gives the reason why it does not decode. The
/// cursor stands after the value either way.
fn push(
    cursor: &mut Cursor<'_>,
    decoder: &ValueDecoder,
    column: &mut Column,
    scratch: &mut String,
    depth: usize,
) -> Result<Option<Problem>, Syntax> {
    cursor.peek();
    let start = cursor.at();
    let next = cursor.peek();
    if let (ValueFormat::List(element), Some(b'[')) = (&decoder.format, next) {
        return push_list(cursor, element, column, scratch, depth + 1);
    }
    let raw = match next {
        Some(b'"') => Raw::Text(cursor.text(scratch)?),
        Some(b't') => cursor.literal("true").map(|()| Raw::Bool(true))?,
        Some(b'f') => cursor.literal("false").map(|()| Raw::Bool(false))?,
        Some(b'-' | b'0'..=b'9') => Raw::Number(cursor.number()?),
        Some(b'[') => cursor.skip(depth).map(|()| Raw::Array)?,
        Some(b'{') => cursor.skip(depth).map(|()| Raw::Object)?,
        _ => return Err(cursor.syntax("a JSON value is expected")),
    };
    match scalar(raw, &decoder.format) {
        Ok(scalar) => {
            column.push(scalar);
            Ok(None)
        }
        Err(problem) => Ok(Some(Problem { excerpt: excerpt(cursor.since(start)), ..problem })),
    }
}

fn push_list(
    cursor: &mut Cursor<'_>,
    element: &ValueDecoder,
    column: &mut Column,
    scratch: &mut String,
    depth: usize,
) -> Result<Option<Problem>, Syntax> {
    cursor.begin_array(depth)?;
    let elements = column.elements().expect("a list is read into a column of lists");
    let (mut first, mut problem) = (true, None);
    while cursor.next_element(&mut first)? {
        let found = if cursor.peek() == Some(b'n') {
            cursor.literal("null")?;
            if element.ty.optional {
                elements.push_none();
            }
            let text = "null in a list whose elements are not optional";
            (!element.ty.optional).then(|| Problem::new(text, "null"))
        } else {
            push(cursor, element, elements, scratch, depth)?
        };
        problem = problem.or(found);
    }
    column.end_list();
    Ok(problem)
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
