//! Which part of a definition decides that one event gives other rows.
//!
//! It is tested, not read off the text: the old version with one part of the new one is evaluated over the
//! event alone. If that gives the new version's rows, the part decides. If no part does so alone, those
//! decide together without which the new version gives other rows.

use metricc_ir::AnyMetric;
use metricc_log::{Interval, Position, ReadStats};
use metricc_runtime_serve::Presented;

use super::variants::{Part, base, changed_parts, row_count, with_part};
use crate::causes::{EventFields, RowsError, Side, event_fields, interval_of};
use crate::compare::{Comparison, RowSet, Tolerance, compare};

/// Two versions of a metric over the events of one source, read so that their rows can be compared.
#[derive(Debug)]
pub struct Versions {
    /// The old one.
    pub old: Side,
    /// The new one.
    pub new: Side,
    variants: Vec<Variant>,
}

/// A part that differs, and each version with the other's.
#[derive(Debug)]
struct Variant {
    part: Part,
    text: String,
    old_with_new: Option<Side>,
    new_with_old: Option<Side>,
}

/// An event that alone gives other rows under two versions.
#[derive(Debug)]
pub struct Cause {
    /// Where it stands.
    pub position: Position,
    /// The file or partition.
    pub file: String,
    /// Its fields, in the version that decodes it.
    pub fields: Option<EventFields>,
    /// What the old version makes of it.
    pub old: Seen,
    /// What the new version makes of it.
    pub new: Seen,
}

/// What a version makes of one event.
#[derive(Debug)]
pub struct Seen {
    /// What becomes of the record.
    pub fate: Fate,
    /// The rows over it alone.
    pub rows: RowSet,
    /// The same with the metric's own keys and windows.
    pub presented: Presented,
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It does not decode: the field and the reason.
    Rejected(String),
    /// An earlier record has its key.
    Duplicate,
    /// `where` or `each` leaves nothing of it.
    LeftOut,
    /// It is in the metric.
    Counted,
}

/// Events for which the same parts decide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    /// The parts.
    pub parts: Vec<String>,
    /// How they decide.
    pub how: String,
}

impl Versions {
    /// Two versions of a metric, and the variants between them.
    ///
    /// # Errors
    /// If a variant cannot be planned.
    pub fn new(old: Side, new: Side) -> Result<Self, RowsError> {
        let mut variants = Vec::new();
        if let (AnyMetric::Base(of_old), AnyMetric::Base(of_new)) = (&old.metric, &new.metric) {
            for part in changed_parts(of_old, of_new) {
                let (own, other) = match part {
                    Part::Source => (new.log(), old.log()),
                    _ => (old.log(), new.log()),
                };
                let old_with_new =
                    with_part(of_old, of_new, &part).map(|metric| old.with(&base(metric), own));
                let new_with_old =
                    with_part(of_new, of_old, &part).map(|metric| new.with(&base(metric), other));
                variants.push(Variant {
                    text: part.text(of_old),
                    part,
                    old_with_new: old_with_new.transpose()?,
                    new_with_old: new_with_old.transpose()?,
                });
            }
        }
        Ok(Versions { old, new, variants })
    }

    /// The parts that differ and cannot be tested, since no variant has them.
    pub fn untested(&self) -> Vec<&str> {
        let is_untested = |variant: &&Variant| variant.old_with_new.is_none();
        self.variants.iter().filter(is_untested).map(|variant| &*variant.text).collect()
    }

    /// How the rows over an interval compare.
    ///
    /// # Errors
    /// If they cannot be computed.
    pub fn compared(&self, interval: &Interval) -> Result<Comparison, RowsError> {
        let (old, new) = (self.old.rows(interval)?.0, self.new.rows(interval)?.0);
        Ok(compare(&RowSet::of(&old), &RowSet::of(&new), Tolerance::default())?)
    }

    /// What both versions make of an event, and which parts decide that.
    ///
    /// # Errors
    /// If rows cannot be computed.
    pub fn cause(&self, position: Position) -> Result<Option<(Class, Cause)>, RowsError> {
        let Some(interval) = interval_of(position, &self.old.log().start()) else { return Ok(None) };
        let fields = match event_fields(self.old.log(), position)? {
            Some(fields) => Some(fields),
            None => event_fields(self.new.log(), position)?,
        };
        let (old, new) = (seen(&self.old, &interval)?, seen(&self.new, &interval)?);
        let class = self.class(&interval, &old, &new)?;
        let names = self.old.log().partition_names();
        let file = names.into_iter().nth(position.partition as usize).unwrap_or_default();
        Ok(Some((class, Cause { position, file, fields, old, new })))
    }

