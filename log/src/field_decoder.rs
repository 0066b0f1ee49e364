//! How one field is decoded: its declaration, resolved once when a log is opened.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use metricc_ir::text::TextRules;
use metricc_ir::{Field, Kind, Path, Source, Step, Type, Value};

use crate::LogError;
use crate::column_builder::Column;
use crate::plain_value::PlainForm;
use crate::schema::arrow_type;

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
    /// How nearly all of them are read.
    pub(crate) plain: PlainForm,
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

    /// The name of an index.
    pub(crate) fn name(&self, index: u32) -> Option<&str> {
        self.names.get(usize::try_from(index).ok()?).map(String::as_str)
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

impl FieldDecoder {
    pub(crate) fn new(source: &Source, field: &Field) -> Result<Self, LogError> {
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
    pub(crate) fn set_typed(&mut self) {
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

    /// The error of a file without it. `columns` is what there is where the name `missing` was looked for.
    pub(crate) fn missing_column(
        &self,
        path: &str,
        origin: &str,
        missing: &str,
        columns: Vec<String>,
    ) -> LogError {
        let names = columns.iter().map(String::as_str);
        let suggestion = metricc_ir::suggest::lookalike(missing, names);
        let suggestion = suggestion.map(|meant| self.path_by(missing, meant).to_string().into());
        LogError::MissingColumn {
            path: path.into(),
            column: self.path.header().into(),
            field: self.declared().into(),
            origin: origin.into(),
            columns,
            suggestion,
        }
    }

    /// Bytes that defaults add to a record at most.
    pub(crate) fn n_default_bytes(&self) -> usize {
        let parts = self.value.record().unwrap_or_default();
        self.default.as_ref().map_or(0, n_bytes)
            + parts.iter().map(FieldDecoder::n_default_bytes).sum::<usize>()
    }

    /// Whether a record, or a file, may be without the field.
    pub(crate) fn may_be_absent(&self) -> bool {
        self.value.ty.optional || self.default.is_some()
    }

    /// The column of the field in records, or a file, that do not have it.
    pub(crate) fn absent_column(&self, n_rows: usize) -> ArrayRef {
        if self.default.is_none() && self.value.ty.optional && self.value.record().is_none() {
            return new_null_array(&arrow_type(&self.value.ty.kind), n_rows);
        }
        let mut column = Column::new(&self.row_type);
        for _ in 0..n_rows {
            if !self.default.as_ref().is_some_and(|default| column.push_value(default)) {
                column.push_none();
            }
        }
        column.take()
    }
}

impl ValueDecoder {
    /// `parts` is how the fields of a record are read.
    pub(crate) fn new(ty: &Type, rules: &Arc<TextRules>, parts: Vec<FieldDecoder>) -> Self {
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
        let plain = PlainForm::new(&format, rules);
        ValueDecoder { ty: ty.clone(), format, rules: Arc::clone(rules), plain }
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

fn n_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::List(values) | Value::Record(values) => values.iter().map(n_bytes).sum::<usize>() + 4,
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordDecoder;

    /// The help where a field is missing from a file with these columns.
    fn help(field: Field, missing: &str, columns: &[&str]) -> String {
        let fields = vec![Field::new("at", Type::of(Kind::Timestamp)), field];
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        let decoder = RecordDecoder::new(&Arc::new(source)).unwrap();
        let columns = columns.iter().map(|&name| name.to_owned()).collect();
        decoder.fields[1].missing_column("a.csv", "s", missing, columns).help().unwrap()
    }

    #[test]
    fn a_missing_column_is_answered_with_the_path_to_write() {
        let int = |name: &str| Field::new(name, Type::of(Kind::Int));
        let columns = ["userId", "order total", "from", "merchant"];
        for (name, told) in [
            ("user_id", "did you mean `userId`? write `user_id: int from userId`"),
            ("order_total", "did you mean `\"order total\"`? write `order_total: int from \"order total\"`"),
            ("mrechant", "did you mean `merchant`? write `mrechant: int from merchant`"),
        ] {
            assert_eq!(help(int(name), name, &columns), told);
        }
        assert_eq!(
            help(int("country"), "country", &columns),
            "its columns are `userId`, `order total`, `from`, `merchant`; say which is meant, such as \
             `country: int from \"…\"`, make `country` optional (`?`), or give it a default"
        );
        let path = Path::new(vec![Step::Name("a".into()), Step::Name("Total".into())]);
        let deep = Field { path, ..int("total") };
        assert_eq!(
            help(deep, "Total", &["total", "x"]),
            "did you mean `a.total`? write `total: int from a.total`"
        );
    }
}
