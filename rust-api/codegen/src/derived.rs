//! `#[metric]` over metrics: `fn conversion(buyers: Metric, visitors: Metric) -> Metric { buyers / visitors }`.
//!
//! Each metric that it is made of is a file of its own that the text uses, so that it means there what it means where it
//! is defined.

use metricc_dsl::Files;
use metricc_ir::AnyMetric;
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, ItemFn, Member, Visibility};

use crate::attributes::doc_lines;
use crate::chain::Writer;
use crate::definition::{Content, Definition, EventDefinition, MetricDefinition, UsedFile, export, reach};
use crate::handle::{Handle, handle};
use crate::language_text::LanguageText;
use crate::parameters::{Parameters, parameters};
use crate::problem::Problems;
use crate::scope::{Binding, Scope};

/// Units of `offset` in Rust and in the language.
const UNITS: [(&str, &str); 5] =
    [("days", "day"), ("weeks", "week"), ("months", "month"), ("quarters", "quarter"), ("years", "year")];

/// The files of the metrics that one is made of.
#[derive(Default)]
struct Operands(Vec<UsedFile>);

impl Files for Operands {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let file = self.0.iter().find(|file| file.name == name);
        file.ok_or_else(|| "there is no such file".to_owned())?.read()
    }
}

impl Operands {
    /// Adds a file; false if there is another one of that name.
    fn add(&mut self, file: &UsedFile) -> bool {
        match self.0.iter().find(|known| known.name == file.name) {
            Some(known) => known == file,
            None => {
                self.0.push(file.clone());
                true
            }
        }
    }
}

