//! User-defined aggregates as monoids, with the same groups, canonical bytes and merges as the built-in ones.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::ArrayRef;
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use metricc_ir::user_defined::{Aggregate, AnyState, Laws as DeclaredLaws, State};

use crate::argument_column::Column;
use crate::cells::{CellBuilder, Cells};
use crate::heap_groups::{HeapKernel, HeapMonoid};
use crate::states::{ExactSum, HeapValue, NOT_CANONICAL, Reader, put_varint};
use crate::{Checked, Description, Exactness, Growth, HeapState, Laws, Monoid, Result, Size, StateError};

/// The monoid of a user-defined aggregate over arguments of these types.
///
/// # Errors
/// When its arguments or its result are of a type that user-defined code cannot take or return.
pub fn user_defined_monoid(
    aggregate: &Arc<dyn Aggregate>,
    inputs: &[DataType],
    presented: &DataType,
) -> Result<Arc<dyn Monoid>> {
    let name = format!("own {}({})", aggregate.name(), aggregate.arguments().join(", "));
    if CellBuilder::new(presented).is_none() {
        return Err(StateError::new(&name, "returns a type that user-defined code cannot return"));
    }
    register(aggregate);
    let laws = aggregate.laws();
    let laws = Laws {
        idempotent: laws.idempotent,
        invertible: laws.invertible,
        exactness: laws.error_ppm.map_or(Exactness::Exact, Exactness::RelativeError),
        size: laws.max_bytes.map_or(
            Size::Growing(Growth { bytes: None, texts: false, per: "what its rows hold" }),
            Size::Bounded,
        ),
    };
    let version = aggregate.version();
    let description =
        Description { name, version, laws, inputs: inputs.to_vec(), presented: presented.clone() };
    let kernel = UserKernel { aggregate: aggregate.clone(), presented: presented.clone() };
    Ok(HeapMonoid::boxed(description, kernel))
}

/// The state of a user-defined aggregate: its canonical bytes, which are empty for the state of no rows.
#[derive(Clone)]
pub struct UserState {
    aggregate: Arc<dyn Aggregate>,
    bytes: Vec<u8>,
}

impl UserState {
    fn of(aggregate: &Arc<dyn Aggregate>, state: &dyn AnyState) -> Self {
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        let mut nothing = Vec::new();
        aggregate.identity().encode(&mut nothing);
        if bytes == nothing {
            bytes.clear();
        }
        UserState { aggregate: aggregate.clone(), bytes }
    }

    fn decode(aggregate: &Arc<dyn Aggregate>, bytes: &[u8]) -> Checked<Self> {
        let state = UserState { aggregate: aggregate.clone(), bytes: bytes.to_vec() };
        let again = UserState::of(aggregate, &*state.state()?);
        if again.bytes == bytes { Ok(state) } else { Err(NOT_CANONICAL) }
    }

    fn state(&self) -> Checked<Box<dyn AnyState>> {
        match self.bytes.as_slice() {
            [] => Ok(self.aggregate.identity()),
            bytes => self.aggregate.decode(bytes).ok_or(NOT_CANONICAL),
        }
    }

    fn identity(&self) -> (&'static str, u32, &[u8]) {
        (self.aggregate.name(), self.aggregate.version(), &self.bytes)
    }

    /// Appends the name, the version and the bytes: the form between processes.
    pub(crate) fn put_tagged(&self, out: &mut Vec<u8>) {
        put_varint(self.aggregate.name().len() as u64, out);
        out.extend(self.aggregate.name().as_bytes());
        out.extend(self.aggregate.version().to_le_bytes());
    }

    pub(crate) fn of_tagged(reader: &mut Reader<'_>) -> Checked<Self> {
        let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
        let name = reader.slice(n_bytes)?;
        let version = u32::from_le_bytes(reader.array()?);
        let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |own: &&Arc<dyn Aggregate>| own.name().as_bytes() == name && own.version() == version;
        let aggregate = known
            .iter()
            .find(is_it)
            .ok_or("this process does not have the user-defined aggregate of the state")?;
        UserState::decode(aggregate, reader.rest())
    }
}

/// The aggregates of this process, to decode states that come from another process.
static KNOWN: Mutex<Vec<Arc<dyn Aggregate>>> = Mutex::new(Vec::new());

fn register(aggregate: &Arc<dyn Aggregate>) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let identity = |own: &Arc<dyn Aggregate>| (own.name(), own.version());
    if !known.iter().any(|own| identity(own) == identity(aggregate)) {
        known.push(aggregate.clone());
    }
}

