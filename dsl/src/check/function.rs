//! Calls: which function a name means, and what the arguments of all functions have in common.

use std::ops::RangeInclusive;

use super::checker::{Checker, Typed};
use super::literal::Literal;
use crate::ast::{Argument, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions;
use metricc_ir::{Kind, suggest};

/// The function of a call, and how it is written.
#[derive(Clone, Copy)]
pub(super) struct Callee<'c> {
    pub(super) name: &'c Name,
    pub(super) usage: &'c str,
}

impl Callee<'_> {
    pub(super) fn quoted(self) -> String {
        format!("`{}`", self.name.text)
    }
}

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        calendar: Option<&Name>,
        span: Span,
    ) -> Option<Typed> {
        let name = function.text.as_str();
        if let Some(import) = self.import(name) {
            let import = import?;
            return match import.is_aggregate {
                true => self.aggregate(function, arguments, None, span),
                false => self.own_function(&import, function, arguments, span),
            };
        }
        if functions::is_aggregate(name, arguments.len()) {
            return self.aggregate(function, arguments, None, span);
        }
        match functions::scalar(name) {
            Some(spec) => self.scalar(spec, function, arguments, calendar, span),
            None => {
                self.unknown_function(function, arguments);
                None
            }
        }
    }

    fn unknown_function(&mut self, function: &Name, arguments: &[Argument]) {
        let name = function.text.as_str();
        for argument in arguments {
            // Names and types inside are checked all the same; places of aggregates cannot be judged.
            if !self.is_output() {
                self.expr(&argument.value);
            }
        }
        if let Some(unlawful) = functions::unlawful(name) {
            let message = format!("`{name}` has no state that merges to the same bytes in every order");
            let diagnostic = Diagnostic::new(Code::NoLawfulState, message, function.span, "");
            self.report(diagnostic.help(unlawful.reason).help(unlawful.help));
            return;
        }
        let message = format!("there is no function `{name}`");
        let diagnostic = Diagnostic::new(Code::UnknownFunction, message, function.span, "");
        self.report(match (functions::instead(name), &functions::meant(name)[..]) {
            _ if functions::reads_the_clock(name) => {
                diagnostic.help("a metric gives the same for ever: compare with the event's own times")
            }
            (Some(help), _) => diagnostic.help(help),
            (None, []) => diagnostic.help(
                "`metricc explain M0018` says where the functions are listed; one of your own is imported: `import \
                 function`",
            ),
            (None, meant) => diagnostic.help(format!("did you mean {}?", suggest::one_of(meant))),
        });
    }

    /// Reports named arguments, of which a function has none, and a wrong number of arguments.
    pub(super) fn counted(
        &mut self,
        callee: Callee<'_>,
        arguments: &[Argument],
        n_wanted: RangeInclusive<usize>,
    ) -> Option<()> {
        let Some(argument) = arguments.iter().find_map(|argument| argument.name.as_ref()) else {
            return self.n_arguments(callee, arguments.len(), n_wanted);
        };
        let message = format!("{} has no argument `{}`", callee.quoted(), argument.text);
        self.report(
            Diagnostic::new(Code::Arguments, message, argument.span, "")
                .help(format!("remove `{}:`", argument.text)),
        );
        None
    }

    /// Reports a wrong number of arguments.
    pub(super) fn n_arguments(
        &mut self,
        callee: Callee<'_>,
        n_given: usize,
        n_wanted: RangeInclusive<usize>,
    ) -> Option<()> {
        if n_wanted.contains(&n_given) {
            return Some(());
        }
        let wanted = match n_wanted.into_inner() {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "one argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) if most < 256 => format!("{least} to {most} arguments"),
            (least, _) => format!("at least {least} arguments"),
        };
        let message = format!("{} takes {wanted}", callee.quoted());
        let diagnostic =
            Diagnostic::new(Code::Arguments, message, callee.name.span, format!("it has {n_given}"));
        self.report(match wanted.as_str() {
            "no arguments" => diagnostic
                .help(format!("`{0}` counts events; leave some out with `{0} where …`", callee.usage)),
            _ => diagnostic.help(format!("write `{}`", callee.usage)),
        });
        None
    }

    /// An argument of one kind that is there.
    pub(super) fn take(&mut self, callee: Callee<'_>, typed: Typed, kind: &Kind) -> Option<Typed> {
        let typed = self.need_value(typed, &callee.quoted())?;
        let is_text = matches!(typed.literal, Some(Literal::Text(_)));
        if typed.kind() == kind || (is_text && matches!(kind, Kind::Timestamp | Kind::Date)) {
            return self.adapt(typed, kind);
        }
        let help = match typed.kind() {
            Kind::Enum(_) if *kind == Kind::String => "`text(x)` makes a string of an enum",
            Kind::Float | Kind::Decimal { .. } if *kind == Kind::Int => "`int(x)` drops the fraction",
            _ => "",
        };
        self.wrong_kind(callee, &typed, &format!("`{kind}`"), help);
        None
    }

    /// Reports an argument of a kind that a function does not take.
    pub(super) fn wrong_kind(&mut self, callee: Callee<'_>, typed: &Typed, expected: &str, help: &str) {
        let message = format!("{} takes {expected}", callee.quoted());
        let label = format!("this is `{}`", typed.kind());
        let diagnostic = Diagnostic::new(Code::TypeMismatch, message, typed.span, label);
        let usage = format!("write `{}`", callee.usage);
        self.report(diagnostic.help(if help.is_empty() { usage } else { help.to_owned() }));
    }
}
