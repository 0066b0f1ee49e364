//! Hashes of meaning: when two definitions are the same metric, and when they have the same states.
//!
//! The *metric hash* covers the hash of the definition (the typed metric without names of locals and docs,
//! and the time zone database), and the name and state version of each monoid, since all of them decide what
//! is presented. Reformatting does not change it; meaning does.
//!
//! The *state hash* covers what decides the states of a segment and nothing of how they are presented: two
//! metrics that differ in an output, the name of a key, a unit, the quantile of a sketch, the length of a
//! sliding window or the weeks of a calendar whose days they keep have one. Segments of different state
//! hashes never merge; metrics of equal state hash present each other's segments.

use std::fmt;

use metricc_algebra::Monoid;
use metricc_ir as ir;
use metricc_ir::calendar;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::state::{Arg, State};

macro_rules! hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

hash! {
    /// SHA-256 of a metric's meaning.
    MetricHash
}

hash! {
    /// SHA-256 of the meaning of the states in a metric's segments.
    StateHash
}

impl MetricHash {
    /// Hashes a metric with the monoids that hold its states.
    pub(crate) fn of<'a>(metric: &ir::Metric, monoids: impl Iterator<Item = &'a dyn Monoid>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"metricc metric 2\n");
        hasher.update(metric.definition_hash().as_bytes());
        for monoid in monoids {
            hasher.update(format!("\n{} v{}", monoid.name(), monoid.version()).as_bytes());
        }
        MetricHash(hasher.finalize().into())
    }

    /// Hashes a derived metric with the hashes of its operands.
    pub(crate) fn of_derived(derived: &ir::Derived, operands: impl Iterator<Item = MetricHash>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"metricc derived 1\n");
        hasher.update(derived.definition_hash().as_bytes());
        for operand in operands {
            hasher.update(operand.0);
        }
        MetricHash(hasher.finalize().into())
    }
}

/// The rows, and their division into groups.
#[derive(Serialize)]
struct Rows<'a> {
    source: &'a ir::Source,
    each: &'a [ir::Each],
    filter: &'a Option<ir::Expr>,
    keys: Vec<&'a ir::Expr>,
    window: ir::Window,
}

/// A state of the product, and its arguments.
#[derive(Serialize)]
struct Kept<'a> {
    monoid: String,
    version: u32,
    args: Vec<Incoming<'a>>,
    filter: Option<&'a ir::Expr>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Incoming<'a> {
    Value(&'a ir::Expr),
    Time,
    Position,
}

impl StateHash {
    /// Hashes the states of a metric, in their order.
    pub(crate) fn of(metric: &ir::Metric, states: &[State<'_>]) -> Self {
        let window = match metric.window {
            // How many panes make a window is decided when they are presented.
            ir::Window::Sliding { step, .. } => ir::Window::Tumbling(step),
            ref window => window.cut(),
        };
        let keys = metric.keys.iter().map(|key| &key.expr).collect();
        let rows = Rows { source: &metric.source, each: &metric.each, filter: &metric.filter, keys, window };
        let kept: Vec<Kept<'_>> = states.iter().map(kept).collect();
        let text =
            serde_json::to_string(&(rows, kept)).expect("the IR has neither maps nor foreign serializers");
        let mut hasher = Sha256::new();
        hasher.update(b"metricc states 1\n");
        hasher.update(text.as_bytes());
        hasher.update(format!("\ntzdb {}", calendar::tzdb_version()).as_bytes());
        StateHash(hasher.finalize().into())
    }
}

fn kept<'a>(state: &State<'a>) -> Kept<'a> {
    let incoming = |arg: &Arg<'a>| match *arg {
        Arg::Value(expr) => Incoming::Value(expr),
        Arg::Time => Incoming::Time,
        Arg::Position => Incoming::Position,
    };
    Kept {
        monoid: state.monoid.name(),
        version: state.monoid.version(),
        args: state.args.iter().map(incoming).collect(),
        filter: state.filter,
    }
}
