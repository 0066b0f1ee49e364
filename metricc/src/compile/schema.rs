//! JSON schemas (draft 2020-12) of the rows of a metric, and a description of its states.

use metricc_algebra::{Exactness, Size};
use metricc_compiler::MetricPlan;
use metricc_ir as ir;
use metricc_ir::{Kind, OutputType, RowType, Window};
use serde_json::{Map, Value, json};

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of one row, as in `run --output json` and in answers of a node. `hash` is the metric hash.
pub(super) fn result(row: &RowType, hash: &str) -> Value {
    let mut schema = of_row(row);
    schema["$schema"] = json!(DRAFT);
    schema["title"] = json!(row.name);
    if !row.doc.is_empty() {
        schema["description"] = json!(row.doc);
    }
    schema["x-metric-hash"] = json!(hash);
    schema
}

/// The schema of a total in an answer: a row in which keys are rolled up.
pub(super) fn total(row: &RowType) -> Value {
    let mut schema = of_row(row);
    for key in &row.keys {
        let ty = ir::Type { optional: true, ..key.ty.clone() };
        schema["properties"]["key"]["properties"][&key.name] = of_type(&ty);
    }
    let names: Vec<&str> = row.keys.iter().map(|key| key.name.as_str()).collect();
    schema["properties"]["rolled_up"] = json!({
        "type": "array",
        "items": { "enum": names },
        "description": "the keys that are rolled up, which have no value here",
    });
    if let Some(required) = schema["required"].as_array_mut() {
        required.push(json!("rolled_up"));
    }
    schema["title"] = json!(format!("a total of {}", row.name));
    schema
}

/// The schema of a row without title and description.
fn of_row(row: &RowType) -> Value {
    let window = match row.window {
        Window::AllTime => json!({ "type": "null" }),
        _ => window(),
    };
    let mut value = match row.outputs.as_slice() {
        [OutputType { name: None, ty, .. }] => of_type(ty),
        outputs => object(row.output_names().zip(outputs).map(|(name, output)| (name, of_type(&output.ty)))),
    };
    if let Some(unit) = &row.unit {
        value["x-unit"] = json!(unit);
    }
    let mut schema = object([
        ("metric", json!({ "const": row.name })),
        ("key", object(row.keys.iter().map(|key| (key.name.as_str(), of_type(&key.ty))))),
        ("window", window),
        ("value", value),
    ]);
    schema["properties"]["beside"] = json!({
        "type": "object",
        "description": "what the request asks for beside the value: `NAME_share`, `NAME_previous`, `NAME_difference` and \
                        `NAME_ratio`",
    });
    schema["properties"]["overflow"] = json!({
        "type": "object",
        "description": "values that could not be computed, each with the number of events that left their types; 0 \
                        where the result does",
        "additionalProperties": { "type": "integer", "minimum": 0 },
    });
    schema
}

/// The schema of a window.
fn window() -> Value {
    let instant = |text: &str| json!({ "type": "string", "format": "date-time", "description": text });
    let mut window =
        object([("start", instant("first instant")), ("end", instant("first instant after the window"))]);
    let text = "there if the range of the request leaves out a part of the window";
    window["properties"]["partial"] = json!({ "const": true, "description": text });
    window
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let members: Map<String, Value> =
        members.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let required: Vec<&String> = members.keys().collect();
    json!({ "type": "object", "required": required, "properties": members, "additionalProperties": false })
}

/// The schema of a presented value.
pub(super) fn of_type(ty: &ir::Type) -> Value {
    let schema = of_kind(&ty.kind);
    if ty.optional { json!({ "anyOf": [schema, { "type": "null" }] }) } else { schema }
}

/// The schema of an int: a number, or beyond ±(2⁵³ − 1) a string.
fn exact_int(what: &str) -> Value {
    const MOST: i64 = (1 << 53) - 1;
    json!({
        "anyOf": [
            { "type": "integer", "minimum": -MOST, "maximum": MOST },
            { "type": "string", "pattern": "^-?[0-9]{16,}$" },
        ],
        "description": format!("{what}; beyond 2^53 - 1 on either side a string of its digits"),
    })
}

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int => exact_int("64 bits"),
        Kind::Int128 => exact_int("128 bits"),
        Kind::Decimal { scale, .. } => {
            let fraction = if *scale == 0 { String::new() } else { format!("\\.[0-9]{{{scale}}}") };
            json!({ "type": "string", "pattern": format!("^-?[0-9]+{fraction}$"), "description": "exact decimal" })
        }
        Kind::Float => json!({ "type": "number", "format": "double" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Enum(names) => json!({ "enum": names.as_ref() }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Timestamp => json!({ "type": "string", "format": "date-time" }),
        Kind::Duration => exact_int("microseconds"),
        Kind::List(element) => json!({ "type": "array", "items": of_type(element) }),
        Kind::Record(fields) => object(fields.iter().map(|field| (field.name.as_str(), of_type(&field.ty)))),
    }
}

/// A description of the columns of a segment, which store the states.
pub(super) fn state(plan: &MetricPlan) -> Value {
    let (groups, states) = plan.form.schema.fields().split_at(plan.form.n_group_columns);
    let groups = groups.iter().map(|field| {
        json!({ "column": field.name(), "type": field.data_type().to_string(), "nullable": field.is_nullable() })
    });
    let states = states.iter().zip(&plan.form.monoids).map(|(field, monoid)| {
        let laws = monoid.laws();
        json!({
            "column": field.name(),
            "type": field.data_type().to_string(),
            "monoid": monoid.name(),
            "version": monoid.version(),
            "idempotent": laws.idempotent,
            "invertible": laws.invertible,
            "exact": matches!(laws.exactness, Exactness::Exact),
            "bytes": match laws.size {
                Size::Fixed(bytes) => json!({ "exactly": bytes }),
                Size::Bounded(bytes) => json!({ "at_most": bytes }),
                Size::Growing(growth) => json!({ "growing": growth.bytes, "texts": growth.texts, "per": growth.per }),
            },
        })
    });
    json!({
        "metric": plan.metric.name,
        "hash": plan.hash.to_string(),
        "state_hash": plan.state_hash.to_string(),
        "definition": plan.metric.definition_hash(),
        "groups": groups.collect::<Vec<_>>(),
        "states": states.collect::<Vec<_>>(),
        "sorted_by": "groups, none first",
    })
}
