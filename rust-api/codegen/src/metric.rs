//! `#[metric]`: turns a function whose body is a chain of calls into a typed definition.

use metricc_dsl::Files;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{ItemFn, Path, ReturnType, Type, parenthesized};

use crate::attributes::doc_lines;
use crate::definition::{Called, EventDefinition, ImportDefinition, ItemDefinition, TableDefinition};
use crate::derived_metric;
use crate::metric_items::{MetricItems, metric_items};
use crate::parameters::{MetricParameters, event_parameter, parameters};
use crate::problem::Problems;
use crate::rust_syntax::tables_of;
use crate::table::TableFiles;
use crate::type_check;
use crate::writer::{Imported, LookedUpTable, Writer};

/// Expands `#[metric]`: calls the event's macro, which calls [`metric_stage`] back with its definition.
/// `place` is the call site, as a part of a name.
pub fn metric(arguments: &TokenStream, item: &TokenStream, place: &str) -> TokenStream {
    let expanded = syn::parse2::<MetricArguments>(arguments.clone()).and_then(|parsed| {
        let function = syn::parse2::<ItemFn>(item.clone())?;
        let first = match parameters(&function)? {
            MetricParameters::Events(event) => event.to_token_stream(),
            MetricParameters::Metrics(metrics) => metrics[0].to_token_stream(),
        };
        let krate = parsed.krate();
        Ok(quote!(#first! { [#krate::__private::metric_stage] (#arguments) #item }))
    });
    expanded.unwrap_or_else(|error| {
        let mut problems = Problems::default();
        problems.push_syn(&error);
        // The written function stays, so that an editor can still complete it.
        let written = match syn::parse2::<ItemFn>(item.clone()) {
            Ok(function) => {
                let (name, visibility) = (&function.sig.ident, &function.vis);
                let krate = syn::parse2::<MetricArguments>(arguments.clone()).unwrap_or_default().krate();
                let checked = type_check::only_signature(&function, item);
                let exported = derived_metric::export_metric(name, visibility, place, "", &[]);
                quote! {
                    #checked
                    #[allow(dead_code)]
                    #visibility fn #name() -> #krate::Metric { #krate::Metric::broken() }
                    #exported
                }
            }
            Err(_) => item.clone(),
        };
        quote!(#problems #written)
    })
}

/// Called back with the definition of the event, or those of the base metrics, then the arguments of
/// `#[metric]` and its function.
pub fn metric_stage(input: TokenStream, place: &str) -> TokenStream {
    let staged = syn::parse2::<Called>(input).and_then(|called| {
        let staged = syn::parse2::<Staged>(called.rest)?;
        Ok((called.definitions, staged))
    });
    match staged {
        Ok((definitions, staged)) => match staged.to_ask(&definitions) {
            // Each item is asked for its definition in turn; it puts that before the earlier ones.
            Some(path) => {
                let krate = staged.arguments.krate();
                let known = definitions.iter().map(|definition| quote!({ #definition }));
                let rest = &staged.tokens;
                quote!(#path! { [#krate::__private::metric_stage] #(#known)* #rest })
            }
            None => expand(&definitions, &staged, place),
        },
        Err(error) => error.to_compile_error(),
    }
}

struct Staged {
    arguments: MetricArguments,
    function: ItemFn,
    /// Types of the tables that it looks up, each once.
    tables: Vec<Path>,
    /// Arguments and function, as they were passed through.
    tokens: TokenStream,
}

impl Staged {
    /// The item whose definition is needed next: after the event the imports, then the tables; or metric by
    /// metric. Each definition is put before the earlier ones.
    fn to_ask(&self, definitions: &[ItemDefinition]) -> Option<Path> {
        let next = definitions.len();
        match parameters(&self.function) {
            Ok(MetricParameters::Metrics(metrics)) => {
                metrics.get(next).map(|metric| Path::from((*metric).clone()))
            }
            _ => self.arguments.imports.iter().chain(&self.tables).nth(next.checked_sub(1)?).cloned(),
        }
    }
}

impl Parse for Staged {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let tokens: TokenStream = input.fork().parse()?;
        let arguments;
        parenthesized!(arguments in input);
        let (arguments, function) = (arguments.parse()?, input.parse()?);
        let tables = tables_of(&function);
        Ok(Staged { arguments, function, tables, tokens })
    }
}

/// The arguments of `#[metric(…)]`.
#[derive(Default)]
struct MetricArguments {
    krate: Option<Path>,
    debug: bool,
    /// `import(distance, GeometricMean)`: user-defined functions and aggregates.
    imports: Vec<Path>,
}

impl MetricArguments {
    fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::metricc), |path| quote!(#path))
    }
}

impl Parse for MetricArguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut found = MetricArguments::default();
        while !input.is_empty() {
            if input.peek(syn::Token![crate]) {
                input.parse::<syn::Token![crate]>()?;
                input.parse::<syn::Token![=]>()?;
                found.krate = Some(input.call(Path::parse_mod_style)?);
            } else {
                let name: Ident = input.parse()?;
                match name.to_string().as_str() {
                    "debug" => found.debug = true,
                    "import" => {
                        let paths;
                        parenthesized!(paths in input);
                        let paths = paths.parse_terminated(Path::parse_mod_style, syn::Token![,])?;
                        found.imports.extend(paths);
                    }
                    _ => {
                        let help = "unknown setting of `#[metric]`\n\nhelp: settings are `import(f, M)`, `crate = path` and \
                                    `debug`";
                        return Err(syn::Error::new(name.span(), help));
                    }
                }
            }
            input.parse::<Option<syn::Token![,]>>()?;
        }
        Ok(found)
    }
}

fn expand(definitions: &[ItemDefinition], staged: &Staged, place: &str) -> TokenStream {
    let Staged { arguments, function, .. } = staged;
    let expansion = match parameters(function) {
        Ok(MetricParameters::Metrics(metrics)) => expand_derived(definitions, staged, &metrics, place),
        _ => expand_over_events(definitions, staged, place),
    };
    crate::debug::print(arguments.debug, &function.sig.ident, &expansion);
    expansion
}

fn expand_derived(
    definitions: &[ItemDefinition],
    staged: &Staged,
    metrics: &[&Ident],
    place: &str,
) -> TokenStream {
    let Staged { arguments, function, .. } = staged;
    let mut problems = Problems::default();
    let in_order: Vec<&ItemDefinition> = definitions.iter().rev().collect();
    if let Some(import) = arguments.imports.first() {
        let help = "a derived metric imports nothing\n\nhelp: import it in the base metrics";
        problems.push_on(import, help);
    }
    signature(function, &mut problems);
    derived_metric::expand(function, metrics, &in_order, (&arguments.krate(), place), problems)
}

fn expand_over_events(definitions: &[ItemDefinition], staged: &Staged, place: &str) -> TokenStream {
    let Staged { arguments, function, .. } = staged;
    let mut problems = Problems::default();
    let event_definition = definitions.last().and_then(|definition| match definition {
        ItemDefinition::Event(event) => Some(event),
        _ => None,
    });
    let tables = looked_up(definitions, staged, &mut problems);
    match (event_definition, event_parameter(function)) {
        (Some(definition), Ok((events, event))) => {
            let imports = imports_of(definitions, arguments, &mut problems);
            signature(function, &mut problems);
            let docs = doc_lines(&function.attrs);
            let name = &function.sig.ident;
            let writer = Writer::new(definition, &imports, &tables, &mut problems);
            let text = writer.package(name, &docs, events, &function.block);
            // The source's own errors are reported already; checking the metric would only repeat them.
            let is_whole =
                !definition.text.is_empty() && tables.iter().all(|table| !table.definition.text.is_empty());
            let files = TableFiles::of(tables.iter().map(|table| table.definition));
            let package = match is_whole && problems.is_empty() {
                true => text.check(&name.to_string(), &files, &mut problems),
                false => None,
            };
            let krate = arguments.krate();
            let checked = type_check::function(function, package.is_some(), &imports, &krate);
            let metric = package.as_ref().and_then(|package| package.all_metrics().next());
            let sound_text = metric.as_ref().map_or("", |_| text.as_str());
            let exported = derived_metric::export_metric(name, &function.vis, place, sound_text, &files.0);
            let items = metric_items(&MetricItems {
                name,
                visibility: &function.vis,
                attributes: &function.attrs,
                event: &event.to_token_stream(),
                metric: metric.as_ref().map(|metric| (metric, text.as_str())),
                files: &files.0,
                imports: &imports_expression(&imports, &krate),
                origin: "`#[metric]` from the function of this name",
                krate: &krate,
            });
            quote!(#problems #checked #items #exported)
        }
        (_, Err(error)) => error.to_compile_error(),
        (_, Ok((_, event))) => {
            let is_record = matches!(definitions.last(), Some(ItemDefinition::Record(_)));
            let what = if is_record { "a record" } else { "an enum" };
            let help = "a metric reads a struct that derives `Event`";
            problems.push_on(event, &format!("{what} is not an event\n\nhelp: {help}"));
            quote!(#problems)
        }
    }
}

/// The imports in the order of their paths; the definitions come in the reverse one.
fn imports_of<'a>(
    definitions: &'a [ItemDefinition],
    arguments: &'a MetricArguments,
    problems: &mut Problems,
) -> Vec<Imported<'a>> {
    let known = definitions.iter().rev().skip(1).zip(&arguments.imports);
    let import = |(definition, path): (&'a ItemDefinition, &'a Path)| match definition {
        ItemDefinition::Import(definition) => Some(Imported { definition, path }),
        _ => {
            let help =
                "not a user-defined function or aggregate\n\nhelp: mark it with `#[scalar]` or `#[monoid]`";
            problems.push_on(path, help);
            None
        }
    };
    known.filter_map(import).collect()
}

/// The tables that a metric looks up.
fn looked_up<'a>(
    definitions: &'a [ItemDefinition],
    staged: &'a Staged,
    problems: &mut Problems,
) -> Vec<LookedUpTable<'a>> {
    let known = definitions.iter().rev().skip(1 + staged.arguments.imports.len()).zip(&staged.tables);
    let table = |(definition, path): (&'a ItemDefinition, &'a Path)| match definition {
        ItemDefinition::Table(definition) => Some(LookedUpTable { definition, path }),
        _ => {
            problems.push_on(path, "not a table\n\nhelp: a table is a struct that derives `Table`");
            None
        }
    };
    known.filter_map(table).collect()
}

/// The value of `Definition::imports`.
fn imports_expression(imports: &[Imported<'_>], krate: &TokenStream) -> TokenStream {
    let each = imports.iter().map(|Imported { definition, path }| match definition.is_aggregate {
        true => quote!(.aggregate(#path)),
        false => quote!(.function(#path::Import)),
    });
    quote!(#krate::user_defined::Imports::new() #(#each)*)
}

/// The text of the package of a function, or all errors.
pub(crate) fn package_text(
    definition: &EventDefinition,
    imports: &[ImportDefinition],
    tables: &[TableDefinition],
    function: &ItemFn,
    files: &dyn Files,
) -> Result<String, String> {
    let mut problems = Problems::default();
    let (events, _) = event_parameter(function).map_err(|error| error.to_string())?;
    let docs = doc_lines(&function.attrs);
    let name = &function.sig.ident;
    let paths: Vec<Path> = imports.iter().map(|import| Path::from(import.ident.clone())).collect();
    let imports: Vec<Imported<'_>> =
        imports.iter().zip(&paths).map(|(definition, path)| Imported { definition, path }).collect();
    let types: Vec<Path> = tables.iter().map(|table| Path::from(table.ident.clone())).collect();
    let tables: Vec<LookedUpTable<'_>> =
        tables.iter().zip(&types).map(|(definition, path)| LookedUpTable { definition, path }).collect();
    let writer = Writer::new(definition, &imports, &tables, &mut problems);
    let text = writer.package(name, &docs, events, &function.block);
    if problems.is_empty() {
        text.check(&name.to_string(), files, &mut problems);
    }
    if problems.is_empty() {
        Ok(text.as_str().to_owned())
    } else {
        Err(format!("{problems:?}\n{}", text.as_str()))
    }
}

fn signature(function: &ItemFn, problems: &mut Problems) {
    let signature = &function.sig;
    let wrong = [
        signature.asyncness.map(|token| token.span),
        signature.unsafety.map(|token| token.span),
        signature.constness.map(|token| token.span),
    ];
    for span in wrong.into_iter().flatten() {
        problems.push(span, "a metric is a plain function");
    }
    if let Some(parameter) = signature.generics.params.first() {
        problems.push_on(parameter, "a metric cannot be generic\n\nhelp: write out the event's type");
    }
    let is_metric = match &signature.output {
        ReturnType::Type(_, ty) => match ty.as_ref() {
            Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Metric"),
            _ => false,
        },
        ReturnType::Default => false,
    };
    if !is_metric {
        let help = "the function must return `Metric`\n\nhelp: write `-> Metric`";
        match &signature.output {
            ReturnType::Default => problems.push(signature.ident.span(), help),
            ReturnType::Type(_, ty) => problems.push_on(ty, help),
        }
    }
}
