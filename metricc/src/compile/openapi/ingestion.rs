//! The paths that take events, and those that say where they are.

use std::collections::BTreeSet;

use metricc_client::wire::{Endpoint, Operation};
use metricc_ir::Source;
use metricc_log::BodyFormat;
use serde_json::{Map, Value, json};

use super::{frontier, in_json, object, operation, own_parameters, reference};

pub(super) fn requests(source: &Source) -> Value {
    let text = json!({ "type": "string" });
    let request = object(json!({ "key": text, "positions": positions() }));
    operation(
        &format!("{}_requests", source.name),
        "The requests with an idempotency key that the node remembers, oldest first",
        Operation::Ingest,
        own_parameters(Endpoint::Requests),
        in_json(object(json!({ "requests": { "type": "array", "items": request } }))),
    )
}

pub(super) fn served(source: &Source) -> Value {
    let of_answers = json!({ "anyOf": [frontier("the frontier of answers"), { "type": "null" }], "description": "null while the \
                node reads its log" });
    let served = object(json!({ "served": of_answers, "end": frontier("the end of the log") }));
    operation(
        &format!("{}_served", source.name),
        "The frontier of answers, once it covers `min_frontier` or 20 s have passed",
        Operation::Ingest,
        own_parameters(Endpoint::Served),
        in_json(served),
    )
}

pub(super) fn events(source: &Source) -> Value {
    let event = reference(&format!("{}_event", source.name));
    let formats =
        [BodyFormat::Ndjson, BodyFormat::Json, BodyFormat::Csv { delimiter: b',' }, BodyFormat::Arrow];
    let content: Map<String, Value> = formats
        .iter()
        .map(|format| {
            let schema = match format {
                BodyFormat::Json => json!({ "type": "array", "items": event }),
                BodyFormat::Arrow => json!({ "type": "string", "format": "binary" }),
                BodyFormat::Csv { .. } => {
                    json!({ "type": "string", "description": "lines of cells, with a header" })
                }
                _ => json!({ "type": "string", "description": "one JSON object a line" }),
            };
            (format.media_type().to_owned(), json!({ "schema": schema }))
        })
        .collect();
    let header = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "header", "required": false, "description": description, "schema": schema });
    let key = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let parameters = vec![
        header("Idempotency-Key", key, "a request that is sent again under its key adds nothing"),
        header("Content-Encoding", json!({ "enum": ["gzip", "zstd", "identity"] }), "how the body is packed"),
    ];
    let summary = format!("Add events of `{}`; they are durable when the answer comes", source.name);
    let id = format!("{}_events", source.name);
    let mut post = operation(&id, &summary, Operation::Ingest, parameters, in_json(reference("receipt")));
    post["description"] = json!(source.doc);
    post["requestBody"] = json!({ "required": true, "content": content });
    post
}

