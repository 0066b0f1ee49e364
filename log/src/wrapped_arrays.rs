//! Records inside of something: `{"data": [{…}, {…}]}` is one record to a reader, and none that decodes.
//!
//! A text is only taken for such a thing if none of its first records has all fields that a record must have:
//! each of them would be rejected. So what is said of it takes no record from a result.

use std::fmt::Write;

use metricc_ir::Step;

use crate::content_kind::OtherKind;
use crate::field_decoder::FieldDecoder;
use crate::json_cursor::{Cursor, Syntax};
use crate::record_decoder::RecordDecoder;
use crate::seen_names::NameSample;

/// How deep records are looked for.
const MAX_WRAPS: usize = 6;

/// Looks at the first records of a text of JSON.
#[derive(Debug)]
pub(crate) struct WrapSearch<'d> {
    fields: &'d [FieldDecoder],
    /// Whether the records are elements of an array themselves.
    in_array: bool,
    /// What was found in the first record.
    first: Option<Wrap>,
    /// Whether a record has all fields that it must have.
    is_over: bool,
}

/// Where the records are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrap {
    places: Vec<Place>,
}

/// An object that may be a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    steps: Vec<Way>,
    n_declared: usize,
    is_complete: bool,
}

/// One step to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Member(String),
    Elements,
}

impl<'d> WrapSearch<'d> {
    /// `in_array`: the records are the elements of an array.
    pub(crate) fn new(decoder: &'d RecordDecoder, in_array: bool) -> Self {
        WrapSearch { fields: &decoder.fields, in_array, first: None, is_over: false }
    }

    /// What the start of a text is of which the first record is too long, whatever the source.
    pub(crate) fn of_long(head: &[u8], in_array: bool) -> Option<OtherKind> {
        let mut search = WrapSearch { fields: &[], in_array, first: None, is_over: false };
        search.look(head);
        search.found()
    }

    /// Looks at the next record, which may be cut off.
    pub(crate) fn look(&mut self, record: &[u8]) {
        if self.is_over {
            return;
        }
        match self.wrap_of(record) {
            Some(wrap) => _ = self.first.get_or_insert(wrap),
            None => self.is_over = true,
        }
    }

    /// What the records are in, if all that were looked at are in something.
    pub(crate) fn found(&self) -> Option<OtherKind> {
        self.first.as_ref().filter(|_| !self.is_over).map(|wrap| wrap.told(self.fields, self.in_array))
    }

    fn wrap_of(&self, record: &[u8]) -> Option<Wrap> {
        let valid = match std::str::from_utf8(record) {
            Ok(text) => text,
            // It may be cut off in the middle of a character.
            Err(error) => std::str::from_utf8(&record[..error.valid_up_to()]).ok()?,
        };
        let mut cursor = Cursor::new(valid);
        if cursor.peek() != Some(b'{') {
            return None;
        }
        let whole = self.place(&cursor, &[]);
        if whole.is_complete {
            return None;
        }
        let mut places = Vec::new();
        // What is cut off ends where it ends.
        let _ = self.walk(&mut cursor, &mut Vec::new(), 1, &mut places);
        let most = places.iter().map(|place| place.n_declared).max()?;
        // Where no name is known, only one array can be meant.
        let is_meant = |place: &Place| match most {
            0 => place.steps.last() == Some(&Way::Elements),
            most => place.n_declared == most,
        };
        places.retain(is_meant);
        let is_one = places.len() == 1 && whole.n_declared == 0;
        (most > whole.n_declared || is_one).then_some(Wrap { places })
    }

