//! Types of Rust fields as types of the language.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{GenericArgument, Path, PathArguments, PathSegment, Type};

/// The type of a field, as far as its tokens show it.
#[derive(Debug, Clone)]
pub(crate) enum FieldType {
    /// `bool`, `int`, `float`, `string`, `date`, `timestamp` or `duration`.
    Scalar(&'static str, Span),
    /// A decimal; precision and scale are in an attribute.
    Decimal(Span),
    /// An enum or a record that derives `Event`, by the path that is written.
    Named(Path),
    List(Box<FieldType>),
    Optional(Box<FieldType>),
}

const SCALARS: [(&str, &str); 19] = [
    ("bool", "bool"),
    ("i8", "int"),
    ("i16", "int"),
    ("i32", "int"),
    ("i64", "int"),
    ("u8", "int"),
    ("u16", "int"),
    ("u32", "int"),
    ("f32", "float"),
    ("f64", "float"),
    ("String", "string"),
    ("Date", "date"),
    ("NaiveDate", "date"),
    ("Timestamp", "timestamp"),
    ("DateTime", "timestamp"),
    ("NaiveDateTime", "timestamp"),
    ("Zoned", "timestamp"),
    ("SignedDuration", "duration"),
    ("TimeDelta", "duration"),
];

/// Types that are often tried, and what to write instead.
const UNSUPPORTED: [(&str, &str); 10] = [
    ("u64", "an `int` has 63 bits besides its sign: use `i64`"),
    ("usize", "an `int` has 64 bits on every machine: use `i64`"),
    ("isize", "an `int` has 64 bits on every machine: use `i64`"),
    ("u128", "an `int` has 64 bits: use `i64`"),
    ("i128", "an `int` has 64 bits: use `i64`"),
    ("str", "an event owns its text: use `String`"),
    ("char", "a text is a `String`"),
    ("HashMap", "give each value a field, or use a struct with `#[derive(Event)]` and `#[event(record)]`"),
    ("BTreeMap", "give each value a field, or use a struct with `#[derive(Event)]` and `#[event(record)]`"),
    ("SystemTime", "use `jiff::Timestamp` or `chrono::DateTime<Utc>`"),
];

impl FieldType {
    /// # Errors
    /// On the smallest type that a field cannot have.
    pub(crate) fn of(ty: &Type) -> syn::Result<Self> {
        let unknown = |help: &str| Err(syn::Error::new_spanned(ty, unsupported(ty, help)));
        let path = match ty {
            Type::Path(path) if path.qself.is_none() => &path.path,
            Type::Group(group) => return FieldType::of(&group.elem),
            Type::Paren(inner) => return FieldType::of(&inner.elem),
            Type::Array(_) | Type::Slice(_) => return unknown("use `Vec`"),
            Type::Reference(_) => return unknown("an event owns its values: use `String` or `Vec`"),
            Type::Tuple(_) => return unknown("give each value a field of its own"),
            _ => return unknown("use a scalar, an enum or record that derives `Event`, `Option` or `Vec`"),
        };
        let Some(segment) = path.segments.last() else { return unknown("name a type") };
        let name = segment.ident.to_string();
        if let Some((_, help)) = UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
            return unknown(help);
        }
        Ok(match name.as_str() {
            "Option" => FieldType::Optional(Box::new(FieldType::of(argument(segment)?)?)),
            "Vec" => FieldType::List(Box::new(FieldType::of(argument(segment)?)?)),
            "Decimal" => FieldType::Decimal(ty.span()),
            _ => match SCALARS.iter().find(|(rust, _)| *rust == name) {
                Some((_, scalar)) => FieldType::Scalar(scalar, ty.span()),
                None if matches!(segment.arguments, PathArguments::None) => FieldType::Named(path.clone()),
                None => {
                    return unknown(
                        "use a scalar, an enum or record that derives `Event`, `Option` or `Vec`",
                    );
                }
            },
        })
    }

    /// The enum or record at the bottom, if there is one.
    pub(crate) fn named(&self) -> Option<&Path> {
        match self {
            FieldType::Named(path) => Some(path),
            FieldType::List(inner) | FieldType::Optional(inner) => inner.named(),
            _ => None,
        }
    }

    /// Whether there is a decimal at the bottom.
    pub(crate) fn is_decimal(&self) -> bool {
        match self {
            FieldType::Decimal(_) => true,
            FieldType::List(inner) | FieldType::Optional(inner) => inner.is_decimal(),
            _ => false,
        }
    }
}

/// The last name of a path.
pub(crate) fn last_name(path: &Path) -> Option<&Ident> {
    path.segments.last().map(|segment| &segment.ident)
}

fn argument(segment: &PathSegment) -> syn::Result<&Type> {
    if let PathArguments::AngleBracketed(arguments) = &segment.arguments
        && let Some(GenericArgument::Type(ty)) = arguments.args.first()
    {
        return Ok(ty);
    }
    let name = &segment.ident;
    Err(syn::Error::new(name.span(), format!("`{name}` of what? write `{name}<…>`")))
}

fn unsupported(ty: &Type, help: &str) -> String {
    let mut ty = ty.to_token_stream().to_string();
    for (spaced, plain) in [(" :: ", "::"), (" <", "<"), ("< ", "<"), (" >", ">"), (" ,", ","), ("& ", "&")] {
        ty = ty.replace(spaced, plain);
    }
    format!("the metric language has no `{ty}`\n\nhelp: {help}")
}
