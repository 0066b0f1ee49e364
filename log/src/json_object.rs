//! JSON objects as the fields of a record, in one pass: of the record of a source, and of records within it.
//!
//! The paths of all fields make one tree, which is walked along with the object. So a path costs what a
//! member costs, and what nobody declared is skipped, checked and never built.

use metricc_ir::Step;

use crate::column_builder::Column;
use crate::decode_value::{Before, Notes, Problem, Raw, Reject, Slot, absent, excerpt, scalar};
use crate::field_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use crate::json_cursor::{Cursor, Syntax};
use crate::json_keys::Layout;
use crate::read_stats::FieldStats;

/// Reads objects as the fields of one kind of record.
#[derive(Debug)]
pub(crate) struct ObjectParser {
    tree: Members,
    fields: FieldStates,
}

/// What is known of the fields while an object is read.
#[derive(Debug)]
struct FieldStates {
    /// For each field, the number of the last object that had it.
    seen: Vec<u64>,
    object: u64,
    /// How many fields the present object has had.
    n_seen: usize,
    /// For each field, the parser of the records that it consists of.
    inner: Vec<Option<ObjectParser>>,
}

/// What the parsers of one record share.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) text: String,
    /// Values of records in lists that the present record may still have: absent ones cost memory, and no
    /// text.
    pub(crate) n_values_left: usize,
    /// Values of the present record that are none although something is there.
    pub(crate) notes: Notes,
}

/// The members of an object that are read.
#[derive(Debug, Default)]
struct Members {
    layout: Layout,
    /// By the number of their key.
    nodes: Vec<Node>,
}

/// A place in the record at which fields are read, or below which they are.
#[derive(Debug, Default)]
struct Node {
    /// The fields that are read here.
    fields: Vec<usize>,
    members: Option<Members>,
    /// By their index, ascending.
    elements: Vec<(u32, Node)>,
    /// The only field that is read here, if none is read below.
    leaf: Option<usize>,
}

/// Where the fields of a record are read to.
struct Target<'t> {
    decoders: &'t [FieldDecoder],
    columns: &'t mut [Column],
    states: &'t mut FieldStates,
    scratch: &'t mut Scratch,
    /// The first value that does not decode.
    reject: Option<Reject>,
}

impl Scratch {
    /// How many values the records in the lists of a record of this size may have.
    pub(crate) fn n_values_of(n_bytes: usize) -> usize {
        10_000 + 4 * n_bytes
    }
}

impl ObjectParser {
    pub(crate) fn new(decoders: &[FieldDecoder]) -> Self {
        let mut tree = Members::default();
        for (index, field) in decoders.iter().enumerate() {
            tree.insert(field.path.steps(), index);
        }
        let inner = decoders.iter().map(|field| field.value.record().map(ObjectParser::new)).collect();
        ObjectParser {
            tree,
            fields: FieldStates { seen: vec![0; decoders.len()], object: 0, n_seen: 0, inner },
        }
    }

    /// Reads an object to its end, so that a mistake in its form is found before one in a value counts.
    /// `depth` counts the arrays and objects around it, itself included.
    pub(crate) fn walk(
        &mut self,
        cursor: &mut Cursor<'_>,
        decoders: &[FieldDecoder],
        columns: &mut [Column],
        scratch: &mut Scratch,
        depth: usize,
    ) -> Result<Option<Reject>, Syntax> {
        self.fields.object += 1;
        self.fields.n_seen = 0;
        let mut target = Target { decoders, columns, states: &mut self.fields, scratch, reject: None };
        self.tree.read(cursor, &mut target, depth)?;
        Ok(target.reject)
    }

