//! Names of the data, gathered from its first records: at the top of the record, and in each object or struct
//! that a declared path leads through.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Fields};
use metricc_ir::{Kind, Path, Step};

use crate::field_decoder::FieldDecoder;
use crate::format_parquet::column_path;
use crate::json_cursor::{Cursor, Syntax};

/// Records of a file or request whose keys are looked at, and the most of their names that are kept.
pub(crate) const SAMPLED_RECORDS: u64 = 64;
const SAMPLED_NAMES: usize = 512;

/// Paths of the data, with the forms that their values have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(BTreeMap<Path, Forms>);

/// Forms of the values under one name; none if all of them are null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Forms(u8);

impl Forms {
    pub(crate) const OBJECT: Forms = Forms(1);
    pub(crate) const LIST: Forms = Forms(2);
    const TEXT: Forms = Forms(4);
    const NUMBER: Forms = Forms(8);
    const BOOL: Forms = Forms(16);
    /// Values of columns, which may be any of these.
    const SCALAR: Forms = Forms(4 | 8 | 16);

    /// Of the JSON value that begins with this byte.
    fn of_json(first: Option<u8>) -> Self {
        match first {
            Some(b'{') => Forms::OBJECT,
            Some(b'[') => Forms::LIST,
            Some(b'"') => Forms::TEXT,
            Some(b't' | b'f') => Forms::BOOL,
            None | Some(b'n') => Forms::default(),
            Some(_) => Forms::NUMBER,
        }
    }

    fn of_column(found: &DataType) -> Self {
        match found {
            DataType::Struct(_) | DataType::Map(..) => Forms::OBJECT,
            DataType::Null => Forms::default(),
            found if column_path::item(found).is_some() => Forms::LIST,
            _ => Forms::SCALAR,
        }
    }

    /// Whether there are values of one of these forms.
    pub(crate) fn are(self, forms: Forms) -> bool {
        self.0 & forms.0 != 0
    }

    /// Whether all values have one of these forms.
    pub(crate) fn are_only(self, forms: Forms) -> bool {
        self.0 != 0 && self.0 & !forms.0 == 0
    }

    /// Whether some of the values may be read as a kind.
    pub(crate) fn may_be(self, kind: &Kind) -> bool {
        let readable = match kind {
            Kind::Record(_) => Forms::OBJECT,
            Kind::List(_) => Forms::LIST,
            Kind::String | Kind::Enum(_) | Kind::Date => Forms::TEXT,
            Kind::Bool => Forms::SCALAR,
            _ => Forms(Forms::TEXT.0 | Forms::NUMBER.0),
        };
        self.0 == 0 || self.are(readable)
    }
}

impl Names {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths, in order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys()
    }

    pub(crate) fn contains(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, Forms)> {
        self.0.iter().map(|(path, forms)| (path, *forms))
    }

    /// Adds those of other data, as long as there are not more than `most` paths.
    pub fn merge(&mut self, others: &Names, most: usize) {
        for (path, forms) in others.iter() {
            self.add(path, forms, most);
        }
    }

    fn add(&mut self, path: &Path, forms: Forms, most: usize) {
        if let Some(known) = self.0.get_mut(path) {
            known.0 |= forms.0;
        } else if self.0.len() < most {
            self.0.insert(path.clone(), forms);
        }
    }
}

/// The places that declared paths lead through.
#[derive(Debug, Default)]
struct Places {
    below: BTreeMap<Step, Places>,
}

impl Places {
    fn insert(&mut self, fields: &[FieldDecoder]) {
        for field in fields {
            let mut place = &mut *self;
            for step in field.path.steps() {
                place = place.below.entry(step.clone()).or_default();
            }
            place.insert(field.value.record().unwrap_or_default());
        }
    }
}

/// Names of the data, gathered from its first records.
#[derive(Debug, Default)]
pub(crate) struct NameSample {
    places: Places,
    names: Names,
    /// Where the walk is.
    at: Vec<Step>,
}

impl NameSample {
    pub(crate) fn new(fields: &[FieldDecoder]) -> Self {
        let mut sample = NameSample::default();
        sample.places.insert(fields);
        sample
    }

    pub(crate) fn into_names(self) -> Names {
        self.names
    }

