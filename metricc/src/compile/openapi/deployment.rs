//! The paths of the versions of the package.

use metricc_client::wire::{Endpoint, Operation};
use serde_json::{Value, json};

use super::{in_json, object, operation, own_parameters};

fn number() -> Value {
    json!({ "type": "integer", "format": "int64", "minimum": 1 })
}

fn state() -> Value {
    json!({ "enum": ["live", "kept", "building", "preview", "retired"] })
}

/// What a step leads to.
fn outcome() -> Value {
    in_json(object(json!({ "version": number(), "state": state() })))
}

/// What a step leads to that makes a version live.
fn made_live() -> Value {
    let mut answer = object(json!({ "version": number(), "state": state() }));
    answer["properties"]["notes"] =
        notes("versions that are kept no longer, and one that was being computed and is a preview now");
    in_json(answer)
}

fn notes(what: &str) -> Value {
    json!({ "type": "array", "items": { "type": "string" }, "description": what })
}

fn changes() -> Value {
    let mut change = object(json!({
        "metric": { "type": "string" },
        "effect": { "enum": ["kept", "renamed", "presentation", "changed", "added", "removed"] },
    }));
    change["properties"]["was"] =
        json!({ "type": "string", "description": "its old name, if it was renamed" });
    change["properties"]["positions"] = json!({
        "type": "integer",
        "format": "int64",
        "description": "positions of the log that are evaluated for it, together with the others of its source",
    });
    change["properties"]["seconds"] = json!({
        "type": "integer",
        "format": "int64",
        "description": "about how long it takes to read them, if it is known",
    });
    let text = json!({ "type": ["string", "null"] });
    change["properties"]["parts"] = json!({
        "type": "array",
        "items": object(json!({ "part": { "type": "string" }, "old": text, "new": text })),
        "description": "the parts of its definition that differ",
    });
    json!({ "type": "array", "items": change })
}

/// The versions that there are.
pub(super) fn versions() -> Value {
    let text = json!({ "type": "string" });
    let mut version = object(json!({
        "version": number(),
        "state": state(),
        "hash": text,
        "file": text,
        "by": text,
        "at": { "type": "string", "format": "date-time" },
        "metrics": { "type": "array", "items": object(json!({ "name": text, "hash": text })) },
    }));
    version["properties"]["replaced_at"] = json!({ "type": ["string", "null"], "format": "date-time" });
    version["properties"]["waits_for"] = json!({
        "type": ["string", "null"],
        "description": "a metric that is still being computed from the log",
    });
    let step = object(json!({
        "version": number(),
        "step": { "enum": ["deployed", "promoted", "rolled_back", "retired"] },
        "by": text,
        "at": { "type": "string", "format": "date-time" },
    }));
    let mut versions = object(json!({
        "live": number(),
        "deployable": { "type": "boolean" },
        "versions": { "type": "array", "items": version },
        "steps": { "type": "array", "items": step },
    }));
    versions["properties"]["rollback"] = json!({
        "type": ["integer", "null"],
        "format": "int64",
        "description": "the version that a rollback without a number makes live",
    });
    operation(
        "package",
        "The versions of the package",
        Operation::Administer,
        own_parameters(Endpoint::Package),
        in_json(versions),
    )
}

/// How the rows of two versions differ, at one frontier.
pub(super) fn diff() -> Value {
    let text = json!({ "type": "string" });
    let mut metric = object(json!({
        "metric": text,
        "change": { "enum": ["same", "renamed", "presentation", "states", "added", "removed"] },
        "recompute": { "type": "boolean" },
        "parts": { "type": "array", "items": { "type": "object" } },
    }));
    metric["properties"]["was"] = json!({ "type": ["string", "null"] });
    metric["properties"]["rows"] = json!({
        "type": "object",
        "description": "numbers of rows that are equal and that differ, and the first of those; or why they are not compared",
    });
    metric["properties"]["causes"] = json!({
        "type": ["object", "null"],
        "description": "events that alone give other rows, by what decides for them",
    });
    let offsets = json!({ "type": "array", "items": { "type": "integer", "format": "int64", "minimum": 0 } });
    let mut answer = in_json(object(json!({
        "old": number(),
        "new": number(),
        "frontier": { "type": "object", "additionalProperties": offsets },
        "metrics": { "type": "array", "items": metric },
    })));
    answer["text/plain"] = json!({ "schema": { "type": "string" } });
    let (of, parameters) = (Operation::Compare, own_parameters(Endpoint::Diff));
    operation("diff", "How the rows of two versions differ", of, parameters, answer)
}

/// What a deployment changes.
pub(super) fn deployed() -> Value {
    let notes = notes("sources that are declared otherwise, and versions that are kept no longer");
    let mut answer = object(json!({ "changes": changes(), "notes": notes }));
    answer["properties"]["unchanged"] = json!({
        "type": "boolean",
        "description": "whether the live version has this text already, and nothing is done",
    });
    answer["properties"]["version"] = number();
    answer["properties"]["state"] = state();
    answer
}

/// A package as text, which becomes a version.
pub(super) fn deploy() -> Value {
    let answer = deployed();
    let mut deploy = operation(
        "deploy",
        "Deploy a version of the package",
        Operation::Deploy,
        own_parameters(Endpoint::Deploy),
        in_json(answer),
    );
    let text = json!({ "type": "string" });
    let package = object(json!({
        "name": text,
        "text": text,
        "files": { "type": "object", "additionalProperties": { "type": "string" } },
    }));
    deploy["requestBody"] = json!({ "required": true, "content": in_json(package) });
    deploy
}

/// Makes a preview live.
pub(super) fn promote() -> Value {
    let summary = "Make a preview live";
    operation("promote", summary, Operation::Deploy, own_parameters(Endpoint::Promote), made_live())
}

/// Makes a version live that was live before.
pub(super) fn roll_back() -> Value {
    let summary = "Make a version live that was live before";
    operation("rollback", summary, Operation::Deploy, own_parameters(Endpoint::RollBack), made_live())
}

/// Gives a version up.
pub(super) fn retire() -> Value {
    let summary = "Give up a version that is not live";
    operation("retire", summary, Operation::Deploy, own_parameters(Endpoint::Retire), outcome())
}
