//! How each field of a source is decoded: its declaration, resolved once when a log is opened.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use metricc_ir::text::TextRules;
use metricc_ir::{Field, Kind, Path, Source, Step, Type, Value};

use crate::LogError;
use crate::column::Column;
use crate::decode::{Decoded, NOT_FINITE, Raw, Reject, scalar};
use crate::format_parquet::convert;
use crate::older_rows;

/// Decodes the records of one source: how each of its fields is read, in their order.
#[derive(Debug, Clone)]
pub struct RecordDecoder {
    pub(crate) source: Arc<Source>,
    pub(crate) fields: Vec<FieldDecoder>,
    /// Bytes that the defaults of one record add at most.
    pub(crate) n_default_bytes: usize,
}

/// Decodes one field.
#[derive(Debug, Clone)]
pub(crate) struct FieldDecoder {
    pub(crate) name: String,
    /// Where the value stands in the record.
    pub(crate) path: Path,
    pub(crate) value: ValueDecoder,
    /// The type of its column in typed rows.
    pub(crate) row_type: Type,
    /// The value of a record where the field is absent or null.
    pub(crate) default: Option<Value>,
    /// The columns of files have it as typed rows do, where a null is a value that is none.
    pub(crate) is_typed: bool,
    /// Whether the folders of the file say the value of a record that has none.
    pub(crate) is_in_folder: bool,
}

/// Decodes values of one type.
#[derive(Debug, Clone)]
pub(crate) struct ValueDecoder {
    pub(crate) ty: Type,
    pub(crate) format: ValueFormat,
    /// How texts of it are read.
    pub(crate) rules: Arc<TextRules>,
}

/// How a value that is present is read.
#[derive(Debug, Clone)]
pub(crate) enum ValueFormat {
    Bool,
    Int,
    Decimal { precision: u8, scale: u8 },
    Float,
    Text,
    Enum(EnumNames),
    Date,
    Timestamp,
    Duration,
    List(Box<ValueDecoder>),
    Record(Vec<FieldDecoder>),
}

/// The names of an enum, by their indices.
#[derive(Debug, Clone)]
pub(crate) struct EnumNames {
    names: Arc<[String]>,
    /// Only where the names are too many to be compared one by one.
    by_name: Option<HashMap<String, usize>>,
}

impl EnumNames {
    fn new(names: &Arc<[String]>) -> Self {
        let indices = || names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        EnumNames { names: Arc::clone(names), by_name: (names.len() > 12).then(indices) }
    }

    /// Whether a name has this index.
    pub(crate) fn holds(&self, index: i32) -> bool {
        usize::try_from(index).is_ok_and(|index| index < self.names.len())
    }

    /// The index of a name in the declared list.
    pub(crate) fn get(&self, name: &str) -> Option<i32> {
        let index = match &self.by_name {
            Some(by_name) => by_name.get(name).copied(),
            None => self.names.iter().position(|known| known == name),
        };
        index.and_then(|index| i32::try_from(index).ok())
    }
}

impl RecordDecoder {
    /// Resolves the declaration of a source.
    ///
    /// # Errors
    /// [`LogError::Declaration`] if a zone is not known, the fields of a record are not those of its type, or
    /// a default is of another type than its field.
    pub fn new(source: &Arc<Source>) -> Result<Arc<Self>, LogError> {
        let fields = source
            .fields
            .iter()
            .map(|field| FieldDecoder::new(source, field))
            .collect::<Result<Vec<_>, _>>()?;
        let mut decoder = RecordDecoder { source: Arc::clone(source), fields, n_default_bytes: 0 };
        decoder.count_defaults();
        Ok(Arc::new(decoder))
    }

    /// Counts the bytes of the defaults.
    pub(crate) fn count_defaults(&mut self) {
        self.n_default_bytes = self.fields.iter().map(FieldDecoder::n_default_bytes).sum();
    }

