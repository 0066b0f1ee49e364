//! How texts are read as values of a field: the rules of this module's siblings, and what the field declares.
//! Cells of CSV, strings of JSON and texts in columns are read here, for events and for tables.

use std::borrow::Cow;

use super::number::{self, NumberProblem};
use super::time_format::{FormatPurpose, TimeFormat};
use super::timestamp::{self, TimeProblem, trimmed};
use super::{duration, thousands};
use crate::calendar::ZoneRules;
use crate::{Kind, Spelling, TimeUnit};

/// What is wrong with a text, as a phrase.
pub type TextProblem = Cow<'static, str>;

/// How texts are read as values of one field. The default has only what needs no declaration.
#[derive(Debug, Clone, Default)]
pub struct TextRules {
    spelling: Spelling,
    formats: Vec<TimeFormat>,
    zone: Option<ZoneRules>,
    unit: Option<TimeUnit>,
}

impl TextRules {
    /// The rules of a field: its spelling, the name of its zone, its unit.
    ///
    /// # Errors
    /// What cannot be followed, as a phrase.
    pub fn new(
        kind: &Kind,
        spelling: &Spelling,
        zone: Option<&str>,
        unit: Option<TimeUnit>,
    ) -> Result<Self, String> {
        let zone = match zone {
            Some(name) => {
                Some(ZoneRules::named(name).ok_or_else(|| format!("there is no time zone `{name}`"))?)
            }
            None => None,
        };
        let reads = match innermost(kind) {
            Kind::Date => FormatPurpose::Dates,
            _ if zone.is_some() => FormatPurpose::LocalTimes,
            _ => FormatPurpose::Instants,
        };
        let formats = spelling.formats.iter().map(|format| {
            TimeFormat::compile(format, reads)
                .map_err(|problem| format!("in its format `{format}`: {problem}"))
        });
        let formats = formats.collect::<Result<Vec<_>, _>>()?;
        Ok(TextRules { spelling: spelling.clone(), formats, zone, unit })
    }

    /// The zone of times without an offset.
    pub fn zone(&self) -> Option<&ZoneRules> {
        self.zone.as_ref()
    }

    /// What numbers count, where a time is expected.
    pub fn unit(&self) -> Option<TimeUnit> {
        self.unit
    }

    /// Whether texts of times have a format of their own.
    pub fn has_formats(&self) -> bool {
        !self.formats.is_empty()
    }

    /// Whether true and false have spellings of their own.
    pub fn has_bools(&self) -> bool {
        !self.spelling.truths.is_empty()
    }

    /// Whether texts of numbers have a point or groups of their own.
    pub fn has_number_format(&self) -> bool {
        self.spelling.thousands.is_some() || self.spelling.point.is_some()
    }

    /// Whether some text may be none.
    pub fn has_nulls(&self) -> bool {
        !self.spelling.nulls.is_empty()
    }

    /// Whether a value that does not decode is none.
    pub fn invalid_is_none(&self) -> bool {
        self.spelling.invalid_is_none
    }

    /// Whether a text is none.
    #[inline]
    pub fn is_null(&self, text: &str) -> bool {
        !self.spelling.nulls.is_empty() && self.spelling.nulls.iter().any(|null| null == text)
    }

    /// A bool.
    ///
    /// # Errors
    /// A phrase, if the text is none.
    pub fn bool(&self, text: &str) -> Result<bool, TextProblem> {
        if self.has_bools() {
            return match () {
                () if self.spelling.truths.iter().any(|truth| truth == text) => Ok(true),
                () if self.spelling.falsehoods.iter().any(|falsehood| falsehood == text) => Ok(false),
                () => Err("not one of the declared texts of true and false".into()),
            };
        }
        match trimmed(text) {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("neither true nor false".into()),
        }
    }

    /// An int.
    ///
    /// # Errors
    /// A phrase, if the text is none.
    pub fn int(&self, text: &str) -> Result<i64, TextProblem> {
        self.number(text, number::int)
    }

    /// The digits of a decimal.
    ///
    /// # Errors
    /// A phrase, if the text is none of that precision and scale.
    pub fn decimal(&self, text: &str, precision: u8, scale: u8) -> Result<i128, TextProblem> {
        self.number(text, |text| number::decimal(text, precision, scale))
    }

