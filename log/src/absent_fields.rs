//! Declared fields that no record has, and what they are probably called in the data: of a wrong spelling
//! nobody would hear otherwise.
//!
//! The names that are compared are those that stand beside declared ones: at the top of the record, and in
//! each object or struct that a declared path leads through. Elements of lists of records take no step.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Fields};
use metricc_ir::{Field, Path, Source, Step, suggest};

use crate::field_decoder::FieldDecoder;
use crate::format_parquet::column_path;
use crate::json::{Cursor, Syntax};
use crate::read_stats::{FieldStats, ReadStats};

/// Records of a file or request whose keys are looked at, and the most of their names that are kept.
pub(crate) const SAMPLED_RECORDS: u64 = 64;
const SAMPLED_NAMES: usize = 512;

/// A field that no record has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentField {
    /// Its name, after those of the fields of records that it is in: `items.price`.
    pub field: String,
    /// What the records have instead.
    pub value: AbsentValue,
    /// The path that the records have for it, probably, as `from` takes it.
    pub lookalike: Option<String>,
}

/// The value of a field in records that do not have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentValue {
    /// Its default.
    Default,
    /// None.
    None,
    /// The record is rejected.
    Rejected,
}

/// The fields that none of the records has, by what was seen of each; `names` is what stands in the records.
/// Without records there are none.
pub fn absent_fields(source: &Source, stats: &ReadStats, names: &BTreeSet<Path>) -> Vec<AbsentField> {
    let mut absent = Vec::new();
    if stats.n_records > 0 {
        let declared = Declared::of(source);
        let search = Search { names, declared: &declared };
        search.collect(&source.fields, &stats.fields, &mut Vec::new(), "", &mut absent);
    }
    absent
}

/// The names that are neither declared nor lead to what is, with dots between their steps.
pub fn undeclared_names(source: &Source, names: &BTreeSet<Path>) -> Vec<String> {
    let declared = Declared::of(source);
    names.iter().filter(|name| !declared.leads_through(name.steps())).map(Path::header).collect()
}

/// The places of all declared fields.
struct Declared(BTreeSet<Vec<Step>>);

impl Declared {
    fn of(source: &Source) -> Self {
        let mut places = BTreeSet::new();
        add_declared(&source.fields, &mut Vec::new(), &mut places);
        Declared(places)
    }

    /// Whether a declared field stands there or below.
    fn leads_through(&self, steps: &[Step]) -> bool {
        self.0.range(steps.to_vec()..).next().is_some_and(|place| place.starts_with(steps))
    }
}

fn add_declared(fields: &[Field], base: &mut Vec<Step>, places: &mut BTreeSet<Vec<Step>>) {
    for field in fields {
        let n_before = base.len();
        base.extend_from_slice(field.full_path().steps());
        places.insert(base.clone());
        add_declared(&field.fields, base, places);
        base.truncate(n_before);
    }
}

struct Search<'a> {
    names: &'a BTreeSet<Path>,
    declared: &'a Declared,
}

impl Search<'_> {
    fn collect(
        &self,
        fields: &[Field],
        stats: &[FieldStats],
        base: &mut Vec<Step>,
        within: &str,
        absent: &mut Vec<AbsentField>,
    ) {
        for (field, stats) in fields.iter().zip(stats) {
            let (name, path) = (format!("{within}{}", field.name), field.full_path());
            if stats.seen {
                let n_before = base.len();
                base.extend_from_slice(path.steps());
                self.collect(&field.fields, &stats.parts, base, &format!("{name}."), absent);
                base.truncate(n_before);
                continue;
            }
            let value = match (&field.default, field.ty.optional) {
                (Some(_), _) => AbsentValue::Default,
                (None, true) => AbsentValue::None,
                (None, false) => AbsentValue::Rejected,
            };
            let lookalike = self.lookalike(base, path.steps()).map(|path| path.to_string());
            absent.push(AbsentField { field: name, value, lookalike });
        }
    }

    /// The path with another name at the first step that the records do not have.
    fn lookalike(&self, base: &[Step], steps: &[Step]) -> Option<Path> {
        let at = |steps: &[Step]| [base, steps].concat();
        let is_there = |n_steps: &usize| self.names.contains(&Path::new(at(&steps[..*n_steps])));
        let n_there = (1..=steps.len()).take_while(is_there).count();
        let Step::Name(missing) = steps.get(n_there)? else { return None };
        let by = |name: &str| {
            let mut path = steps.to_vec();
            path[n_there] = Step::Name(name.to_owned());
            path
        };
        let before = at(&steps[..n_there]);
        let beside = self.names.iter().filter_map(|name| match name.steps() {
            [start @ .., Step::Name(last)] if *start == *before => Some(last.as_str()),
            _ => None,
        });
        let free = beside.filter(|name| !self.declared.leads_through(&at(&by(name))));
        suggest::lookalike(missing, free).map(|name| Path::new(by(name)))
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
    names: BTreeSet<Path>,
    /// Where the walk is.
    at: Vec<Step>,
}

