//! Columns of tables.

use std::sync::Arc;

use metricc_ir::{Func, Held, Kind, Lookup, RecordField, Table, Type, Value};

use super::harness::{
    NONE, apply, array, batch, call, check, column, dec, decimal, evaluate, float, int, text,
};

fn table(columns: &[(&str, Kind)], keys: &[usize], rows: &[&[Value]]) -> Arc<Table> {
    let columns = columns
        .iter()
        .map(|(name, kind)| RecordField { name: (*name).to_owned(), ty: Type::of(kind.clone()) });
    Arc::new(Table {
        name: "t".to_owned(),
        doc: String::new(),
        columns: columns.collect(),
        keys: keys.to_vec(),
        rows: rows.iter().map(|row| row.to_vec()).collect(),
        index: Held::default(),
    })
}

fn lookup(table: &Arc<Table>, column: usize) -> Func {
    Func::Lookup(Arc::new(Lookup::new(table.clone(), column)))
}

#[test]
fn a_row_is_found_by_all_of_its_keys_and_a_key_that_is_none_finds_nothing() {
    let status = Kind::Enum(["on", "off"].map(str::to_owned).into());
    let table = table(
        &[("status", status.clone()), ("share", Kind::Float), ("name", Kind::String)],
        &[0, 2],
        &[
            &[Value::Enum(0), float(0.5), text("a")],
            &[Value::Enum(1), NONE, text("a")],
            &[Value::Enum(1), float(2.0), text("")],
        ],
    );
    let kinds = [status.clone(), Kind::String];
    check(
        &lookup(&table, 1),
        &kinds,
        &Kind::Float,
        &[
            (&[Value::Enum(0), text("a")], float(0.5)),
            (&[Value::Enum(1), text("a")], NONE),
            (&[Value::Enum(1), text("")], float(2.0)),
            (&[Value::Enum(0), text("")], NONE),
            (&[NONE, text("a")], NONE),
            (&[Value::Enum(0), NONE], NONE),
        ],
    );
    check(
        &lookup(&table, 0),
        &kinds,
        &status,
        &[(&[Value::Enum(1), text("")], Value::Enum(1)), (&[Value::Enum(0), text("b")], NONE)],
    );
}

#[test]
fn decimals_are_keys_by_their_digits_and_an_empty_table_has_nothing() {
    let rows = table(
        &[("price", decimal(6, 2)), ("n", Kind::Int)],
        &[0],
        &[&[dec(150), int(1)], &[dec(-1), int(i64::MIN)]],
    );
    let wide = [decimal(38, 2)];
    check(
        &lookup(&rows, 1),
        &wide,
        &Kind::Int,
        &[(&[dec(150)], int(1)), (&[dec(-1)], int(i64::MIN)), (&[dec(10_i128.pow(37))], NONE)],
    );
    let empty = table(&[("price", decimal(6, 2)), ("n", Kind::Int)], &[0], &[]);
    assert_eq!(apply(&lookup(&empty, 1), &wide, &Kind::Int, &[vec![dec(150)], vec![NONE]]), [NONE, NONE]);
}

#[test]
fn keys_of_another_kind_or_number_are_refused() {
    let rows = table(&[("id", Kind::Int), ("n", Kind::Int)], &[0], &[&[int(1), int(2)]]);
    let of = |kinds: &[Kind], result: &Kind| {
        let columns = kinds.iter().enumerate().map(|(place, kind)| column(place, kind)).collect();
        let arrays = kinds.iter().map(|kind| array(kind, &[NONE])).collect();
        evaluate(&call(&lookup(&rows, 1), columns, result), &batch(kinds, arrays))
    };
    assert!(of(&[Kind::Int], &Kind::Int).is_ok());
    for (kinds, result) in [
        (vec![Kind::String], Kind::Int),
        (vec![Kind::Int, Kind::Int], Kind::Int),
        (vec![Kind::Int], Kind::String),
    ] {
        assert!(of(&kinds, &result).is_err(), "{kinds:?} → {result}");
    }
}
