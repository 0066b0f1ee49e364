//! Lists.

use arrow::array::Array;
use metricc_ir::{Func, Kind, Value};

use super::harness::{
    NONE, array, batch, bool, call, check, column, constant, evaluate, float, int, list, list_of, text,
};

#[test]
fn length_counts_elements() {
    check(
        &Func::Length,
        &[list_of(Kind::Int)],
        &Kind::Int,
        &[(&[list(&[])], int(0)), (&[list(&[int(1), NONE])], int(2)), (&[NONE], NONE)],
    );
}

#[test]
fn c24_a_list_contains_none_if_an_element_is_none() {
    check(
        &Func::Contains,
        &[list_of(Kind::Int), Kind::Int],
        &Kind::Bool,
        &[
            (&[list(&[int(1), int(2)]), int(2)], bool(true)),
            (&[list(&[int(1), int(2)]), int(3)], bool(false)),
            (&[list(&[int(1), NONE]), NONE], bool(true)),
            (&[list(&[int(1)]), NONE], bool(false)),
            (&[list(&[]), int(1)], bool(false)),
            (&[list(&[]), NONE], bool(false)),
            (&[NONE, int(1)], bool(false)),
            (&[NONE, NONE], bool(false)),
        ],
    );
    check(
        &Func::Contains,
        &[list_of(Kind::String), Kind::String],
        &Kind::Bool,
        &[
            (&[list(&[text("a"), text("")]), text("")], bool(true)),
            (&[list(&[text("ab")]), text("a")], bool(false)),
        ],
    );
    check(
        &Func::Contains,
        &[list_of(Kind::Float), Kind::Float],
        &Kind::Bool,
        &[(&[list(&[float(0.0)]), float(0.0)], bool(true))],
    );
    let nested = list_of(Kind::Int);
    check(
        &Func::Contains,
        &[list_of(nested.clone()), nested],
        &Kind::Bool,
        &[
            (&[list(&[list(&[int(1), NONE])]), list(&[int(1), NONE])], bool(true)),
            (&[list(&[list(&[int(1)])]), list(&[int(1), NONE])], bool(false)),
        ],
    );
}

#[test]
fn slices_of_lists_look_at_their_own_elements_only() {
    let kind = list_of(Kind::Int);
    let lists: Vec<Value> = (0..10).map(|value| list(&[int(value)])).collect();
    let sliced = array(&kind, &lists).slice(5, 3);
    let rows = batch(std::slice::from_ref(&kind), vec![sliced]);
    for (needle, expected) in [(4, [false; 3]), (6, [false, true, false]), (8, [false; 3])] {
        let contains =
            call(&Func::Contains, vec![column(0, &kind), constant(&int(needle), &Kind::Int)], &Kind::Bool);
        assert_eq!(evaluate(&contains, &rows).expect("defined"), expected.map(bool), "{needle}");
    }
}