    /// The decoder of rows that a decoder of this source has made, as files keep them under the names of
    /// their fields: nothing of them is spelled, and a null is a value that is none.
    ///
    /// # Errors
    /// As [`RecordDecoder::new`].
    pub fn typed_rows(&self) -> Result<Arc<Self>, LogError> {
        let mut source = self.source.of_rows();
        source.fields.iter_mut().for_each(remove_spellings);
        let mut decoder = RecordDecoder::clone(&*RecordDecoder::new(&Arc::new(source))?);
        decoder.fields.iter_mut().for_each(FieldDecoder::set_typed);
        Ok(Arc::new(decoder))
    }

    /// The source whose records it decodes.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The field of a record that does not decode, with the fields of records that lead to it: `items.price`.
    pub(crate) fn field_name(&self, reject: &Reject) -> Option<String> {
        self.to_value(reject).map(|(name, _)| name)
    }

    /// What is wrong with a record, and where, if that is not under the name of its field.
    pub(crate) fn problem_text(&self, reject: &Reject) -> String {
        match self.to_value(reject).filter(|(name, path)| path.replace("[]", "") != *name) {
            Some((_, path)) => format!("{}, at `{path}`", reject.problem.text),
            None => reject.problem.text.to_string(),
        }
    }

    /// The names that lead to a value that does not decode, and its path in the data.
    fn to_value(&self, reject: &Reject) -> Option<(String, String)> {
        let mut field = self.fields.get(reject.field?)?;
        let (mut name, mut path) = (field.name.clone(), field.path.to_string());
        for part in &reject.problem.below {
            if let ValueFormat::List(_) = field.value.format {
                path.push_str("[]");
            }
            field = field.value.record()?.get(*part)?;
            name.extend([".", &field.name]);
            path.extend([".", &field.path.to_string()]);
        }
        Some((name, path))
    }

    /// The column of a field in records that do not have it.
    pub fn absent_column(&self, field: usize, n_rows: usize) -> ArrayRef {
        convert::absent(&self.fields[field], n_rows)
    }

    /// The column of a field in rows that were decoded when its records had fewer fields, as it is now.
    ///
    /// # Errors
    /// If the column is of another type.
    pub fn completed_column(&self, field: usize, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        older_rows::completed(column, &self.fields[field].value)
    }
}

impl FieldDecoder {
    fn new(source: &Source, field: &Field) -> Result<Self, LogError> {
        let declaration = |problem: String| LogError::Declaration {
            origin: source.name.clone(),
            field: field.name.clone(),
            problem,
        };
        let parts = field.fields.iter().map(|part| FieldDecoder::of_part(source, part));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let rules = TextRules::new(&field.ty.kind, &field.spelling, field.zone.as_deref(), field.unit);
        let value = ValueDecoder::new(&field.ty, &Arc::new(rules.map_err(declaration)?), parts);
        if value.record().map_or(0, <[_]>::len) != value.n_parts() {
            return Err(declaration(format!("it does not say how each part of a `{}` is read", field.ty)));
        }
        if let Some(default) = &field.default
            && !Column::new(&field.ty).push_value(default)
        {
            return Err(declaration(format!("its default is no `{}`", field.ty)));
        }
        let (name, path) = (field.name.clone(), field.full_path().into_owned());
        let (row_type, default) = (field.row_type(), field.default.clone());
        Ok(FieldDecoder { name, path, value, row_type, default, is_typed: false, is_in_folder: false })
    }

    /// A field of a record: its column has the type that is declared, as the elements of a list have.
    fn of_part(source: &Source, field: &Field) -> Result<Self, LogError> {
        let decoder = FieldDecoder::new(source, field)?;
        Ok(FieldDecoder { row_type: field.ty.clone(), ..decoder })
    }

    /// From now on a null is a value that is none, also in the records that it consists of.
    fn set_typed(&mut self) {
        self.is_typed = true;
        self.value.record_mut().into_iter().flatten().for_each(FieldDecoder::set_typed);
    }

