//! Static tables: rows by key, which events look up.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use super::{RecordField, Type, Value};

/// A table with its rows, as they were when the package was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Name in the language.
    pub name: String,
    /// `///` text; not part of the meaning.
    pub doc: String,
    /// Declared columns, in source order; no lists. Columns of the file that are not declared are ignored.
    pub columns: Vec<RecordField>,
    /// Indices of the columns marked `key`, ascending, at least one. They are never none, and never floats.
    pub keys: Vec<usize>,
    /// One value per column; rows are sorted by their keys, which are unique.
    pub rows: Vec<Vec<Value>>,
    /// An index of the rows by key, built once and shared by all layers.
    pub index: Held,
}

/// An index built from a table, kept with it so that it is built once. It is not part of the table's meaning.
#[derive(Default)]
pub struct Held(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Held {
    /// The index that is held, or the one that `make` builds now. A table holds an index of one type; one of
    /// another type is built again on each call.
    ///
    /// # Errors
    /// As `make`.
    pub fn get_or_make<T: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let held = self.0.get().and_then(|held| held.clone().downcast().ok());
        held.map_or_else(
            || {
                let made = Arc::new(make()?);
                let _ = self.0.set(made.clone());
                Ok(made)
            },
            Ok,
        )
    }
}

impl Clone for Held {
    fn clone(&self) -> Self {
        Held(self.0.clone())
    }
}

impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// A column of a table as a function from keys to a value; the value is none where no row has the keys.
///
/// Its meaning is its content, that is the keys and this column. The table's name, the order of its rows and
/// other columns do not matter, so a metric keeps its hash while they change.
#[derive(Clone)]
pub struct Lookup {
    table: Arc<Table>,
    column: usize,
    content: String,
    values: Held,
}

impl Lookup {
    /// The column of that index.
    pub fn new(table: Arc<Table>, column: usize) -> Self {
        let content = content_hash(&table, column);
        Lookup { table, column, content, values: Held::default() }
    }

    /// The table.
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The column that is looked up.
    pub fn column(&self) -> &RecordField {
        &self.table.columns[self.column]
    }

    /// Index of the column.
    pub fn index(&self) -> usize {
        self.column
    }

    /// The values of the column, as a layer holds them.
    pub fn values(&self) -> &Held {
        &self.values
    }

    /// The types of the keys, in their order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Type> {
        self.table.keys.iter().map(|key| &self.table.columns[*key].ty)
    }

    /// SHA-256, in hex, of the keys and the column.
    pub fn content(&self) -> &str {
        &self.content
    }
}

fn content_hash(table: &Table, column: usize) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"metricc table 1");
    let columns: Vec<usize> = table.keys.iter().copied().chain([column]).collect();
    for column in &columns {
        hasher.update(format!("\n{}", table.columns[*column].ty.kind));
    }
    // A row without a value says what no row says.
    for row in table.rows.iter().filter(|row| row[column] != Value::None) {
        let values: Vec<&Value> = columns.iter().map(|column| &row[*column]).collect();
        hasher.update("\n");
        hasher.update(
            serde_json::to_string(&values).expect("values have neither maps nor foreign serializers"),
        );
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl PartialEq for Lookup {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

impl Eq for Lookup {}

impl Hash for Lookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.content.hash(state);
    }
}

impl Serialize for Lookup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.content)
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup({}.{}, {} rows)", self.table.name, self.column().name, self.table.rows.len())
    }
}