impl NameSample {
    pub(crate) fn new(fields: &[FieldDecoder]) -> Self {
        let mut sample = NameSample::default();
        sample.places.insert(fields);
        sample
    }

    pub(crate) fn into_names(self) -> BTreeSet<Path> {
        self.names
    }

    /// Adds names of columns that have nothing inside.
    pub(crate) fn add_columns<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        names.into_iter().for_each(|name| self.add(Path::of_name(name)));
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
            self.in_step(Step::Name(field.name().clone()), &places, |sample, below| {
                sample.keys(column.as_ref(), below);
            });
        }
        self.places = places;
    }

    fn add(&mut self, name: Path) {
        if self.names.len() < SAMPLED_NAMES {
            self.names.insert(name);
        }
    }

    /// Notes a step, and goes on below it if that is declared.
    fn in_step(&mut self, step: Step, places: &Places, go_on: impl FnOnce(&mut Self, &Places)) {
        let below = places.below.get(&step);
        self.at.push(step);
        self.add(Path::new(self.at.clone()));
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
            self.in_step(step, places, |sample, below| found = Some(sample.value(cursor, below, depth)));
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
                self.in_step(step, places, |sample, below| found = sample.value(cursor, below, depth));
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
            self.in_step(Step::Name(column.name().clone()), places, |sample, below| {
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
                    self.in_step(step.clone(), places, |sample, below| sample.field(item.data_type(), below));
                }
                self.field(item.data_type(), places);
            }
        }
    }

    fn keys(&mut self, column: &dyn Array, places: &Places) {
        match column.data_type() {
            DataType::Struct(fields) => {
                for (field, column) in fields.iter().zip(column.as_struct().columns()) {
                    self.in_step(Step::Name(field.name().clone()), places, |sample, below| {
                        sample.keys(column.as_ref(), below);
                    });
                }
            }
            DataType::Map(..) => {
                let maps = column.as_map();
                for key in column_path::texts(maps.keys()).unwrap_or_default() {
                    self.in_step(Step::Name(key), places, |sample, below| {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metricc_ir::{Kind, Type};

    use super::*;
    use crate::RecordDecoder;

    /// What is found of fields with these paths, none of which is there.
    fn lookalikes(paths: &[&[&str]], record: &str) -> Vec<(String, Option<String>)> {
        let at = Field::new("at", Type::of(Kind::Timestamp));
        let step = |step: &&str| match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Name((*step).to_owned()),
        };
        let field = |(index, steps): (usize, &&[&str])| Field {
            path: Path::new(steps.iter().map(step).collect()),
            ..Field::new(format!("f{index}"), Type { optional: true, ..Type::of(Kind::Int) })
        };
        let fields = std::iter::once(at).chain(paths.iter().enumerate().map(field)).collect();
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        let source = Arc::new(source);
        let mut sample = NameSample::new(&RecordDecoder::new(&source).unwrap().fields);
        sample.add_json(record.as_bytes());
        let seen = |index| FieldStats { seen: index == 0, parts: Vec::new() };
        let fields = (0..source.fields.len()).map(seen).collect();
        let stats = ReadStats { n_records: 1, fields, ..ReadStats::default() };
        let absent = absent_fields(&source, &stats, &sample.into_names());
        absent.into_iter().map(|absent| (absent.field, absent.lookalike)).collect()
    }

    #[test]
    fn a_lookalike_is_looked_for_where_the_path_breaks_off() {
        let record = r#"{"at":1,"userId":2,"order total":3,"amout":4,"Props":{"Revenue":5},
            "props":{"Total":6,"net":{"x":7}},"rows":[{"Id":8}],"m":1}"#;
        for (path, lookalike) in [
            (&["user_id"][..], Some("userId")),
            (&["USERID"], Some("userId")),
            (&["order_total"], Some("\"order total\"")),
            (&["amount"], Some("amout")),
            (&["at"], None),
            (&["nothing_like_it"], None),
            (&["props", "total"], Some("props.Total")),
            (&["props", "net", "X"], Some("props.net.x")),
            (&["props", "Net", "x"], Some("props.net.x")),
            (&["PROPS", "total"], Some("Props.total")),
            (&["rows", "0", "id"], Some("rows[0].Id")),
            (&["rows", "1", "id"], None),
            (&["M", "x"], Some("m.x")),
        ] {
            let found = lookalikes(&[path], record);
            assert_eq!(found, [("f0".to_owned(), lookalike.map(str::to_owned))], "{path:?}");
        }
    }

    #[test]
    fn what_another_field_reads_is_no_lookalike() {
        let record = r#"{"at":1,"props":{"Total":6,"totals":7}}"#;
        let found = lookalikes(&[&["props", "Total"], &["props", "total"]], record);
        assert_eq!(found[1].1.as_deref(), Some("props.totals"));
    }
}