    /// What an object has of the declared fields.
    fn place(&self, cursor: &Cursor<'_>, steps: &[Way]) -> Place {
        let mut sample = NameSample::new(self.fields);
        sample.add_object(&mut cursor.clone());
        let names = sample.into_names();
        let has = |field: &FieldDecoder| {
            // What is in a list may be absent.
            let named = field.path.steps().iter().take_while(|step| matches!(step, Step::Name(_)));
            names.contains(&metricc_ir::Path::new(named.cloned().collect()))
        };
        let n_declared = self.fields.iter().filter(|field| has(field)).count();
        let is_complete =
            !self.fields.is_empty() && self.fields.iter().all(|field| has(field) || field.may_be_absent());
        Place { steps: steps.to_vec(), n_declared, is_complete }
    }

    /// Collects the objects below a value: those of members, and the first elements of arrays.
    fn walk(
        &self,
        cursor: &mut Cursor<'_>,
        steps: &mut Vec<Way>,
        depth: usize,
        places: &mut Vec<Place>,
    ) -> Result<(), Syntax> {
        match cursor.peek() {
            Some(b'{') if steps.len() < MAX_WRAPS => {
                if !steps.is_empty() {
                    places.push(self.place(cursor, steps));
                }
                cursor.begin_object(depth)?;
                let mut first = true;
                while cursor.next_member(&mut first)? {
                    steps.push(Way::Member(cursor.key()?.into_owned()));
                    cursor.expect(b':', "a `:` is expected after a key")?;
                    self.walk(cursor, steps, depth + 1, places)?;
                    steps.pop();
                }
                Ok(())
            }
            Some(b'[') if steps.len() < MAX_WRAPS => {
                cursor.begin_array(depth)?;
                let mut first = true;
                if cursor.next_element(&mut first)? {
                    steps.push(Way::Elements);
                    self.walk(cursor, steps, depth + 1, places)?;
                    steps.pop();
                    while cursor.next_element(&mut first)? {
                        cursor.skip(depth)?;
                    }
                }
                Ok(())
            }
            _ => cursor.skip(depth),
        }
    }
}

impl Place {
    fn has_elements(&self) -> bool {
        self.steps.contains(&Way::Elements)
    }