/// An event as JSON; what spellings of its fields are read is said in words.
pub(super) fn event(source: &Source) -> Value {
    let fields = source.fields.iter().map(|field| {
        let ty = format!("`{}`", field.ty);
        let doc = if field.doc.is_empty() { ty } else { format!("{} ({ty})", field.doc) };
        (field.full_path().root().to_owned(), json!({ "description": doc }))
    });
    let properties: Map<String, Value> = fields.collect();
    let required = source.fields.iter().filter(|field| !field.ty.optional && field.default.is_none());
    let required: BTreeSet<String> = required.map(|field| field.full_path().root().to_owned()).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn positions() -> Value {
    let offset = json!({ "type": "integer", "format": "int64" });
    let slice = object(json!({ "partition": { "type": "integer" }, "from": offset, "to": offset }));
    json!({ "type": "array", "items": slice, "description": "where the records are in the log" })
}

/// The answer to events.
pub(super) fn receipt() -> Value {
    let number = |doc: &str| json!({ "type": "integer", "format": "int64", "description": doc });
    let mut exception = object(json!({
        "record": number("index of the record in the request, from 0"),
        "partition": { "type": "integer" },
        "offset": number("its position in the log"),
        "verdict": { "enum": ["duplicate", "conflict", "quarantined"] },
    }));
    for name in ["field", "problem", "value"] {
        exception["properties"][name] = json!({ "type": ["string", "null"] });
    }
    object(json!({
        "positions": positions(),
        "epoch": epoch(),
        "accepted": number("records that decoded and are new"),
        "duplicates": number("records whose identity an earlier event has"),
        "conflicts": number("those of the duplicates whose contents differ from those of the event"),
        "quarantined": number("records that did not decode"),
        "repeated": { "type": "boolean", "description": "whether the request was in the log already: nothing was added" },
        "exceptions": { "type": "array", "items": exception },
    }))
}

/// The epoch of positions.
pub(super) fn epoch() -> Value {
    let description = "the epoch of the log that positions are of: another one when the log has lost events, and this was accepted";
    json!({ "type": "string", "description": description })
}

/// How far a topic is in the log.
fn topic() -> Value {
    let number = |doc: &str| json!({ "type": "integer", "format": "int64", "description": doc });
    let partition = object(json!({
        "read": number("offset up to which it is in the log"),
        "end": number("its last stable offset"),
        "lag": number("offsets that are not in the log yet"),
    }));
    object(json!({
        "topic": { "type": "string", "description": "its address" },
        "partitions": { "type": "array", "items": partition },
        "problem": { "type": ["string", "null"], "description": "why it is not read at present" },
        "stopped": { "type": "boolean", "description": "whether it is not read until the node is started again" },
        "tombstones": number("records without a value since the node started"),
    }))
}

/// What a sink holds.
fn sink() -> Value {
    let number = |doc: &str| json!({ "type": "integer", "format": "int64", "description": doc });
    let metric = object(json!({
        "metric": { "type": "string" },
        "frontier": { "anyOf": [frontier("the frontier that it holds"), { "type": "null" }] },
        "version": number("the number of the version that it holds"),
        "lag": number("positions of the log that it does not hold yet"),
        "problem": { "type": ["string", "null"], "description": "why it is not written at present" },
        "versions_written": number("versions that were written since the node started"),
        "rows_written": number("rows that were added, changed or removed since the node started"),
    }));
    object(json!({
        "name": { "type": "string" },
        "kind": { "type": "string", "enum": ["postgres", "redis", "kafka", "webhook"] },
        "metrics": { "type": "array", "items": metric },
    }))
}

/// `GET /v1/sources`.
pub(super) fn sources() -> Value {
    let source = object(json!({
        "name": { "type": "string" },
        "fields": {
            "type": "array",
            "items": { "type": "string" },
            "description": "the fields by which events are decoded now",
        },
        "end": frontier("the end of the log"),
        "served": { "anyOf": [frontier("the frontier of answers"), { "type": "null" }] },
        "view": frontier("the frontier of the view"),
        "view_problem": {
            "type": ["string", "null"],
            "description": "what was wrong with the view that the node found when it started",
        },
        "cluster": {
            "anyOf": [
                object(json!({
                    "scheduler": { "type": "string" },
                    "problem": {
                        "type": ["string", "null"],
                        "description": "why it did not evaluate the last batch",
                    },
                })),
                { "type": "null" },
            ],
            "description": "the cluster that evaluates for batch",
        },
        "kafka": {
            "anyOf": [topic(), { "type": "null" }],
            "description": "the topic that its events come from",
        },
        "archive": {
            "anyOf": [
                object(json!({
                    "url": { "type": "string" },
                    "frontier": frontier("the frontier after the events that are there"),
                    "problem": {
                        "type": ["string", "null"],
                        "description": "why nothing is copied at present",
                    },
                })),
                { "type": "null" },
            ],
            "description": "the copy of flushed events in an object store",
        },
        "since_start": { "type": "object", "description": "what came in since the node started" },
    }));
    let body = object(json!({
        "sources": { "type": "array", "items": source },
        "sinks": { "type": "array", "items": sink() },
        "epoch": epoch(),
    }));
    let summary =
        "For each source, the ends of the log, of the answers and of the view; and what each sink holds";
    operation("sources", summary, Operation::Administer, Vec::new(), in_json(body))
}
