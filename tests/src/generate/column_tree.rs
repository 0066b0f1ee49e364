//! Columns of structs and lists from the paths of fields, for files of Parquet.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray, StructArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use metricc_ir::Step;

/// Columns by the names under which they stand.
#[derive(Debug, Default)]
pub(super) struct Columns(Vec<(String, Node)>);

#[derive(Debug)]
enum Node {
    Leaf(Field, ArrayRef),
    Struct(Columns),
    /// One element of each list.
    Element(u32, Box<Node>),
}

impl Columns {
    /// Puts a column at the end of a path, the first step of which is a name.
    pub(super) fn put(&mut self, steps: &[Step], field: Field, column: ArrayRef) {
        let [Step::Name(name), rest @ ..] = steps else { panic!("a path begins with a name") };
        if let Some((_, Node::Struct(inner))) = self.0.iter_mut().find(|(known, _)| known == name) {
            return inner.put(rest, field, column);
        }
        self.0.push((name.clone(), Node::new(rest, field, column)));
    }

    /// The columns, with their names.
    pub(super) fn finish(self) -> (Vec<Field>, Vec<ArrayRef>) {
        self.0.into_iter().map(|(name, node)| node.finish(&name)).unzip()
    }
}

impl Node {
    fn new(steps: &[Step], field: Field, column: ArrayRef) -> Node {
        match steps {
            [] => Node::Leaf(field, column),
            [Step::Name(_), ..] => {
                let mut inner = Columns::default();
                inner.put(steps, field.with_nullable(true), column);
                Node::Struct(inner)
            }
            [Step::Index(index), rest @ ..] => {
                Node::Element(*index, Box::new(Node::new(rest, field.with_nullable(true), column)))
            }
        }
    }

    fn finish(self, name: &str) -> (Field, ArrayRef) {
        match self {
            Node::Leaf(field, column) => (field.with_name(name), column),
            Node::Struct(inner) => {
                let (fields, columns) = inner.finish();
                let n_rows = columns[0].len();
                // Where nothing is inside, every other struct is null itself.
                let is_there =
                    |row: usize| row.is_multiple_of(2) || columns.iter().any(|column| column.is_valid(row));
                let nulls: NullBuffer = (0..n_rows).map(is_there).collect();
                let records = StructArray::new(fields.into(), columns, Some(nulls));
                (Field::new(name, records.data_type().clone(), true), Arc::new(records))
            }
            Node::Element(index, inner) => {
                let (item, column) = inner.finish("item");
                let item = Arc::new(item.with_nullable(true));
                // Where there is no element, the list is shorter, or null.
                let length = |row: usize| if column.is_valid(row) { index as usize + 1 } else { row % 2 };
                let lengths: Vec<usize> = (0..column.len()).map(length).collect();
                let places = (0..column.len()).flat_map(|row| {
                    let own = u32::try_from(row).expect("few rows");
                    (0..lengths[row]).map(move |place| (place == index as usize).then_some(own))
                });
                let values =
                    take(&column, &places.collect::<UInt32Array>(), None).expect("rows of the column");
                let nulls: NullBuffer = lengths.iter().map(|length| *length > 0).collect();
                let offsets = OffsetBuffer::from_lengths(lengths);
                let lists = ListArray::new(Arc::clone(&item), offsets, values, Some(nulls));
                (Field::new(name, DataType::List(item), true), Arc::new(lists))
            }
        }
    }
}
