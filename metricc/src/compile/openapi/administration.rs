//! The paths that show and check the state of a node.

use metricc_client::wire::{Endpoint, Operation};
use metricc_ir::Source;
use serde_json::{Value, json};

use super::{frontier, in_json, object, operation, own_parameters};

/// The quarantined records of a source.
pub(super) fn quarantine(source: &Source) -> Value {
    operation(
        &format!("{}_quarantine", source.name),
        "Records that did not decode, one JSON object a line",
        Operation::Administer,
        own_parameters(Endpoint::Quarantine),
        json!({ "application/x-ndjson": { "schema": { "type": "string" } } }),
    )
}

/// The audit.
pub(super) fn audit() -> Value {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer", "format": "int64" });
    let line = object(json!({
        "audited": { "enum": ["served", "view", "verdicts"] },
        "source": text,
        "metric": text,
        "hash": text,
        "frontier": frontier("the frontier up to which both were compared"),
        "rows": number,
        "found": text,
        "recomputed": text,
        "differences": number,
    }));
    operation(
        "audit",
        "Compare the served states with the log",
        Operation::Administer,
        own_parameters(Endpoint::Audit),
        in_json(object(json!({ "lines": { "type": "array", "items": line } }))),
    )
}

fn in_text() -> Value {
    json!({ "text/plain": { "schema": { "type": "string" } } })
}

/// The counters.
pub(super) fn counters() -> Value {
    let summary = "Counters in the text format of Prometheus";
    operation("counters", summary, Operation::Administer, Vec::new(), in_text())
}

/// Whether the node takes events.
pub(super) fn healthz() -> Value {
    let summary = "Whether the node accepts events";
    operation("healthz", summary, Operation::Probe, Vec::new(), in_text())
}

/// Whether the node answers.
pub(super) fn readyz() -> Value {
    let summary = "Whether the node answers queries";
    operation("readyz", summary, Operation::Probe, Vec::new(), in_text())
}
