//! Decimals and 128-bit integers: exact, or rounded half even once, or none.

use metricc_ir::{Func, Kind};

use super::harness::{NONE, check, dec, decimal};

/// 38 nines: the largest digits there are.
const MAX: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;

#[test]
fn c48_a_tenth_and_two_tenths_are_three_tenths() {
    check(&Func::Add, &[decimal(2, 1), decimal(2, 1)], &decimal(3, 1), &[(&[dec(1), dec(2)], dec(3))]);
}

#[test]
fn c34_digits_beyond_the_type_give_none() {
    let wide = decimal(38, 2);
    let two = [wide.clone(), wide.clone()];
    check(
        &Func::Add,
        &two,
        &wide,
        &[
            (&[dec(MAX), dec(1)], NONE),
            (&[dec(MAX), dec(0)], dec(MAX)),
            (&[dec(-MAX), dec(-1)], NONE),
            (&[dec(MAX), dec(MAX)], NONE),
            (&[dec(i128::MAX), dec(i128::MAX)], NONE),
            (&[NONE, dec(1)], NONE),
        ],
    );
    check(&Func::Sub, &two, &wide, &[(&[dec(-MAX), dec(1)], NONE), (&[dec(5), dec(7)], dec(-2))]);
    check(
        &Func::Add,
        &[decimal(3, 1), decimal(3, 1)],
        &decimal(3, 1),
        &[(&[dec(999), dec(1)], NONE), (&[dec(998), dec(1)], dec(999))],
    );
    check(
        &Func::Neg,
        std::slice::from_ref(&wide),
        &wide,
        &[(&[dec(MAX)], dec(-MAX)), (&[dec(i128::MIN)], NONE)],
    );
    check(
        &Func::Abs,
        std::slice::from_ref(&wide),
        &wide,
        &[(&[dec(-MAX)], dec(MAX)), (&[dec(i128::MIN)], NONE)],
    );
    let sums = [Kind::Int128, Kind::Int128];
    check(&Func::Add, &sums, &Kind::Int128, &[(&[dec(MAX), dec(1)], NONE), (&[dec(1), dec(2)], dec(3))]);
    check(
        &Func::Mul,
        &sums,
        &Kind::Int128,
        &[
            (&[dec(10_i128.pow(19)), dec(10_i128.pow(19))], NONE),
            (&[dec(10_i128.pow(18)), dec(10_i128.pow(19))], dec(10_i128.pow(37))),
        ],
    );
    check(&Func::Neg, &[Kind::Int128], &Kind::Int128, &[(&[dec(7)], dec(-7))]);
}

#[test]
fn products_add_their_scales() {
    check(
        &Func::Mul,
        &[decimal(12, 2), decimal(5, 3)],
        &decimal(38, 5),
        &[(&[dec(150), dec(-2_000)], dec(-300_000)), (&[NONE, dec(1)], NONE)],
    );
    check(
        &Func::Mul,
        &[decimal(38, 0), decimal(38, 0)],
        &decimal(38, 0),
        &[(&[dec(MAX), dec(10)], NONE), (&[dec(MAX), dec(MAX)], NONE), (&[dec(MAX), dec(-1)], dec(-MAX))],
    );
}

