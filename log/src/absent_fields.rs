//! Declared fields that no record has, and what they are probably called in the data: of a wrong spelling
//! nobody would hear otherwise.
//!
//! The names that are compared are those that stand beside declared ones: at the top of the record, and in
//! each object or struct that a declared path leads through. Elements of lists of records take no step.

use std::collections::BTreeSet;

use metricc_ir::{Field, Kind, Path, Source, Step, suggest};

use crate::read_stats::{FieldStats, ReadStats};
use crate::seen_names::{Forms, Names};

/// A field that no record has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsentField {
    /// Its name, after those of the fields of records that it is in: `items.price`.
    pub field: String,
    /// What the records have instead.
    pub value: AbsentValue,
    /// The path that the records have for it, probably, as `from` takes it.
    pub lookalike: Option<String>,
    /// What is there of its path, and what has a name like it and cannot be read as it, as a sentence.
    pub hint: Option<String>,
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
pub fn absent_fields(source: &Source, stats: &ReadStats, names: &Names) -> Vec<AbsentField> {
    let mut absent = Vec::new();
    if stats.n_records > 0 {
        let declared = Declared::of(source);
        let search = Search { names, declared: &declared };
        search.collect(&source.fields, &stats.fields, &mut Vec::new(), "", &mut absent);
    }
    absent
}

/// The names that are neither declared nor lead to what is, with dots between their steps.
pub fn undeclared_names(source: &Source, names: &Names) -> Vec<String> {
    let declared = Declared::of(source);
    names.paths().filter(|name| !declared.leads_through(name.steps())).map(Path::header).collect()
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
    names: &'a Names,
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
            let (lookalike, hint) = match self.place(base, path.steps()) {
                None => (None, None),
                Some(place) => {
                    let lookalike = self.lookalike(&place, |forms, is_last| {
                        if is_last { forms.may_be(&field.ty.kind) } else { place.leads_on(forms) }
                    });
                    let hint =
                        if lookalike.is_some() { None } else { self.unreadable(&place, &field.ty.kind) };
                    (lookalike.map(|path| path.to_string()), hint.or_else(|| place.broken_off()))
                }
            };
            absent.push(AbsentField { field: name, value, lookalike, hint });
        }
    }

    /// Where the records do not follow a path; `None` if they do.
    fn place<'s>(&self, base: &'s [Step], steps: &'s [Step]) -> Option<Place<'s>> {
        let at = |n_steps: &usize| Path::new([base, &steps[..*n_steps]].concat());
        let n_there = (1..=steps.len()).take_while(|n_steps| self.names.contains(&at(n_steps))).count();
        (n_there < steps.len()).then_some(Place { base, steps, n_there })
    }

    /// The path with another name at the first step that the records do not have; `fits` is given the forms
    /// of the values there, and whether the path ends there.
    fn lookalike(&self, place: &Place<'_>, fits: impl Fn(Forms, bool) -> bool) -> Option<Path> {
        let Place { base, steps, n_there } = *place;
        let Step::Name(missing) = &steps[n_there] else { return None };
        let by = |name: &str| {
            let mut path = steps.to_vec();
            path[n_there] = Step::Name(name.to_owned());
            path
        };
        let (before, is_last) = ([base, &steps[..n_there]].concat(), n_there + 1 == steps.len());
        let beside = self.names.iter().filter_map(|(name, forms)| match name.steps() {
            [start @ .., Step::Name(last)] if *start == *before && fits(forms, is_last) => {
                Some(last.as_str())
            }
            _ => None,
        });
        let free = beside.filter(|name| !self.declared.leads_through(&[base, &by(name)].concat()));
        suggest::lookalike(missing, free).map(|name| Path::new(by(name)))
    }

    /// What has a name like that of a scalar field, and values inside.
    fn unreadable(&self, place: &Place<'_>, kind: &Kind) -> Option<String> {
        if matches!(kind, Kind::Record(_) | Kind::List(_)) {
            return None;
        }
        let like = |form: Forms| self.lookalike(place, |forms, is_last| is_last && forms.are_only(form));
        let object =
            like(Forms::OBJECT).map(|path| format!("`{path}` is an object; write `from {path}.FIELD`"));
        object.or_else(|| like(Forms::LIST).map(|path| format!("`{path}` is a list; write `from {path}[0]`")))
    }
}

/// Where records do not follow a path.
struct Place<'s> {
    base: &'s [Step],
    steps: &'s [Step],
    /// Steps that they have.
    n_there: usize,
}

