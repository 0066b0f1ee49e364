//! What the values of a field look like: `null`, `format`, `true`, `false`, `thousands`, `point` and
//! `invalid as none`. Fields of sources and columns of tables have the same markers.

use crate::ast::{Expr, ExprKind, Marker, MarkerKind};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::text::time_format::{FormatPurpose, TimeFormat};
use metricc_ir::{Kind, Spelling, Type};

/// Most formats of a field, and most texts of another marker.
const MOST_FORMATS: usize = 16;
const MOST_TEXTS: usize = 256;

/// A field as far as it matters here.
pub(super) struct Declared<'a> {
    pub(super) name: &'a str,
    pub(super) ty: &'a Type,
    pub(super) has_zone: bool,
    pub(super) has_unit: bool,
    pub(super) markers: &'a [Marker],
}

/// The spelling that markers declare; `nulls` are those of the source, for fields without their own. `None`
/// if something is wrong, which is reported.
pub(super) fn check(
    declared: &Declared<'_>,
    nulls: &[String],
    found: &mut Vec<Diagnostic>,
) -> Option<Spelling> {
    let spelling = Spelling { nulls: sorted(nulls.to_vec()), ..Spelling::default() };
    let mut checker = Checker { declared, spelling, is_sound: true, found };
    for marker in declared.markers {
        checker.marker(marker);
    }
    checker.bools_are_whole();
    checker.marks_differ();
    checker.texts_differ();
    checker.is_sound.then_some(checker.spelling)
}

/// The strings of a list without those that are malformed, which is reported.
pub(super) fn texts(list: &[Expr]) -> Vec<String> {
    list.iter().filter_map(text).map(str::to_owned).collect()
}

fn text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::String(text) => Some(text),
        _ => None,
    }
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The kind of the values that are texts: the field's, or that of the elements of its list.
fn innermost(kind: &Kind) -> &Kind {
    match kind {
        Kind::List(element) => innermost(&element.kind),
        kind => kind,
    }
}

