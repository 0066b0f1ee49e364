//! Records.

use metricc_ir::{Func, Kind, Value};

use super::harness::{NONE, bool, call, check, constant, int, list, list_of, record, record_of, text};
use crate::scalar::compile;

fn pair() -> Kind {
    record_of(&[Kind::Int, Kind::String])
}

#[test]
fn a_field_is_none_where_it_or_its_record_is() {
    let rows: [(&[Value], Value); 4] = [
        (&[record(&[int(1), text("a")])], int(1)),
        (&[record(&[NONE, text("a")])], NONE),
        (&[NONE], NONE),
        (&[record(&[int(-5), NONE])], int(-5)),
    ];
    check(&Func::Field(0), &[pair()], &Kind::Int, &rows);
    let nested = record_of(&[Kind::Bool, pair()]);
    check(
        &Func::Field(1),
        &[nested],
        &pair(),
        &[
            (&[record(&[bool(true), record(&[int(1), NONE])])], record(&[int(1), NONE])),
            (&[record(&[bool(true), NONE])], NONE),
            (&[NONE], NONE),
        ],
    );
}

#[test]
fn records_are_equal_if_all_their_fields_are() {
    let (one, other) = (record(&[int(1), text("a")]), record(&[int(1), NONE]));
    let rows: [(&[Value], Value); 5] = [
        (&[one.clone(), one.clone()], bool(true)),
        (&[one.clone(), other.clone()], bool(false)),
        (&[other.clone(), other.clone()], bool(true)),
        (&[other.clone(), NONE], bool(false)),
        (&[NONE, NONE], bool(true)),
    ];
    check(&Func::Eq, &[pair(), pair()], &Kind::Bool, &rows);
    let among = [
        ([list(&[one.clone(), NONE]), one.clone()], bool(true)),
        ([list(std::slice::from_ref(&one)), other.clone()], bool(false)),
        ([list(&[]), other], bool(false)),
    ];
    let among: Vec<(&[Value], Value)> =
        among.iter().map(|(args, found)| (&args[..], found.clone())).collect();
    check(&Func::Contains, &[list_of(pair()), pair()], &Kind::Bool, &among);
    check(
        &Func::Coalesce,
        &[pair(), pair()],
        &pair(),
        &[(&[NONE, one.clone()], one.clone()), (&[one.clone(), NONE], one)],
    );
}

#[test]
fn a_field_that_the_record_does_not_have_is_refused() {
    let schema = arrow::datatypes::Schema::empty();
    let imports = metricc_ir::user_defined::Imports::new();
    for (index, result) in [(2, Kind::Int), (0, Kind::String)] {
        let expr = call(&Func::Field(index), vec![constant(&NONE, &pair())], &result);
        assert!(compile(&expr, &schema, &|column| column, &imports).is_err());
    }
}