    fn class(&self, interval: &Interval, old: &Seen, new: &Seen) -> Result<Class, RowsError> {
        if let Some(how) = of_records(&old.fate, &new.fate) {
            return Ok(Class { parts: vec![format!("source {}", self.new.log().source().name)], how });
        }
        if matches!(self.new.metric, AnyMetric::Derived(_)) {
            let how = "decided by the metrics that it reads".to_owned();
            return Ok(Class { parts: Vec::new(), how });
        }
        let (mut alone, mut needed) = (Vec::new(), Vec::new());
        for variant in &self.variants {
            if let Some(side) = &variant.old_with_new
                && is_same(&rows_of(side, interval)?, &new.rows)?
            {
                alone.push(variant);
            }
        }
        if let [only] = &alone[..] {
            let how = how(&only.part, &old.fate, &new.fate);
            return Ok(Class { parts: vec![only.text.clone()], how });
        }
        for variant in &self.variants {
            if let Some(side) = &variant.new_with_old
                && !is_same(&rows_of(side, interval)?, &new.rows)?
            {
                needed.push(variant);
            }
        }
        let texts = |variants: &[&Variant]| variants.iter().map(|variant| variant.text.clone()).collect();
        Ok(match (&alone[..], &needed[..]) {
            ([], []) => Class {
                parts: self.variants.iter().map(|variant| variant.text.clone()).collect(),
                how: "not told apart".to_owned(),
            },
            ([], needed) => Class { parts: texts(needed), how: "only together".to_owned() },
            (alone, _) => Class { parts: texts(alone), how: "each of them alone".to_owned() },
        })
    }
}

/// What a version makes of the event of an interval.
fn seen(side: &Side, interval: &Interval) -> Result<Seen, RowsError> {
    let (read, stats) = side.rows(interval)?;
    let presented = side.whole().rows(interval)?.0;
    Ok(Seen { fate: fate(side, interval, &stats)?, rows: RowSet::of(&read), presented })
}

fn fate(side: &Side, interval: &Interval, stats: &ReadStats) -> Result<Fate, RowsError> {
    if let Some(record) = stats.quarantined.first() {
        let field = record.field.as_ref().map(|field| format!("field `{field}`: ")).unwrap_or_default();
        return Ok(Fate::Rejected(format!("{field}{}", record.problem)));
    }
    if stats.n_duplicates > 0 {
        return Ok(Fate::Duplicate);
    }
    let AnyMetric::Base(metric) = &side.metric else { return Ok(Fate::Counted) };
    if metric.filter.is_none() && metric.each.is_empty() {
        return Ok(Fate::Counted);
    }
    let counted = side.whole().with(&base(row_count(metric)), side.log())?.rows(interval)?.0;
    let has_rows =
        RowSet::of(&counted).outputs.iter().any(|count| count.value(0) != metricc_ir::Value::Int(0));
    Ok(if has_rows { Fate::Counted } else { Fate::LeftOut })
}

fn rows_of(side: &Side, interval: &Interval) -> Result<RowSet, RowsError> {
    Ok(RowSet::of(&side.rows(interval)?.0))
}

fn is_same(rows: &RowSet, other: &RowSet) -> Result<bool, RowsError> {
    Ok(compare(rows, other, Tolerance::default())?.different.is_empty())
}

/// How it is decided, if that is before the metric: whether the record is an event at all.
fn of_records(old: &Fate, new: &Fate) -> Option<String> {
    match (old, new) {
        (Fate::Rejected(_), Fate::Rejected(_)) | (Fate::Duplicate, Fate::Duplicate) => None,
        (_, Fate::Rejected(why)) => Some(format!("rejected by NEW: {why}")),
        (Fate::Rejected(why), _) => Some(format!("rejected by OLD: {why}")),
        (_, Fate::Duplicate) => Some("a duplicate for NEW".to_owned()),
        (Fate::Duplicate, _) => Some("a duplicate for OLD".to_owned()),
        _ => None,
    }
}

/// How one part decides.
fn how(part: &Part, old: &Fate, new: &Fate) -> String {
    match (part, old, new) {
        (_, Fate::Counted, Fate::LeftOut) => "counted by OLD, left out by NEW",
        (_, Fate::LeftOut, Fate::Counted) => "left out by OLD, counted by NEW",
        (Part::Key(_), ..) => "another value of the key",
        (Part::Window, ..) => "another window",
        (Part::Source, ..) => "read as another value",
        _ => "another value",
    }
    .to_owned()
}
