//! The states on the heap as one type, which is the difference of the stream's collections.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sessions::SessionState;
use crate::states::{
    ArgExtreme, CountMin, DecimalSet, ExactSum, FloatMean, FloatMoments, FloatPairs, FloatPowers, HeapValue,
    Histogram, HyperLogLog, ItemSum, Keyed, LogBuckets, MAX_PRECISION, MIN_PRECISION, Periods, Reader, Steps,
    TextExtreme, TextSet, ValueCount, WideSum, WordSet, WordValueCounts,
};
use crate::user_defined::UserState;
use crate::values::Shape;
use crate::{Checked, MAX_BUCKETS, MAX_WIDTH, Result, StateError};

/// The state of a monoid whose layout is [`crate::Layout::Heap`]. Equal states are equal values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeapState {
    /// Sum of floats.
    FloatSum(ExactSum),
    /// Count and sum of floats.
    FloatMean(FloatMean),
    /// Count, sum and sum of squares of floats.
    FloatMoments(Box<FloatMoments>),
    /// Least or greatest text.
    TextExtreme(TextExtreme),
    /// Distinct values of one word.
    WordSet(WordSet),
    /// Distinct decimals.
    DecimalSet(DecimalSet),
    /// Distinct texts.
    TextSet(TextSet),
    /// Estimate of the number of distinct values.
    HyperLogLog(HyperLogLog),
    /// Quantiles.
    LogBuckets(LogBuckets),
    /// The row with the least or greatest value, or the first or last one.
    ArgExtreme(ArgExtreme),
    /// Rows by value: exact quantiles, top k by count.
    ValueCounts(Keyed<ValueCount>),
    /// The same, of values of one word.
    WordValueCounts(WordValueCounts),
    /// A sum of integers or decimals for each item.
    WideSums(Keyed<WideSum>),
    /// A sum of floats for each item.
    FloatSums(Keyed<ItemSum>),
    /// The same, of items of one word.
    WordWideSums(Keyed<WideSum, u64>),
    /// Sums of floats, of items of one word.
    WordFloatSums(Keyed<ItemSum, u64>),
    /// When each actor did which steps of a funnel.
    Steps(Keyed<Steps>),
    /// When each actor was active.
    Periods(Keyed<Periods>),
    /// Counts between edges.
    Histogram(Histogram),
    /// Frequencies.
    CountMin(CountMin),
    /// Sums of the first four powers of floats.
    FloatPowers(Box<FloatPowers>),
    /// Sums of two floats, their squares and products.
    FloatPairs(Box<FloatPairs>),
    /// The state of a user-defined aggregate.
    UserDefined(UserState),
    /// Sessions.
    Sessions(SessionState),
}

/// Calls a method of [`HeapValue`] on the state's value.
macro_rules! each_variant {
    ($state:expr, $value:ident => $body:expr) => {
        match $state {
            HeapState::FloatSum($value) => $body,
            HeapState::FloatMean($value) => $body,
            HeapState::FloatMoments($value) => $body,
            HeapState::TextExtreme($value) => $body,
            HeapState::WordSet($value) => $body,
            HeapState::DecimalSet($value) => $body,
            HeapState::TextSet($value) => $body,
            HeapState::HyperLogLog($value) => $body,
            HeapState::LogBuckets($value) => $body,
            HeapState::ArgExtreme($value) => $body,
            HeapState::ValueCounts($value) => $body,
            HeapState::WordValueCounts($value) => $body,
            HeapState::WideSums($value) => $body,
            HeapState::FloatSums($value) => $body,
            HeapState::WordWideSums($value) => $body,
            HeapState::WordFloatSums($value) => $body,
            HeapState::Steps($value) => $body,
            HeapState::Periods($value) => $body,
            HeapState::Histogram($value) => $body,
            HeapState::CountMin($value) => $body,
            HeapState::FloatPowers($value) => $body,
            HeapState::FloatPairs($value) => $body,
            HeapState::UserDefined($value) => $body,
            HeapState::Sessions($value) => $body,
        }
    };
}

/// Stands for no type where a row is chosen by its time alone.
const NO_SHAPE: u8 = 0xff;

