//! Imports: functions and aggregates that the program brings, and calls of them.

use std::cell::Cell;
use std::sync::Arc;

use super::arguments::Parts;
use super::checker::{Checker, NoneKind, Typed};
use super::function::Callee;
use super::{Names, literal, types};
use crate::ast::{Argument, Expr, ExprKind, ImportItem, Name, TypeRef};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions;
use metricc_ir::{AggregateOp, Func, Import, Kind, Type};

/// Most arguments of user-defined code.
const MOST_ARGUMENTS: usize = 6;

/// What a name stands for.
pub(super) struct ImportEntry {
    /// `None`: the import has errors.
    pub(super) import: Option<Arc<Import>>,
    pub(super) span: Span,
    pub(super) used: Cell<bool>,
}

/// Checks an import; `None` if it has errors, which are reported.
pub(super) fn check(item: &ImportItem, found: &mut Vec<Diagnostic>) -> Option<Arc<Import>> {
    let name = &item.name;
    if functions::names().contains(&name.text.as_str()) {
        let message = format!("`{}` is a function of the language", name.text);
        found
            .push(Diagnostic::new(Code::Import, message, name.span, "").help("import it under another name"));
        return None;
    }
    if item.arguments.len() > MOST_ARGUMENTS {
        let message = format!("an import with {} arguments", item.arguments.len());
        let diagnostic = Diagnostic::new(Code::Import, message, name.span, "");
        found.push(diagnostic.help(format!("user-defined code takes up to {MOST_ARGUMENTS}")));
        return None;
    }
    let arguments: Vec<Option<Type>> = item
        .arguments
        .iter()
        .map(|ty| plain(ty, found).filter(|_| !item.is_aggregate || is_there(ty, found)))
        .collect();
    let result = plain(&item.result, found);
    let version = version(item, found);
    if let Some(span) = item.idempotent.filter(|_| !item.is_aggregate) {
        let diagnostic = Diagnostic::new(Code::Import, "an idempotent function", span, "");
        found.push(diagnostic.help("only aggregates are idempotent or not: remove the word"));
        return None;
    }
    Some(Arc::new(Import {
        name: name.text.clone(),
        is_aggregate: item.is_aggregate,
        arguments: arguments.into_iter().collect::<Option<_>>()?,
        result: result?,
        version: version?,
        idempotent: item.idempotent.is_some(),
    }))
}

