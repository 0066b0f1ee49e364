//! pest's error → a diagnostic. Common mistakes from other languages get their own messages.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::Rule;
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign_phrases::Stopped;
use crate::items::{ItemKind, RawItem};
use metricc_ir::{quoted, suggest};

const RESERVED: [&str; 17] = [
    "and", "or", "not", "in", "if", "then", "else", "none", "true", "false", "from", "each", "let", "where",
    "by", "every", "as",
];
const CLAUSES: [&str; 10] =
    ["from", "each", "let", "lookup", "where", "by", "every", "over", "session", "unit"];

/// Where parsing stopped.
pub(super) fn stopped(text: &str, raw: &RawItem, error: &Error<Rule>) -> Stopped {
    let (at, expected) = (stop(text, raw, error).start, expected(error));
    Stopped { at, wants_operator: expected.iter().any(|rule| describe(*rule) == Some("an operator")) }
}

/// The token at which parsing stopped.
fn stop(text: &str, raw: &RawItem, error: &Error<Rule>) -> Span {
    let offset = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    token_at(text, raw.span, raw.span.start + offset)
}

fn expected(error: &Error<Rule>) -> &[Rule] {
    match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    }
}

/// The diagnostic for an item that does not parse.
pub(super) fn diagnose(text: &str, raw: &RawItem, error: &Error<Rule>) -> Diagnostic {
    let span = stop(text, raw, error);
    let token = &text[span.start..span.end];
    if let ErrorVariant::CustomError { message } = &error.variant {
        return Diagnostic::new(Code::LimitExceeded, message.clone(), span, "parsing stopped here")
            .help("give inner parts a name with `let`");
    }
    let expected = expected(error);
    special(text, raw, span, expected).unwrap_or_else(|| {
        let message = if token.is_empty() {
            format!("the {} ends too early", item_word(raw.kind))
        } else {
            format!("unexpected `{token}`")
        };
        Diagnostic::new(Code::Syntax, message, span, expectation(expected))
    })
}

fn item_word(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Use => "use",
        ItemKind::Source => "source",
        ItemKind::Calendar => "calendar",
        ItemKind::Import => "import",
        ItemKind::Table => "table",
        ItemKind::Test => "test",
        ItemKind::Condition => "condition",
        ItemKind::Metric | ItemKind::Other => "metric",
    }
}

/// The word, number, string or character at an offset; empty at the end of the item.
fn token_at(text: &str, item: Span, at: usize) -> Span {
    let rest = &text[at.min(item.end)..item.end];
    let start = item.end - rest.len();
    let mut characters = rest.chars();
    let length = match characters.next() {
        None => 0,
        Some(first) if first.is_alphanumeric() || first == '_' => rest
            .find(|character: char| !(character.is_alphanumeric() || character == '_'))
            .unwrap_or(rest.len()),
        Some('"') => rest[1..].find(['"', '\n']).map_or(1, |end| end + 2).min(rest.len()),
        Some('/') if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
        Some(first) => {
            let two = matches!(rest.get(..2), Some("==" | "!=" | "<=" | ">=" | "??"));
            if two { 2 } else { first.len_utf8() }
        }
    };
    Span { start, end: start + length }
}

fn special(text: &str, raw: &RawItem, span: Span, expected: &[Rule]) -> Option<Diagnostic> {
    let token = &text[span.start..span.end];
    let behind = text[span.end..raw.span.end].trim_start();
    if let Some(doc) = lost_doc(text, raw, span) {
        return Some(
            Diagnostic::new(Code::DocComment, "a doc comment without an item", doc, "")
                .help("put it before an item or a field of a source, or use `//`"),
        );
    }
    let before = text[raw.span.start..span.start].trim_end();
    if token == "[" && last_word(before) == "in" {
        return Some(
            Diagnostic::new(Code::ForeignSpelling, "choices in square brackets", span, "")
                .help("write them in parentheses: `in (1, 2)`"),
        );
    }
    if token.chars().any(|letter| letter.is_ascii_uppercase()) {
        let lower = token.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) {
            return Some(
                Diagnostic::new(Code::ForeignSpelling, format!("`{token}` in capitals"), span, "")
                    .help(format!("write `{lower}`")),
            );
        }
    }
    let names_something = behind.starts_with(':') || (behind.starts_with('=') && !behind.starts_with("=="));
    if let ItemKind::Source | ItemKind::Table = raw.kind
        && let Some(diagnostic) = name_of_data(text, raw, span)
    {
        return Some(diagnostic);
    }
    if RESERVED.contains(&token) && names_something {
        return Some(
            Diagnostic::new(Code::NameSpelling, format!("`{token}` is a reserved word"), span, "")
                .help("choose another name"),
        );
    }
    // Of the rules that begin with one word each, pest may say the words.
    let may_be_clause = [Rule::from_clause, Rule::kw_from].iter().any(|rule| expected.contains(rule));
    if may_be_clause && is_word(token) {
        return Some(unknown_clause(token, span));
    }
    None
}