impl Place<'_> {
    /// Whether the step after the missing one can be taken into values of these forms.
    fn leads_on(&self, forms: Forms) -> bool {
        match self.steps.get(self.n_there + 1) {
            Some(Step::Index(_)) => forms.are(Forms::LIST),
            _ => !forms.are_only(Forms::LIST),
        }
    }

    /// The step of a longer path that the records do not have.
    fn broken_off(&self) -> Option<String> {
        if self.steps.len() < 2 {
            return None;
        }
        let (path, before) = (Path::new(self.steps.to_vec()), &self.steps[..self.n_there]);
        let missing = match &self.steps[self.n_there] {
            step @ Step::Name(_) => format!("`{}`", Path::new(vec![step.clone()])),
            Step::Index(index) => format!("element {index}"),
        };
        let within = match before {
            [] => String::new(),
            before => format!(" in `{}`", Path::new(before.to_vec())),
        };
        Some(format!("it is read from `{path}`, and there is no {missing}{within}"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metricc_ir::Type;

    use super::*;
    use crate::RecordDecoder;
    use crate::seen_names::NameSample;

    /// What is found of fields with these paths, none of which is there.
    fn lookalikes(paths: &[&[&str]], record: &str) -> Vec<(String, Option<String>)> {
        let absent = absent(paths, &Kind::Int, record).into_iter();
        absent.map(|absent| (absent.field, absent.lookalike)).collect()
    }

    fn absent(paths: &[&[&str]], kind: &Kind, record: &str) -> Vec<AbsentField> {
        let at = Field::new("at", Type::of(Kind::Timestamp));
        let step = |step: &&str| match step.parse() {
            Ok(index) => Step::Index(index),
            Err(_) => Step::Name((*step).to_owned()),
        };
        let field = |(index, steps): (usize, &&[&str])| Field {
            path: Path::new(steps.iter().map(step).collect()),
            ..Field::new(format!("f{index}"), Type { optional: true, ..Type::of(kind.clone()) })
        };
        let fields = std::iter::once(at).chain(paths.iter().enumerate().map(field)).collect();
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        let source = Arc::new(source);
        let mut sample = NameSample::new(&RecordDecoder::new(&source).unwrap().fields);
        sample.add_json(record.as_bytes());
        let seen = |index| FieldStats { seen: index == 0, parts: Vec::new() };
        let fields = (0..source.fields.len()).map(seen).collect();
        let stats = ReadStats { n_records: 1, fields, ..ReadStats::default() };
        absent_fields(&source, &stats, &sample.into_names())
    }

    #[test]
    fn a_lookalike_can_be_read_as_the_type() {
        let record = r#"{"at":1,"Amount":{"value":1},"amounts":{"a":2},"Total":"5","total_":true,"Tag":["x"],
            "Note":5,"note_":null,"Payload":{"id":1},"payloads":[{"id":1}],"User":7,"users":{"id":1}}"#;
        let of = |path: &[&str], kind: Kind| {
            let found = absent(&[path], &kind, record).remove(0);
            (found.lookalike, found.hint)
        };
        let path = |path: &str| (Some(path.to_owned()), None);
        let hint = |hint: &str| (None, Some(hint.to_owned()));
        let object = hint("`Amount` is an object; write `from Amount.FIELD`");
        assert_eq!(of(&["amount"], Kind::Int), object);
        assert_eq!(of(&["total"], Kind::Int), path("Total"));
        assert_eq!(of(&["total"], Kind::String), path("Total"));
        assert_eq!(of(&["tag"], Kind::Int), hint("`Tag` is a list; write `from Tag[0]`"));
        assert_eq!(of(&["tag"], Kind::List(Box::new(Type::of(Kind::String)))), path("Tag"));
        assert_eq!(of(&["note"], Kind::Int), path("Note"));
        assert_eq!(of(&["note"], Kind::String), path("note_"));
        assert_eq!(of(&["payload", "id"], Kind::Int).0.as_deref(), Some("Payload.id"));
        assert_eq!(of(&["payload", "0", "id"], Kind::Int).0.as_deref(), Some("payloads[0].id"));
    }

    #[test]
    fn the_part_of_a_path_that_is_missing_is_said() {
        let record = r#"{"at":1,"payload":{"user":{"key":5},"list":[1]}}"#;
        let of = |path: &[&str]| absent(&[path], &Kind::Int, record).remove(0).hint;
        let hint =
            |path: &str, missing: &str| Some(format!("it is read from `{path}`, and there is no {missing}"));
        assert_eq!(of(&["payload", "usr", "id"]), hint("payload.usr.id", "`usr` in `payload`"));
        assert_eq!(of(&["payload", "user", "id"]), hint("payload.user.id", "`id` in `payload.user`"));
        assert_eq!(of(&["other", "id"]), hint("other.id", "`other`"));
        assert_eq!(of(&["payload", "list", "3"]), hint("payload.list[3]", "element 3 in `payload.list`"));
        assert_eq!(of(&["other"]), None);
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