/// A type that user-defined code takes and gives.
fn plain(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> Option<Type> {
    let resolved = types::resolve(ty, found)?;
    if !matches!(resolved.kind, Kind::List(_) | Kind::Enum(_) | Kind::Decimal { .. }) {
        return Some(resolved);
    }
    let message = format!("`{}` in an import", resolved.kind);
    let help = match resolved.kind {
        Kind::Enum(_) => "take a `string`, and call it with `text(…)`",
        Kind::Decimal { .. } => "take a `float`, and call it with `float(…)`",
        _ => "user-defined code takes bool, int, float, string, date, timestamp and duration",
    };
    found.push(Diagnostic::new(Code::Import, message, ty.span, "").help(help));
    None
}

fn is_there(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> bool {
    if ty.optional {
        let diagnostic = Diagnostic::new(Code::Import, "an aggregate that takes none", ty.span, "");
        found.push(diagnostic.help("aggregates skip rows with none: remove the `?`"));
    }
    !ty.optional
}

fn version(item: &ImportItem, found: &mut Vec<Diagnostic>) -> Option<u32> {
    let Some(version) = &item.version else { return Some(1) };
    let number = literal::number(&version.kind).filter(|number| !number.point);
    let number = number.and_then(|number| u32::try_from(number.digits).ok()).filter(|number| *number > 0);
    if number.is_none() && !matches!(version.kind, ExprKind::Poisoned) {
        let diagnostic = Diagnostic::new(Code::Import, "not a version", version.span, "");
        found.push(diagnostic.help("write a whole number from 1 on"));
    }
    number
}

/// Warns of imports that nothing uses.
pub(super) fn unused(names: &Names, found: &mut Vec<Diagnostic>) {
    for (name, entry) in names.imports.iter().filter(|(_, entry)| !entry.used.get()) {
        let message = format!("import `{name}` is never used");
        found.push(Diagnostic::new(Code::Unused, message, entry.span, "").help("use it, or remove it"));
    }
}

impl Checker<'_> {
    /// The import of a name: none if there is none, none inside if it has errors.
    pub(super) fn import(&self, name: &str) -> Option<Option<Arc<Import>>> {
        let entry = self.names.imports.get(name)?;
        entry.used.set(true);
        Some(entry.import.clone())
    }

    /// Whether a call is one of an aggregate, the program's own included.
    pub(super) fn is_aggregate_call(&self, name: &str, n_arguments: usize) -> bool {
        let own = self.names.imports.get(name).and_then(|entry| entry.import.as_ref());
        own.map_or_else(|| functions::is_aggregate(name, n_arguments), |own| own.is_aggregate)
    }

    /// A call of an imported function.
    pub(super) fn own_function(
        &mut self,
        import: &Import,
        function: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Option<Typed> {
        let usage = usage(import);
        let callee = Callee { name: function, usage: &usage };
        // All are checked before any is missed.
        let given: Vec<Option<Typed>> = arguments.iter().map(|argument| self.expr(&argument.value)).collect();
        let n_wanted = import.arguments.len();
        self.counted(callee, arguments, n_wanted..=n_wanted)?;
        let given = given.into_iter().collect::<Option<Vec<_>>>()?;
        let taken: Vec<Option<Typed>> = given
            .into_iter()
            .zip(&import.arguments)
            .map(|(given, ty)| self.own_argument(callee, given, ty))
            .collect();
        let taken = taken.into_iter().collect::<Option<Vec<_>>>()?;
        let may_be_none = taken.iter().zip(&import.arguments).filter(|(_, ty)| !ty.optional);
        let of_arguments = may_be_none.map(|(typed, _)| typed.none).fold(NoneKind::Never, NoneKind::max);
        let own = if import.result.optional { NoneKind::Declared } else { of_result(&import.result.kind) };
        let func = Func::UserDefined(Arc::new(import.clone()));
        let kind = import.result.kind.clone();
        let typed = self.apply(func, taken, kind, of_arguments.max(own), span)?;
        if *typed.kind() == Kind::Bool && typed.none == NoneKind::Silent {
            self.or_false(typed)
        } else {
            Some(typed)
        }
    }

    fn own_argument(&mut self, callee: Callee<'_>, given: Typed, ty: &Type) -> Option<Typed> {
        if ty.optional && (given.literal.is_some() || *given.kind() == ty.kind) {
            return self.adapt(given, &ty.kind);
        }
        self.take(callee, given, &ty.kind)
    }

    /// Operation and arguments of an imported aggregate.
    pub(super) fn own_parts(
        &mut self,
        import: &Arc<Import>,
        function: &Name,
        plain: &[&Expr],
    ) -> Option<Parts> {
        let usage = usage(import);
        let callee = Callee { name: function, usage: &usage };
        let given: Vec<Option<Typed>> = plain.iter().map(|value| self.expr(value)).collect();
        self.n_arguments(callee, plain.len(), import.arguments.len()..=import.arguments.len())?;
        let given = given.into_iter().collect::<Option<Vec<_>>>()?;
        let adapted = given.into_iter().zip(&import.arguments).map(|(given, ty)| {
            // None is skipped, so only the kind counts.
            if given.literal.is_some() || *given.kind() == ty.kind {
                return self.adapt(given, &ty.kind);
            }
            self.wrong_kind(callee, &given, &format!("`{}`", ty.kind), "");
            None
        });
        let adapted: Vec<Option<Typed>> = adapted.collect();
        Some((AggregateOp::UserDefined(import.clone()), adapted.into_iter().collect::<Option<_>>()?))
    }
}

/// How an import is called.
fn usage(import: &Import) -> String {
    let types: Vec<String> = import.arguments.iter().map(ToString::to_string).collect();
    format!("{}({})", import.name, types.join(", "))
}

/// Whether user-defined code may fail to give a value of the kind: a float that is not finite, a time beyond
/// all years.
fn of_result(kind: &Kind) -> NoneKind {
    match kind {
        Kind::Float | Kind::Date | Kind::Timestamp | Kind::Duration => NoneKind::Silent,
        _ => NoneKind::Never,
    }
}

/// The presented type of an imported aggregate.
pub(super) fn presented(import: &Import) -> Type {
    let may_fail = of_result(&import.result.kind) != NoneKind::Never;
    Type { optional: import.result.optional || may_fail, ..import.result.clone() }
}
