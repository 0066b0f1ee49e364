//! Functions that clients of PostgreSQL call, and that say what this is.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    create_udf,
};

/// The version of PostgreSQL whose clients are spoken to.
pub(crate) const SERVER_VERSION: &str = "16.6";

/// Those that know of no table.
pub(crate) fn all() -> Vec<ScalarUDF> {
    let sizes = ["pg_table_size", "pg_indexes_size", "pg_database_size"].map(no_size);
    let visible =
        ["pg_function_is_visible", "pg_type_is_visible", "pg_operator_is_visible", "pg_collation_is_visible"];
    [version(), size_pretty(), to_timestamp(), subscripts()]
        .into_iter()
        .chain(sizes)
        .chain(visible.map(is_visible))
        .collect()
}

/// `to_regtype(name)`: the identifier of a type, or none.
pub(crate) fn to_regtype(types: HashMap<String, i32>) -> ScalarUDF {
    create_udf(
        "to_regtype",
        vec![DataType::Utf8],
        DataType::Int32,
        Volatility::Immutable,
        Arc::new(move |arguments| {
            let columns = ColumnarValue::values_to_arrays(arguments)?;
            let names = columns[0].as_string::<i32>();
            let oids = names.iter().map(|name| types.get(name?).copied());
            Ok(ColumnarValue::Array(Arc::new(oids.collect::<Int32Array>())))
        }),
    )
}

/// `to_timestamp(text, format)` with a format of PostgreSQL; all else is the function of the engine.
pub(crate) fn to_timestamp() -> ScalarUDF {
    ScalarUDF::new_from_impl(ToTimestamp {
        of_engine: datafusion::functions::datetime::to_timestamp(&ConfigOptions::default()),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ToTimestamp {
    of_engine: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for ToTimestamp {
    fn name(&self) -> &str {
        "to_timestamp"
    }

    fn signature(&self) -> &Signature {
        self.of_engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.of_engine.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.of_engine.return_field_from_args(arguments)
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        for format in arguments.args.iter_mut().skip(1) {
            if let ColumnarValue::Scalar(value) = format
                && let Some(Some(text)) = value.try_as_str()
            {
                *value = ScalarValue::Utf8(Some(engine_format(text)));
            }
        }
        self.of_engine.invoke_with_args(arguments)
    }
}

/// The patterns of PostgreSQL's formats of times (its manual, 9.8) that have one in the engine's, longer ones first.
const PATTERNS: [(&str, &str); 10] = [
    ("YYYY", "%Y"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    (".US", "%.6f"),
    (".MS", "%.3f"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("MI", "%M"),
    ("SS", "%S"),
    ("AM", "%p"),
];

/// A format of PostgreSQL as one of the engine.
fn engine_format(format: &str) -> String {
    PATTERNS
        .iter()
        .fold(format.to_owned(), |format, (of_postgres, of_engine)| format.replace(of_postgres, of_engine))
}

/// `generate_subscripts(array, dimension)`, which clients ask of `pg_index` beside `unnest`: there are no rows.
fn subscripts() -> ScalarUDF {
    create_udf(
        "generate_subscripts",
        vec![DataType::List(Arc::new(Field::new_list_field(DataType::Int16, true))), DataType::Int64],
        DataType::Int64,
        Volatility::Stable,
        Arc::new(|_| Ok(ColumnarValue::Scalar(ScalarValue::Int64(None)))),
    )
}

/// Whether a name is found without its schema: there is one schema.
fn is_visible(name: &str) -> ScalarUDF {
    create_udf(
        name,
        vec![DataType::Int32],
        DataType::Boolean,
        Volatility::Stable,
        Arc::new(|_| Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))),
    )
}

/// What `///` says of the tables with these identifiers.
pub(crate) type Described = Arc<dyn Fn() -> Result<HashMap<i32, String>> + Send + Sync>;

/// `obj_description(identifier, 'pg_class')`, and `col_description`, since columns have no texts of their own.
pub(crate) fn descriptions(described: Described) -> [ScalarUDF; 2] {
    let of_table = create_udf(
        "obj_description",
        vec![DataType::Int32, DataType::Utf8],
        DataType::Utf8,
        Volatility::Stable,
        Arc::new(move |arguments| {
            let columns = ColumnarValue::values_to_arrays(arguments)?;
            let (oids, described) = (columns[0].as_primitive::<Int32Type>(), described()?);
            let texts = oids.iter().map(|oid| described.get(&oid?).map(String::as_str));
            Ok(ColumnarValue::Array(Arc::new(texts.collect::<StringArray>())))
        }),
    );
    let of_column = create_udf(
        "col_description",
        vec![DataType::Int32, DataType::Int32],
        DataType::Utf8,
        Volatility::Stable,
        Arc::new(|_| Ok(ColumnarValue::Scalar(ScalarValue::Utf8(None)))),
    );
    [of_table, of_column]
}

/// The size of something that is no file.
fn no_size(name: &str) -> ScalarUDF {
    create_udf(
        name,
        vec![DataType::Int32],
        DataType::Int64,
        Volatility::Stable,
        Arc::new(|_| Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(0))))),
    )
}

/// `version()`, in the form that drivers read a number from.
fn version() -> ScalarUDF {
    let text = format!("PostgreSQL {SERVER_VERSION} (metricc {})", env!("CARGO_PKG_VERSION"));
    create_udf(
        "version",
        Vec::new(),
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(move |_| Ok(ColumnarValue::Array(Arc::new(StringArray::from(vec![text.clone()]))))),
    )
}

/// `pg_size_pretty(bytes)`: what `\d+` shows of tables, which have no size of their own here.
fn size_pretty() -> ScalarUDF {
    create_udf(
        "pg_size_pretty",
        vec![DataType::Int64],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|arguments| {
            let columns = ColumnarValue::values_to_arrays(arguments)?;
            let sizes = columns[0].as_primitive::<Int64Type>();
            let texts = (0..sizes.len())
                .map(|row| sizes.is_valid(row).then(|| format!("{} bytes", sizes.value(row))));
            let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
            Ok(ColumnarValue::Array(texts))
        }),
    )
}
