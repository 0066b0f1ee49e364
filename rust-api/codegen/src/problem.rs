//! Errors in a user's tokens, as errors of the Rust compiler on those tokens.

use proc_macro2::{Group, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

/// Errors, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<(Span, Span, String)>);

impl Problems {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An error on one token.
    pub(crate) fn push(&mut self, span: Span, text: &str) {
        self.push_between(span, span, text);
    }

    /// An error on several tokens.
    pub(crate) fn push_on(&mut self, tokens: &impl ToTokens, text: &str) {
        let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
        let first = spans.next().unwrap_or_else(Span::call_site);
        self.push_between(first, spans.last().unwrap_or(first), text);
    }

    pub(crate) fn push_between(&mut self, start: Span, end: Span, text: &str) {
        self.0.push((start, end, text.to_owned()));
    }

    pub(crate) fn push_syn(&mut self, error: &syn::Error) {
        for error in error.clone() {
            let tokens = error.to_compile_error().into_iter();
            let mut spans = tokens.map(|token| token.span());
            let first = spans.next().unwrap_or_else(Span::call_site);
            self.push_between(first, spans.last().unwrap_or(first), &error.to_string());
        }
    }
}

impl ToTokens for Problems {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for (start, end, text) in &self.0 {
            // The compiler marks everything from the path to the end of the invocation.
            let mut message = TokenTree::from(Literal::string(text));
            message.set_span(*end);
            let mut body = Group::new(proc_macro2::Delimiter::Brace, message.into());
            body.set_span(*end);
            tokens.extend(quote_spanned!(*start=> ::core::compile_error!));
            tokens.extend([TokenTree::from(body)]);
        }
    }
}
