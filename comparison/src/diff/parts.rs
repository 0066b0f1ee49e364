//! The parts of a definition as text, to show what changed.

use metricc_ir as ir;
use metricc_ir::expression_text;

/// The parts of a base metric: name and text of each.
pub(super) fn parts(metric: &ir::Metric) -> Vec<(String, String)> {
    let source = &metric.source;
    let row = |column: usize| {
        let element = column.checked_sub(source.fields.len()).and_then(|index| metric.each.get(index));
        element.map_or_else(
            || source.fields[column.min(source.fields.len() - 1)].name.clone(),
            |each| each.name.clone(),
        )
    };
    let aggregate = |column: usize| expression_text::aggregate(&metric.aggregates[column], &row);
    let mut parts = vec![("from".to_owned(), source.name.clone())];
    parts.extend(
        source.fields.iter().map(|field| (format!("field {}", field.name), field_text(source, field))),
    );
    parts.extend(metric.lookups().into_iter().map(|lookup| {
        let (table, column) = (lookup.table(), lookup.column());
        let rows = format!("{} rows, content {}", table.rows.len(), &lookup.content()[..12]);
        (format!("rows of {}.{}", table.name, column.name), rows)
    }));
    parts.extend(metric.each.iter().enumerate().map(|(index, each)| {
        let number = if metric.each.len() > 1 { format!(" {}", index + 1) } else { String::new() };
        (format!("each{number}"), expression_text::expression(&each.list, &row))
    }));
    parts.extend(
        metric.filter.iter().map(|filter| ("where".to_owned(), expression_text::expression(filter, &row))),
    );
    parts.extend(
        metric
            .keys
            .iter()
            .map(|key| (format!("by {}", key.name), expression_text::expression(&key.expr, &row))),
    );
    let keys: Vec<&str> = metric.keys.iter().map(|key| key.name.as_str()).collect();
    parts.push(("order of keys".to_owned(), keys.join(", ")));
    parts.push(("window".to_owned(), expression_text::window(&metric.window)));
    parts.extend(metric.outputs.iter().map(|output| {
        let name = output_part(output);
        (name, format!("{}: {}", expression_text::expression(&output.expr, &aggregate), output.expr.ty))
    }));
    parts.extend(metric.unit.iter().map(|unit| ("unit".to_owned(), unit.clone())));
    parts
}

fn field_text(source: &ir::Source, field: &ir::Field) -> String {
    let index = source.fields.iter().position(|other| std::ptr::eq(other, field));
    let mut text = field.type_and_path();
    if index == Some(source.time) {
        text.push_str(" time");
    }
    if index.is_some_and(|index| source.identity.contains(&index)) {
        text.push_str(" key");
    }
    if let Some(zone) = &field.zone {
        text.push_str(&format!(" zone {zone:?}"));
    }
    if let Some(unit) = &field.unit {
        text.push_str(&format!(" unit {unit:?}").to_lowercase());
    }
    text.push_str(&field.spelling.markers());
    if let Some(default) = &field.default {
        text.push_str(&format!(" = {}", expression_text::value(default, &field.ty.kind)));
    }
    text
}

/// The parts of a derived metric.
pub(super) fn derived_parts(derived: &ir::Derived) -> Vec<(String, String)> {
    let column = |column: usize| {
        let ir::OperandColumn { operand, output } = derived.columns[column];
        let operand = &derived.operands[operand];
        let field = operand.metric.outputs[output].name.as_ref();
        let field = field.map_or_else(String::new, |field| format!(".{field}"));
        let offset = match operand.offset {
            0 => String::new(),
            n => format!(" {n} windows before"),
        };
        format!("{}{field}{offset}", operand.metric.name)
    };
    let keys: Vec<&str> = derived.keys.iter().map(|key| key.name.as_str()).collect();
    let mut parts = vec![
        ("order of keys".to_owned(), keys.join(", ")),
        ("window".to_owned(), expression_text::window(&derived.window)),
    ];
    parts.extend(derived.outputs.iter().map(|output| {
        let name = output_part(output);
        (name, format!("{}: {}", expression_text::expression(&output.expr, &column), output.expr.ty))
    }));
    parts.extend(derived.unit.iter().map(|unit| ("unit".to_owned(), unit.clone())));
    parts
}

/// The name of the part of an output, different from the names of other parts.
fn output_part(output: &ir::Output) -> String {
    const PARTS: [&str; 5] = ["from", "where", "window", "unit", "each"];
    match output.name.as_deref() {
        None => "value".to_owned(),
        Some(name) if PARTS.contains(&name) => format!("value {name}"),
        Some(name) => name.to_owned(),
    }
}