    /// The place as `jq` writes it.
    fn filter(&self) -> String {
        let mut filter = String::new();
        for step in &self.steps {
            match step {
                Way::Elements => filter.push_str("[]"),
                Way::Member(name) if is_word(name) => filter.extend([".", name]),
                Way::Member(name) => {
                    // In the quotes of a shell.
                    let name = serde_json::Value::from(name.as_str()).to_string().replace('\'', "\\u0027");
                    let _ = write!(filter, ".[{name}]");
                }
            }
        }
        filter
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Wrap {
    fn told(&self, fields: &[FieldDecoder], in_array: bool) -> OtherKind {
        let filters: Vec<String> = self.places.iter().map(Place::filter).collect();
        let [place] = &self.places[..] else {
            let commands: Vec<String> = filters.iter().map(|filter| command(filter, in_array)).collect();
            return OtherKind {
                found: format!(
                    "JSON with records in several places: {}",
                    metricc_ir::suggest::all_of(&filters)
                ),
                help: format!("write those that are meant one a line: {}; {JQ}", commands.join(" or ")),
            };
        };
        let filter = &filters[0];
        if place.has_elements() {
            return OtherKind {
                found: format!("JSON with the records in an array inside of it, `{filter}`"),
                help: format!("write them one a line: {}; {JQ}", command(filter, in_array)),
            };
        }
        let example = fields.iter().find(|field| !field.may_be_absent()).or(fields.first());
        let example = example.map(|field| {
            let members = place.steps.iter().filter_map(|step| match step {
                Way::Member(name) => Some(Step::Name(name.clone())),
                Way::Elements => None,
            });
            let path = metricc_ir::Path::new(members.chain(field.path.steps().iter().cloned()).collect());
            format!("`{} from {path}`", field.declared())
        });
        OtherKind {
            found: format!("JSON with each record in an object inside of it, `{filter}`"),
            help: format!("read the fields by paths, such as {}", example.unwrap_or_default()),
        }
    }
}

fn command(filter: &str, in_array: bool) -> String {
    // A body is an array also where the file that it was made of is none.
    let or_else = if in_array { format!(" (`.[]{filter}` if it is an array)") } else { String::new() };
    format!("`jq -c '{filter}' OLD > NEW.ndjson`{or_else}")
}

/// What older versions do would lead to a wrong number.
const JQ: &str = "jq before 1.7 rounds long numbers";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metricc_ir::{Field, Kind, Path, Source, Type};

    use super::*;

    /// What is said of a text whose records have `at`, `id` and perhaps `v`.
    fn told(records: &[&str]) -> Option<(String, String)> {
        let int = |name: &str| Field::new(name, Type::of(Kind::Int));
        let v = Field { ty: Type { optional: true, ..Type::of(Kind::Int) }, ..int("v") };
        let id = Field { path: Path::new(vec![Step::Name("id".into())]), ..int("id") };
        let fields = vec![Field::new("at", Type::of(Kind::Timestamp)), id, v];
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        let decoder = RecordDecoder::new(&Arc::new(source)).unwrap();
        let mut search = WrapSearch::new(&decoder, false);
        records.iter().for_each(|record| search.look(record.as_bytes()));
        search.found().map(|kind| (kind.found, kind.help))
    }

    #[test]
    fn records_in_something_are_told_with_where_they_are() {
        let array = |filter: &str| {
            let found = format!("JSON with the records in an array inside of it, `{filter}`");
            let help = format!(
                "write them one a line: `jq -c '{filter}' OLD > NEW.ndjson`; jq before 1.7 rounds long numbers"
            );
            Some((found, help))
        };
        for (records, wanted) in [
            (&[r#"{"data":[{"at":"x","id":1},{"id":2}]}"#][..], array(".data[]")),
            (&[r#"{"n":2,"data":[{"at":"x","id":1},{"id":2"#], array(".data[]")),
            (
                &[r#"{"hits":{"n":[1],"hits":[{"_source":{"at":1,"id":2,"v":3}}]}}"#],
                array(".hits.hits[]._source"),
            ),
            (&[r#"{"a b's":[{"id":1,"at":2}],"tags":[{"k":1}]}"#], array(r#".["a b\u0027s"][]"#)),
            (&[r#"{"data":[{"ID":1,"geo":{"x":1}}]}"#], array(".data[]")),
            (
                &[r#"{"at":"x","data":[{"at":"x","id":1}]}"#, r#"{"data":[{"id":3,"at":4}]}"#],
                array(".data[]"),
            ),
            // A record that may decode, or is only wrong.
            (&[r#"{"at":1,"id":2,"items":[{"at":1,"id":2,"v":3}]}"#], None),
            (&[r#"{"at":1,"items":[{"id":2}]}"#], None),
            (&[r#"{"data":[{"at":"x","id":1}]}"#, r#"{"at":1,"id":2}"#], None),
            (&[r#"{"data":[1,2]}"#], None),
            (&[r#"{"a":[{"k":1}],"b":[{"k":1}]}"#], None),
            (&[r#"{"x":1}"#, "[1]", ""], None),
            (&[], None),
        ] {
            assert_eq!(told(records), wanted, "{records:?}");
        }
        let (found, help) = told(&[r#"{"created":[{"at":1,"id":2}],"updated":[{"at":1,"id":2}]}"#]).unwrap();
        assert_eq!(found, "JSON with records in several places: `.created[]` and `.updated[]`");
        assert!(help.contains("`jq -c '.created[]' OLD > NEW.ndjson` or `jq -c '.updated[]'"), "{help}");
        let (found, help) = told(&[r#"{"schema":{},"payload":{"at":1,"id":2}}"#]).unwrap();
        assert_eq!(found, "JSON with each record in an object inside of it, `.payload`");
        assert_eq!(help, "read the fields by paths, such as `at: timestamp from payload.at`");
    }
}
