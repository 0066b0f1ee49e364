//! The parameters of a `#[metric]` function: events of a source, or metrics.

use proc_macro2::Ident;
use syn::{FnArg, GenericArgument, ItemFn, Pat, Path, PathArguments, Type};

/// What a metric reads.
pub(crate) enum MetricParameters<'a> {
    /// `payments: Events<Payment>`: the type.
    Events(&'a Path),
    /// `buyers: Metric, visitors: Metric`: their names; at least one.
    Metrics(Vec<&'a Ident>),
}

pub(crate) fn parameters(function: &ItemFn) -> syn::Result<MetricParameters<'_>> {
    let is_metric = |input: &FnArg| match input {
        FnArg::Typed(typed) => match (typed.pat.as_ref(), typed.ty.as_ref()) {
            (Pat::Ident(_), Type::Path(ty)) => {
                ty.path.segments.last().is_some_and(|segment| segment.ident == "Metric")
            }
            _ => false,
        },
        FnArg::Receiver(_) => false,
    };
    let inputs = &function.sig.inputs;
    if inputs.is_empty() || !inputs.iter().all(is_metric) {
        return event_parameter(function).map(|(_, event)| MetricParameters::Events(event));
    }
    let names = inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => match typed.pat.as_ref() {
            Pat::Ident(name) => Some(&name.ident),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    });
    let names: Vec<&Ident> = names.collect();
    if let Some(own) = names.iter().find(|name| ***name == function.sig.ident) {
        let help = "a metric cannot read itself\n\nhelp: read events, with `events: Events<Event>`";
        return Err(syn::Error::new(own.span(), help));
    }
    Ok(MetricParameters::Metrics(names))
}

/// Name and event type of the one parameter, `payments: Events<Payment>`.
pub(crate) fn event_parameter(function: &ItemFn) -> syn::Result<(&Ident, &Path)> {
    let help = "a metric reads the events of one source, or other metrics\n\nhelp: write \
                `fn name(events: Events<Event>) -> Metric`, or `fn name(one: Metric, other: Metric) -> Metric`";
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
