//! The nodes of a schema that is written as JSON, by the specification of Avro 1.12. A logical type that does
//! not go with its type is left out, as the specification wants it.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{AvroSchema, Field, Node, NodeId};
use crate::json_text::Unit;

/// Types that stand in one another. The JSON of a schema is read to this depth, too.
const MAX_DEPTH: usize = 100;

struct Compiler {
    nodes: Vec<Node>,
    /// Named types, by their full names.
    named: HashMap<String, NodeId>,
    depth: usize,
}

impl AvroSchema {
    /// Compiles a schema. `used` are the schemas whose types it names, each after those that it uses itself.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub(crate) fn compile<'t>(text: &str, used: impl IntoIterator<Item = &'t str>) -> Result<Self, String> {
        let mut compiler = Compiler { nodes: Vec::new(), named: HashMap::new(), depth: 0 };
        for text in used {
            compiler.text(text)?;
        }
        let root = compiler.text(text)?;
        Ok(AvroSchema { nodes: compiler.nodes, root })
    }
}

impl Compiler {
    fn text(&mut self, text: &str) -> Result<NodeId, String> {
        let schema = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        self.schema(&schema, "")
    }

    fn schema(&mut self, schema: &Value, namespace: &str) -> Result<NodeId, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("types that are nested more than {MAX_DEPTH} deep"));
        }
        let node = match schema {
            Value::String(name) => self.reference(name, namespace),
            Value::Array(variants) => self.union(variants, namespace),
            Value::Object(object) => self.object(object, namespace),
            other => Err(format!("`{other}` is not a type")),
        };
        self.depth -= 1;
        node
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn reference(&mut self, name: &str, namespace: &str) -> Result<NodeId, String> {
        if let Some(node) = primitive(name) {
            return Ok(self.add(node));
        }
        let full = full_name(name, namespace);
        let found = self.named.get(&full).or_else(|| self.named.get(name));
        found.copied().ok_or_else(|| format!("the type `{full}` is not defined"))
    }

    fn union(&mut self, variants: &[Value], namespace: &str) -> Result<NodeId, String> {
        if variants.is_empty() {
            return Err("a union without a type".to_owned());
        }
        let variants = variants.iter().map(|variant| self.schema(variant, namespace));
        let variants = variants.collect::<Result<_, _>>()?;
        Ok(self.add(Node::Union(variants)))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId, String> {
        let ty = object.get("type").ok_or("an object without a `type`")?;
        let Value::String(ty) = ty else { return self.schema(ty, namespace) };
        let inner = |key: &str| object.get(key).ok_or_else(|| format!("a type `{ty}` without `{key}`"));
        match ty.as_str() {
            "record" | "error" | "enum" | "fixed" => self.named(ty, object, namespace),
            "array" => {
                let items = self.schema(inner("items")?, namespace)?;
                Ok(self.add(Node::Array(items)))
            }
            "map" => {
                let values = self.schema(inner("values")?, namespace)?;
                Ok(self.add(Node::Map(values)))
            }
            _ => match logical(ty, None, object) {
                Some(node) => Ok(self.add(node)),
                None => self.reference(ty, namespace),
            },
        }
    }

    fn named(&mut self, ty: &str, object: &Map<String, Value>, namespace: &str) -> Result<NodeId, String> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let name = text("name").ok_or_else(|| format!("a type `{ty}` without a `name`"))?;
        let full = full_name(name, text("namespace").unwrap_or(namespace));
        // It is known before its fields are read, which may be of this type.
        let id = self.add(Node::Null);
        self.named.insert(full.clone(), id);
        self.nodes[id] = match ty {
            "enum" => Node::Enum(
                symbols(object).ok_or_else(|| format!("the enum `{full}` has no list of `symbols`"))?,
            ),
            "fixed" => {
                let size =
                    object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| format!("the fixed type `{full}` has no `size`"))?;
                logical("fixed", Some(size), object).unwrap_or(Node::Fixed(size))
            }
            _ => {
                let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
                let fields = object.get("fields").and_then(Value::as_array);
                let fields = fields.ok_or_else(|| format!("the record `{full}` has no list of `fields`"))?;
                let fields = fields.iter().map(|field| self.field(field, &full, namespace));
                Node::Record(fields.collect::<Result<_, _>>()?)
            }
        };
        Ok(id)
    }

    fn field(&mut self, field: &Value, record: &str, namespace: &str) -> Result<Field, String> {
        let name = field.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| format!("the record `{record}` has a field without a `name`"))?;
        let ty =
            field.get("type").ok_or_else(|| format!("the field `{name}` of `{record}` has no `type`"))?;
        let node = self.schema(ty, namespace).map_err(|problem| {
            let is_named = problem.starts_with("in the field ");
            if is_named { problem } else { format!("in the field `{name}` of `{record}`: {problem}") }
        })?;
        Ok(Field { name: name.to_owned(), key: format!("{}:", Value::from(name)), node })
    }
}

/// The symbols of an enum, as JSON.
fn symbols(object: &Map<String, Value>) -> Option<Vec<String>> {
    let symbols = object.get("symbols")?.as_array()?;
    symbols.iter().map(|symbol| symbol.is_string().then(|| symbol.to_string())).collect()
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::String,
        _ => return None,
    })
}

/// The node of a logical type; `None` if there is none, or it does not go with the type.
fn logical(ty: &str, size: Option<usize>, object: &Map<String, Value>) -> Option<Node> {
    let name = object.get("logicalType")?.as_str()?;
    let timestamp = |name: &str, is_instant| {
        let unit = match name {
            "timestamp-millis" => Unit::Milli,
            "timestamp-micros" => Unit::Micro,
            "timestamp-nanos" => Unit::Nano,
            _ => return None,
        };
        Some(Node::Timestamp { unit, is_instant })
    };
    match (ty, name) {
        ("int", "date") => Some(Node::Date),
        ("int", "time-millis") => Some(Node::TimeOfDay(Unit::Milli)),
        ("long", "time-micros") => Some(Node::TimeOfDay(Unit::Micro)),
        ("long", _) => match name.strip_prefix("local-") {
            Some(name) => timestamp(name, false),
            None => timestamp(name, true),
        },
        ("bytes", "big-decimal") => Some(Node::BigDecimal),
        ("bytes" | "fixed", "decimal") => {
            let precision = object.get("precision")?.as_i64()?;
            let scale = object.get("scale").map_or(Some(0), Value::as_i64)?;
            (precision > 0 && (0..=precision).contains(&scale))
                .then_some(Node::Decimal { fixed: size, scale })
        }
        ("fixed", "uuid") if size == Some(16) => Some(Node::Uuid),
        ("fixed", "duration") if size == Some(12) => Some(Node::Duration),
        _ => None,
    }
}
