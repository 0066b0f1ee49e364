//! The types of results.

use crate::{Kind, RecordField, Type};

/// What an aggregate presents, by the kinds of its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presents {
    /// `int`.
    Int,
    /// `bool`.
    Bool,
    /// `float?`.
    Float,
    /// The kind of the first argument, optional.
    Same,
    /// The kind of the first argument, optional; an estimate is `float?`.
    SameOrFloat,
    /// The kind with room for a sum.
    Sum,
    /// The kind with digits for a mean, optional.
    Mean,
    /// `list<int>`.
    Counts,
    /// A list of the first argument's kind.
    Values,
    /// A list of the first argument's elements.
    Elements,
    /// A list of `{ item, value }`: the first argument, and a count or the sum of the second.
    Ranked,
    /// A list of `{ cohort, actors }`, by the second argument.
    Cohorts,
}

impl Presents {
    /// The presented type of an aggregate with these kinds of arguments.
    pub fn ty(self, arguments: &[&Kind], is_estimate: bool) -> Type {
        let first = || arguments.first().map_or(Kind::Int, |kind| (*kind).clone());
        match self {
            Presents::Int => Type::of(Kind::Int),
            Presents::Bool => Type::of(Kind::Bool),
            Presents::Float => Type::optional(Kind::Float),
            Presents::SameOrFloat if is_estimate => Type::optional(Kind::Float),
            Presents::Same | Presents::SameOrFloat => Type::optional(first()),
            Presents::Sum => sum_of(&first()),
            Presents::Mean => match first() {
                Kind::Decimal { scale, .. } => {
                    Type::optional(Kind::Decimal { precision: 38, scale: scale.saturating_add(6).min(38) })
                }
                _ => Type::optional(Kind::Float),
            },
            Presents::Counts => list_of(Kind::Int),
            Presents::Values => list_of(first()),
            Presents::Elements => match first() {
                Kind::List(element) => list_of(element.kind),
                kind => list_of(kind),
            },
            Presents::Ranked => {
                // Within a list, a sum that does not fit its type is none.
                let value =
                    arguments.get(1).map_or(Type::of(Kind::Int), |by| Type { optional: true, ..sum_of(by) });
                list_of(record([("item", Type::of(first())), ("value", value)]))
            }
            Presents::Cohorts => {
                let period = arguments.get(1).map_or(Kind::Int, |period| (*period).clone());
                list_of(record([("cohort", Type::of(period)), ("actors", list_of(Kind::Int))]))
            }
        }
    }

    /// The type in words, for the book.
    pub fn text(self) -> &'static str {
        match self {
            Presents::Int => "int",
            Presents::Bool => "bool",
            Presents::Float => "float",
            Presents::Same => "the same",
            Presents::SameOrFloat => "the same; an estimate is a float",
            Presents::Sum => "int of 128 bits, decimal(38, s), float",
            Presents::Mean => "float, decimal with six more digits, float",
            Presents::Counts => "list of ints",
            Presents::Values => "list of the same",
            Presents::Elements => "list of its elements",
            Presents::Ranked => "list of `{ item, value }`",
            Presents::Cohorts => "list of `{ cohort, actors }`",
        }
    }
}

fn sum_of(kind: &Kind) -> Type {
    match kind {
        Kind::Int => Type::of(Kind::Int128),
        Kind::Int128 => Type::optional(Kind::Int128),
        Kind::Decimal { scale, .. } => Type::optional(Kind::Decimal { precision: 38, scale: *scale }),
        _ => Type::optional(Kind::Float),
    }
}

fn list_of(kind: Kind) -> Type {
    Type::of(Kind::List(Box::new(Type::of(kind))))
}

fn record(fields: [(&str, Type); 2]) -> Kind {
    Kind::Record(fields.map(|(name, ty)| RecordField { name: name.to_owned(), ty }).into())
}

/// The kind of a scalar function's result. It may be none where an argument may, unless this says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `string`.
    Text,
    /// `list<string>`.
    Texts,
    /// `date`.
    Date,
    /// `timestamp`.
    Timestamp,
    /// The kind of the argument; none where it overflows.
    Same,
    /// The one kind that all arguments are brought to.
    Common,
    /// A decimal with [`Parameters::digits`](super::Parameters), or a float.
    Rounded,
    /// The argument as a number of another kind.
    Cast(Number),
}

/// A kind of number that others are cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// `int`.
    Int,
    /// `float`.
    Float,
}
