//! Records of Avro as JSON text.
//!
//! A schema is compiled to a list of nodes, by which a datum is walked once and its JSON is written. The
//! library of Avro builds a value first, takes lengths that a datum claims for granted, and follows it to any
//! depth; here, what a datum costs is bounded by its bytes and by the longest record. The library is what the
//! tests compare with.

mod compile;
mod datum;
#[cfg(test)]
mod tests;

use crate::json_text::Unit;

/// The index of a node.
type NodeId = usize;

/// A schema.
#[derive(Debug)]
pub(crate) struct AvroSchema {
    nodes: Vec<Node>,
    root: NodeId,
}

/// A type of a schema, as its datum is read.
#[derive(Debug)]
enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    /// The symbols, as JSON.
    Enum(Vec<String>),
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record(Vec<Field>),
    /// The length of `fixed`, if it is that, and the digits after the point.
    Decimal {
        fixed: Option<usize>,
        scale: i64,
    },
    /// A decimal that says its scale.
    BigDecimal,
    /// 16 bytes.
    Uuid,
    Date,
    TimeOfDay(Unit),
    Timestamp {
        unit: Unit,
        is_instant: bool,
    },
    /// Months, days and milliseconds.
    Duration,
}

/// A field of a record.
#[derive(Debug)]
struct Field {
    name: String,
    /// The name as JSON, with the colon after it.
    key: String,
    node: NodeId,
}

impl AvroSchema {
    /// Whether its values can be JSON objects.
    pub(crate) fn has_objects(&self) -> bool {
        let is_object = |node: &Node| matches!(node, Node::Record(_) | Node::Map(_));
        match &self.nodes[self.root] {
            Node::Union(variants) => variants.iter().any(|variant| is_object(&self.nodes[*variant])),
            node => is_object(node),
        }
    }
}
