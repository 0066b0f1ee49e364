//! How each field of a source is decoded.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use metricc_ir::{Field, Source, Type};

use crate::LogError;
use crate::column_builder::Column;
use crate::decode_value::{Decoded, NOT_FINITE, Raw, Reject, scalar};
use crate::field_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use crate::older_rows;

/// Decodes the records of one source: how each of its fields is read, in their order.
#[derive(Debug, Clone)]
pub struct RecordDecoder {
    pub(crate) source: Arc<Source>,
    pub(crate) fields: Vec<FieldDecoder>,
    /// Bytes that the defaults of one record add at most.
    pub(crate) n_default_bytes: usize,
}

/// A decoder, as readers share it.
pub(crate) type SharedDecoder = Arc<RecordDecoder>;

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
        self.fields[field].absent_column(n_rows)
    }

    /// The column of a field in rows that were decoded when its records had fewer fields, as it is now.
    ///
    /// # Errors
    /// If the column is of another type.
    pub fn completed_column(&self, field: usize, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        older_rows::completed(column, &self.fields[field].value)
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

fn remove_spellings(field: &mut Field) {
    field.spelling = metricc_ir::Spelling::default();
    field.fields.iter_mut().for_each(remove_spellings);
}