/// The items of a metric that is made of metrics; the definitions stand in the order of its parameters.
pub(crate) fn expand(
    function: &ItemFn,
    parameters: &[&Ident],
    definitions: &[&Definition],
    (krate, place): (&TokenStream, &str),
    mut problems: Problems,
) -> TokenStream {
    let (mut files, mut uses) = (Operands::default(), LanguageText::default());
    for (parameter, definition) in parameters.iter().zip(definitions) {
        let Definition::Metric(metric) = definition else {
            problems.push(
                parameter.span(),
                "no metric\n\nhelp: a parameter is the name of a function with `#[metric]`",
            );
            continue;
        };
        let own =
            UsedFile { name: format!("{}.metric", metric.name), content: Content::Text(metric.text.clone()) };
        let mut all = metric.files.iter().chain([&own]);
        if !all.all(|file| files.add(file)) {
            let help =
                "another metric of this name, or another table, is part of it\n\nhelp: rename one of them";
            problems.push(parameter.span(), help);
        }
        uses.push(&format!("use {0}.{{{0}}}\n", metric.name), parameter.span());
    }
    let is_known = definitions.iter().all(|definition| match definition {
        Definition::Metric(metric) => !metric.text.is_empty(),
        _ => false,
    });
    let text = text(function, parameters, &uses, &mut problems);
    let name = &function.sig.ident;
    let package = match is_known && problems.is_empty() {
        true => text.check(&name.to_string(), &files, &mut problems),
        false => None,
    };
    let metric = package
        .as_ref()
        .and_then(|package| package.all_metrics().find(|metric| name.unraw() == metric.name()));
    let event = event(metric.as_ref(), function, parameters, definitions, krate, &mut problems);
    let imports = quote!(
        #krate::own::Imports::new() #(.with(<#parameters::Definition as #krate::Definition>::imports()))*
    );
    // What is imported for it counts as used.
    let units = calendar_units(function);
    let signature = &function.sig;
    let sound_text = metric.as_ref().map_or("", |_| text.as_str());
    let left = left(name, &function.vis, place, sound_text, &files.0);
    let handle = handle(&Handle {
        name,
        visibility: &function.vis,
        attributes: &function.attrs,
        event: &event,
        metric: metric.as_ref().map(|metric| (metric, text.as_str())),
        files: &files.0,
        imports: &imports,
        origin: "`#[metric]` from the function of this name",
        krate,
    });
    quote! {
        #problems
        #[allow(dead_code, unused_variables)]
        const _: () = { #signature { #(let _ = #units;)* ::core::unreachable!() } };
        #handle
        #left
    }
}

/// The type of the events, where all are of one source: that of the parameter that is seen furthest, since others may not
/// be named as far as the metric is seen.
fn event(
    metric: Option<&AnyMetric>,
    function: &ItemFn,
    parameters: &[&Ident],
    definitions: &[&Definition],
    krate: &TokenStream,
    problems: &mut Problems,
) -> TokenStream {
    if metric.and_then(AnyMetric::only_source).is_none() {
        return quote!(());
    }
    let reach_of = |definition: &Definition| match definition {
        Definition::Metric(metric) => metric.reach,
        _ => 0,
    };
    let all =
        parameters.iter().zip(definitions).map(|(parameter, definition)| (parameter, reach_of(definition)));
    let Some((parameter, furthest)) = all.max_by_key(|(_, reach)| *reach) else { return quote!(()) };
    if furthest < reach(&function.vis) {
        let help = "it is seen less far than what is made of it\n\nhelp: give both the same visibility";
        problems.push(parameter.span(), help);
    }
    quote!(<#parameter::Definition as #krate::Definition>::Event)
}

/// The functions of calendars that its body names: `month` of `.every(month("Asia/Kolkata"))`.
fn calendar_units(function: &ItemFn) -> Vec<&Expr> {
    let mut units = Vec::new();
    let Some(syn::Stmt::Expr(body, None)) = function.block.stmts.first() else { return units };
    let mut body = body;
    while let Expr::MethodCall(call) = body {
        if let (true, Some(Expr::Call(unit))) = (call.method == "every", call.args.first()) {
            units.push(unit.func.as_ref());
        }
        body = &call.receiver;
    }
    units
}

/// The package of the function: what it uses, calendars, metric.
fn text(
    function: &ItemFn,
    parameters: &[&Ident],
    uses: &LanguageText,
    problems: &mut Problems,
) -> LanguageText {
    let nothing = EventDefinition {
        ident: function.sig.ident.clone(),
        name: String::new(),
        text: String::new(),
        fields: Vec::new(),
        enums: Vec::new(),
    };
    let mut writer = Writer::new(&nothing, &[], &[], problems);
    let mut scope = Scope::default();
    for parameter in parameters {
        scope.insert(parameter, Binding::Metric(parameter.unraw().to_string()));
    }
    let mut value = LanguageText::default();
    let mut clauses = LanguageText::default();
    if let Some(body) = writer.only_expression(&function.block) {
        let body = writer.clauses(body, &mut clauses);
        writer.output(body, &scope, &mut value);
    }
    let name = &function.sig.ident;
    let mut text = LanguageText::default();
    text.append(uses);
    writer.push_calendars(&mut text);
    doc_lines(&function.attrs).iter().for_each(|line| text.push(&format!("///{line}\n"), name.span()));
    text.push(&format!("metric {} = ", name.unraw()), name.span());
    text.append(&value);
    text.push(" {\n", name.span());
    text.append(&clauses);
    for clause in [&writer.window, &writer.unit].into_iter().flatten() {
        text.append(clause);
        text.push("\n", name.span());
    }
    text.push("}\n", name.span());
    text
}

impl Writer<'_> {
    /// Writes the clauses that stand behind a value: `.key_by(|k| k.shop)`, `.every(…)`, `.unit(…)`. The value.
    fn clauses<'b>(&mut self, body: &'b Expr, keys: &mut LanguageText) -> &'b Expr {
        let Expr::MethodCall(call) = body else { return body };
        match call.method.to_string().as_str() {
            "unit" => self.unit(call),
            "every" => self.every(call),
            "key_by" => self.keys_of_metrics(call, keys),
            _ => return body,
        }
        self.clauses(&call.receiver, keys)
    }

    /// `.key_by(|k| (k.country, k.shop))`: names of keys.
    fn keys_of_metrics(&mut self, call: &ExprMethodCall, keys: &mut LanguageText) {
        let help =
            "keys are taken by name\n\nhelp: write `.key_by(|k| k.shop)`, or `|k| (k.shop, k.country)`";
        let Some(Expr::Closure(closure)) = self.only_argument(call) else {
            return self.problems.push(call.method.span(), help);
        };
        let mut body = closure.body.as_ref();
        while let Expr::Paren(inner) = body {
            body = &inner.expr;
        }
        let parts: Vec<&Expr> = match body {
            Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            single => vec![single],
        };
        for (place, part) in parts.into_iter().enumerate() {
            let Expr::Field(syn::ExprField { member: Member::Named(name), .. }) = part else {
                self.problems.push_on(part, help);
                continue;
            };
            keys.push(if place == 0 { "  by " } else { ", " }, part.span());
            keys.push(&name.unraw().to_string(), name.span());
        }
        keys.push("\n", call.method.span());
    }

    /// `metric.offset(days(7))`, `metric.offset(168h)`; false if the call is none of a metric's.
    pub(crate) fn offset(&mut self, call: &ExprMethodCall, scope: &Scope, out: &mut LanguageText) -> bool {
        if call.method != "offset" {
            return false;
        }
        let Some(argument) = self.only_argument(call) else { return true };
        out.push("(", call.method.span());
        self.value(&call.receiver, scope, out);
        out.push(" offset ", call.method.span());
        match argument {
            Expr::Call(units) => self.units(units, out),
            length => self.literal_only(length, out),
        }
        out.push(")", call.method.span());
        true
    }

    /// `days(7)`
    fn units(&mut self, units: &syn::ExprCall, out: &mut LanguageText) {
        let known = match units.func.as_ref() {
            Expr::Path(path) => UNITS.iter().find(|(rust, _)| path.path.is_ident(rust)),
            _ => None,
        };
        let (Some((_, unit)), Some(number), 1) = (known, units.args.first(), units.args.len()) else {
            let help = "how far back?\n\nhelp: write `.offset(168h)`, or `days(7)`, `weeks(1)`, `months(1)`, `quarters(1)` or \
                        `years(1)`";
            return self.problems.push_on(units, help);
        };
        self.literal_only(number, out);
        out.push(&format!(" {unit}"), units.func.span());
    }
}

