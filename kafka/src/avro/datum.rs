//! One walk over a datum, which writes its JSON.

use std::borrow::Cow;

use super::{AvroSchema, Field, Node, NodeId};
use crate::json_text;
use crate::payload::{LONGEST, TOO_LONG};

/// Objects and arrays that stand in one another. The decoder takes no more.
const MAX_DEPTH: usize = 64;
/// Bytes of a number of 64 bits, seven bits in each.
const MAX_VARINT: u32 = 10;

/// Why bytes are not a datum of a schema.
#[derive(Debug)]
struct Bad {
    problem: Cow<'static, str>,
    /// The fields that lead there.
    path: String,
}

impl<T: Into<Cow<'static, str>>> From<T> for Bad {
    fn from(problem: T) -> Self {
        Bad { problem: problem.into(), path: String::new() }
    }
}

type Walked = Result<(), Bad>;

impl AvroSchema {
    /// Writes a datum, which is all of some bytes, as JSON.
    ///
    /// # Errors
    /// Why the bytes are not a datum of this schema, and where.
    pub(crate) fn write_json(&self, datum: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let mut walk = Walk { schema: self, rest: datum, out, depth: 0 };
        walk.value(self.root).map_err(|Bad { problem, path }| match path.as_str() {
            "" => problem.into_owned(),
            path => format!("at `{path}`: {problem}"),
        })?;
        match walk.rest.len() {
            0 => Ok(()),
            n_bytes => Err(format!("{n_bytes} bytes follow the record")),
        }
    }
}

struct Walk<'w> {
    schema: &'w AvroSchema,
    rest: &'w [u8],
    out: &'w mut Vec<u8>,
    depth: usize,
}

impl<'w> Walk<'w> {
    fn value(&mut self, node: NodeId) -> Walked {
        if self.out.len() > LONGEST {
            return Err(TOO_LONG.into());
        }
        let schema = self.schema;
        match &schema.nodes[node] {
            Node::Record(fields) => self.nested(|walk| walk.record(fields)),
            Node::Array(items) => self.nested(|walk| walk.array(*items)),
            Node::Map(values) => self.nested(|walk| walk.map(*values)),
            Node::Union(variants) => {
                let index = self.long()?;
                let variant = usize::try_from(index).ok().and_then(|index| variants.get(index));
                self.value(
                    *variant
                        .ok_or_else(|| format!("a union of {} types has no type {index}", variants.len()))?,
                )
            }
            node => self.scalar(node),
        }
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Walked) -> Walked {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested more than {MAX_DEPTH} deep").into());
        }
        write(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn record(&mut self, fields: &[Field]) -> Walked {
        self.out.push(b'{');
        for (n, field) in fields.iter().enumerate() {
            if n > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(field.key.as_bytes());
            self.value(field.node).map_err(|bad| {
                let path = if bad.path.is_empty() {
                    field.name.clone()
                } else {
                    format!("{}.{}", field.name, bad.path)
                };
                Bad { path, ..bad }
            })?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, items: NodeId) -> Walked {
        self.out.push(b'[');
        self.blocks(|walk| walk.value(items))?;
        self.out.push(b']');
        Ok(())
    }

    fn map(&mut self, values: NodeId) -> Walked {
        self.out.push(b'{');
        self.blocks(|walk| {
            let key = walk.text()?;
            json_text::string(walk.out, key);
            walk.out.push(b':');
            walk.value(values)
        })?;
        self.out.push(b'}');
        Ok(())
    }

    /// Blocks of items, each with their number before it; the last one has none.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Walked) -> Walked {
        let mut is_first = true;
        loop {
            let n_items = match self.long()? {
                0 => return Ok(()),
                n_items @ 1.. => n_items.unsigned_abs(),
                negative => {
                    // The size of the block in bytes follows.
                    self.long()?;
                    negative.unsigned_abs()
                }
            };
            for _ in 0..n_items {
                if !std::mem::take(&mut is_first) {
                    self.out.push(b',');
                }
                item(self)?;
            }
        }
    }

    fn scalar(&mut self, node: &Node) -> Walked {
        match *node {
            Node::Null => self.out.extend_from_slice(b"null"),
            Node::Boolean => match self.bytes(1)? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                _ => return Err("a boolean that is neither 0 nor 1".into()),
            },
            Node::Int => {
                let int = self.int()?;
                json_text::plain(self.out, int);
            }
            Node::Long => {
                let long = self.long()?;
                json_text::plain(self.out, long);
            }
            Node::Float => {
                let bits = self.array_of::<4>()?;
                json_text::float(self.out, f32::from_le_bytes(bits).into());
            }
            Node::Double => {
                let bits = self.array_of::<8>()?;
                json_text::float(self.out, f64::from_le_bytes(bits));
            }
            Node::String => {
                let text = self.text()?;
                json_text::string(self.out, text);
            }
            Node::Enum(ref symbols) => {
                let index = self.int()?;
                let symbol = usize::try_from(index).ok().and_then(|index| symbols.get(index));
                let symbol = symbol
                    .ok_or_else(|| format!("an enum of {} symbols has no symbol {index}", symbols.len()))?;
                self.out.extend_from_slice(symbol.as_bytes());
            }
            Node::Bytes => {
                let bytes = self.prefixed()?;
                json_text::base64(self.out, bytes);
            }
            Node::Fixed(size) => {
                let bytes = self.bytes(size)?;
                json_text::base64(self.out, bytes);
            }
            ref node => return self.logical(node),
        }
        Ok(())
    }