    /// Whether each field was in an object, be it with null.
    pub(crate) fn fields_seen(&self, decoders: &[FieldDecoder]) -> Vec<FieldStats> {
        let seen = self.fields.seen.iter().zip(&self.fields.inner).zip(decoders);
        let stats = seen.map(|((last, inner), field)| {
            let inner = inner.as_ref().filter(|inner| inner.fields.object > 0);
            let parts = inner.map(|inner| inner.fields_seen(field.value.record().unwrap_or_default()));
            FieldStats { seen: *last > 0 || field.is_in_folder, parts: parts.unwrap_or_default() }
        });
        stats.collect()
    }

    /// Fills in the fields that the object which was read last does not have.
    pub(crate) fn fill(&self, decoders: &[FieldDecoder], columns: &mut [Column]) -> Result<(), Reject> {
        // Each field is read at one place, and no place is there twice.
        if self.fields.n_seen == decoders.len() {
            return Ok(());
        }
        for (index, (field, column)) in decoders.iter().zip(columns).enumerate() {
            if self.fields.seen[index] != self.fields.object {
                absent(field, column).map_err(|problem| problem.in_field(index))?;
            }
        }
        Ok(())
    }

    /// Reads an object as a value of a column of records.
    fn record(
        &mut self,
        cursor: &mut Cursor<'_>,
        decoders: &[FieldDecoder],
        column: &mut Column,
        scratch: &mut Scratch,
        depth: usize,
    ) -> Result<Option<Problem>, Syntax> {
        let Some(n_left) = scratch.n_values_left.checked_sub(decoders.len()) else {
            cursor.skip(depth - 1)?;
            return Ok(Some(Problem::new("more values than a record of this size may have", "")));
        };
        scratch.n_values_left = n_left;
        let parts = column.parts().expect("a record is read into a column of records");
        let reject = self.walk(cursor, decoders, parts, scratch, depth)?;
        let reject = reject.or_else(|| self.fill(decoders, parts).err());
        column.end_record();
        Ok(reject.map(Reject::within))
    }
}

impl Members {
    /// Adds a field that stands below the object by these steps, of which the first is a name.
    fn insert(&mut self, steps: &[Step], field: usize) {
        let [Step::Name(name), rest @ ..] = steps else { return };
        let (node, is_new) = self.layout.add(name);
        if is_new {
            self.nodes.push(Node::default());
        }
        self.nodes[node].insert(rest, field);
    }

    fn read<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        target: &mut Target<'_>,
        depth: usize,
    ) -> Result<(), Syntax> {
        let (mut first, mut keys) = (true, self.layout.begin());
        cursor.begin_object(depth)?;
        while cursor.next_member(&mut first)? {
            let node = self.layout.key(cursor, &mut keys)?;
            match node.map(|node| &mut self.nodes[node]) {
                Some(Node { leaf: Some(field), .. }) => target.read(cursor, *field, depth)?,
                Some(node) => node.read(cursor, target, depth)?,
                None => cursor.skip(depth)?,
            }
        }
        Ok(())
    }
}

impl Node {
    fn insert(&mut self, steps: &[Step], field: usize) {
        match steps {
            [] => self.fields.push(field),
            [Step::Name(_), ..] => self.members.get_or_insert_default().insert(steps, field),
            [Step::Index(index), rest @ ..] => {
                let place = match self.elements.binary_search_by_key(index, |(index, _)| *index) {
                    Ok(place) => place,
                    Err(place) => {
                        self.elements.insert(place, (*index, Node::default()));
                        place
                    }
                };
                self.elements[place].1.insert(rest, field);
            }
        }
        self.leaf = match *self.fields.as_slice() {
            [field] if self.members.is_none() && self.elements.is_empty() => Some(field),
            _ => None,
        };
    }

    /// Reads a value in an object or array at a depth.
    fn read(&mut self, cursor: &mut Cursor<'_>, target: &mut Target<'_>, depth: usize) -> Result<(), Syntax> {
        if let Some(field) = self.leaf {
            return target.read(cursor, field, depth);
        }
        // Several fields at one place, or one around others, each read it for themselves.
        self.fields.iter().try_for_each(|field| target.read(&mut cursor.clone(), *field, depth))?;
        if self.members.is_none() && self.elements.is_empty() {
            cursor.skip(depth)
        } else {
            self.descend(cursor, target, depth)
        }
    }