    /// Adds names of columns that have nothing inside.
    pub(crate) fn add_columns<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        names.into_iter().for_each(|name| self.names.add(&Path::of_name(name), Forms::SCALAR, SAMPLED_NAMES));
    }

    /// Adds the keys of a JSON object, and of the objects in it that are read.
    pub(crate) fn add_json(&mut self, record: &[u8]) {
        if let Ok(text) = std::str::from_utf8(record) {
            self.add_object(&mut Cursor::new(text));
        }
    }

    /// As [`NameSample::add_json`], for the object that comes next.
    pub(crate) fn add_object(&mut self, cursor: &mut Cursor<'_>) {
        let places = std::mem::take(&mut self.places);
        // What is not JSON is the decoder's to say.
        let _ = self.members(cursor, &places, 1);
        self.places = places;
        self.at.clear();
    }

    /// Adds the names of columns and of the fields of their structs.
    pub(crate) fn add_types(&mut self, columns: &Fields) {
        let places = std::mem::take(&mut self.places);
        self.fields(columns, &places);
        self.places = places;
    }

    /// Adds the keys of the maps of the first records.
    pub(crate) fn add_keys(&mut self, batch: &RecordBatch) {
        let places = std::mem::take(&mut self.places);
        let first = batch.slice(0, batch.num_rows().min(SAMPLED_RECORDS as usize));
        for (field, column) in first.schema_ref().fields().iter().zip(first.columns()) {
            let (step, forms) = (Step::Name(field.name().clone()), Forms::of_column(field.data_type()));
            self.in_step(step, forms, &places, |sample, below| {
                sample.keys(column.as_ref(), below);
            });
        }
        self.places = places;
    }

    /// Notes a step, and goes on below it if that is declared.
    fn in_step(&mut self, step: Step, forms: Forms, places: &Places, go_on: impl FnOnce(&mut Self, &Places)) {
        let below = places.below.get(&step);
        self.at.push(step);
        self.names.add(&Path::new(self.at.clone()), forms, SAMPLED_NAMES);
        if let Some(below) = below {
            go_on(self, below);
        }
        self.at.pop();
    }

    fn members(&mut self, cursor: &mut Cursor<'_>, places: &Places, depth: usize) -> Result<(), Syntax> {
        cursor.begin_object(depth)?;
        let mut first = true;
        while cursor.next_member(&mut first)? {
            let step = Step::Name(cursor.key()?.into_owned());
            cursor.expect(b':', "a `:` is expected after a key")?;
            let mut found = None;
            let forms = Forms::of_json(cursor.peek());
            let go_on = |sample: &mut Self, below: &Places| found = Some(sample.value(cursor, below, depth));
            self.in_step(step, forms, places, go_on);
            found.unwrap_or_else(|| cursor.skip(depth))?;
        }
        Ok(())
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, places: &Places, depth: usize) -> Result<(), Syntax> {
        match cursor.peek() {
            Some(b'{') if !places.below.is_empty() => self.members(cursor, places, depth + 1),
            Some(b'[') if !places.below.is_empty() => self.elements(cursor, places, depth + 1),
            _ => cursor.skip(depth),
        }
    }

    fn elements(&mut self, cursor: &mut Cursor<'_>, places: &Places, depth: usize) -> Result<(), Syntax> {
        cursor.begin_array(depth)?;
        let (mut first, mut index) = (true, 0);
        while cursor.next_element(&mut first)? {
            let step = Step::Index(index);
            if places.below.contains_key(&step) {
                let mut found = Ok(());
                let forms = Forms::of_json(cursor.peek());
                self.in_step(step, forms, places, |sample, below| found = sample.value(cursor, below, depth));
                found?;
            } else {
                self.value(cursor, places, depth)?;
            }
            index = index.saturating_add(1);
        }
        Ok(())
    }

    fn fields(&mut self, columns: &Fields, places: &Places) {
        for column in columns {
            let (step, forms) = (Step::Name(column.name().clone()), Forms::of_column(column.data_type()));
            self.in_step(step, forms, places, |sample, below| {
                sample.field(column.data_type(), below);
            });
        }
    }

    fn field(&mut self, found: &DataType, places: &Places) {
        match found {
            DataType::Struct(fields) => self.fields(fields, places),
            list => {
                let Some(item) = column_path::item(list) else { return };
                for step in places.below.keys().filter(|step| matches!(step, Step::Index(_))) {
                    let forms = Forms::of_column(item.data_type());
                    self.in_step(step.clone(), forms, places, |sample, below| {
                        sample.field(item.data_type(), below);
                    });
                }
                self.field(item.data_type(), places);
            }
        }
    }

    fn keys(&mut self, column: &dyn Array, places: &Places) {
        match column.data_type() {
            DataType::Struct(fields) => {
                for (field, column) in fields.iter().zip(column.as_struct().columns()) {
                    let (step, forms) =
                        (Step::Name(field.name().clone()), Forms::of_column(field.data_type()));
                    self.in_step(step, forms, places, |sample, below| {
                        sample.keys(column.as_ref(), below);
                    });
                }
            }
            DataType::Map(..) => {
                let maps = column.as_map();
                let forms = Forms::of_column(maps.values().data_type());
                for key in column_path::texts(maps.keys()).unwrap_or_default() {
                    self.in_step(Step::Name(key), forms, places, |sample, below| {
                        sample.keys(maps.values().as_ref(), below);
                    });
                }
            }
            DataType::List(_) => self.keys(column.as_list::<i32>().values().as_ref(), places),
            DataType::LargeList(_) => self.keys(column.as_list::<i64>().values().as_ref(), places),
            _ => {}
        }
    }
}
