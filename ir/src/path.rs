//! Where the value of a field stands in the data.
//!
//! A field is read under its own name unless it says otherwise. One spelling serves objects of JSON, structs
//! and maps of Parquet and Arrow, and columns of CSV; names are compared exactly.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::{Field, Kind, Source, Spelling, Type};

/// Steps from a record down to a value. Empty: the value stands under the field's own name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Path(Vec<Step>);

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The member, column, struct field or key of a map of that name, compared exactly.
    Name(String),
    /// The element of a list at this index, from 0.
    Index(u32),
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Step::Name(name) => serializer.serialize_str(name),
            Step::Index(index) => serializer.serialize_u32(*index),
        }
    }
}

impl Path {
    /// The path of these steps; the first is a name.
    pub fn new(steps: Vec<Step>) -> Self {
        Path(steps)
    }

    /// The member or column of that name.
    pub fn of_name(name: impl Into<String>) -> Self {
        Path(vec![Step::Name(name.into())])
    }

    /// The steps; none if the value stands under the field's own name.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether the value stands under the field's own name.
    pub fn is_own(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of the column, or of the member of the record, that it starts with.
    pub fn root(&self) -> &str {
        match self.0.first() {
            Some(Step::Name(name)) => name,
            _ => "",
        }
    }

    /// The name of a CSV column that says the same: the names joined by dots, without quotes.
    pub fn header(&self) -> String {
        let mut header = String::new();
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if place == 0 => header.push_str(name),
                Step::Name(name) => header.extend([".", name]),
                Step::Index(index) => header.push_str(&format!("[{index}]")),
            }
        }
        header
    }
}

/// As the language writes it: names that are no words stand in quotes.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) => {
                    f.write_str(if place == 0 { "" } else { "." })?;
                    f.write_str(&step_text(name))?;
                }
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A name as a step of a path: a word, or in quotes.
fn step_text(name: &str) -> Cow<'_, str> {
    let is_start = |first: char| first.is_ascii_alphabetic() || first == '_';
    if name.starts_with(is_start) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return name.into();
    }
    quoted(name).into()
}

/// A text as a string of the language.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other if other.is_control() => quoted.push_str(&format!("\\u{{{:X}}}", u32::from(other))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

impl Field {
    /// A field that is read under its own name, without a default or further attributes.
    pub fn new(name: impl Into<String>, ty: Type) -> Self {
        let fields = match record_of(&ty) {
            Some(fields) => {
                fields.iter().map(|field| Field::new(field.name.clone(), field.ty.clone())).collect()
            }
            None => Vec::new(),
        };
        let (name, doc, path) = (name.into(), String::new(), Path::default());
        let spelling = Spelling::default();
        Field { name, doc, ty, default: None, zone: None, unit: None, spelling, path, fields }
    }

    /// The field as rows that were decoded once have it: under its own name, and nothing of how records
    /// spelled it.
    fn of_rows(&self) -> Self {
        let (path, fields) = (Path::default(), self.fields.iter().map(Field::of_rows).collect());
        Field { path, fields, ..self.clone() }
    }

    /// The type with the paths of the fields of its records, and the field's own path, as the language writes
    /// them.
    pub fn type_and_path(&self) -> String {
        let mut text = type_text(&self.ty, &self.fields);
        if !self.path.is_own() {
            text.push_str(&format!(" from {}", self.path));
        }
        text
    }

    /// Where the value stands, also if that is under its own name.
    pub fn full_path(&self) -> Cow<'_, Path> {
        if self.path.is_own() { Cow::Owned(Path::of_name(&*self.name)) } else { Cow::Borrowed(&self.path) }
    }
}

fn type_text(ty: &Type, fields: &[Field]) -> String {
    let optional = if ty.optional { "?" } else { "" };
    match &ty.kind {
        Kind::List(element) => format!("list<{}>{optional}", type_text(element, fields)),
        Kind::Record(_) if !fields.is_empty() => {
            let parts = fields.iter().map(|field| format!("{}: {}", field.name, field.type_and_path()));
            format!("{{ {} }}{optional}", parts.collect::<Vec<_>>().join(", "))
        }
        _ => ty.to_string(),
    }
}

impl Source {
    /// The source whose records are decoded rows of this one, as a log keeps them.
    pub fn of_rows(&self) -> Self {
        Source { fields: self.fields.iter().map(Field::of_rows).collect(), ..self.clone() }
    }
}

/// The fields of a record, or of the records of a list.
pub(super) fn record_of(ty: &Type) -> Option<&[super::RecordField]> {
    match &ty.kind {
        Kind::Record(fields) => Some(fields),
        Kind::List(element) => record_of(element),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_the_language_reads_it() {
        let name = |name: &str| Step::Name(name.to_owned());
        let path = |steps: &[Step]| Path::new(steps.to_vec());
        assert_eq!(path(&[name("properties"), name("revenue")]).to_string(), "properties.revenue");
        let items = path(&[name("line items"), Step::Index(0), name("a.b"), name("from")]);
        assert_eq!(items.to_string(), "\"line items\"[0].\"a.b\".from");
        assert_eq!(items.header(), "line items[0].a.b.from");
        let odd = Path::of_name("a\"\\\n\u{1b}ß");
        assert_eq!(odd.to_string(), r#""a\"\\\n\u{1B}ß""#);
        assert_eq!(serde_json::to_string(&items).unwrap(), r#"["line items",0,"a.b","from"]"#);
    }

    #[test]
    fn a_field_without_attributes_says_nothing_of_paths_in_its_hash() {
        let field = Field::new("a", Type::of(Kind::Int));
        let text = serde_json::to_string(&field).unwrap();
        assert!(!text.contains("path") && !text.contains("fields"), "{text}");
        let field = Field { path: Path::of_name("A"), ..field };
        assert!(serde_json::to_string(&field).unwrap().ends_with(r#""unit":null,"path":["A"]}"#));
        assert_eq!(field.full_path().to_string(), "A");
    }
}
