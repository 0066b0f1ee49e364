//! Tokens → top-level items. The split is tolerant: an item with unbalanced brackets ends where the
//! next one clearly begins, so that one mistake affects one item.

use std::ops::Range;

use crate::ast::Name;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign_words::{self, ITEMS};
use crate::scan::{self, Scanned, Token, TokenKind};
use metricc_ir::suggest;

/// The kind of an item, from its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Use,
    Source,
    Calendar,
    Import,
    Table,
    Metric,
    Test,
    /// No item of a file: an expression that stands alone.
    Condition,
    /// Reported when it was split off.
    Other,
}

/// An item before it is parsed.
#[derive(Debug)]
pub(crate) struct RawItem {
    pub(crate) kind: ItemKind,
    /// The word after the first one, if there is one: names of broken items are known too.
    pub(crate) name: Option<Name>,
    pub(crate) span: Span,
    /// Whether the parser may see it; if not, the reason is reported.
    pub(crate) readable: bool,
}

/// Splits a file.
pub(crate) fn split(scanned: &Scanned<'_>, found: &mut Vec<Diagnostic>) -> Vec<RawItem> {
    if scanned.tokens.is_empty() {
        if scanned.unreadable.is_empty() {
            found.push(
                Diagnostic::new(
                    Code::NothingDefined,
                    "the file defines nothing",
                    Span { start: 0, end: 0 },
                    "",
                )
                .help("a file has sources and metrics: `source events { at: timestamp time }`"),
            );
        }
        return Vec::new();
    }
    let starts = starts(scanned);
    let ends = starts.iter().skip(1).copied().chain([scanned.tokens.len()]);
    starts.iter().zip(ends).map(|(start, end)| item(scanned, *start..end, found)).collect()
}

/// Indices of the first tokens of all items, documentation included.
fn starts(scanned: &Scanned<'_>) -> Vec<usize> {
    let mut starts: Vec<usize> = Vec::new();
    let mut n_open = 0_usize;
    let mut complete = true;
    for (index, token) in scanned.tokens.iter().enumerate() {
        if token.kind == TokenKind::Doc {
            continue;
        }
        if starts_item(scanned, index, complete) {
            let n_docs = scanned.tokens[..index]
                .iter()
                .rev()
                .take_while(|before| before.kind == TokenKind::Doc)
                .count();
            starts.push(index - n_docs);
            n_open = 0;
        }
        complete = false;
        match scanned.token_text(*token) {
            "{" | "(" | "[" => n_open += 1,
            "}" | ")" | "]" => {
                n_open = n_open.saturating_sub(1);
                complete = n_open == 0 && scanned.token_text(*token) == "}";
            }
            _ => {}
        }
    }
    if starts.first() != Some(&0) {
        starts.insert(0, 0);
    }
    starts
}

fn starts_item(scanned: &Scanned<'_>, index: usize, complete: bool) -> bool {
    let token = scanned.tokens[index];
    if token.kind != TokenKind::Word {
        return false;
    }
    let kind_and_text =
        |place: usize| scanned.tokens.get(place).map(|next| (next.kind, scanned.token_text(*next)));
    let word = scanned.token_text(token);
    let next = kind_and_text(index + 1);
    // `table` is also a valid name, unless it clearly begins an item.
    let is_table = word == "table" && matches!(kind_and_text(index + 2), Some((_, "{")));
    let defines = is_table || matches!(word, "source" | "calendar" | "metric");
    let named = matches!(next, Some((TokenKind::Word, _)));
    let opened = matches!(kind_and_text(index + 2), Some((_, "=" | "{")));
    let imports = word == "import" && matches!(next, Some((TokenKind::Word, "function" | "aggregate")));
    let tests = word == "test"
        && matches!(next, Some((TokenKind::String, _)))
        && matches!(kind_and_text(index + 2), Some((_, "{")));
    if complete || imports || tests || (defines && named && opened) {
        return true;
    }
    let first_of_line = token.span.start == 0 || scanned.text.as_bytes()[token.span.start - 1] == b'\n';
    let plausible = match next {
        None | Some((TokenKind::Word, _) | (_, "{" | "=")) => defines || word == "use",
        Some((TokenKind::String, _)) => word == "test",
        _ => false,
    };
    first_of_line && plausible
}

fn item(scanned: &Scanned<'_>, range: Range<usize>, found: &mut Vec<Diagnostic>) -> RawItem {
    let tokens = &scanned.tokens[range];
    let mut words = tokens.iter().filter(|token| token.kind != TokenKind::Doc);
    let span = match (tokens.first(), tokens.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => Span { start: 0, end: 0 },
    };
    let first = words.next();
    let is_import = first.is_some_and(|token| scanned.token_text(*token) == "import");
    let name = words
        .nth(usize::from(is_import))
        .filter(|token| token.kind == TokenKind::Word)
        .map(|token| Name { text: scanned.token_text(*token).to_owned(), span: token.span });
    let kind = match first.map(|token| scanned.token_text(*token)) {
        Some("use") => ItemKind::Use,
        Some("source") => ItemKind::Source,
        Some("calendar") => ItemKind::Calendar,
        Some("import") => ItemKind::Import,
        Some("table") => ItemKind::Table,
        Some("metric") => ItemKind::Metric,
        Some("test") => ItemKind::Test,
        _ => ItemKind::Other,
    };
    let n_before = scanned.unreadable.partition_point(|place| *place < span.start);
    let mut readable = scanned.unreadable.get(n_before).is_none_or(|place| *place >= span.end);
    let word = first.map_or("", |first| scanned.token_text(*first));
    if !readable && kind == ItemKind::Other && foreign_words::row(ITEMS, word).is_some() {
        found.push(other(scanned, first, span));
    }
    if readable {
        let problem = scan::check_limits(scanned, tokens)
            .or_else(|| (kind == ItemKind::Other).then(|| other(scanned, first, span)));
        readable = problem.is_none();
        found.extend(problem);
    }
    RawItem { kind, name, span, readable }
}

/// The diagnostic for an item of an unknown kind.
fn other(scanned: &Scanned<'_>, first: Option<&Token>, span: Span) -> Diagnostic {
    let Some(first) = first else {
        return Diagnostic::new(Code::DocComment, "a doc comment without an item", span, "no item follows")
            .help("put it before an item or a field, or use `//`");
    };
    let word = scanned.token_text(*first);
    let diagnostic = Diagnostic::new(
        Code::UnknownItem,
        format!("unknown item `{word}`"),
        first.span,
        "expected `use`, `source`, `calendar`, `table`, `import`, `metric` or `test`",
    );
    if let Some(foreign) = foreign_words::row(ITEMS, word) {
        return diagnostic.help(foreign.help);
    }
    match suggest::nearest(word, ["use", "source", "calendar", "table", "import", "metric", "test"]) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None => diagnostic
            .help("a file has `use`, `source`, `calendar`, `table`, `import`, `metric` and `test` items"),
    }
}
