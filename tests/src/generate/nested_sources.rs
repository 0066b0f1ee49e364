//! Random sources whose fields stand at random paths, with records and lists of records.

use std::sync::Arc;

use metricc_ir::{Field, Kind, Path, RecordField, Source, Step, Type};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::{Random, random};

/// Deepest nesting of records.
const MOST_NESTED: usize = 3;

/// Beginnings of names in the data; a number makes them different.
const NAMES: [&str; 10] =
    ["x", "userId", "order total", "a.b", "from", "ß \u{1F600}", "with \"quotes\"", "\\", "UPPER", "[0]"];

/// Objects that several fields may stand in.
const OBJECTS: [&[&str]; 4] = [&[], &["outer"], &["outer", "In ner"], &["outer", "In ner", "d.e"]];

/// A source with an event time, and fields of random types at random paths. No two of them stand at one
/// place.
pub fn nested_source(seed: u64) -> Arc<Source> {
    let mut random = random(seed);
    let at = Field { path: path(&mut random, 0, true), ..Field::new("at", Type::of(Kind::Timestamp)) };
    let mut fields = vec![at];
    for number in 1..random.random_range(3..10) {
        fields.push(field(&mut random, number, 0, true));
    }
    Arc::new(Source { name: "nested".to_owned(), doc: String::new(), fields, time: 0, identity: Vec::new() })
}

fn field(random: &mut Random, number: usize, depth: usize, may_be_in_list: bool) -> Field {
    let (kind, fields) = kind(random, depth);
    let ty = Type { kind, optional: random.random_bool(0.5) };
    Field { path: path(random, number, may_be_in_list), fields, ..Field::new(format!("f{number}"), ty) }
}

fn kind(random: &mut Random, depth: usize) -> (Kind, Vec<Field>) {
    let scalars = [
        Kind::Bool,
        Kind::Int,
        Kind::Decimal { precision: 12, scale: 2 },
        Kind::Float,
        Kind::String,
        Kind::Enum(["a", "b"].map(str::to_owned).into()),
        Kind::Date,
        Kind::Timestamp,
        Kind::Duration,
    ];
    match random.random_range(0..10) {
        0 | 1 if depth < MOST_NESTED => {
            let n_fields = random.random_range(1..4);
            let fields: Vec<Field> =
                (0..n_fields).map(|number| field(random, number, depth + 1, false)).collect();
            let record =
                fields.iter().map(|field| RecordField { name: field.name.clone(), ty: field.ty.clone() });
            (Kind::Record(record.collect()), fields)
        }
        2 | 3 => {
            let (mut element, mut fields) = kind(random, depth);
            if matches!(element, Kind::List(_)) {
                (element, fields) = (Kind::Int, Vec::new());
            }
            let optional = random.random_bool(0.3);
            (Kind::List(Box::new(Type { kind: element, optional })), fields)
        }
        _ => (scalars.choose(random).cloned().unwrap_or(Kind::Int), Vec::new()),
    }
}

/// A path that no other number has, nor one inside it.
fn path(random: &mut Random, number: usize, may_be_in_list: bool) -> Path {
    if random.random_bool(0.2) {
        return Path::default();
    }
    let step = |text: &str| Step::Name(text.to_owned());
    let mut steps: Vec<Step> =
        OBJECTS.choose(random).into_iter().flat_map(|names| names.iter()).map(|name| step(name)).collect();
    let name = NAMES.choose(random).copied().unwrap_or_default();
    steps.push(step(&format!("{name}{number}")));
    if may_be_in_list && random.random_bool(0.2) {
        steps.push(Step::Index(random.random_range(0..3)));
        if random.random_bool(0.5) {
            steps.push(step("inside"));
        }
    }
    Path::new(steps)
}