    /// Reads what is below; where the value is null, that is absent.
    fn descend(
        &mut self,
        cursor: &mut Cursor<'_>,
        target: &mut Target<'_>,
        depth: usize,
    ) -> Result<(), Syntax> {
        match (cursor.peek(), &mut self.members) {
            (Some(b'{'), Some(members)) => return members.read(cursor, target, depth + 1),
            (Some(b'['), _) if !self.elements.is_empty() => return self.elements(cursor, target, depth + 1),
            _ => {}
        }
        let start = cursor.at();
        let raw = raw_of(cursor, &mut target.scratch.text, depth)?;
        // A field that takes the value as it is says what it is.
        if let Some(found) = raw.map(Raw::with_article).filter(|_| self.fields.is_empty()) {
            let wanted = if self.members.is_some() { "an object" } else { "an array" };
            let problem = format!("{found} where {wanted} is expected on the way");
            let problem = Problem::new(problem, cursor.since(start));
            target.keep(self.first_field().map(|field| problem.in_field(field)));
        }
        Ok(())
    }

    fn elements(
        &mut self,
        cursor: &mut Cursor<'_>,
        target: &mut Target<'_>,
        depth: usize,
    ) -> Result<(), Syntax> {
        cursor.begin_array(depth)?;
        let (mut first, mut index) = (true, 0_u32);
        let mut wanted = self.elements.iter_mut().peekable();
        while cursor.next_element(&mut first)? {
            match wanted.next_if(|(wanted, _)| *wanted == index) {
                Some((_, node)) => node.read(cursor, target, depth)?,
                None => cursor.skip(depth)?,
            }
            index = index.saturating_add(1);
        }
        Ok(())
    }

    /// The first field that is read here or below.
    fn first_field(&self) -> Option<usize> {
        let members = self.members.iter().flat_map(|members| &members.nodes);
        let below = members.chain(self.elements.iter().map(|(_, node)| node)).filter_map(Node::first_field);
        self.fields.iter().copied().chain(below).min()
    }
}

impl Target<'_> {
    fn keep(&mut self, reject: Option<Reject>) {
        if self.reject.is_none() {
            self.reject = reject;
        }
    }

    /// Reads a value to the column of a field.
    #[inline(always)]
    fn read(&mut self, cursor: &mut Cursor<'_>, index: usize, depth: usize) -> Result<(), Syntax> {
        let (field, column) = (&self.decoders[index], &mut self.columns[index]);
        self.states.seen[index] = self.states.object;
        self.states.n_seen += 1;
        if push_plain(cursor, &field.value, column) { Ok(()) } else { self.read_any(cursor, index, depth) }
    }

    /// Reads a value of any form, perhaps after blanks.
    fn read_any(&mut self, cursor: &mut Cursor<'_>, index: usize, depth: usize) -> Result<(), Syntax> {
        let (field, column) = (&self.decoders[index], &mut self.columns[index]);
        let start = cursor.at();
        let next = cursor.peek();
        if cursor.at() > start && push_plain(cursor, &field.value, column) {
            return Ok(());
        }
        let problem = if next == Some(b'n') {
            cursor.literal("null")?;
            absent(field, column).err()
        } else {
            let before = Before::of(column, &self.scratch.notes);
            let inner = &mut self.states.inner[index];
            let problem = push((cursor, next), Slot::Field(field), column, inner, self.scratch, depth)?;
            before.settle((index, field), column, &mut self.scratch.notes, problem)
        };
        if let Some(problem) = problem {
            self.keep(Some(problem.in_field(index)));
        }
        Ok(())
    }
}