impl fmt::Debug for UserState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple(self.aggregate.name()).field(&self.bytes).finish()
    }
}

impl PartialEq for UserState {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for UserState {}

impl PartialOrd for UserState {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UserState {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for UserState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl HeapValue for UserState {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.identity().0 != other.identity().0 || self.identity().1 != other.identity().1 {
            return Err("states of different aggregates, or versions, do not merge");
        }
        let mut own = self.state()?;
        own.combine(&*other.state()?);
        *self = UserState::of(&self.aggregate, &*own);
        Ok(())
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(&self.bytes);
    }
    fn heap_size(&self) -> usize {
        self.bytes.capacity()
    }
}

#[derive(Debug, Clone)]
struct UserKernel {
    aggregate: Arc<dyn Aggregate>,
    presented: DataType,
}

/// A group while rows are added.
struct UserGroup {
    aggregate: Arc<dyn Aggregate>,
    state: Box<dyn AnyState>,
    /// A row had other types than its columns.
    failed: bool,
}

impl Column for Cells {
    type Item<'a> = (&'a Cells, usize);

    fn open(args: &[ArrayRef]) -> Option<Self> {
        Cells::new(args)
    }
    fn items(&self) -> impl Iterator<Item = Self::Item<'_>> {
        (0..).map(move |row| (self, row))
    }
    fn item(&self, row: usize) -> Self::Item<'_> {
        (self, row)
    }
    fn nulls(&self) -> Option<NullBuffer> {
        let nulls = self.columns().iter().map(Column::nulls);
        nulls.fold(None, |all, nulls| NullBuffer::union(all.as_ref(), nulls.as_ref()))
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        self.columns().iter().all(|column| column.is_proper(selected))
    }
}

impl HeapKernel for UserKernel {
    type Column = Cells;
    type State = UserState;
    type Group = UserGroup;

    fn group(&self) -> UserGroup {
        UserGroup { aggregate: self.aggregate.clone(), state: self.aggregate.identity(), failed: false }
    }
    fn add(&self, group: &mut UserGroup, (cells, row): (&Cells, usize)) {
        let mut arguments = Vec::with_capacity(cells.columns().len());
        cells.read(row, &mut arguments);
        group.failed |= !self.aggregate.lift(&mut *group.state, &arguments);
    }
    fn merge(group: &mut UserGroup, state: &UserState) -> Checked<()> {
        group.state.combine(&*state.state()?);
        Ok(())
    }
    fn finish(group: UserGroup) -> Checked<UserState> {
        if group.failed {
            return Err("a row is of other types than the aggregate takes");
        }
        Ok(UserState::of(&group.aggregate, &*group.state))
    }
    fn heap_size(group: &UserGroup) -> usize {
        group.state.size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<UserState> {
        UserState::decode(&self.aggregate, bytes)
    }
    fn heap_state(state: UserState) -> HeapState {
        HeapState::UserDefined(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<UserState>>) -> Checked<ArrayRef> {
        let mut column =
            CellBuilder::new(&self.presented).ok_or("returns a type that user-defined code cannot return")?;
        for state in states {
            let mut outcome = Err("the aggregate returned nothing");
            self.aggregate.present(&*state?.state()?, &mut |cell| outcome = column.append(&cell));
            outcome?;
        }
        Ok(column.finish())
    }
}

/// An exact sum of floats as a part of a user-defined state: any order gives the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FloatSum(ExactSum);

impl FloatSum {
    /// Adds a float; one that is not finite is left out.
    pub fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.0.add(value);
            self.0.normalize();
        }
    }

    /// The sum, rounded once; none beyond the largest float.
    pub fn value(&self) -> Option<f64> {
        self.0.value()
    }
}

impl State for FloatSum {
    const LAWS: DeclaredLaws =
        DeclaredLaws { idempotent: false, invertible: true, max_bytes: Some(2 + 8 * 36), error_ppm: None };

    fn combine(&mut self, other: &Self) {
        // 2⁶³ floats fit; no log has as many.
        let merged = self.0.merge(&other.0);
        debug_assert!(merged.is_ok());
    }
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(self.0.n_bytes() as u64, out);
        HeapValue::encode(&self.0, out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let n_bytes = usize::try_from(reader.varint().ok()?).ok()?;
        let sum = ExactSum::decode(reader.slice(n_bytes).ok()?).ok()?;
        *bytes = reader.rest();
        Some(FloatSum(sum))
    }
    fn size(&self) -> usize {
        size_of::<Self>() + HeapValue::heap_size(&self.0)
    }
}