struct Checker<'a> {
    declared: &'a Declared<'a>,
    spelling: Spelling,
    is_sound: bool,
    found: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn report(&mut self, code: Code, message: impl Into<String>, span: Span, help: impl Into<String>) {
        self.is_sound = false;
        self.found.push(Diagnostic::new(code, message, span, "").help(help));
    }

    fn kind(&self) -> &Kind {
        innermost(&self.declared.ty.kind)
    }

    fn marker(&mut self, marker: &Marker) {
        let span = marker.span;
        match &marker.kind {
            MarkerKind::Null(list) => {
                self.few(list, span);
                self.spelling.nulls = sorted(texts(list));
            }
            MarkerKind::Format(list) => self.formats(list, span),
            MarkerKind::True(list) if self.is_for(&[Kind::Bool], marker, "a `bool`") => {
                self.few(list, span);
                self.spelling.truths = sorted(texts(list));
            }
            MarkerKind::False(list) if self.is_for(&[Kind::Bool], marker, "a `bool`") => {
                self.few(list, span);
                self.spelling.falsehoods = sorted(texts(list));
            }
            MarkerKind::Thousands(mark) if self.is_number(marker, true) => {
                self.spelling.thousands = self.mark(mark);
            }
            MarkerKind::Point(mark) if self.is_number(marker, false) => {
                self.spelling.point = self.mark(mark).filter(|mark| *mark != '.');
            }
            MarkerKind::InvalidAsNone => self.invalid_as_none(span),
            _ => {}
        }
    }

    fn few(&mut self, list: &[Expr], span: Span) {
        if list.len() > MOST_TEXTS {
            let message = format!("more than {MOST_TEXTS} texts");
            self.report(Code::LimitExceeded, message, span, "name those that occur");
        }
    }

    /// Whether the values are of one of these kinds.
    fn is_for(&mut self, kinds: &[Kind], marker: &Marker, what: &str) -> bool {
        let is_one = kinds.contains(self.kind());
        if !is_one {
            self.misplaced(marker, what);
        }
        is_one
    }

    fn misplaced(&mut self, marker: &Marker, what: &str) {
        let (word, ty) = (marker.kind.word(), self.declared.ty);
        let message = format!("`{word}` on a field of type `{ty}`");
        self.report(
            Code::FieldMarker,
            message,
            marker.span,
            format!("only {what} has a `{word}`: remove it"),
        );
    }

    fn is_number(&mut self, marker: &Marker, int_too: bool) -> bool {
        match self.kind() {
            Kind::Decimal { .. } | Kind::Float => true,
            Kind::Int if int_too => true,
            _ => {
                self.misplaced(marker, if int_too { "a number" } else { "a `decimal` or a `float`" });
                false
            }
        }
    }

    /// The one character of a mark.
    fn mark(&mut self, mark: &Expr) -> Option<char> {
        let text = text(mark)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None)
                if !only.is_alphanumeric() && !matches!(only, '-' | '+' | '"' | '\n' | '\r') =>
            {
                Some(only)
            }
            _ => {
                let message = format!("{text:?} cannot stand in a number");
                self.report(Code::FieldMarker, message, mark.span, "write one character, such as `\",\"`");
                None
            }
        }
    }

    fn formats(&mut self, list: &[Expr], span: Span) {
        let reads = match self.kind() {
            Kind::Date => FormatPurpose::Dates,
            Kind::Timestamp if self.declared.has_zone => FormatPurpose::LocalTimes,
            Kind::Timestamp => FormatPurpose::Instants,
            _ => {
                let message = format!("`format` on a field of type `{}`", self.declared.ty);
                let help = "only a `timestamp` or a `date` has a `format`: remove it";
                return self.report(Code::FieldMarker, message, span, help);
            }
        };
        if self.declared.has_unit {
            let help = "its times are numbers of the unit, or texts of the format: remove one of them";
            return self.report(Code::FieldMarker, "`format` and `unit` on one field", span, help);
        }
        if list.len() > MOST_FORMATS {
            let message = format!("more than {MOST_FORMATS} formats");
            return self.report(Code::LimitExceeded, message, span, "name those that occur");
        }
        for format in list {
            let Some(text) = text(format) else { continue };
            if let Err(problem) = TimeFormat::compile(text, reads) {
                let message = format!("in the format of `{}`, {}", self.declared.name, problem.problem);
                self.report(Code::Format, message, format.span, problem.help);
            }
        }
        // The first that fits counts, so their order is part of what they mean.
        self.spelling.formats = texts(list);
    }

    fn invalid_as_none(&mut self, span: Span) {
        if self.declared.ty.optional {
            self.spelling.invalid_is_none = true;
            return;
        }
        let ty = self.declared.ty;
        let message = format!("`invalid as none` on a field of type `{ty}`");
        let help = format!("it is never none: write `{ty}?` if it may be");
        self.report(Code::FieldMarker, message, span, help);
    }

    fn bools_are_whole(&mut self) {
        let lacking = match (self.spelling.truths.is_empty(), self.spelling.falsehoods.is_empty()) {
            (false, true) => "false",
            (true, false) => "true",
            _ => return,
        };
        let has_bool = |marker: &&Marker| matches!(marker.kind, MarkerKind::True(_) | MarkerKind::False(_));
        if let Some(marker) = self.declared.markers.iter().find(has_bool) {
            let word = marker.kind.word();
            let message = format!("`{word}` without `{lacking}`");
            let help = format!("say both: `true \"yes\" false \"no\"`; {lacking} is missing");
            self.report(Code::FieldMarker, message, marker.span, help);
        }
    }

    fn marks_differ(&mut self) {
        let is_int = *self.kind() == Kind::Int;
        if is_int || self.spelling.thousands != Some(self.spelling.point.unwrap_or('.')) {
            return;
        }
        let of_thousands = |marker: &&Marker| matches!(marker.kind, MarkerKind::Thousands(_));
        if let Some(marker) = self.declared.markers.iter().find(of_thousands) {
            let message = "what separates thousands is the decimal point too";
            let help = "declare the other decimal point, as in `thousands \".\" point \",\"`";
            self.report(Code::FieldMarker, message, marker.span, help);
        }
    }

    /// A text is true, false or none, and not two of them.
    fn texts_differ(&mut self) {
        let Spelling { nulls, truths, falsehoods, .. } = &self.spelling;
        let both = truths.iter().find(|text| falsehoods.contains(text));
        let both =
            both.or_else(|| nulls.iter().find(|text| truths.contains(text) || falsehoods.contains(text)));
        let Some(text) = both.cloned() else { return };
        let is_list = |marker: &&Marker| {
            matches!(marker.kind, MarkerKind::True(_) | MarkerKind::False(_) | MarkerKind::Null(_))
        };
        if let Some(marker) = self.declared.markers.iter().rfind(is_list) {
            let message = format!("{text:?} means two things");
            self.report(Code::FieldMarker, message, marker.span, "let it be true, false or none");
        }
    }
}