#[test]
fn c35_quotients_round_half_even_once() {
    check(
        &Func::Div,
        &[decimal(12, 2), decimal(12, 2)],
        &decimal(38, 2),
        &[
            (&[dec(100), dec(300)], dec(33)),
            (&[dec(1), dec(200)], dec(0)),
            (&[dec(3), dec(200)], dec(2)),
            (&[dec(5), dec(200)], dec(2)),
            (&[dec(-5), dec(200)], dec(-2)),
            (&[dec(-7), dec(200)], dec(-4)),
            (&[dec(7), dec(-200)], dec(-4)),
            (&[dec(1), dec(0)], NONE),
            (&[dec(0), dec(0)], NONE),
            (&[NONE, dec(1)], NONE),
        ],
    );
    let (units, fractions) = (decimal(38, 0), decimal(38, 38));
    check(
        &Func::Div,
        &[units.clone(), fractions.clone()],
        &decimal(38, 38),
        &[(&[dec(MAX), dec(1)], NONE), (&[dec(0), dec(1)], dec(0))],
    );
    check(
        &Func::Div,
        &[fractions.clone(), units.clone()],
        &decimal(38, 0),
        &[
            (&[dec(MAX), dec(1)], dec(1)),
            (&[dec(MAX), dec(MAX)], dec(0)),
            (&[dec(5 * 10_i128.pow(37)), dec(1)], dec(0)),
            (&[dec(5 * 10_i128.pow(37) + 1), dec(1)], dec(1)),
        ],
    );
    // Needs more than 128 bits on the way: 38 nines / 38 nines at 37 decimals is 1.
    check(
        &Func::Div,
        &[units.clone(), units],
        &decimal(38, 37),
        &[
            (&[dec(MAX), dec(MAX)], dec(10_i128.pow(37))),
            (&[dec(-MAX), dec(MAX - 1)], dec(-10_i128.pow(37))),
            (&[dec(1), dec(3)], dec(3_333_333_333_333_333_333_333_333_333_333_333_333)),
            (&[dec(MAX), dec(1)], NONE),
        ],
    );
}

#[test]
fn c29_remainders_have_the_sign_of_the_dividend() {
    let two = [decimal(12, 2), decimal(12, 2)];
    check(
        &Func::Rem,
        &two,
        &decimal(12, 2),
        &[
            (&[dec(-750), dec(200)], dec(-150)),
            (&[dec(750), dec(-200)], dec(150)),
            (&[dec(750), dec(0)], NONE),
        ],
    );
}

#[test]
fn c36_another_scale_rounds_half_even_or_gives_none() {
    check(
        &Func::Cast,
        &[decimal(6, 3)],
        &decimal(4, 1),
        &[
            (&[dec(150)], dec(2)),
            (&[dec(250)], dec(2)),
            (&[dec(251)], dec(3)),
            (&[dec(-250)], dec(-2)),
            (&[dec(-350)], dec(-4)),
            (&[dec(999_950)], NONE),
            (&[dec(999_949)], dec(9_999)),
        ],
    );
    check(&Func::Cast, &[decimal(38, 0)], &decimal(38, 2), &[(&[dec(MAX)], NONE), (&[dec(7)], dec(700))]);
    check(&Func::Cast, &[decimal(38, 2)], &decimal(3, 2), &[(&[dec(999)], dec(999)), (&[dec(1_000)], NONE)]);
}

#[test]
fn rounding_floor_and_ceiling_of_decimals() {
    check(
        &Func::Round(1),
        &[decimal(6, 2)],
        &decimal(6, 1),
        &[(&[dec(25)], dec(2)), (&[dec(35)], dec(4)), (&[dec(-25)], dec(-2)), (&[NONE], NONE)],
    );
    check(
        &Func::Round(4),
        &[decimal(6, 2)],
        &decimal(6, 4),
        &[(&[dec(25)], dec(2_500)), (&[dec(999_999)], NONE)],
    );
    check(&Func::Floor, &[decimal(6, 2)], &decimal(6, 0), &[(&[dec(199)], dec(1)), (&[dec(-101)], dec(-2))]);
    check(
        &Func::Ceil,
        &[decimal(6, 2)],
        &decimal(6, 0),
        &[(&[dec(101)], dec(2)), (&[dec(-199)], dec(-1)), (&[dec(200)], dec(2))],
    );
    check(&Func::Floor, &[decimal(38, 38)], &decimal(38, 0), &[(&[dec(-1)], dec(-1)), (&[dec(MAX)], dec(0))]);
    check(&Func::Ceil, &[decimal(2, 2)], &decimal(2, 0), &[(&[dec(99)], dec(1))]);
}