/// The text of the package of a function.
pub(crate) fn package_text(function: &ItemFn) -> Result<String, String> {
    let mut problems = Problems::default();
    let Ok(Parameters::Metrics(metrics)) = parameters(function) else { return Err("no metrics".to_owned()) };
    let mut uses = LanguageText::default();
    for metric in &metrics {
        uses.push(&format!("use {0}.{{{0}}}\n", metric.unraw()), metric.span());
    }
    let text = text(function, &metrics, &uses, &mut problems);
    if problems.is_empty() {
        Ok(text.as_str().to_owned())
    } else {
        Err(format!("{problems:?}\n{}", text.as_str()))
    }
}

/// Names that attributes have: a macro of such a name would stand in their way.
const ATTRIBUTES: [&str; 6] = ["metric", "scalar", "monoid", "test", "bench", "derive"];

/// What a metric leaves for those that are made of it.
pub(crate) fn left(
    name: &Ident,
    visibility: &Visibility,
    place: &str,
    text: &str,
    files: &[UsedFile],
) -> Option<TokenStream> {
    let is_free = !ATTRIBUTES.iter().any(|attribute| name == attribute);
    let definition = Definition::Metric(MetricDefinition {
        name: name.unraw().to_string(),
        text: text.to_owned(),
        files: files.to_vec(),
        reach: reach(visibility),
    });
    is_free.then(|| export(name, visibility, place, &definition))
}
