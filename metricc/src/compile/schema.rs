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

/// The schema of a row without title and description.
fn of_row(row: &RowType) -> Value {
    let window = match row.window {
        Window::AllTime => json!({ "type": "null" }),
        _ => object([
            ("start", json!({ "type": "string", "format": "date-time", "description": "first instant" })),
            (
                "end",
                json!({ "type": "string", "format": "date-time", "description": "first instant after the window" }),
            ),
        ]),
    };
    let mut value = match row.outputs.as_slice() {
        [OutputType { name: None, ty, .. }] => of_type(ty),
        outputs => object(row.output_names().zip(outputs).map(|(name, output)| (name, of_type(&output.ty)))),
    };
    if let Some(unit) = &row.unit {
        value["x-unit"] = json!(unit);
    }
    object([
        ("metric", json!({ "const": row.name })),
        ("key", object(row.keys.iter().map(|key| (key.name.as_str(), of_type(&key.ty))))),
        ("window", window),
        ("value", value),
    ])
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

fn of_kind(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int => json!({ "type": "integer", "format": "int64" }),
        Kind::Int128 => json!({ "type": "integer", "description": "128 bits, all digits" }),
        Kind::Decimal { scale, .. } => {
            let fraction = if *scale == 0 { String::new() } else { format!("\\.[0-9]{{{scale}}}") };
            json!({ "type": "string", "pattern": format!("^-?[0-9]+{fraction}$"), "description": "exact decimal" })
        }
        Kind::Float => json!({ "type": "number", "format": "double" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Enum(names) => json!({ "enum": names.as_ref() }),
        Kind::Date => json!({ "type": "string", "format": "date" }),
        Kind::Timestamp => json!({ "type": "string", "format": "date-time" }),
        Kind::Duration => json!({ "type": "integer", "format": "int64", "description": "microseconds" }),
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
