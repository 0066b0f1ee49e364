//! How a producer spells the values of a field, where that is not what the format itself says. It is part of
//! what the events are, and so of the definition's hash.

use serde::Serialize;

use crate::{Field, Kind, Type};

/// The declared spellings of a field. The default declares nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Spelling {
    /// `null "NA", "-"`: texts that are none, ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nulls: Vec<String>,
    /// `format "%d.%m.%Y"`: what texts of times and dates look like, in the order in which they are tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<String>,
    /// `true "yes", "1"`: texts that are true, ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truths: Vec<String>,
    /// `false "no", "0"`: texts that are false, ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub falsehoods: Vec<String>,
    /// `thousands ","`: what stands between groups of digits before the point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// `point ","`: what stands before the decimal places.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point: Option<char>,
    /// `invalid as none`: a value that does not decode is none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub invalid_is_none: bool,
}

impl Spelling {
    /// Whether nothing is declared.
    pub fn is_default(&self) -> bool {
        *self == Spelling::default()
    }

    /// As markers of the language, each after a blank.
    pub fn markers(&self) -> String {
        let list = |word: &str, texts: &[String]| {
            let texts: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
            if texts.is_empty() { String::new() } else { format!(" {word} {}", texts.join(", ")) }
        };
        let mark = |word: &str, mark: Option<char>| {
            mark.map_or_else(String::new, |mark| format!(" {word} {:?}", mark.to_string()))
        };
        let mut markers = list("null", &self.nulls) + &list("format", &self.formats);
        markers += &(list("true", &self.truths) + &list("false", &self.falsehoods));
        markers += &(mark("thousands", self.thousands) + &mark("point", self.point));
        markers + if self.invalid_is_none { " invalid as none" } else { "" }
    }
}

impl Field {
    /// Type of the field's column in typed rows. A float that is not a number, or infinite, is none there, as
    /// the result of an operator that overflows is; so a column of floats may always be none.
    pub fn row_type(&self) -> Type {
        Type { optional: self.ty.optional || self.ty.kind == Kind::Float, ..self.ty.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_is_not_in_the_serialized_form() {
        let of = |spelling: &Spelling| serde_json::to_string(spelling).unwrap();
        assert_eq!(of(&Spelling::default()), "{}");
        let declared = Spelling { point: Some(','), invalid_is_none: true, ..Spelling::default() };
        assert_eq!(of(&declared), r#"{"point":",","invalid_is_none":true}"#);
    }

    #[test]
    fn markers_are_those_of_the_language() {
        let spelling = Spelling {
            nulls: vec!["-".into(), "\\N".into()],
            formats: vec!["%d.%m.%Y".into()],
            thousands: Some('.'),
            ..Spelling::default()
        };
        assert_eq!(spelling.markers(), r#" null "-", "\\N" format "%d.%m.%Y" thousands ".""#);
    }
}
