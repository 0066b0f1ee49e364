//! Types as a journal writes them: from the text of [`Type`] back to the type.

use std::iter::Peekable;
use std::str::Chars;

use metricc_ir::{Kind, RecordField, Type};

/// The type that has this text; `None` if none has.
pub(crate) fn parse(text: &str) -> Option<Type> {
    let mut parser = Parser { rest: text.chars().peekable() };
    let ty = parser.ty(0)?;
    parser.rest.next().is_none().then_some(ty)
}

/// How deep types may be nested. The checker allows less.
const MAX_DEPTH: usize = 64;

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn ty(&mut self, depth: usize) -> Option<Type> {
        let kind = self.kind(depth)?;
        Some(Type { kind, optional: self.has('?') })
    }

    fn kind(&mut self, depth: usize) -> Option<Kind> {
        if depth > MAX_DEPTH {
            return None;
        }
        if self.has('{') {
            return self.record(depth);
        }
        Some(match self.word().as_str() {
            "bool" => Kind::Bool,
            "int" => Kind::Int,
            "int128" => Kind::Int128,
            "float" => Kind::Float,
            "string" => Kind::String,
            "date" => Kind::Date,
            "timestamp" => Kind::Timestamp,
            "duration" => Kind::Duration,
            "decimal" => {
                self.expect('(')?;
                let precision = self.word().parse().ok()?;
                self.expect(',')?;
                let scale = self.word().parse().ok()?;
                self.expect(')')?;
                Kind::Decimal { precision, scale }
            }
            "enum" => {
                self.expect('(')?;
                let mut names = vec![self.quoted()?];
                while self.has(',') {
                    names.push(self.quoted()?);
                }
                self.expect(')')?;
                Kind::Enum(names.into())
            }
            "list" => {
                self.expect('<')?;
                let element = self.ty(depth + 1)?;
                self.expect('>')?;
                Kind::List(Box::new(element))
            }
            _ => return None,
        })
    }

    fn record(&mut self, depth: usize) -> Option<Kind> {
        let mut fields = Vec::new();
        loop {
            let name = self.word();
            self.expect(':')?;
            fields.push(RecordField { name, ty: self.ty(depth + 1)? });
            if !self.has(',') {
                self.expect('}')?;
                return Some(Kind::Record(fields.into()));
            }
        }
    }

    fn word(&mut self) -> String {
        self.skip_blanks();
        std::iter::from_fn(|| self.rest.next_if(|&char| char.is_alphanumeric() || char == '_')).collect()
    }

    /// A text with the escapes of Rust.
    fn quoted(&mut self) -> Option<String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            text.push(match self.rest.next()? {
                '"' => return Some(text),
                '\\' => match self.rest.next()? {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'u' => {
                        self.expect('{')?;
                        let digits = self.word();
                        self.expect('}')?;
                        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                    }
                    char => char,
                },
                char => char,
            });
        }
    }

    fn has(&mut self, char: char) -> bool {
        self.skip_blanks();
        self.rest.next_if_eq(&char).is_some()
    }

    fn expect(&mut self, char: char) -> Option<()> {
        self.has(char).then_some(())
    }

    fn skip_blanks(&mut self) {
        while self.rest.next_if_eq(&' ').is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_from_its_text() {
        for text in [
            "decimal(12, 2)?",
            "list<list<{ a: int?, b_2: { c: enum(\"x\", \"a\\\"\\\\, \\u{1}\\n }\")? }, d: list<date?> }>>",
        ] {
            assert_eq!(parse(text).map(|ty| ty.to_string()).as_deref(), Some(text));
        }
        for text in ["", "number", "list<int", "int int", "{ a int }", "enum(x)", "decimal(12)", "enum(\"x"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"list<".repeat(100_000)), None);
    }
}