    /// The field as it is declared, without what says how it is read.
    pub(crate) fn declared(&self) -> String {
        format!("{}: {}", self.name, self.value.ty)
    }

    /// The path with another name in place of one that is not there.
    pub(crate) fn path_by(&self, missing: &str, meant: &str) -> Path {
        let steps = self.path.steps().iter().map(|step| match step {
            Step::Name(name) if name == missing => Step::Name(meant.to_owned()),
            step => step.clone(),
        });
        Path::new(steps.collect())
    }

    /// Bytes that defaults add to a record at most.
    fn n_default_bytes(&self) -> usize {
        let parts = self.value.record().unwrap_or_default();
        self.default.as_ref().map_or(0, n_bytes)
            + parts.iter().map(FieldDecoder::n_default_bytes).sum::<usize>()
    }

    /// Whether a record, or a file, may be without the field.
    pub(crate) fn may_be_absent(&self) -> bool {
        self.value.ty.optional || self.default.is_some()
    }
}

/// Decodes a value of a request like a cell of a record, to one row of the type's column.
///
/// # Errors
/// What is wrong with it, in the words of a quarantined record.
pub fn parse_value(ty: &Type, text: &str) -> Result<ArrayRef, String> {
    let value = ValueDecoder::new(ty, &Arc::default(), Vec::new());
    let Decoded::Value(scalar) =
        scalar(Raw::Cell(text), &value).map_err(|problem| problem.text.into_owned())?
    else {
        return Err(NOT_FINITE.to_owned());
    };
    let mut column = Column::new(ty);
    column.push(scalar);
    Ok(column.take())
}

impl ValueDecoder {
    /// `parts` is how the fields of a record are read.
    fn new(ty: &Type, rules: &Arc<TextRules>, parts: Vec<FieldDecoder>) -> Self {
        let format = match &ty.kind {
            Kind::Bool => ValueFormat::Bool,
            Kind::Record(_) => ValueFormat::Record(parts),
            Kind::Int => ValueFormat::Int,
            Kind::Int128 => ValueFormat::Decimal { precision: 38, scale: 0 },
            Kind::Decimal { precision, scale } => {
                ValueFormat::Decimal { precision: *precision, scale: *scale }
            }
            Kind::Float => ValueFormat::Float,
            Kind::String => ValueFormat::Text,
            Kind::Enum(names) => ValueFormat::Enum(EnumNames::new(names)),
            Kind::Date => ValueFormat::Date,
            Kind::Timestamp => ValueFormat::Timestamp,
            Kind::Duration => ValueFormat::Duration,
            Kind::List(element) => ValueFormat::List(Box::new(ValueDecoder::new(element, rules, parts))),
        };
        ValueDecoder { ty: ty.clone(), format, rules: Arc::clone(rules) }
    }

    /// How the fields are read of the record that it is, or of those in its list.
    pub(crate) fn record(&self) -> Option<&[FieldDecoder]> {
        match &self.format {
            ValueFormat::Record(fields) => Some(fields),
            ValueFormat::List(element) => element.record(),
            _ => None,
        }
    }

    fn record_mut(&mut self) -> Option<&mut [FieldDecoder]> {
        match &mut self.format {
            ValueFormat::Record(fields) => Some(fields),
            ValueFormat::List(element) => element.record_mut(),
            _ => None,
        }
    }

    /// The number of fields that its type says of such a record.
    fn n_parts(&self) -> usize {
        match (&self.format, &self.ty.kind) {
            (ValueFormat::List(element), _) => element.n_parts(),
            (_, Kind::Record(fields)) => fields.len(),
            _ => 0,
        }
    }
}

fn remove_spellings(field: &mut Field) {
    field.spelling = metricc_ir::Spelling::default();
    field.fields.iter_mut().for_each(remove_spellings);
}

fn n_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(values) | Value::Record(values) => values.iter().map(n_bytes).sum::<usize>() + 4,
        _ => 16,
    }
}
