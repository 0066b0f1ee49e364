//! Columns of static tables: a hash map from the canonical bytes of the keys to the index of the row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;
use metricc_ir::{Kind, Lookup, Table, Value};

use super::compare::alike;
use super::hash::{Writer, writer};
use super::literal;
use super::operand::{Body, Operand, Result, all_present};
use crate::CompileError;

/// The kernel; `None` if the keys are of other kinds than those of the table.
pub(super) fn lookup(
    lookup: &Lookup,
    kinds: &[Kind],
    result: &Kind,
) -> std::result::Result<Option<Body>, CompileError> {
    let wanted: Vec<Kind> = lookup.keys().map(|ty| ty.kind.clone()).collect();
    let fits =
        wanted.len() == kinds.len() && wanted.iter().zip(kinds).all(|(wanted, kind)| alike(wanted, kind));
    if !fits || lookup.column().ty.kind != *result {
        return Ok(None);
    }
    let index = lookup.table().index.get_or_make(|| index_of(lookup.table(), &wanted))?;
    let values = lookup.values().get_or_make(|| column(lookup.table(), lookup.index()))?;
    Ok(Some(Arc::new(move |operands, n_rows| {
        let write = writers(operands, &wanted)?;
        let present = all_present(operands, n_rows);
        let mut bytes = Vec::new();
        let found = (0..n_rows).map(|row| {
            if present.as_ref().is_some_and(|present| present.is_null(row)) {
                return None;
            }
            key_bytes(&write, row, &mut bytes);
            index.get(bytes.as_slice()).copied()
        });
        take(values.as_ref(), &found.collect::<UInt32Array>(), None)
    })))
}

/// Indices of rows by the canonical bytes of their keys.
type Index = HashMap<Box<[u8]>, u32>;

fn index_of(table: &Table, kinds: &[Kind]) -> std::result::Result<Index, CompileError> {
    let keys = table.keys.iter().map(|key| Ok(Operand::column(column(table, *key)?)));
    let keys = keys.collect::<std::result::Result<Vec<_>, CompileError>>()?;
    let write = writers(&keys, kinds).map_err(|error| CompileError::engine("a lookup", error))?;
    let mut index = Index::with_capacity(table.rows.len());
    let mut bytes = Vec::new();
    for row in 0..table.rows.len() {
        key_bytes(&write, row, &mut bytes);
        // The checker limits how many rows a table has.
        index.insert(bytes.as_slice().into(), row as u32);
    }
    Ok(index)
}

fn column(table: &Table, index: usize) -> std::result::Result<ArrayRef, CompileError> {
    let values: Vec<&Value> = table.rows.iter().map(|row| &row[index]).collect();
    literal::column(&values, &table.columns[index].ty.kind)
}

fn writers<'a>(operands: &'a [Operand], kinds: &'a [Kind]) -> Result<Vec<Writer<'a>>> {
    if operands.len() != kinds.len() {
        return Err(ArrowError::InvalidArgumentError("an argument is missing".into()));
    }
    operands.iter().zip(kinds).map(|(operand, kind)| writer(operand, kind)).collect()
}

fn key_bytes(writers: &[Writer<'_>], row: usize, bytes: &mut Vec<u8>) {
    bytes.clear();
    writers.iter().for_each(|write| write(row, bytes));
}
