//! How names are spelled.

use crate::ast::{FieldItem, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::text::visible;
use metricc_ir::{Type, quoted, suggest};

/// Longest name, in bytes.
const LONGEST_NAME: usize = 64;

/// Names are `[a-z_][a-z0-9_]*` of at most 64 characters, in files, in results and in paths alike.
pub(super) fn check_spelling(name: &Name, found: &mut Vec<Diagnostic>) {
    let help = format!("write `{}`", suggest::as_name(&name.text));
    check(name, help, found);
}

/// As [`check_spelling`]. The data may spell the name otherwise: the field then says where its value stands.
pub(super) fn check_field(field: &FieldItem, ty: Option<&Type>, found: &mut Vec<Diagnostic>) {
    let name = suggest::as_name(&field.name.text);
    let ty = ty.map_or_else(|| "…".to_owned(), Type::to_string);
    let help = match field.path() {
        Some(_) => format!("write `{name}`"),
        None => format!(
            "call it `{name}`, and say where it stands in the data: `{name}: {ty} from {}`",
            quoted(&field.name.text)
        ),
    };
    check(&field.name, help, found);
}

fn check(name: &Name, help: String, found: &mut Vec<Diagnostic>) {
    if name.text.len() > LONGEST_NAME {
        found.push(
            Diagnostic::new(
                Code::NameSpelling,
                format!("a name of {} characters", name.text.len()),
                name.span,
                "",
            )
            .help(format!("names have at most {LONGEST_NAME} characters")),
        );
    } else if name.text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        found.push(
            Diagnostic::new(Code::NameSpelling, format!("`{}` has capitals", name.text), name.span, "")
                .help(help),
        );
    }
}

/// Units and names of tests are shown beside results: they are one line that can be read.
pub(super) fn check_label(what: &str, label: &str, span: Span, found: &mut Vec<Diagnostic>) {
    if label.trim().is_empty() {
        let diagnostic = Diagnostic::new(Code::NameSpelling, format!("{what} is empty"), span, "");
        found.push(diagnostic.help("say what it is, or leave it out"));
    } else if visible(label) != label {
        let message = format!("{what} has control characters or line breaks");
        let diagnostic = Diagnostic::new(Code::NameSpelling, message, span, "");
        found.push(diagnostic.help("write it on one line, without escapes"));
    }
}
