//! Evaluates a function on a table of values in every way it can be asked.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;
use datafusion_common::ScalarValue;
use metricc_ir::user_defined::Imports;
use metricc_ir::{Expr, ExprKind, Func, Kind, RecordField, Type, Value};

use crate::CompileError;
use crate::scalar::{compile, data_type, field, literal};

pub(super) const NONE: Value = Value::None;

pub(super) fn bool(value: bool) -> Value {
    Value::Bool(value)
}

pub(super) fn int(value: i64) -> Value {
    Value::Int(value)
}

pub(super) fn dec(digits: i128) -> Value {
    Value::Decimal(digits)
}

pub(super) fn float(value: f64) -> Value {
    Value::Float(value)
}

pub(super) fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

pub(super) fn list(values: &[Value]) -> Value {
    Value::List(values.to_vec())
}

pub(super) fn record(values: &[Value]) -> Value {
    Value::Record(values.to_vec())
}

/// A record of these kinds, each of which may be none.
pub(super) fn record_of(kinds: &[Kind]) -> Kind {
    let field = |(place, kind): (usize, &Kind)| RecordField {
        name: format!("f{place}"),
        ty: Type::optional(kind.clone()),
    };
    Kind::Record(kinds.iter().enumerate().map(field).collect())
}

pub(super) fn at(text: &str) -> Value {
    Value::Timestamp(micros(text))
}

pub(super) fn date(text: &str) -> Value {
    let date: jiff::civil::Date = text.parse().expect("a date");
    let days = (date - jiff::civil::date(1970, 1, 1)).get_days();
    Value::Date(days)
}

pub(super) fn micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("an instant").as_microsecond()
}

pub(super) fn decimal(precision: u8, scale: u8) -> Kind {
    Kind::Decimal { precision, scale }
}

pub(super) fn list_of(kind: Kind) -> Kind {
    Kind::List(Box::new(Type::optional(kind)))
}

pub(super) fn column(place: usize, kind: &Kind) -> Expr {
    Expr { kind: ExprKind::Column(place), ty: Type::optional(kind.clone()) }
}

pub(super) fn constant(value: &Value, kind: &Kind) -> Expr {
    Expr { kind: ExprKind::Literal(value.clone()), ty: Type::optional(kind.clone()) }
}

pub(super) fn call(func: &Func, args: Vec<Expr>, result: &Kind) -> Expr {
    Expr { kind: ExprKind::Call(func.clone(), args), ty: Type::optional(result.clone()) }
}

pub(super) fn array(kind: &Kind, values: &[Value]) -> ArrayRef {
    let scalars = values.iter().map(|value| literal::scalar(value, kind).expect("of the kind"));
    let array = ScalarValue::iter_to_array(scalars).expect("scalars of one type");
    assert_eq!(array.data_type(), &data_type(kind));
    array
}

pub(super) fn batch(kinds: &[Kind], columns: Vec<ArrayRef>) -> RecordBatch {
    let fields = kinds.iter().enumerate();
    let fields = fields.map(|(place, kind)| field(&format!("c{place}"), &Type::optional(kind.clone())));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).expect("columns fit")
}

pub(super) fn value(kind: &Kind, array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return NONE;
    }
    if let Kind::List(element) = kind {
        let elements = array.as_list::<i32>().value(row);
        let values = (0..elements.len()).map(|row| value(&element.kind, elements.as_ref(), row));
        return Value::List(values.collect());
    }
    if let Kind::Record(fields) = kind {
        let parts = fields.iter().zip(array.as_struct().columns());
        return Value::Record(parts.map(|(field, part)| value(&field.ty.kind, part.as_ref(), row)).collect());
    }
    match ScalarValue::try_from_array(array, row).expect("a value") {
        ScalarValue::Boolean(Some(value)) => Value::Bool(value),
        ScalarValue::Int64(Some(value)) => Value::Int(value),
        ScalarValue::Int32(Some(place)) => Value::Enum(u32::try_from(place).expect("a place")),
        ScalarValue::Float64(Some(value)) => {
            assert!(
                value.is_finite() && (value != 0.0 || value.is_sign_positive()),
                "{value:?} is not canonical"
            );
            Value::Float(value)
        }
        ScalarValue::Decimal128(Some(digits), ..) => Value::Decimal(digits),
        ScalarValue::Utf8View(Some(value)) => Value::String(value),
        ScalarValue::Date32(Some(days)) => Value::Date(days),
        ScalarValue::TimestampMicrosecond(Some(micros), None) => Value::Timestamp(micros),
        ScalarValue::DurationMicrosecond(Some(micros)) => Value::Duration(micros),
        other => panic!("{other:?} has no value"),
    }
}

/// The expression's values over a batch.
pub(super) fn evaluate(expr: &Expr, rows: &RecordBatch) -> Result<Vec<Value>, CompileError> {
    let compiled = compile(expr, rows.schema_ref(), &|column| column, &Imports::new())?;
    let evaluated = compiled.evaluate(rows).expect("total").into_array(rows.num_rows()).expect("an array");
    assert_eq!(evaluated.len(), rows.num_rows());
    assert!(
        evaluated.data_type().equals_datatype(&data_type(&expr.ty.kind)),
        "{compiled}: {} for {}",
        evaluated.data_type(),
        expr.ty
    );
    Ok((0..evaluated.len()).map(|row| value(&expr.ty.kind, evaluated.as_ref(), row)).collect())
}

/// Evaluates a function over rows of arguments as columns, as constants, mixed and in slices; all must
/// agree. Returns the result of each row.
pub(super) fn apply(func: &Func, kinds: &[Kind], result: &Kind, rows: &[Vec<Value>]) -> Vec<Value> {
    let arg = |place: usize| rows.iter().map(|row| row[place].clone()).collect::<Vec<_>>();
    let columns = kinds.iter().enumerate().map(|(place, kind)| array(kind, &arg(place))).collect();
    let whole = batch(kinds, columns);
    let column_args = || kinds.iter().enumerate().map(|(place, kind)| column(place, kind));
    let over_columns = call(func, column_args().collect(), result);
    let expected = evaluate(&over_columns, &whole).expect("defined");

    let cut = rows.len() / 3;
    let slices = [whole.slice(0, cut), whole.slice(cut, rows.len() - cut)];
    let in_slices = slices.iter().flat_map(|slice| evaluate(&over_columns, slice).expect("defined"));
    assert_eq!(in_slices.collect::<Vec<_>>(), expected, "{func:?} in slices");

    for (row, values) in rows.iter().enumerate() {
        for mask in 1..1_usize << kinds.len().min(3) {
            let last = kinds.len() - 1;
            let is_constant =
                |place: usize| mask >> if place == last { 0 } else { (place + 1).min(2) } & 1 == 1;
            let args = column_args().enumerate().map(|(place, column)| {
                if is_constant(place) { constant(&values[place], &kinds[place]) } else { column }
            });
            let mixed = call(func, args.collect(), result);
            let given = evaluate(&mixed, &whole).expect("defined");
            assert_eq!(given[row], expected[row], "{func:?} of {values:?} with constants {mask:b}");
        }
    }
    expected
}

/// Checks a table of (arguments, result).
pub(super) fn check(func: &Func, kinds: &[Kind], result: &Kind, table: &[(&[Value], Value)]) {
    let rows: Vec<Vec<Value>> = table.iter().map(|(args, _)| args.to_vec()).collect();
    let given = apply(func, kinds, result, &rows);
    for ((args, expected), given) in table.iter().zip(given) {
        assert_eq!(&given, expected, "{func:?} of {args:?}");
    }
}
