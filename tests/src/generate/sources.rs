//! The source of generated metrics and logs: a field of every type, with and without `?`.

use std::fmt::Write;
use std::sync::Arc;

use metricc_ir::{Field, Kind, Path, RecordField, Source, Step, Type, Value};

/// A variant of the source `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Whether an event has an identity (two fields marked `key`).
    pub has_identity: bool,
    /// Whether the event time is a date.
    pub time_is_date: bool,
    /// Whether there are lists, which CSV cannot hold.
    pub has_lists: bool,
}

impl Shape {
    /// All variants.
    pub fn all() -> Vec<Shape> {
        let choices = [false, true];
        let shapes = choices.into_iter().flat_map(move |has_identity| {
            choices.into_iter().flat_map(move |time_is_date| {
                choices.into_iter().map(move |has_lists| Shape { has_identity, time_is_date, has_lists })
            })
        });
        shapes.collect()
    }

    /// The typed source, which checking [`Shape::text`] must give.
    pub fn source(self) -> Arc<Source> {
        let fields = self.fields();
        let index = |name: &str| fields.iter().position(|field| field.name == name);
        let time = index(self.time_name()).unwrap_or_else(|| panic!("there is no event time"));
        let mut identity: Vec<usize> = Vec::new();
        if self.has_identity {
            identity.extend(["id", "part"].into_iter().filter_map(index));
        }
        Arc::new(Source { name: "events".to_owned(), doc: String::new(), fields, time, identity })
    }

    /// The source in the language.
    pub fn text(self) -> String {
        let source = self.source();
        let mut text = String::from("source events {\n");
        for (index, field) in source.fields.iter().enumerate() {
            let key = if source.identity.contains(&index) { " key" } else { "" };
            let time = if source.time == index { " time" } else { "" };
            let default = match &field.default {
                Some(Value::String(text)) => format!(" = {text:?}"),
                Some(Value::Int(value)) => format!(" = {value}"),
                _ => String::new(),
            };
            let ty = field.type_and_path();
            let written = writeln!(text, "  {}: {ty}{key}{time}{default}", field.name);
            written.unwrap_or_else(|error| panic!("a string takes all text: {error}"));
        }
        text.push_str("}\n");
        text
    }

    /// Some fields stand elsewhere than under their own name: in objects, in an array; of CSV, in other
    /// columns.
    fn paths(self, fields: &mut [Field]) {
        let name = |name: &str| Step::Name(name.to_owned());
        let nested: [(&str, &[Step]); 8] = [
            ("m", &[name("context"), name("counts"), name("M")]),
            ("retries", &[name("context"), name("retries")]),
            ("city", &[name("context"), name("order.city")]),
            ("exact", &[name("line items"), Step::Index(1), name("exact")]),
            ("status", &[name("Status")]),
            ("tags", &[name("context"), name("tags")]),
            ("spot", &[name("context"), name("spot")]),
            ("pause", &[name("pauses"), Step::Index(0)]),
        ];
        for field in fields {
            let Some((_, steps)) = nested.iter().find(|(name, _)| *name == field.name) else { continue };
            let flat = Path::of_name(Path::new(steps.to_vec()).header());
            field.path = if self.has_lists { Path::new(steps.to_vec()) } else { flat };
        }
    }

    fn time_name(self) -> &'static str {
        if self.time_is_date { "on_day" } else { "at" }
    }

    fn fields(self) -> Vec<Field> {
        let status = Kind::Enum(["captured", "failed", "refunded"].map(str::to_owned).into());
        let level = Kind::Enum(["low", "mid", "high"].map(str::to_owned).into());
        let list = |kind| Kind::List(Box::new(Type::of(kind)));
        let (money, precise) =
            (Kind::Decimal { precision: 12, scale: 2 }, Kind::Decimal { precision: 38, scale: 10 });
        let mut fields = vec![
            field("id", Type::of(Kind::String)),
            field("part", Type::of(Kind::Int)),
            field("at", Type::of(Kind::Timestamp)),
            field("on_day", Type::of(Kind::Date)),
            field("ok", Type::of(Kind::Bool)),
            field("flag", Type::optional(Kind::Bool)),
            field("n", Type::of(Kind::Int)),
            field("m", Type::optional(Kind::Int)),
            field("amount", Type::of(money.clone())),
            field("refund", Type::optional(money)),
            field("precise", Type::of(precise.clone())),
            field("exact", Type::optional(precise)),
            field("score", Type::of(Kind::Float)),
            field("weight", Type::optional(Kind::Float)),
            field("label", Type::of(Kind::String)),
            field("city", Type::optional(Kind::String)),
            field("channel", Type::of(Kind::String)),
            field("retries", Type::of(Kind::Int)),
            field("status", Type::of(status)),
            field("level", Type::optional(level)),
            field("due", Type::optional(Kind::Date)),
            field("seen", Type::optional(Kind::Timestamp)),
            field("elapsed", Type::of(Kind::Duration)),
            field("pause", Type::optional(Kind::Duration)),
        ];
        if self.has_lists {
            fields.push(field("tags", Type::of(list(Kind::String))));
            fields.push(field("codes", Type::optional(list(Kind::Int))));
            fields.push(field("items", Type::of(list(item()))));
            fields.push(field("spot", Type::optional(spot())));
        }
        self.paths(&mut fields);
        for field in &mut fields {
            field.default = match field.name.as_str() {
                "channel" => Some(Value::String("web".to_owned())),
                "retries" => Some(Value::Int(3)),
                _ => None,
            };
        }
        fields
    }
}

fn field(name: &str, ty: Type) -> Field {
    let mut field = Field::new(name, ty);
    for part in &mut field.fields {
        part.path = match part.name.as_str() {
            "sku" => Path::of_name("SKU"),
            "price" => Path::new(["detail", "unit price"].map(|step| Step::Name(step.to_owned())).to_vec()),
            _ => Path::default(),
        };
    }
    field
}

/// The records of the field `items`.
fn item() -> Kind {
    record([
        ("sku", Type::of(Kind::String)),
        ("price", Type::of(Kind::Decimal { precision: 12, scale: 2 })),
        ("bonus", Type::optional(Kind::Int)),
    ])
}

/// The record of the field `spot`.
fn spot() -> Kind {
    record([
        ("town", Type::of(Kind::String)),
        ("zip", Type::optional(Kind::String)),
        ("floor", Type::of(Kind::Int)),
    ])
}

fn record<const N: usize>(fields: [(&str, Type); N]) -> Kind {
    Kind::Record(fields.map(|(name, ty)| RecordField { name: name.to_owned(), ty }).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_field_with_its_marks() {
        let text = Shape { has_identity: true, time_is_date: true, has_lists: true }.text();
        for line in [
            "  id: string key\n",
            "  part: int key\n",
            "  on_day: date time\n",
            "  at: timestamp\n",
            "  city: string? from context.\"order.city\"\n",
            "  channel: string = \"web\"\n",
            "  retries: int from context.retries = 3\n",
            "  status: enum(\"captured\", \"failed\", \"refunded\") from Status\n",
            "  exact: decimal(38, 10)? from \"line items\"[1].exact\n",
            "  items: list<{ sku: string from SKU, price: decimal(12, 2) from detail.\"unit price\", bonus: int? }>\n",
            "  amount: decimal(12, 2)\n",
            "  codes: list<int>?\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn there_are_eight_shapes() {
        let mut texts: Vec<String> = Shape::all().into_iter().map(Shape::text).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 8);
    }
}
