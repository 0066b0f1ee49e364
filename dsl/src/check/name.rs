//! How names are spelled.

use crate::ast::Name;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use metricc_ir::suggest;

/// Longest name, in bytes.
const LONGEST_NAME: usize = 64;

/// Names are `[a-z_][a-z0-9_]*` of at most 64 characters, in files, in results and in paths alike.
pub(super) fn check_spelling(name: &Name, found: &mut Vec<Diagnostic>) {
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
                .help(format!("write `{}`", suggest::as_name(&name.text))),
        );
    }
}
