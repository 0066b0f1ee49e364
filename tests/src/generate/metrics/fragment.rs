//! Fragments of expressions with their type, and whether they may be none.

/// The type of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Bool,
    Int,
    /// A presented sum of ints.
    Int128,
    /// Precision and scale.
    Decimal(u8, u8),
    Float,
    Text,
    /// `enum("captured", "failed", "refunded")`.
    Status,
    /// `enum("low", "mid", "high")`.
    Level,
    Date,
    Timestamp,
    Duration,
}

/// Whether a fragment may be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Absence {
    /// Never none.
    Never,
    /// None after an overflow, which propagates.
    Overflow,
    /// Declared as optional: ordering, arithmetic and functions reject it without a default.
    Declared,
}

/// A fragment of an expression that binds tighter than every operator.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    pub(super) text: String,
    pub(super) sort: Sort,
    pub(super) absence: Absence,
}

/// Most digits of a decimal.
const MOST_DIGITS: u8 = 38;

impl Fragment {
    pub(super) fn new(text: impl Into<String>, sort: Sort, absence: Absence) -> Fragment {
        Fragment { text: text.into(), sort, absence }
    }
}

impl Sort {
    /// Whether `<` is defined.
    pub(super) fn is_ordered(self) -> bool {
        self != Sort::Bool
    }

    /// Precision and scale of an exact number.
    pub(super) fn digits(self) -> Option<(u8, u8)> {
        match self {
            Sort::Int => Some((19, 0)),
            Sort::Int128 => Some((MOST_DIGITS, 0)),
            Sort::Decimal(precision, scale) => Some((precision, scale)),
            _ => None,
        }
    }

    /// The decimal that holds two exact numbers, cut to 38 digits.
    pub(super) fn joined(self, other: Sort) -> Option<Sort> {
        let ((p1, s1), (p2, s2)) = self.digits().zip(other.digits())?;
        let scale = s1.max(s2);
        Some(Sort::Decimal(((p1 - s1).max(p2 - s2) + scale).min(MOST_DIGITS), scale))
    }

    /// The sort of a sum of two decimals.
    pub(super) fn with_carry(self) -> Sort {
        match self {
            Sort::Decimal(precision, scale) => Sort::Decimal((precision + 1).min(MOST_DIGITS), scale),
            sort => sort,
        }
    }
}