/// A name of the data that is no name of the language: `from: string`, `"order total": float`, `a.b: int`.
fn name_of_data(text: &str, raw: &RawItem, span: Span) -> Option<Diagnostic> {
    let token = &text[span.start..span.end];
    let behind = &text[span.end..raw.span.end];
    let is_path = token == "." || token == "[";
    if !(is_path || token.starts_with('"') || RESERVED.contains(&token) || !token.is_ascii()) {
        return None;
    }
    let start =
        if is_path { span.start - last_word(&text[raw.span.start..span.start]).len() } else { span.start };
    // A name ends before its colon, on the line where it begins.
    let line = text[start..raw.span.end].lines().next().unwrap_or_default();
    let end = (span.end - start..line.len()).find(|place| line[*place..].starts_with(':'))?;
    let written = line[..end].trim_end();
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | ' ' | '@' | '-');
    if written.is_empty()
        || written.starts_with('.')
        || !written.chars().all(is_word) && !token.starts_with('"')
    {
        return None;
    }
    let behind_colon = &behind[(end + start + 1).saturating_sub(span.end).min(behind.len())..];
    let unquoted = written.trim_matches('"');
    let last =
        if is_path { unquoted.rsplit(['.', '"', ']']).find(|step| !step.is_empty())? } else { unquoted };
    let mut name = suggest::as_name(&last.replace([' ', '-', '@'], "_")).trim_matches('_').to_owned();
    if name.is_empty() {
        name = "name".to_owned();
    }
    if RESERVED.contains(&name.as_str()) {
        name.push('_');
    }
    let place = if is_path || written.starts_with('"') { written.to_owned() } else { quoted(written) };
    let whole = Span { start, end: start + written.len() };
    let message = match RESERVED.contains(&token) {
        true => format!("`{token}` is a reserved word"),
        false => "a name of the data in place of a name of the language".to_owned(),
    };
    let help = format!(
        "choose a name, and say where the value stands in the data: `{name}: {} from {place}`",
        type_text(behind_colon)
    );
    Some(Diagnostic::new(Code::NameSpelling, message, whole, "").help(help))
}

/// The type at the start of a text, as it is written; `…` if there is none.
fn type_text(text: &str) -> &str {
    let text = text.trim_start();
    let mut depth = 0_usize;
    let end = text.find(|character: char| {
        match character {
            '(' | '<' | '{' => depth += 1,
            ')' | '>' | '}' if depth > 0 => depth -= 1,
            '}' | '\n' => return true,
            ' ' | '\t' | ',' if depth == 0 => return true,
            _ => {}
        }
        false
    });
    match &text[..end.unwrap_or(text.len())] {
        "" => "…",
        ty => ty,
    }
}

/// The word at the end of a text.
fn last_word(text: &str) -> &str {
    let start = text.rfind(|character: char| !(character.is_alphanumeric() || character == '_'));
    &text[start.map_or(0, |place| place + 1)..]
}

/// A doc comment at the span, or on the last line before a closing bracket.
fn lost_doc(text: &str, raw: &RawItem, span: Span) -> Option<Span> {
    let token = &text[span.start..span.end];
    if token.starts_with("///") {
        return Some(span);
    }
    let before = text[raw.span.start..span.start].trim_end();
    let line = before.rsplit('\n').next().unwrap_or(before).trim_start();
    let is_doc = line.starts_with("///") && !line.starts_with("////");
    let end = raw.span.start + before.len();
    (is_doc && matches!(token, "" | "}" | ")")).then_some(Span { start: end - line.len(), end })
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

fn unknown_clause(token: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::Syntax,
        format!("unknown clause `{token}`"),
        span,
        "expected a clause of the metric",
    );
    match suggest::nearest(token, CLAUSES) {
        Some(own) => diagnostic.help(format!("did you mean `{own}`?")),
        None => diagnostic.help(format!("clauses are {}", suggest::one_of(&CLAUSES))),
    }
}

