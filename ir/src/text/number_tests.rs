use proptest::prelude::*;

use super::*;

#[test]
fn an_int_is_a_whole_number_of_64_bits() {
    assert_eq!(int("0"), Ok(0));
    assert_eq!(int("-0"), Ok(0));
    assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
    assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
    assert_eq!(int("9223372036854775808"), Err(NumberProblem::BeyondInt));
    assert_eq!(int("-9223372036854775809"), Err(NumberProblem::BeyondInt));
    assert_eq!(int("99999999999999999999999"), Err(NumberProblem::BeyondInt));
    for text in ["1.5", ".5", "15e-1", "1e-999999999999", "99999999999999999999999.5"] {
        assert_eq!(int(text), Err(NumberProblem::NotWhole), "{text}");
    }
    for text in ["", "-", "01", "0x10", "1_000", "١", "1e", "1e+", "--1", "+-1", "1 0", ".", "- 1", "1,0"] {
        assert_eq!(int(text), Err(NumberProblem::NotANumber), "{text}");
    }
}

#[test]
fn texts_of_one_number_are_equal() {
    for text in ["1000", "+1000", " 1000", "1000\t", "1000.", "1000.00", "1e3", "1E+3", "0.1e4", "100000e-2"]
    {
        assert_eq!(int(text), Ok(1000), "{text}");
        assert_eq!(decimal(text, 10, 2), Ok(100_000), "{text}");
        assert_eq!(float(text), Ok(Some(1000.0)), "{text}");
    }
    assert_eq!(decimal(".5", 10, 2), Ok(50));
    assert_eq!(int("9223372036854775807.0"), Ok(i64::MAX));
    assert_eq!(int("1e999999999999"), Err(NumberProblem::BeyondInt));
    assert_eq!(int("-0.0e7"), Ok(0));
}

#[test]
fn a_number_of_another_scale_is_floored() {
    assert_eq!(floored("1769787246.5", 6), Ok(1_769_787_246_500_000));
    assert_eq!(floored("1.7697872465e9", 6), Ok(1_769_787_246_500_000));
    assert_eq!(floored("-0.0000001", 6), Ok(-1));
    assert_eq!(floored("0.0000001", 6), Ok(0));
    assert_eq!(floored("-1.0000000", 6), Ok(-1_000_000));
    assert_eq!(floored("1.5e-999999999999", 6), Ok(0));
    assert_eq!(floored("-15e-1", 0), Ok(-2));
    assert_eq!(floored("9223372036854775807", 0), Ok(i64::MAX));
    assert_eq!(floored("9223372036854775808.5", 0), Err(NumberProblem::BeyondInt));
    assert_eq!(floored("1e999999999999", 6), Err(NumberProblem::TooManyDigits(32)));
    assert_eq!(floored("", 6), Err(NumberProblem::NotANumber));
}

#[test]
fn numbers_of_a_million_digits_are_read_in_one_pass() {
    let zeros = "0".repeat(1_000_000);
    assert_eq!(int(&format!("7.{zeros}")), Ok(7));
    assert_eq!(int(&format!("7{zeros}e-1000000")), Ok(7));
    assert_eq!(decimal(&format!("0.{zeros}1"), 38, 10), Err(NumberProblem::ScaleLost(10)));
    assert_eq!(floored(&format!("7.{zeros}1"), 6), Ok(7_000_000));
    assert_eq!(float(&format!("1{zeros}")), Err(NumberProblem::NotFinite));
}

#[test]
fn a_decimal_keeps_every_digit_or_is_refused() {
    assert_eq!(decimal("123456789012345678.995", 38, 3), Ok(123_456_789_012_345_678_995));
    assert_eq!(decimal("0.135", 20, 2), Err(NumberProblem::ScaleLost(2)));
    assert_eq!(decimal("0.130", 20, 2), Ok(13));
    assert_eq!(decimal("-0.00", 20, 2), Ok(0));
    assert_eq!(decimal("1.5e1", 4, 2), Ok(1500));
    assert_eq!(decimal("1500e-3", 4, 2), Ok(150));
    assert_eq!(decimal("1505e-3", 4, 2), Err(NumberProblem::ScaleLost(2)));
    assert_eq!(decimal("99.99", 4, 2), Ok(9999));
    assert_eq!(decimal("100", 4, 2), Err(NumberProblem::TooManyDigits(2)));
    assert_eq!(decimal("0e999999999999999999999", 4, 2), Ok(0));
    assert_eq!(decimal("1e999999999999999999999", 4, 2), Err(NumberProblem::TooManyDigits(2)));
    assert_eq!(decimal("1e-999999999999999999999", 4, 2), Err(NumberProblem::ScaleLost(2)));
    assert_eq!(decimal(&"9".repeat(38), 38, 0), Ok(10i128.pow(38) - 1));
    assert_eq!(decimal(&"9".repeat(39), 38, 0), Err(NumberProblem::TooManyDigits(38)));
    assert_eq!(decimal(&format!("1{}", "0".repeat(100)), 38, 0), Err(NumberProblem::TooManyDigits(38)));
    assert_eq!(decimal(&format!("1.5{}", "0".repeat(100)), 2, 1), Ok(15));
}

#[test]
fn a_float_is_finite_and_never_minus_zero() {
    assert_eq!(float("1e400"), Err(NumberProblem::NotFinite));
    assert_eq!(float("-0.0").map(|value| value.map(f64::to_bits)), Ok(Some(0)));
    assert_eq!(float("-1e-400").map(|value| value.map(f64::to_bits)), Ok(Some(0)));
    assert_eq!(float("9007199254740993"), Ok(Some(9_007_199_254_740_992.0)));
    for text in ["NaN", "nan", "-NaN", "inf", "-Inf", "+inf", "Infinity", " -INFINITY "] {
        assert_eq!(float(text), Ok(None), "{text}");
    }
    for text in ["1f", "", "+", "infinit", "NA", "nane", "--inf", "0x1p3", "1_0"] {
        assert_eq!(float(text), Err(NumberProblem::NotANumber), "{text}");
    }
}

proptest! {
    #[test]
    fn integers_read_as_themselves(value: i64, wide in -10i128.pow(38) + 1..10i128.pow(38)) {
        prop_assert_eq!(int(&value.to_string()), Ok(value));
        prop_assert_eq!(decimal(&wide.to_string(), 38, 0), Ok(wide));
    }

    #[test]
    fn a_shifted_point_and_an_exponent_mean_the_same(digits in 1u64.., shift in 0u32..15) {
        let power = 10u64.pow(shift);
        let text = format!("{}.{:0width$}", digits / power, digits % power, width = shift as usize);
        let text = if shift == 0 { digits.to_string() } else { text };
        let with_exponent = format!("{digits}e-{shift}");
        prop_assert_eq!(decimal(&text, 38, 15), decimal(&with_exponent, 38, 15));
        prop_assert_eq!(decimal(&text, 38, 15), Ok(i128::from(digits) * 10i128.pow(15 - shift)));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[-+0-9.eE]{0,60}|\\PC{0,20}", precision in 1u8..=38) {
        let _ = (int(&text), float(&text), decimal(&text, precision, precision / 2), floored(&text, precision));
    }
}
