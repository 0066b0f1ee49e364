//! `.lookup::<Shop>(|p| p.shop_id)`: the row of a table.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall};

use super::Writer;
use crate::definition::EnumDefinition;
use crate::language_text::LanguageText;
use crate::rust_syntax::table_path;
use crate::scope::Binding;

impl Writer<'_> {
    /// `.lookup::<Shop>(|p| p.shop_id)`: closures after it are given `(p, shop)`.
    pub(crate) fn lookup(&mut self, call: &ExprMethodCall) {
        let path = table_path(call);
        let table = path.and_then(|path| self.tables.iter().find(|table| table.path == path));
        let Some(table) = table else {
            if path.is_none() {
                let help = "the table is missing\n\nhelp: write `.lookup::<Shop>(|p| p.shop_id)`, for a struct that derives `Table`";
                self.problems.push(call.method.span(), help);
            }
            let unknown = Binding::Found { name: "unknown".to_owned(), fields: Vec::new() };
            self.row = Binding::Tuple(vec![self.row.clone(), unknown]);
            return;
        };
        let table = table.definition;
        let row = self.row.clone();
        let Some((scope, body)) = self.closure_of(call, &row) else { return };
        let keys: Vec<&Expr> = match &body {
            Expr::Tuple(tuple) => tuple.elems.iter().collect(),
            key => vec![key],
        };
        let mut text = LanguageText::default();
        for (place, key) in keys.iter().enumerate() {
            if place > 0 {
                text.push(", ", key.span());
            }
            self.value(key, &scope, &mut text);
        }
        let name = self.unique(&format!("{}_row", table.name));
        let span = call.turbofish.as_ref().map_or(call.method.span(), Spanned::span);
        self.bindings.push(&format!("  lookup {name} = "), call.method.span());
        self.bindings.push(&table.name, span);
        self.bindings.push("[", span);
        self.bindings.append(&text);
        self.bindings.push("]\n", span);
        self.row = Binding::Tuple(vec![row, Binding::Found { name, fields: table.fields.clone() }]);
    }

    /// The enum of the event or of a table whose Rust name is the last part of a path to a variant.
    pub(crate) fn enumeration(&self, ident: &Ident) -> Option<&EnumDefinition> {
        let of_tables = self.tables.iter().flat_map(|table| &table.definition.enums);
        self.definition.enums.iter().chain(of_tables).find(|known| known.ident == *ident)
    }
}
