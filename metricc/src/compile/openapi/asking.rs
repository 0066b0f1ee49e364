//! The paths of questions that no metric declares.

use metricc_client::Format;
use metricc_client::wire::{Endpoint, Operation, ParameterOf};
use serde_json::{Map, Value, json};

use super::{
    deployment, frontier, in_json, ingestion, object, operation, own_parameters, parameters, reference,
};

fn number(description: &str) -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 0, "description": description })
}

fn question() -> Value {
    json!({ "required": true, "content": { "text/plain": { "schema": {
        "type": "string",
        "description": "the value and the body of a metric, as in `count() { from payments  every 1h }`",
    } } } })
}

/// Rows of a question, its estimate, or events while it is computed.
pub(super) fn ask() -> Value {
    let text = json!({ "type": "string" });
    let mut answer = object(json!({
        "metric": text,
        "hash": text,
        "frontier": frontier("the rows include all events before this frontier"),
        "rows": { "type": "array", "items": { "type": "object" } },
    }));
    answer["properties"]["receipt"] = reference("read_receipt");
    answer["properties"]["epoch"] = ingestion::epoch();
    answer["properties"]["next"] = text.clone();
    let of_source = object(json!({
        "source": text,
        "events": number("records of its log that are read"),
        "to": frontier("the frontier of the answer"),
    }));
    let mut estimate = object(json!({
        "metric": text,
        "hash": text,
        "frontier": frontier("the frontier of the answer"),
        "events": number("records of the log that are read"),
        "bytes": number("bytes of the log that are read"),
        "sources": { "type": "array", "items": of_source },
    }));
    estimate["properties"]["seconds"] =
        json!({ "type": "number", "description": "about how long it takes, if that is known" });
    estimate["description"] = json!("with `estimate`");
    let content = Format::ALL.iter().map(|format| {
        let schema = match format {
            Format::Json => json!({ "anyOf": [answer, estimate] }),
            Format::Csv => json!({ "type": "string" }),
            Format::Arrow => json!({ "type": "string", "format": "binary" }),
        };
        (format.media_type().to_owned(), json!({ "schema": schema }))
    });
    let mut content: Map<String, Value> = content.collect();
    content.insert("text/event-stream".to_owned(), json!({ "schema": { "type": "string" } }));
    let of =
        [ParameterOf::Any, ParameterOf::Windows, ParameterOf::One, ParameterOf::Rows, ParameterOf::Question];
    let summary = "The rows of a metric that no package declares, computed from the log";
    let mut ask = operation("ask", summary, Operation::Ask, parameters(None, &of), Value::Object(content));
    ask["requestBody"] = question();
    ask
}

/// The questions that are being computed.
pub(super) fn questions() -> Value {
    let question = object(json!({
        "id": number("its number"),
        "question": { "type": "string" },
        "done": number("records that were read"),
        "events": number("records that are to be read"),
        "elapsed_ms": number("milliseconds since it was asked"),
        "waits": { "type": "boolean", "description": "whether it waits for others" },
    }));
    let body = object(json!({ "questions": { "type": "array", "items": question } }));
    operation("questions", "The questions that are being computed", Operation::Ask, Vec::new(), in_json(body))
}

/// Cancels a question.
pub(super) fn cancel() -> Value {
    let body = in_json(object(json!({ "id": number("its number") })));
    let parameters = own_parameters(Endpoint::CancelQuestion);
    operation("cancel_question", "Cancel a question", Operation::Ask, parameters, body)
}

/// Deploys a question as a metric.
pub(super) fn keep() -> Value {
    let mut answer = deployment::deployed();
    answer["properties"]["text"] =
        json!({ "type": "string", "description": "the metric, as it stands in the package now" });
    let summary = "Deploy the live package with a question as a further metric";
    let parameters = own_parameters(Endpoint::KeepQuestion);
    let mut keep = operation("keep_question", summary, Operation::Deploy, parameters, in_json(answer));
    keep["requestBody"] = question();
    keep
}
