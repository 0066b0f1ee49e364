//! How each field of a source is read: its declaration, resolved once when a log is opened.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use metricc_ir::calendar::ZoneRules;
use metricc_ir::{Field, Kind, Source, TimeUnit, Type, Value};

use crate::LogError;
use crate::column::Column;
use crate::decode::{Raw, scalar};

/// The rules of all fields of a source, in their order.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) source: Arc<Source>,
    pub(crate) fields: Vec<FieldRule>,
    /// Bytes that the defaults of one record add at most.
    pub(crate) n_default_bytes: usize,
}

/// How one field is read.
#[derive(Debug)]
pub(crate) struct FieldRule {
    pub(crate) name: String,
    pub(crate) rule: Rule,
    /// The value of a record where the field is absent or null.
    pub(crate) default: Option<Value>,
}

/// How a value is read.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) ty: Type,
    pub(crate) reading: Reading,
}

/// How a value that is there is read.
#[derive(Debug)]
pub(crate) enum Reading {
    Bool,
    Int,
    Decimal { precision: u8, scale: u8 },
    Float,
    Text,
    Enum(Places),
    Date,
    Timestamp { zone: Option<ZoneRules>, unit: Option<TimeUnit> },
    Duration,
    List(Box<Rule>),
}

/// The places of the names of an enum.
#[derive(Debug)]
pub(crate) struct Places {
    names: Arc<[String]>,
    /// Only where the names are too many to be compared one by one.
    by_name: Option<HashMap<String, usize>>,
}

impl Places {
    fn new(names: &Arc<[String]>) -> Self {
        let places = || names.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        Places { names: Arc::clone(names), by_name: (names.len() > 12).then(places) }
    }

    /// Whether there is a name at this place.
    pub(crate) fn holds(&self, place: i32) -> bool {
        usize::try_from(place).is_ok_and(|place| place < self.names.len())
    }

    /// The place of a name in the declared list.
    pub(crate) fn get(&self, name: &str) -> Option<i32> {
        let place = match &self.by_name {
            Some(by_name) => by_name.get(name).copied(),
            None => self.names.iter().position(|known| known == name),
        };
        place.and_then(|place| i32::try_from(place).ok())
    }
}

impl Rules {
    /// # Errors
    /// [`LogError::Declaration`] if a zone is not known, a field is a record, or a default is of another type than its field.
    pub(crate) fn new(source: &Arc<Source>) -> Result<Arc<Self>, LogError> {
        let fields =
            source.fields.iter().map(|field| FieldRule::new(source, field)).collect::<Result<Vec<_>, _>>()?;
        let n_default_bytes = fields.iter().filter_map(|field| field.default.as_ref()).map(n_bytes).sum();
        Ok(Arc::new(Rules { source: Arc::clone(source), fields, n_default_bytes }))
    }
}

impl FieldRule {
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
            return Err(declaration("a field is no record".to_owned()));
        }
        let rule = Rule::new(&field.ty, zone.as_ref(), field.unit);
        if let Some(default) = &field.default
            && !Column::new(&field.ty).push_value(default)
        {
            return Err(declaration(format!("its default is no `{}`", field.ty)));
        }
        Ok(FieldRule { name: field.name.clone(), rule, default: field.default.clone() })
    }

    /// Whether a record, or a file, may be without the field.
    pub(crate) fn may_be_absent(&self) -> bool {
        self.rule.ty.optional || self.default.is_some()
    }
}

/// Reads a value that somebody asks for as a cell of a record would be read: one row of the type's column.
///
/// # Errors
/// What is wrong with it, in the words of a quarantined record.
pub fn parse_value(ty: &Type, text: &str) -> Result<ArrayRef, String> {
    let rule = Rule::new(ty, None, None);
    let scalar = scalar(Raw::Cell(text), &rule.reading).map_err(|problem| problem.text.into_owned())?;
    let mut column = Column::new(ty);
    column.push(scalar);
    Ok(column.take())
}

impl Rule {
    fn new(ty: &Type, zone: Option<&ZoneRules>, unit: Option<TimeUnit>) -> Self {
        let reading = match &ty.kind {
            // No field is a record: `Rules::new` refuses one.
            Kind::Bool | Kind::Record(_) => Reading::Bool,
            Kind::Int => Reading::Int,
            Kind::Int128 => Reading::Decimal { precision: 38, scale: 0 },
            Kind::Decimal { precision, scale } => Reading::Decimal { precision: *precision, scale: *scale },
            Kind::Float => Reading::Float,
            Kind::String => Reading::Text,
            Kind::Enum(names) => Reading::Enum(Places::new(names)),
            Kind::Date => Reading::Date,
            Kind::Timestamp => Reading::Timestamp { zone: zone.cloned(), unit },
            Kind::Duration => Reading::Duration,
            Kind::List(element) => Reading::List(Box::new(Rule::new(element, zone, unit))),
        };
        Rule { ty: ty.clone(), reading }
    }
}

fn n_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(values) | Value::Record(values) => values.iter().map(n_bytes).sum::<usize>() + 4,
        _ => 16,
    }
}