/// Reads a value of plain form, if it is one, and appends it. The cursor stands on its first byte.
#[inline(always)]
fn push_plain(cursor: &mut Cursor<'_>, decoder: &ValueDecoder, column: &mut Column) -> bool {
    let end = decoder.plain.json(cursor.all(), cursor.at(), &decoder.format, column);
    cursor.step_to(end.unwrap_or(cursor.at()));
    end.is_some()
}

/// Reads a value that is not null and appends it, or gives the reason why it does not decode. The cursor,
/// which stands on the byte beside it, stands after the value either way.
fn push(
    (cursor, next): (&mut Cursor<'_>, Option<u8>),
    slot: Slot<'_>,
    column: &mut Column,
    inner: &mut Option<ObjectParser>,
    scratch: &mut Scratch,
    depth: usize,
) -> Result<Option<Problem>, Syntax> {
    let start = cursor.at();
    match (&slot.decoder().format, next, &mut *inner) {
        (ValueFormat::List(element), Some(b'['), _) => {
            return push_list(cursor, element, column, inner, scratch, depth + 1);
        }
        (ValueFormat::Record(fields), Some(b'{'), Some(parser)) => {
            return parser.record(cursor, fields, column, scratch, depth + 1);
        }
        _ => {}
    }
    let Scratch { text, notes, .. } = scratch;
    let Some(raw) = raw_at(cursor, next, text, depth)? else {
        return Err(cursor.syntax("a JSON value is expected"));
    };
    let put = scalar(raw, slot.decoder()).and_then(|decoded| slot.put(column, decoded, notes));
    Ok(put.err().map(|problem| Problem { excerpt: excerpt(cursor.since(start)), ..problem }))
}

/// Reads a value as it stands; `None` for null.
fn raw_of<'s, 'a: 's>(
    cursor: &mut Cursor<'a>,
    text: &'s mut String,
    depth: usize,
) -> Result<Option<Raw<'s>>, Syntax> {
    let next = cursor.peek();
    raw_at(cursor, next, text, depth)
}

/// As [`raw_of`], of a value that begins with this byte, on which the cursor stands.
fn raw_at<'s, 'a: 's>(
    cursor: &mut Cursor<'a>,
    next: Option<u8>,
    text: &'s mut String,
    depth: usize,
) -> Result<Option<Raw<'s>>, Syntax> {
    Ok(Some(match next {
        Some(b'"') => Raw::Text(cursor.text(text)?),
        Some(b't') => cursor.literal("true").map(|()| Raw::Bool(true))?,
        Some(b'f') => cursor.literal("false").map(|()| Raw::Bool(false))?,
        Some(b'-' | b'0'..=b'9' | b'N' | b'I') => match cursor.not_finite() {
            Some(name) => Raw::NotFinite(name),
            None => Raw::Number(cursor.number()?),
        },
        Some(b'[') => cursor.skip(depth).map(|()| Raw::Array)?,
        Some(b'{') => cursor.skip(depth).map(|()| Raw::Object)?,
        Some(b'n') => return cursor.literal("null").map(|()| None),
        _ => return Err(cursor.syntax("a JSON value is expected")),
    }))
}

fn push_list(
    cursor: &mut Cursor<'_>,
    element: &ValueDecoder,
    column: &mut Column,
    inner: &mut Option<ObjectParser>,
    scratch: &mut Scratch,
    depth: usize,
) -> Result<Option<Problem>, Syntax> {
    cursor.begin_array(depth)?;
    let elements = column.elements().expect("a list is read into a column of lists");
    let (mut first, mut problem) = (true, None);
    while cursor.next_element(&mut first)? {
        let next = cursor.peek();
        if push_plain(cursor, element, elements) {
            continue;
        }
        let found = if next == Some(b'n') {
            cursor.literal("null")?;
            Slot::Element(element).absent(elements).err()
        } else {
            push((cursor, next), Slot::Element(element), elements, inner, scratch, depth)?
        };
        problem = problem.or(found);
    }
    column.end_list();
    Ok(problem)
}
