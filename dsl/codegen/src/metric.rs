//! `#[metric]`: a function whose body is a chain becomes a typed definition.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::{FnArg, GenericArgument, ItemFn, Pat, Path, PathArguments, ReturnType, Type, parenthesized};

use crate::attributes::doc_lines;
use crate::chain::Writer;
use crate::definition::{Called, Definition, EventDefinition, ImportDefinition};
use crate::handle::{Handle, handle};
use crate::problem::Problems;
use crate::type_check;

/// Expands `#[metric]`: asks the event for its definition, to come back to [`metric_stage`].
pub fn metric(arguments: &TokenStream, item: &TokenStream) -> TokenStream {
    let expanded = syn::parse2::<Arguments>(arguments.clone()).and_then(|parsed| {
        let function = syn::parse2::<ItemFn>(item.clone())?;
        let (_, event) = parameter(&function)?;
        let krate = parsed.krate();
        Ok(quote!(#event! { [#krate::__private::metric_stage] (#arguments) #item }))
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
                quote!(#checked #[allow(dead_code)] #visibility fn #name() -> #krate::Metric { #krate::Metric::broken() })
            }
            Err(_) => item.clone(),
        };
        quote!(#problems #written)
    })
}

/// Called back with the definition of the event, the arguments of `#[metric]` and its function.
pub fn metric_stage(input: TokenStream) -> TokenStream {
    let staged = syn::parse2::<Called>(input).and_then(|called| {
        let staged = syn::parse2::<Staged>(called.rest)?;
        Ok((called.definitions, staged))
    });
    match staged {
        Ok((definitions, staged)) => match missing_import(&definitions, &staged) {
            // One after the other is asked for its definition; each puts it in front.
            Some(path) => {
                let krate = staged.arguments.krate();
                let known = definitions.iter().map(|definition| quote!({ #definition }));
                let rest = &staged.tokens;
                quote!(#path! { [#krate::__private::metric_stage] #(#known)* #rest })
            }
            None => expand(&definitions, &staged),
        },
        Err(error) => error.to_compile_error(),
    }
}

struct Staged {
    arguments: Arguments,
    function: ItemFn,
    /// Both, as they were handed through.
    tokens: TokenStream,
}

/// The first import that has not been asked for its definition.
fn missing_import<'a>(definitions: &[Definition], staged: &'a Staged) -> Option<&'a Path> {
    let n_known = definitions.iter().filter(|definition| matches!(definition, Definition::Import(_))).count();
    staged.arguments.imports.get(n_known)
}

impl Parse for Staged {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let tokens: TokenStream = input.fork().parse()?;
        let arguments;
        parenthesized!(arguments in input);
        Ok(Staged { arguments: arguments.parse()?, function: input.parse()?, tokens })
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

/// Name and event type of the one parameter, `payments: Events<Payment>`.
fn parameter(function: &ItemFn) -> syn::Result<(&Ident, &Path)> {
    let help =
        "a metric is over the events of one source\n\nhelp: write `fn name(events: Events<Event>) -> Metric`";
    let mut inputs = function.sig.inputs.iter();
    let parameter = match (inputs.next(), inputs.next()) {
        (Some(FnArg::Typed(parameter)), None) => parameter,
        (None, _) => return Err(syn::Error::new(function.sig.ident.span(), help)),
        (_, Some(second)) => return Err(syn::Error::new_spanned(second, help)),
        (Some(receiver), None) => return Err(syn::Error::new_spanned(receiver, help)),
    };
    let (Pat::Ident(name), Type::Path(ty)) = (parameter.pat.as_ref(), parameter.ty.as_ref()) else {
        return Err(syn::Error::new_spanned(parameter, help));
    };
    let events = ty.path.segments.last().filter(|segment| segment.ident == "Events");
    if let Some(PathArguments::AngleBracketed(arguments)) = events.map(|segment| &segment.arguments)
        && let Some(GenericArgument::Type(Type::Path(event))) = arguments.args.first()
    {
        return Ok((&name.ident, &event.path));
    }
    Err(syn::Error::new_spanned(&parameter.ty, help))
}

fn expand(definitions: &[Definition], staged: &Staged) -> TokenStream {
    let Staged { arguments, function, .. } = staged;
    let mut problems = Problems::default();
    let event_definition = definitions.iter().find_map(|definition| match definition {
        Definition::Event(event) => Some(event),
        _ => None,
    });
    let expansion = match (event_definition, parameter(function)) {
        (Some(definition), Ok((events, event))) => {
            let imports = imports_of(definitions, arguments);
            signature(function, &mut problems);
            let docs = doc_lines(&function.attrs);
            let name = &function.sig.ident;
            let text = Writer::new(definition, &imports, &mut problems).package(
                name,
                &docs,
                events,
                &function.block,
            );
            // Over a source with errors nothing more is to be said.
            let package = match (definition.text.is_empty(), problems.is_empty()) {
                (false, true) => text.check(&name.to_string(), &mut problems),
                _ => None,
            };
            let krate = arguments.krate();
            let checked = type_check::function(function, package.is_some(), &imports, &krate);
            let metric = package.as_ref().and_then(|package| package.metrics.first());
            let handle = handle(&Handle {
                name,
                visibility: &function.vis,
                attributes: &function.attrs,
                event: &event.to_token_stream(),
                metric: metric.map(|metric| (metric.as_ref(), text.as_str())),
                files: &[],
                imports: &imports_expression(&imports, &krate),
                origin: "`#[metric]` from the function of this name",
                krate: &krate,
            });
            quote!(#problems #checked #handle)
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
fn imports_of<'a>(definitions: &'a [Definition], arguments: &'a Arguments) -> Vec<Imported<'a>> {
    let known = definitions.iter().rev().filter_map(|definition| match definition {
        Definition::Import(import) => Some(import),
        _ => None,
    });
    known.zip(&arguments.imports).map(|(definition, path)| Imported { definition, path }).collect()
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
    function: &ItemFn,
) -> Result<String, String> {
    let mut problems = Problems::default();
    let (events, _) = parameter(function).map_err(|error| error.to_string())?;
    let docs = doc_lines(&function.attrs);
    let name = &function.sig.ident;
    let paths: Vec<Path> = imports.iter().map(|import| Path::from(import.ident.clone())).collect();
    let imports: Vec<Imported<'_>> =
        imports.iter().zip(&paths).map(|(definition, path)| Imported { definition, path }).collect();
    let text = Writer::new(definition, &imports, &mut problems).package(name, &docs, events, &function.block);
    if problems.is_empty() {
        text.check(&name.to_string(), &mut problems);
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
