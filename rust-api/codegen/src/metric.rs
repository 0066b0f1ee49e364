//! `#[metric]`: a function whose body is a chain becomes a typed definition.

use metricc_dsl::Files;
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{ItemFn, Path, ReturnType, Type, parenthesized};

use crate::attributes::doc_lines;
use crate::chain::Writer;
use crate::definition::{Called, Definition, EventDefinition, ImportDefinition, TableDefinition};
use crate::derived;
use crate::handle::{Handle, handle};
use crate::lookup::{Table, tables_of};
use crate::parameters::{Parameters, event_parameter, parameters};
use crate::problem::Problems;
use crate::table::TableFiles;
use crate::type_check;

/// Expands `#[metric]`: asks the event for its definition, to come back to [`metric_stage`]. `place` says where it stands,
/// as a part of a name.
pub fn metric(arguments: &TokenStream, item: &TokenStream, place: &str) -> TokenStream {
    let expanded = syn::parse2::<Arguments>(arguments.clone()).and_then(|parsed| {
        let function = syn::parse2::<ItemFn>(item.clone())?;
        let first = match parameters(&function)? {
            Parameters::Events(event) => event.to_token_stream(),
            Parameters::Metrics(metrics) => metrics[0].to_token_stream(),
        };
        let krate = parsed.krate();
        Ok(quote!(#first! { [#krate::__private::metric_stage] (#arguments) #item }))
    });
    expanded.unwrap_or_else(|error| {
        let mut problems = Problems::default();
        problems.push_syn(&error);
        // What the author has written stays, so that an editor goes on completing it.
        let written = match syn::parse2::<ItemFn>(item.clone()) {
            Ok(function) => {
                let (name, visibility) = (&function.sig.ident, &function.vis);
                let krate = syn::parse2::<Arguments>(arguments.clone()).unwrap_or_default().krate();
                let checked = type_check::only_signature(&function, item);
                let left = derived::left(name, visibility, place, "", &[]);
                quote! {
                    #checked
                    #[allow(dead_code)]
                    #visibility fn #name() -> #krate::Metric { #krate::Metric::broken() }
                    #left
                }
            }
            Err(_) => item.clone(),
        };
        quote!(#problems #written)
    })
}

/// Called back with the definition of the event or of the metrics that it is made of, the arguments of `#[metric]` and its
/// function. `place` says where it stands, as a part of a name.
pub fn metric_stage(input: TokenStream, place: &str) -> TokenStream {
    let staged = syn::parse2::<Called>(input).and_then(|called| {
        let staged = syn::parse2::<Staged>(called.rest)?;
        Ok((called.definitions, staged))
    });
    match staged {
        Ok((definitions, staged)) => match staged.to_ask(&definitions) {
            // One after the other is asked for its definition; each puts it in front.
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
    arguments: Arguments,
    function: ItemFn,
    /// Types of the tables that it looks up, each once.
    tables: Vec<Path>,
    /// Arguments and function, as they were handed through.
    tokens: TokenStream,
}

impl Staged {
    /// Whose definition is asked for next: after the event the imports are, then the tables; or one metric after the
    /// other. Each answer stands in front of those before it.
    fn to_ask(&self, definitions: &[Definition]) -> Option<Path> {
        let next = definitions.len();
        match parameters(&self.function) {
            Ok(Parameters::Metrics(metrics)) => metrics.get(next).map(|metric| Path::from((*metric).clone())),
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

/// What stands in the parentheses of `#[metric(…)]`.
#[derive(Default)]
struct Arguments {
    krate: Option<Path>,
    debug: bool,
    /// `import(distance, GeometricMean)`: the crate's own functions and aggregates.
    imports: Vec<Path>,
}

impl Arguments {
    fn krate(&self) -> TokenStream {
        self.krate.as_ref().map_or_else(|| quote!(::metricc), |path| quote!(#path))
    }
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut found = Arguments::default();
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
                        let help = "`#[metric]` knows `import(f, M)`, `crate = path` and `debug`\n\nhelp: what is measured \
                                    stands in the function";
                        return Err(syn::Error::new(name.span(), help));
                    }
                }
            }
            input.parse::<Option<syn::Token![,]>>()?;
        }
        Ok(found)
    }
}

fn expand(definitions: &[Definition], staged: &Staged, place: &str) -> TokenStream {
    let Staged { arguments, function, .. } = staged;
    let mut problems = Problems::default();
    if let Ok(Parameters::Metrics(metrics)) = parameters(function) {
        let in_order: Vec<&Definition> = definitions.iter().rev().collect();
        if let Some(import) = arguments.imports.first() {
            let help =
                "a metric of metrics imports nothing\n\nhelp: import it in the metrics that it is made of";
            problems.push_on(import, help);
        }
        signature(function, &mut problems);
        let expansion = derived::expand(function, &metrics, &in_order, (&arguments.krate(), place), problems);
        crate::debug::print(arguments.debug, &function.sig.ident, &expansion);
        return expansion;
    }
    let event_definition = definitions.last().and_then(|definition| match definition {
        Definition::Event(event) => Some(event),
        _ => None,
    });
    let tables = looked_up(definitions, staged, &mut problems);
    let expansion = match (event_definition, event_parameter(function)) {
        (Some(definition), Ok((events, event))) => {
            let imports = imports_of(definitions, arguments, &mut problems);
            signature(function, &mut problems);
            let docs = doc_lines(&function.attrs);
            let name = &function.sig.ident;
            let writer = Writer::new(definition, &imports, &tables, &mut problems);
            let text = writer.package(name, &docs, events, &function.block);
            // Over a source with errors nothing more is to be said.
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
            let left = derived::left(name, &function.vis, place, sound_text, &files.0);
            let handle = handle(&Handle {
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
            quote!(#problems #checked #handle #left)
        }
        (_, Err(error)) => error.to_compile_error(),
        (_, Ok((_, event))) => {
            problems.push_on(
                event,
                "an enum is no event\n\nhelp: a metric is over a struct that derives `Event`",
            );
            quote!(#problems)
        }
    };
    crate::debug::print(arguments.debug, &function.sig.ident, &expansion);
    expansion
}

/// An import of a metric: what it is, and by which path.
pub(crate) struct Imported<'a> {
    pub(crate) definition: &'a ImportDefinition,
    pub(crate) path: &'a Path,
}

/// The imports in the order of their paths; the definitions come in the reverse one.
fn imports_of<'a>(
    definitions: &'a [Definition],
    arguments: &'a Arguments,
    problems: &mut Problems,
) -> Vec<Imported<'a>> {
    let known = definitions.iter().rev().skip(1).zip(&arguments.imports);
    let import = |(definition, path): (&'a Definition, &'a Path)| match definition {
        Definition::Import(definition) => Some(Imported { definition, path }),
        _ => {
            let help = "neither a function nor an aggregate\n\nhelp: mark it with `#[scalar]` or `#[monoid]`";
            problems.push_on(path, help);
            None
        }
    };
    known.filter_map(import).collect()
}

/// The tables that a metric looks up.
fn looked_up<'a>(
    definitions: &'a [Definition],
    staged: &'a Staged,
    problems: &mut Problems,
) -> Vec<Table<'a>> {
    let known = definitions.iter().rev().skip(1 + staged.arguments.imports.len()).zip(&staged.tables);
    let table = |(definition, path): (&'a Definition, &'a Path)| match definition {
        Definition::Table(definition) => Some(Table { definition, path }),
        _ => {
            problems.push_on(path, "no table\n\nhelp: a table is a struct that derives `Table`");
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
    quote!(#krate::own::Imports::new() #(#each)*)
}

/// The text of the package of a function, or all findings.
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
    let tables: Vec<Table<'_>> =
        tables.iter().zip(&types).map(|(definition, path)| Table { definition, path }).collect();
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
        problems.push_on(parameter, "a metric has no parameters\n\nhelp: write out the event's type");
    }
    let is_metric = match &signature.output {
        ReturnType::Type(_, ty) => match ty.as_ref() {
            Type::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == "Metric"),
            _ => false,
        },
        ReturnType::Default => false,
    };
    if !is_metric {
        let help = "the function gives a metric\n\nhelp: write `-> Metric`";
        match &signature.output {
            ReturnType::Default => problems.push(signature.ident.span(), help),
            ReturnType::Type(_, ty) => problems.push_on(ty, help),
        }
    }
}
