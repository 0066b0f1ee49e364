use super::*;

fn column(kind: Kind) -> Expr {
    Expr { kind: ExprKind::Column(0), ty: Type::of(kind) }
}

fn call(func: Func, args: Vec<Expr>, kind: Kind) -> Expr {
    Expr { kind: ExprKind::Call(func, args), ty: Type::optional(kind) }
}

fn int() -> Expr {
    column(Kind::Int)
}

fn literal(value: i64) -> Expr {
    Expr { kind: ExprKind::Literal(Value::Int(value)), ty: Type::of(Kind::Int) }
}

fn decimal(precision: u8, scale: u8) -> Kind {
    Kind::Decimal { precision, scale }
}

/// Kind after widening, and whether it may still overflow.
fn of(expr: &Expr) -> (Kind, bool) {
    let wide = widened(expr);
    let may = may_overflow(&wide);
    (wide.ty.kind, may)
}

#[test]
fn ints_are_as_wide_as_they_need_and_no_wider() {
    let product = call(Func::Mul, vec![int(), int()], Kind::Int);
    assert_eq!(of(&product), (Kind::Int128, false));
    assert_eq!(of(&call(Func::Neg, vec![int()], Kind::Int)), (Kind::Int128, false));
    assert_eq!(of(&call(Func::Div, vec![int(), int()], Kind::Int)), (Kind::Int128, false));
    assert_eq!(of(&call(Func::Div, vec![int(), literal(2)], Kind::Int)), (Kind::Int, false));
    assert_eq!(of(&call(Func::Div, vec![int(), literal(-1)], Kind::Int)), (Kind::Int128, false));
    let hour = call(Func::Part(crate::Part::Hour, "UTC".into()), vec![column(Kind::Timestamp)], Kind::Int);
    assert_eq!(of(&call(Func::Mul, vec![hour, literal(60)], Kind::Int)), (Kind::Int, false));
    // What a wide operand is brought back to.
    assert_eq!(of(&call(Func::Rem, vec![product.clone(), literal(7)], Kind::Int)), (Kind::Int, false));
    // Three factors may have more than 38 digits.
    assert_eq!(of(&call(Func::Mul, vec![product, int()], Kind::Int)), (Kind::Int128, true));
    assert_eq!(of(&int()), (Kind::Int, false));
    // The least int is one further from zero than the greatest, also where something stands between.
    let chosen = call(Func::Coalesce, vec![int(), literal(0)], Kind::Int);
    assert_eq!(of(&call(Func::Abs, vec![chosen], Kind::Int)), (Kind::Int128, false));
}

#[test]
fn what_needs_an_int_gets_one_that_may_be_lost() {
    let product = call(Func::Mul, vec![int(), int()], Kind::Int);
    let text = column(Kind::String);
    let part = call(Func::Substr, vec![text, product, literal(1)], Kind::String);
    let wide = widened(&part);
    let ExprKind::Call(_, args) = &wide.kind else { panic!("a call") };
    assert_eq!(args[1].ty.kind, Kind::Int);
    assert!(may_overflow(&wide));
    assert!(!may_overflow(&widened_to(&call(Func::Mul, vec![literal(3), literal(4)], Kind::Int))));
}

#[test]
fn decimals_keep_their_scale_and_stay_narrow_where_38_digits_do() {
    let money = || column(decimal(12, 2));
    let product = call(Func::Mul, vec![money(), money()], decimal(38, 4));
    assert_eq!(widened(&product), product);
    assert!(!may_overflow(&product));
    let large = || column(decimal(38, 2));
    assert_eq!(of(&call(Func::Mul, vec![large(), money()], decimal(38, 4))), (decimal(38, 4), true));
    // An operand may have 76 digits; the result has 38.
    let sum = call(Func::Add, vec![large(), large()], decimal(38, 2));
    let quotient = call(Func::Div, vec![sum, literal_decimal(2)], decimal(38, 8));
    let wide = widened(&quotient);
    let ExprKind::Call(_, args) = &wide.kind else { panic!("a call") };
    assert_eq!((args[0].ty.kind.clone(), wide.ty.kind.clone()), (decimal(76, 2), decimal(38, 8)));
}

fn literal_decimal(digits: i128) -> Expr {
    Expr { kind: ExprKind::Literal(Value::Decimal(digits)), ty: Type::of(decimal(1, 0)) }
}

#[test]
fn comparisons_and_choices_meet_at_the_widest() {
    let product = || call(Func::Mul, vec![int(), int()], Kind::Int);
    let compared = widened(&call(Func::Gt, vec![product(), literal(10)], Kind::Bool));
    let ExprKind::Call(_, args) = &compared.kind else { panic!("a call") };
    assert!(args.iter().all(|arg| arg.ty.kind == Kind::Int128));
    let chosen = call(Func::Coalesce, vec![product(), literal(0)], Kind::Int);
    assert_eq!(of(&chosen), (Kind::Int128, false));
}

#[test]
fn floats_may_overflow_unless_bounds_say_otherwise() {
    let float = || column(Kind::Float);
    let half = Expr { kind: ExprKind::Literal(Value::Float(0.5)), ty: Type::of(Kind::Float) };
    assert!(may_overflow(&call(Func::Mul, vec![float(), float()], Kind::Float)));
    assert!(may_overflow(&call(Func::Add, vec![float(), half.clone()], Kind::Float)));
    assert!(!may_overflow(&call(Func::Mul, vec![float(), half], Kind::Float)));
    let of_int = || call(Func::Cast, vec![int()], Kind::Float);
    assert!(!may_overflow(&call(Func::Mul, vec![of_int(), of_int()], Kind::Float)));
    assert!(may_overflow(&call(Func::Cast, vec![float()], Kind::Int)));
}

#[test]
fn instants_of_the_log_are_never_too_far_apart() {
    let at = || column(Kind::Timestamp);
    let apart = call(Func::Sub, vec![at(), at()], Kind::Duration);
    assert!(!may_overflow(&apart));
    assert!(may_overflow(&call(Func::Add, vec![at(), column(Kind::Duration)], Kind::Timestamp)));
}

#[test]
fn lost_is_a_condition_only_where_a_row_may_be() {
    let float = || column(Kind::Float);
    let product = call(Func::Mul, vec![float(), float()], Kind::Float);
    assert_eq!(lost(None, &[int()]), None);
    let condition = lost(None, std::slice::from_ref(&product)).expect("it may overflow");
    // It is never lost itself, so that it may be a part of a `where`.
    assert!(!may_overflow(&condition));
    assert_eq!(either(Some(condition.clone()), Some(condition.clone())), Some(condition));
}