impl HeapState {
    /// `self ⊕= other`.
    ///
    /// # Errors
    /// When the states are of different monoids, or count more than 2⁶³ rows together; `self` is then of no
    /// further use.
    pub fn merge(&mut self, other: &HeapState) -> Result<()> {
        let merged = match (&mut *self, other) {
            (HeapState::FloatSum(own), HeapState::FloatSum(other)) => own.merge(other),
            (HeapState::FloatMean(own), HeapState::FloatMean(other)) => own.merge(other),
            (HeapState::FloatMoments(own), HeapState::FloatMoments(other)) => own.merge(other),
            (HeapState::TextExtreme(own), HeapState::TextExtreme(other)) => own.merge(other),
            (HeapState::WordSet(own), HeapState::WordSet(other)) => own.merge(other),
            (HeapState::DecimalSet(own), HeapState::DecimalSet(other)) => own.merge(other),
            (HeapState::TextSet(own), HeapState::TextSet(other)) => own.merge(other),
            (HeapState::HyperLogLog(own), HeapState::HyperLogLog(other)) => own.merge(other),
            (HeapState::LogBuckets(own), HeapState::LogBuckets(other)) => own.merge(other),
            (HeapState::ArgExtreme(own), HeapState::ArgExtreme(other)) => own.merge(other),
            (HeapState::ValueCounts(own), HeapState::ValueCounts(other)) => own.merge(other),
            (HeapState::WordValueCounts(own), HeapState::WordValueCounts(other)) => own.merge(other),
            (HeapState::WideSums(own), HeapState::WideSums(other)) => own.merge(other),
            (HeapState::FloatSums(own), HeapState::FloatSums(other)) => own.merge(other),
            (HeapState::WordWideSums(own), HeapState::WordWideSums(other)) => own.merge(other),
            (HeapState::WordFloatSums(own), HeapState::WordFloatSums(other)) => own.merge(other),
            (HeapState::Steps(own), HeapState::Steps(other)) => own.merge(other),
            (HeapState::Periods(own), HeapState::Periods(other)) => own.merge(other),
            (HeapState::Histogram(own), HeapState::Histogram(other)) => own.merge(other),
            (HeapState::CountMin(own), HeapState::CountMin(other)) => own.merge(other),
            (HeapState::FloatPowers(own), HeapState::FloatPowers(other)) => own.merge(other),
            (HeapState::FloatPairs(own), HeapState::FloatPairs(other)) => own.merge(other),
            (HeapState::UserDefined(own), HeapState::UserDefined(other)) => own.merge(other),
            (HeapState::Sessions(own), HeapState::Sessions(other)) => own.merge(other),
            _ => Err("states of different monoids do not merge"),
        };
        merged.map_err(|problem| StateError::new(self.kind(), problem))
    }

    /// Appends the canonical bytes: equal states have equal bytes.
    pub fn to_bytes(&self, out: &mut Vec<u8>) {
        each_variant!(self, value => value.encode(out));
    }

    /// Bytes in use, inline and on the heap.
    pub fn size(&self) -> usize {
        let boxed = match self {
            HeapState::FloatMoments(_) => size_of::<FloatMoments>(),
            HeapState::FloatPowers(_) => size_of::<FloatPowers>(),
            HeapState::FloatPairs(_) => size_of::<FloatPairs>(),
            _ => 0,
        };
        size_of::<Self>() + boxed + each_variant!(self, value => value.heap_size())
    }