    fn logical(&mut self, node: &Node) -> Walked {
        match *node {
            Node::Decimal { fixed, scale } => {
                let unscaled = match fixed {
                    Some(size) => self.bytes(size)?,
                    None => self.prefixed()?,
                };
                json_text::decimal(self.out, unscaled, scale)?;
            }
            Node::BigDecimal => self.big_decimal()?,
            Node::Uuid => {
                let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                let bytes = self.bytes(16)?;
                let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].map(hex);
                json_text::string(self.out, &parts.join("-"));
            }
            Node::Date => {
                let days = self.int()?;
                json_text::date(self.out, days);
            }
            Node::TimeOfDay(unit) => {
                let time = self.long()?;
                json_text::time_of_day(self.out, time, unit);
            }
            Node::Timestamp { unit, is_instant } => {
                let time = self.long()?;
                json_text::timestamp(self.out, time, unit, is_instant);
            }
            Node::Duration => {
                let bytes = self.array_of::<12>()?;
                let [months, days, millis] = [0, 4, 8]
                    .map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
                let text = format!("P{months}M{days}DT{}.{:03}S", millis / 1000, millis % 1000);
                json_text::string(self.out, &text);
            }
            // All others are in `value` and `scalar`.
            _ => return Err("a type that is not read".into()),
        }
        Ok(())
    }

    /// Bytes that have an unscaled number and its scale.
    fn big_decimal(&mut self) -> Walked {
        let whole = self.prefixed()?;
        let after = std::mem::replace(&mut self.rest, whole);
        let (unscaled, scale) = (self.prefixed()?, self.long()?);
        self.rest = after;
        Ok(json_text::decimal(self.out, unscaled, scale)?)
    }

    fn text(&mut self) -> Result<&'w str, Bad> {
        std::str::from_utf8(self.prefixed()?).map_err(|_| "a string that is not UTF-8".into())
    }

    /// Bytes after their number.
    fn prefixed(&mut self) -> Result<&'w [u8], Bad> {
        let n_bytes = self.long()?;
        self.bytes(usize::try_from(n_bytes).map_err(|_| format!("{n_bytes} bytes"))?)
    }

    fn bytes(&mut self, n_bytes: usize) -> Result<&'w [u8], Bad> {
        let (bytes, rest) =
            self.rest.split_at_checked(n_bytes).ok_or("the record ends in the middle of a value")?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn int(&mut self) -> Result<i32, Bad> {
        i32::try_from(self.long()?).map_err(|_| "an int of more than 32 bits".into())
    }

    fn long(&mut self) -> Result<i64, Bad> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let [byte] = self.array_of::<1>()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
            shift += 7;
            if shift >= 7 * MAX_VARINT {
                return Err("a number of more than 64 bits".into());
            }
        }
    }
}