/// `expected a, b or c`, in a fixed order and in words of the language.
fn expectation(rules: &[Rule]) -> String {
    let mut words: Vec<&'static str> = rules.iter().filter_map(|rule| describe(*rule)).collect();
    if words.contains(&"an operator") {
        // These could continue the last operand, but are rarely meant.
        words.retain(|word| !matches!(*word, "`(`" | "`:`" | "`.`" | "`in`"));
    }
    if words.contains(&"a clause") {
        words.retain(|word| *word != "`where`");
    }
    words.sort_unstable_by_key(|word| (word.starts_with('`'), *word));
    words.dedup();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => format!("expected {last}"),
        Some((last, rest)) => format!("expected {} or {last}", rest.join(", ")),
    }
}

fn describe(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::or | Rule::and | Rule::equal | Rule::not_equal | Rule::less | Rule::less_or_equal => {
            "an operator"
        }
        Rule::greater | Rule::greater_or_equal | Rule::coalesce | Rule::add | Rule::subtract => "an operator",
        Rule::multiply | Rule::divide | Rule::remainder | Rule::in_list | Rule::in_calendar => "an operator",
        Rule::kw_offset | Rule::offset => "an operator",
        Rule::expr | Rule::filtered | Rule::not_operator | Rule::negate | Rule::argument => "an expression",
        Rule::member | Rule::if_expr | Rule::list | Rule::paren | Rule::call | Rule::percent => {
            "an expression"
        }
        Rule::kw_true | Rule::kw_false | Rule::kw_none | Rule::named_argument => "an expression",
        Rule::name | Rule::word => "a name",
        Rule::number => "a number",
        Rule::string => "a string",
        Rule::field => "a field",
        Rule::record | Rule::record_field => "a record",
        Rule::type_ref | Rule::record_type => "a type",
        Rule::part => "a field",
        Rule::path | Rule::path_name => "a name of the data",
        Rule::marker | Rule::marker_key | Rule::marker_time | Rule::marker_zone => "a field marker",
        Rule::marker_unit | Rule::marker_default | Rule::marker_null | Rule::marker_format => {
            "a field marker"
        }
        Rule::marker_true | Rule::marker_false | Rule::marker_invalid => "a field marker",
        Rule::marker_thousands | Rule::marker_point | Rule::marker_from => "a field marker",
        Rule::null_clause => "`null`",
        Rule::texts => "a string",
        Rule::body => "`{`",
        Rule::key => "a key",
        Rule::from_clause | Rule::each_clause | Rule::let_clause | Rule::where_clause => "a clause",
        Rule::by_clause | Rule::every_clause | Rule::unit_clause => "a clause",
        Rule::over_clause | Rule::session_clause | Rule::lookup_clause => "a clause",
        Rule::kw_from | Rule::kw_each | Rule::kw_let | Rule::kw_by | Rule::kw_every => "a clause",
        Rule::kw_over | Rule::kw_session | Rule::kw_lookup => "a clause",
        _ => return describe_token(rule),
    })
}

fn describe_token(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::kw_zone => "`zone`",
        Rule::kw_week => "`week`",
        Rule::kw_given => "`given`",
        Rule::kw_expect => "`expect`",
        Rule::given_clause => "`given`",
        Rule::expect_clause => "`expect`",
        Rule::rows | Rule::data_list => "`[`",
        Rule::row => "a row in `{ }`",
        Rule::datum => "a value",
        Rule::cell => "a name",
        Rule::calendar_zone => "`zone`",
        Rule::calendar_week => "`week`",
        Rule::open_brace => "`{`",
        Rule::close_brace => "`}`",
        Rule::open_paren | Rule::type_arguments | Rule::import_arguments => "`(`",
        Rule::close_paren => "`)`",
        Rule::open_bracket => "`[`",
        Rule::close_bracket => "`]`",
        Rule::open_angle | Rule::type_element => "`<`",
        Rule::close_angle => "`>`",
        Rule::dot => "`.`",
        Rule::comma => "`,`",
        Rule::colon => "`:`",
        Rule::assign => "`=`",
        Rule::question => "`?`",
        Rule::kw_in => "`in`",
        Rule::kw_function => "`function`",
        Rule::kw_aggregate => "`aggregate`",
        Rule::kw_where => "`where`",
        Rule::kw_as => "`as`",
        Rule::kw_last => "`last`",
        Rule::kw_step => "`step`",
        Rule::kw_gap => "`gap`",
        Rule::kw_then => "`then`",
        Rule::kw_else => "`else`",
        Rule::EOI => "the end of the item",
        _ => return None,
    })
}
