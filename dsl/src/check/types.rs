//! Types as written → [`Type`].

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::ast::{Expr, ExprKind, TypeRef};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use metricc_ir::suggest;
use metricc_ir::{Kind, Type};

const NAMES: [&str; 10] =
    ["bool", "int", "decimal", "float", "string", "enum", "date", "timestamp", "duration", "list"];

/// Names that other languages give to our types.
const FOREIGN: [(&str, &str); 20] = [
    ("boolean", "bool"),
    ("integer", "int"),
    ("bigint", "int"),
    ("int32", "int"),
    ("int64", "int"),
    ("i64", "int"),
    ("long", "int"),
    ("int128", "int"),
    ("numeric", "decimal"),
    ("money", "decimal"),
    ("double", "float"),
    ("float64", "float"),
    ("f64", "float"),
    ("real", "float"),
    ("number", "decimal"),
    ("text", "string"),
    ("varchar", "string"),
    ("datetime", "timestamp"),
    ("interval", "duration"),
    ("array", "list"),
];

/// The type; `None` if it is not one, which is reported.
pub(super) fn resolve(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> Option<Type> {
    let kind = match ty.name.text.as_str() {
        "decimal" => decimal(ty, found)?,
        "enum" => enumeration(ty, found)?,
        "list" => list(ty, found)?,
        "bool" => plain(ty, Kind::Bool, found)?,
        "int" => plain(ty, Kind::Int, found)?,
        "float" => plain(ty, Kind::Float, found)?,
        "string" => plain(ty, Kind::String, found)?,
        "date" => plain(ty, Kind::Date, found)?,
        "timestamp" => plain(ty, Kind::Timestamp, found)?,
        "duration" => plain(ty, Kind::Duration, found)?,
        _ => {
            found.push(unknown(ty));
            return None;
        }
    };
    Some(Type { kind, optional: ty.optional })
}

fn unknown(ty: &TypeRef) -> Diagnostic {
    let name = ty.name.text.as_str();
    let diagnostic =
        Diagnostic::new(Code::UnknownType, format!("there is no type `{name}`"), ty.name.span, "");
    let own = FOREIGN.iter().find(|(foreign, _)| foreign.eq_ignore_ascii_case(name)).map(|(_, own)| *own);
    match own.or_else(|| suggest::nearest(name, NAMES)) {
        Some(own) => diagnostic.help(format!("did you mean `{own}`?")),
        None => diagnostic.help(format!("types are {}", suggest::one_of(&NAMES))),
    }
}

fn problem(ty: &TypeRef, message: &str, help: &str) -> Diagnostic {
    Diagnostic::new(Code::TypeArguments, message, ty.span, "").help(help)
}

fn plain(ty: &TypeRef, kind: Kind, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    if ty.arguments.is_some() || ty.element.is_some() {
        let name = &ty.name.text;
        found.push(problem(ty, &format!("`{name}` takes no arguments"), &format!("write `{name}`")));
        return None;
    }
    Some(kind)
}

fn decimal(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    let number = |expr: &Expr| match &expr.kind {
        ExprKind::Number(number) if !number.point => u8::try_from(number.digits).ok(),
        _ => None,
    };
    let arguments: Option<Vec<u8>> =
        ty.arguments.as_deref().map(|list| list.iter().filter_map(number).collect());
    match arguments.as_deref() {
        Some(&[precision, scale]) if ty.element.is_none() && n_arguments(ty) == 2 => {
            if (1..=38).contains(&precision) && scale <= precision {
                return Some(Kind::Decimal { precision, scale });
            }
            let message =
                format!("there is no decimal of {precision} digits, {scale} of them behind the point");
            found.push(problem(
                ty,
                &message,
                "it has 1 to 38 digits, of which none to all are behind the point",
            ));
        }
        _ => found.push(problem(
            ty,
            "a decimal without its two sizes",
            "write `decimal(12, 2)` for twelve digits, two of them behind the point",
        )),
    }
    None
}

fn n_arguments(ty: &TypeRef) -> usize {
    ty.arguments.as_ref().map_or(0, Vec::len)
}

fn enumeration(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    let mut values: Vec<String> = Vec::new();
    let mut is_sound = n_arguments(ty) > 0 && ty.element.is_none();
    let mut known = BTreeSet::new();
    for argument in ty.arguments.iter().flatten() {
        match &argument.kind {
            ExprKind::String(value) if !known.insert(value.as_str()) => {
                let message = format!("the value `{value}` is given twice");
                found.push(
                    Diagnostic::new(Code::TypeArguments, message, argument.span, "")
                        .help("remove one of them"),
                );
                return None;
            }
            ExprKind::String(value) => values.push(value.clone()),
            ExprKind::Poisoned => return None,
            _ => is_sound = false,
        }
    }
    if !is_sound {
        found.push(problem(
            ty,
            "an enum without its values",
            "list them in quotes: `enum(\"open\", \"closed\")`",
        ));
        return None;
    }
    Some(Kind::Enum(Arc::from(values)))
}

fn list(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    let Some(element) = ty.element.as_deref().filter(|_| ty.arguments.is_none()) else {
        found.push(problem(ty, "a list without the type of its elements", "write `list<string>`"));
        return None;
    };
    let element_type = resolve(element, found)?;
    if matches!(element_type.kind, Kind::List(_)) {
        found.push(problem(element, "a list of lists", "elements are plain values, such as `list<string>`"));
        return None;
    }
    Some(Kind::List(Box::new(element_type)))
}