    /// A float; `None` for NaN and infinities.
    ///
    /// # Errors
    /// A phrase, if the text is none.
    pub fn float(&self, text: &str) -> Result<Option<f64>, TextProblem> {
        self.number(text, number::float)
    }

    #[inline]
    fn number<T>(
        &self,
        text: &str,
        read: impl Fn(&str) -> Result<T, NumberProblem>,
    ) -> Result<T, TextProblem> {
        let (thousands, point) = (self.spelling.thousands, self.spelling.point);
        let number = match (thousands, point) {
            (None, None) => read(text),
            _ => {
                // An int whose groups are separated by `.` has no other use for it.
                let other = if thousands == Some('.') { ',' } else { '.' };
                thousands::plain(text, thousands, point.unwrap_or(other)).and_then(|text| read(&text))
            }
        };
        number.map_err(|problem| problem.to_string().into())
    }

    /// Days since 1970-01-01.
    ///
    /// # Errors
    /// A phrase, if the text is no date.
    pub fn date(&self, text: &str) -> Result<i32, TextProblem> {
        if self.has_formats() {
            return self.by_format(text, TimeFormat::date);
        }
        timestamp::parse_date(text).map_err(|problem| problem.to_string().into())
    }

    /// Microseconds since 1970-01-01T00:00Z.
    ///
    /// # Errors
    /// A phrase, if the text is no timestamp.
    pub fn timestamp(&self, text: &str) -> Result<i64, TextProblem> {
        if self.has_formats() {
            return self.by_format(text, |format, text| format.instant(text, self.zone.as_ref()));
        }
        if number::is_number(text) {
            return self.timestamp_of_number(text);
        }
        timestamp::parse(text, self.zone.as_ref()).map_err(|problem| problem.to_string().into())
    }

    /// Microseconds since 1970-01-01T00:00Z of a number of the field's unit; what is finer is floored.
    ///
    /// # Errors
    /// A phrase, if the field has no unit, or the text is no number of it.
    pub fn timestamp_of_number(&self, text: &str) -> Result<i64, TextProblem> {
        let Some(unit) = self.unit else {
            return Err("a number where a timestamp is expected, and the field has no `unit`".into());
        };
        let (scale, unit) = match unit {
            TimeUnit::Second => (6, TimeUnit::Microsecond),
            TimeUnit::Millisecond => (3, TimeUnit::Microsecond),
            TimeUnit::Microsecond | TimeUnit::Nanosecond => (0, unit),
        };
        let count = number::floored(text, scale).map_err(|problem| match problem {
            NumberProblem::NotANumber => problem.to_string(),
            _ => TimeProblem::OutOfRange.to_string(),
        })?;
        timestamp::from_unit(count, unit).map_err(|problem| problem.to_string().into())
    }

    /// Microseconds.
    ///
    /// # Errors
    /// A phrase, if the text is no duration.
    pub fn duration(&self, text: &str) -> Result<i64, TextProblem> {
        if number::is_number(text) {
            return number::int(text).map_err(|problem| problem.to_string().into());
        }
        duration::parse(trimmed(text)).map_err(|problem| problem.to_string().into())
    }

    /// By the first format that the text is of.
    fn by_format<T>(
        &self,
        text: &str,
        read: impl Fn(&TimeFormat, &str) -> Result<T, TimeProblem>,
    ) -> Result<T, TextProblem> {
        let text = trimmed(text);
        let mut nearest = TimeProblem::NotOfFormat;
        for format in &self.formats {
            match read(format, text) {
                Ok(value) => return Ok(value),
                Err(TimeProblem::NotOfFormat) => {}
                Err(problem) => nearest = problem,
            }
        }
        Err(match (nearest, self.formats.as_slice()) {
            (TimeProblem::NotOfFormat, [format]) => {
                format!("not of the format `{}`, such as `{}`", format.text(), format.example()).into()
            }
            (TimeProblem::NotOfFormat, formats) => {
                let all: Vec<String> = formats.iter().map(|format| format!("`{}`", format.text())).collect();
                format!("not of one of the formats {}", all.join(", ")).into()
            }
            (problem, _) => problem.to_string().into(),
        })
    }
}

/// The kind itself, or of the elements of a list.
fn innermost(kind: &Kind) -> &Kind {
    match kind {
        Kind::List(element) => innermost(&element.kind),
        kind => kind,
    }
}