    fn kind(&self) -> &'static str {
        match self {
            HeapState::FloatSum(_) => "sum(float)",
            HeapState::FloatMean(_) => "mean(float)",
            HeapState::FloatMoments(_) => "moments(float)",
            HeapState::TextExtreme(extreme) if extreme.is_least() => "min(string)",
            HeapState::TextExtreme(_) => "max(string)",
            HeapState::WordSet(_) => "distinct(word)",
            HeapState::DecimalSet(_) => "distinct(decimal)",
            HeapState::TextSet(_) => "distinct(string)",
            HeapState::HyperLogLog(_) => "hyperloglog",
            HeapState::LogBuckets(_) => "log_buckets",
            HeapState::ArgExtreme(_) => "row of an extreme",
            HeapState::ValueCounts(_) | HeapState::WordValueCounts(_) => "counts by value",
            HeapState::WideSums(_) | HeapState::WordWideSums(_) => "sums by item",
            HeapState::FloatSums(_) | HeapState::WordFloatSums(_) => "float sums by item",
            HeapState::Steps(_) => "funnel",
            HeapState::Periods(_) => "retention",
            HeapState::Histogram(_) => "histogram",
            HeapState::CountMin(_) => "count_min",
            HeapState::FloatPowers(_) => "powers(float)",
            HeapState::FloatPairs(_) => "pairs(float)",
            HeapState::UserDefined(_) => "user-defined",
            HeapState::Sessions(_) => "sessions",
        }
    }

    /// The canonical bytes after a tag of the kind of state: the encoding between processes.
    fn to_tagged(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            HeapState::FloatSum(_) => bytes.push(0),
            HeapState::FloatMean(_) => bytes.push(1),
            HeapState::FloatMoments(_) => bytes.push(2),
            HeapState::TextExtreme(extreme) => bytes.extend([3, u8::from(extreme.is_least())]),
            HeapState::WordSet(_) => bytes.push(4),
            HeapState::DecimalSet(_) => bytes.push(5),
            HeapState::TextSet(_) => bytes.push(6),
            HeapState::HyperLogLog(sketch) => bytes.extend([7, sketch.precision()]),
            HeapState::LogBuckets(sketch) => {
                bytes.push(8);
                bytes.extend(sketch.resolution().to_le_bytes());
            }
            HeapState::ArgExtreme(extreme) => {
                let (least, by, shape) = extreme.head();
                bytes.extend([9, u8::from(least), by.map_or(NO_SHAPE, Shape::tag), shape.tag()]);
            }
            HeapState::ValueCounts(keyed) => bytes.extend([10, keyed.shape().tag()]),
            HeapState::WideSums(keyed) => bytes.extend([11, keyed.shape().tag()]),
            HeapState::FloatSums(keyed) => bytes.extend([12, keyed.shape().tag()]),
            HeapState::Steps(keyed) => bytes.extend([13, keyed.shape().tag()]),
            HeapState::Periods(keyed) => bytes.extend([14, keyed.shape().tag()]),
            HeapState::Histogram(histogram) => {
                bytes.push(15);
                bytes.extend(histogram.n_buckets().to_le_bytes());
            }
            HeapState::CountMin(sketch) => {
                bytes.push(16);
                bytes.extend(sketch.width().to_le_bytes());
            }
            HeapState::FloatPowers(_) => bytes.push(17),
            HeapState::FloatPairs(_) => bytes.push(18),
            HeapState::UserDefined(state) => {
                bytes.push(19);
                state.put_tagged(&mut bytes);
            }
            HeapState::WordValueCounts(counts) => bytes.extend([20, counts.shape().tag()]),
            HeapState::Sessions(sessions) => {
                bytes.push(21);
                sessions.put_tagged(&mut bytes);
            }
            HeapState::WordWideSums(keyed) => bytes.extend([22, keyed.shape().tag()]),
            HeapState::WordFloatSums(keyed) => bytes.extend([23, keyed.shape().tag()]),
        }
        self.to_bytes(&mut bytes);
        bytes
    }

    fn from_tagged(bytes: &[u8]) -> Checked<Self> {
        let mut reader = Reader::new(bytes);
        let shape = |tag: u8| Shape::of_tag(tag).ok_or(UNKNOWN);
        match reader.byte()? {
            0 => ExactSum::decode(reader.rest()).map(HeapState::FloatSum),
            1 => FloatMean::decode(reader.rest()).map(HeapState::FloatMean),
            2 => FloatMoments::decode(reader.rest()).map(Box::new).map(HeapState::FloatMoments),
            3 => {
                let least = flag(reader.byte()?)?;
                TextExtreme::decode(least, reader.rest()).map(HeapState::TextExtreme)
            }
            4 => WordSet::decode(reader.rest()).map(HeapState::WordSet),
            5 => DecimalSet::decode(reader.rest()).map(HeapState::DecimalSet),
            6 => TextSet::decode(reader.rest()).map(HeapState::TextSet),
            7 => match reader.byte()? {
                precision @ MIN_PRECISION..=MAX_PRECISION => {
                    HyperLogLog::decode(precision, reader.rest()).map(HeapState::HyperLogLog)
                }
                _ => Err(UNKNOWN),
            },
            8 => match u32::from_le_bytes(reader.array()?) {
                resolution @ 1..=375_001 => {
                    LogBuckets::decode(resolution, reader.rest()).map(HeapState::LogBuckets)
                }
                _ => Err(UNKNOWN),
            },
            9 => {
                let [least, by, carried] = reader.array()?;
                let by = if by == NO_SHAPE { None } else { Some(shape(by)?) };
                ArgExtreme::decode(flag(least)?, by, shape(carried)?, reader.rest())
                    .map(HeapState::ArgExtreme)
            }
            10 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::ValueCounts),
            11 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::WideSums),
            12 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::FloatSums),
            13 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::Steps),
            14 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::Periods),
            15 => match u32::from_le_bytes(reader.array()?) {
                n_buckets @ 2..=MAX_BUCKETS => {
                    Histogram::decode(n_buckets, reader.rest()).map(HeapState::Histogram)
                }
                _ => Err(UNKNOWN),
            },
            16 => match u32::from_le_bytes(reader.array()?) {
                width @ 1..=MAX_WIDTH => CountMin::decode(width, reader.rest()).map(HeapState::CountMin),
                _ => Err(UNKNOWN),
            },
            17 => FloatPowers::decode(reader.rest()).map(Box::new).map(HeapState::FloatPowers),
            18 => FloatPairs::decode(reader.rest()).map(Box::new).map(HeapState::FloatPairs),
            19 => UserState::of_tagged(&mut reader).map(HeapState::UserDefined),
            20 => {
                WordValueCounts::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::WordValueCounts)
            }
            21 => SessionState::of_tagged(&mut reader).map(HeapState::Sessions),
            22 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::WordWideSums),
            23 => Keyed::decode(shape(reader.byte()?)?, reader.rest()).map(HeapState::WordFloatSums),
            _ => Err(UNKNOWN),
        }
    }
}

const UNKNOWN: &str = "the bytes are not those of a state";

fn flag(byte: u8) -> Checked<bool> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(UNKNOWN),
    }
}

impl Serialize for HeapState {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_tagged())
    }
}

impl<'de> Deserialize<'de> for HeapState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(TaggedBytes)
    }
}

struct TaggedBytes;

impl<'de> Visitor<'de> for TaggedBytes {
    type Value = HeapState;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a state")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> std::result::Result<HeapState, E> {
        HeapState::from_tagged(bytes).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> std::result::Result<HeapState, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element::<u8>()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}
