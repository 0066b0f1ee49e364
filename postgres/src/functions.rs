//! Functions that clients of PostgreSQL call.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    create_udf,
};

/// The version of PostgreSQL whose clients are spoken to.
pub(crate) const SERVER_VERSION: &str = "16.6";

/// What is found without its schema.
const VISIBLE: [&str; 11] = [
    "function",
    "type",
    "operator",
    "collation",
    "conversion",
    "opclass",
    "opfamily",
    "statistics_obj",
    "ts_config",
    "ts_dict",
    "ts_parser",
];

/// Functions that give a text of what there is none of here: definitions, places, comments of databases.
const WITHOUT_TEXT: [&str; 12] = [
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_functiondef",
    "pg_get_function_sqlbody",
    "pg_get_indexdef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "shobj_description",
];

/// What settings say, of those that clients read.
const SETTINGS: [(&str, &str); 13] = [
    ("client_encoding", "UTF8"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "160006"),
    ("search_path", "public"),
    ("default_table_access_method", "heap"),
    ("standard_conforming_strings", "on"),
    ("integer_datetimes", "on"),
    ("timezone", "UTC"),
    ("datestyle", "ISO, MDY"),
    ("max_identifier_length", "63"),
    ("transaction_read_only", "on"),
    ("is_superuser", "off"),
];

/// Those that know of no table.
pub(crate) fn all() -> Vec<ScalarUDF> {
    let sizes = ["pg_table_size", "pg_indexes_size", "pg_database_size", "pg_tablespace_size"];
    let sizes = sizes.map(|name| constant(name, ScalarValue::Int64(Some(0))));
    let is_visible = |of: &str| constant(&format!("pg_{of}_is_visible"), ScalarValue::Boolean(Some(true)));
    [version(), size_pretty(), to_timestamp(), subscripts(), current_setting()]
        .into_iter()
        .chain(sizes)
        .chain(VISIBLE.map(is_visible))
        .chain(WITHOUT_TEXT.map(|name| constant(name, ScalarValue::Utf8(None))))
        .collect()
}

/// `current_setting(name)`, or with a second argument; null of those that there are not.
fn current_setting() -> ScalarUDF {
    ScalarUDF::new_from_impl(CurrentSetting { signature: Signature::variadic_any(Volatility::Stable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentSetting {
    signature: Signature,
}

impl ScalarUDFImpl for CurrentSetting {
    fn name(&self) -> &str {
        "current_setting"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(names) = arguments.args.first() else { return exec_err!("current_setting takes a name") };
        let names = cast(&names.to_array(arguments.number_rows)?, &DataType::Utf8)?;
        let value = |name: Option<&str>| {
            let name = name?.to_lowercase();
            SETTINGS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        };
        let values: StringArray = names.as_string::<i32>().iter().map(value).collect();
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
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

/// A function that says the same of whatever it is asked.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: String,
    signature: Signature,
    value: ScalarValue,
}

fn constant(name: &str, value: ScalarValue) -> ScalarUDF {
    let signature = Signature::variadic_any(Volatility::Stable);
    ScalarUDF::new_from_impl(Constant { name: name.to_owned(), signature, value })
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
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
