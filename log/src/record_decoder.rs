//! How each field of a source is decoded: its declaration, resolved once when a log is opened.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use metricc_ir::calendar::ZoneRules;
use metricc_ir::{Field, Kind, Source, TimeUnit, Type, Value};

use crate::LogError;
use crate::column::Column;
use crate::decode::{Raw, scalar};
use crate::format_parquet::convert;

/// Decodes the records of one source: how each of its fields is read, in their order.
#[derive(Debug)]
pub struct RecordDecoder {
    pub(crate) source: Arc<Source>,
    pub(crate) fields: Vec<FieldDecoder>,
    /// Bytes that the defaults of one record add at most.
    pub(crate) n_default_bytes: usize,
}

/// Decodes one field.
#[derive(Debug)]
pub(crate) struct FieldDecoder {
    pub(crate) name: String,
    pub(crate) value: ValueDecoder,
    /// The value of a record where the field is absent or null.
    pub(crate) default: Option<Value>,
}

/// Decodes values of one type.
#[derive(Debug)]
pub(crate) struct ValueDecoder {
    pub(crate) ty: Type,
    pub(crate) format: ValueFormat,
}

/// How a value that is present is read.
#[derive(Debug)]
pub(crate) enum ValueFormat {
    Bool,
    Int,
    Decimal { precision: u8, scale: u8 },
    Float,
    Text,
    Enum(EnumNames),
    Date,
    Timestamp { zone: Option<ZoneRules>, unit: Option<TimeUnit> },
    Duration,
    List(Box<ValueDecoder>),
}

/// The names of an enum, by their indices.
#[derive(Debug)]
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
    /// [`LogError::Declaration`] if a zone is not known, a field is a record, or a default is of another type
    /// than its field.
    pub fn new(source: &Arc<Source>) -> Result<Arc<Self>, LogError> {
        let fields = source
            .fields
            .iter()
            .map(|field| FieldDecoder::new(source, field))
            .collect::<Result<Vec<_>, _>>()?;
        let n_default_bytes = fields.iter().filter_map(|field| field.default.as_ref()).map(n_bytes).sum();
        Ok(Arc::new(RecordDecoder { source: Arc::clone(source), fields, n_default_bytes }))
    }

    /// The source whose records it decodes.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The column of a field in records that do not have it.
    pub fn absent_column(&self, field: usize, n_rows: usize) -> ArrayRef {
        convert::absent(&self.fields[field], n_rows)
    }
}

impl FieldDecoder {
    fn new(source: &Source, field: &Field) -> Result<Self, LogError> {
        let declaration = |problem: String| LogError::Declaration {
            origin: source.name.clone(),
            field: field.name.clone(),
            problem,
        };
        let zone = match &field.zone {
            Some(name) => Some(
                ZoneRules::named(name)
                    .ok_or_else(|| declaration(format!("there is no time zone `{name}`")))?,
            ),
            None => None,
        };
        if matches!(field.ty.kind, Kind::Record(_)) {
            return Err(declaration("a field cannot be a record".to_owned()));
        }
        let value = ValueDecoder::new(&field.ty, zone.as_ref(), field.unit);
        if let Some(default) = &field.default
            && !Column::new(&field.ty).push_value(default)
        {
            return Err(declaration(format!("its default is no `{}`", field.ty)));
        }
        Ok(FieldDecoder { name: field.name.clone(), value, default: field.default.clone() })
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
    let value = ValueDecoder::new(ty, None, None);
    let scalar = scalar(Raw::Cell(text), &value.format).map_err(|problem| problem.text.into_owned())?;
    let mut column = Column::new(ty);
    column.push(scalar);
    Ok(column.take())
}

impl ValueDecoder {
    fn new(ty: &Type, zone: Option<&ZoneRules>, unit: Option<TimeUnit>) -> Self {
        let format = match &ty.kind {
            // No field is a record: `RecordDecoder::new` rejects one.
            Kind::Bool | Kind::Record(_) => ValueFormat::Bool,
            Kind::Int => ValueFormat::Int,
            Kind::Int128 => ValueFormat::Decimal { precision: 38, scale: 0 },
            Kind::Decimal { precision, scale } => {
                ValueFormat::Decimal { precision: *precision, scale: *scale }
            }
            Kind::Float => ValueFormat::Float,
            Kind::String => ValueFormat::Text,
            Kind::Enum(names) => ValueFormat::Enum(EnumNames::new(names)),
            Kind::Date => ValueFormat::Date,
            Kind::Timestamp => ValueFormat::Timestamp { zone: zone.cloned(), unit },
            Kind::Duration => ValueFormat::Duration,
            Kind::List(element) => ValueFormat::List(Box::new(ValueDecoder::new(element, zone, unit))),
        };
        ValueDecoder { ty: ty.clone(), format }
    }
}

fn n_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(values) | Value::Record(values) => values.iter().map(n_bytes).sum::<usize>() + 4,
        _ => 16,
    }
}
