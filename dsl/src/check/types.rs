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
const FOREIGN: &[(&str, &str)] = &[
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
    ("smallint", "int"),
    ("tinyint", "int"),
    ("uint64", "int"),
    ("u64", "int"),
    ("i32", "int"),
    ("serial", "int"),
    ("float8", "float"),
    ("float32", "float"),
    ("f32", "float"),
    ("str", "string"),
    ("char", "string"),
    ("character", "string"),
    ("nvarchar", "string"),
    ("uuid", "string"),
    ("object", "string"),
    ("timestamptz", "timestamp"),
    ("timestamp_ntz", "timestamp"),
    ("instant", "timestamp"),
    ("time", "timestamp"),
    ("timedelta", "duration"),
    ("category", "enum"),
    ("vec", "list"),
];

/// The type; `None` if it is not one, which is reported. A record is none: `record::resolve` knows them.
pub(super) fn resolve(ty: &TypeRef, found: &mut Vec<Diagnostic>) -> Option<Type> {
    if ty.fields.is_some() {
        found.push(problem(ty, "a record outside of a source", "only fields of sources are records"));
        return None;
    }
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
    const HELP: &str = "write `decimal(12, 2)` for twelve digits, two of them after the point";
    let arguments = ty.arguments.as_deref().unwrap_or_default();
    if arguments.iter().any(|argument| matches!(argument.kind, ExprKind::Poisoned)) {
        return None;
    }
    let whole = |expr: &Expr| match &expr.kind {
        ExprKind::Number(number) if !number.point => Some(number.digits),
        _ => None,
    };
    let problem = match arguments {
        [] => problem(ty, "a decimal without its two sizes", HELP),
        _ if ty.element.is_some() || arguments.len() != 2 => {
            let message = format!("a decimal has two sizes, and {} given", are(arguments.len()));
            problem(ty, &message, HELP)
        }
        [precision, scale] => match (whole(precision), whole(scale)) {
            (Some(precision @ 1..=38), Some(scale)) if scale <= precision => {
                let (precision, scale) = (u8::try_from(precision).ok()?, u8::try_from(scale).ok()?);
                return Some(Kind::Decimal { precision, scale });
            }
            (Some(precision), Some(scale)) => {
                let message =
                    format!("there is no decimal of {precision} digits, {scale} of them after the point");
                let help = "it has 1 to 38 digits, of which 0 up to all are after the point";
                problem(ty, &message, help)
            }
            _ => problem(ty, "the sizes of a decimal are numbers of digits, such as `12` and `2`", HELP),
        },
        _ => problem(ty, "a decimal without its two sizes", HELP),
    };
    found.push(problem);
    None
}

/// `1 is`, `3 are`.
fn are(n: usize) -> String {
    if n == 1 { "1 is".to_owned() } else { format!("{n} are") }
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
    list_of(ty, element_type, found)
}

/// A list of elements of this type.
pub(super) fn list_of(ty: &TypeRef, element: Type, found: &mut Vec<Diagnostic>) -> Option<Kind> {
    if ty.arguments.is_some() {
        found.push(problem(ty, "a list without the type of its elements", "write `list<string>`"));
        return None;
    }
    if matches!(element.kind, Kind::List(_)) {
        let place = ty.element.as_deref().unwrap_or(ty);
        let help = "elements are plain values or records, such as `list<string>` or `list<{ sku: string }>`";
        found.push(problem(place, "a list of lists", help));
        return None;
    }
    Some(Kind::List(Box::new(element)))
}
