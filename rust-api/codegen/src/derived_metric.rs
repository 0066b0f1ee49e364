//! `#[metric]` over metrics:
//! `fn conversion(buyers: Metric, visitors: Metric) -> Metric { buyers / visitors }`.
//!
//! Each base metric becomes a file that the text uses, so that it means the same there as where it is
//! defined.

use metricc_dsl::Files;
use metricc_ir::AnyMetric;
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned;
use syn::{Expr, ItemFn, Visibility};

use crate::attributes::doc_lines;
use crate::definition::{
    EventDefinition, FileContent, ItemDefinition, MetricDefinition, UsedFile, export, reach,
};
use crate::language_text::LanguageText;
use crate::metric_items::{MetricItems, metric_items};
use crate::parameters::{MetricParameters, parameters};
use crate::problem::Problems;
use crate::scope::{Binding, Scope};
use crate::writer::Writer;

/// The files of the metrics that a derived metric reads.
#[derive(Default)]
struct OperandFiles(Vec<UsedFile>);

impl Files for OperandFiles {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let file = self.0.iter().find(|file| file.name == name);
        file.ok_or_else(|| "there is no such file".to_owned())?.read()
    }
}

impl OperandFiles {
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

/// The items of a derived metric; the definitions are in the order of its parameters.
pub(crate) fn expand(
    function: &ItemFn,
    parameters: &[&Ident],
    definitions: &[&ItemDefinition],
    (krate, place): (&TokenStream, &str),
    mut problems: Problems,
) -> TokenStream {
    let (mut files, mut uses) = (OperandFiles::default(), LanguageText::default());
    for (parameter, definition) in parameters.iter().zip(definitions) {
        let ItemDefinition::Metric(metric) = definition else {
            problems.push(
                parameter.span(),
                "not a metric\n\nhelp: a parameter has the name of a function with `#[metric]`",
            );
            continue;
        };
        let own = UsedFile {
            name: format!("{}.metric", metric.name),
            content: FileContent::Text(metric.text.clone()),
        };
        let mut all = metric.files.iter().chain([&own]);
        if !all.all(|file| files.add(file)) {
            let help = "two different metrics or tables have this name\n\nhelp: rename one of them";
            problems.push(parameter.span(), help);
        }
        uses.push(&format!("use {0}.{{{0}}}\n", metric.name), parameter.span());
    }
    let is_known = definitions.iter().all(|definition| match definition {
        ItemDefinition::Metric(metric) => !metric.text.is_empty(),
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
        #krate::user_defined::Imports::new() #(.with(<#parameters::Definition as #krate::Definition>::imports()))*
    );
    // Functions of calendar units that the body names count as used.
    let units = calendar_units(function);
    let signature = &function.sig;
    let sound_text = metric.as_ref().map_or("", |_| text.as_str());
    let exported = export_metric(name, &function.vis, place, sound_text, &files.0);
    let items = metric_items(&MetricItems {
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
        #items
        #exported
    }
}

/// The event type, where all base metrics read one source: that of the most visible parameter, since the
/// types of the others may be less visible than the metric.
fn event(
    metric: Option<&AnyMetric>,
    function: &ItemFn,
    parameters: &[&Ident],
    definitions: &[&ItemDefinition],
    krate: &TokenStream,
    problems: &mut Problems,
) -> TokenStream {
    if metric.and_then(AnyMetric::only_source).is_none() {
        return quote!(());
    }
    let reach_of = |definition: &ItemDefinition| match definition {
        ItemDefinition::Metric(metric) => metric.reach,
        _ => 0,
    };
    let all =
        parameters.iter().zip(definitions).map(|(parameter, definition)| (parameter, reach_of(definition)));
    let Some((parameter, furthest)) = all.max_by_key(|(_, reach)| *reach) else { return quote!(()) };
    if furthest < reach(&function.vis) {
        let help = "less visible than the metric that reads it\n\nhelp: give both the same visibility";
        problems.push(parameter.span(), help);
    }
    quote!(<#parameter::Definition as #krate::Definition>::Event)
}

/// The functions of calendar units that the body names: `month` of `.every(month("Asia/Kolkata"))`.
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
        records: Vec::new(),
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

/// The text of the package of a function.
pub(crate) fn package_text(function: &ItemFn) -> Result<String, String> {
    let mut problems = Problems::default();
    let Ok(MetricParameters::Metrics(metrics)) = parameters(function) else {
        return Err("no metrics".to_owned());
    };
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

/// Names of attributes: a macro of the same name would shadow the attribute.
const ATTRIBUTES: [&str; 6] = ["metric", "scalar", "monoid", "test", "bench", "derive"];

/// Exports a metric to the derived metrics that read it.
pub(crate) fn export_metric(
    name: &Ident,
    visibility: &Visibility,
    place: &str,
    text: &str,
    files: &[UsedFile],
) -> Option<TokenStream> {
    let is_free = !ATTRIBUTES.iter().any(|attribute| name == attribute);
    let definition = ItemDefinition::Metric(MetricDefinition {
        name: name.unraw().to_string(),
        text: text.to_owned(),
        files: files.to_vec(),
        reach: reach(visibility),
    });
    is_free.then(|| export(name, visibility, place, &definition))
}
