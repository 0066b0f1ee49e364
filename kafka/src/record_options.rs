//! What the records of a topic are: the settings of a source, checked for what belongs together.

use std::fmt;
use std::path::PathBuf;

use metricc_log::{FileOptions, Format, RecordKind};

/// The settings of a source, as a command line or a configuration has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordSettings {
    /// `json` (which it is without it), `csv`, `tsv`, `text`, `avro` or `protobuf`.
    pub format: Option<String>,
    /// The character between the cells of CSV, or `tab`.
    pub delimiter: Option<String>,
    /// The names of the cells of CSV, in their order.
    pub columns: Option<Vec<String>>,
    /// A file with the schema of all records.
    pub schema: Option<PathBuf>,
    /// Which message of a `.proto` file the records are.
    pub message: Option<String>,
    /// The registry that has the schemas of the records.
    pub registry: Option<RegistryAddress>,
}

/// Where a schema registry is.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    /// `http://HOST:PORT` or `https://…`, perhaps with a path.
    pub url: String,
    /// `USER:PASSWORD`, or a bearer token, which has no colon; no message and no `Debug` shows it.
    pub auth: Option<String>,
}

impl fmt::Debug for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryAddress").field("url", &self.url).finish_non_exhaustive()
    }
}

/// What the records of a topic are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordOptions {
    /// JSON objects, or lines of CSV: the value is the text.
    Plain(RecordKind),
    /// Any text: the value is one field.
    Text,
    /// Avro or Protobuf.
    Schema(SchemaFormat, SchemaOrigin),
}

impl Default for RecordOptions {
    fn default() -> Self {
        RecordOptions::Plain(RecordKind::Json)
    }
}

/// A format whose records need a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaFormat {
    /// Apache Avro.
    Avro,
    /// Protocol Buffers.
    Protobuf,
}

impl SchemaFormat {
    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            SchemaFormat::Avro => "Avro",
            SchemaFormat::Protobuf => "Protobuf",
        }
    }
}

/// Where the schemas of records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaOrigin {
    /// Each record names its schema in a registry, in Confluent's wire format.
    Registry(RegistryAddress),
    /// All records have the schema of a file, and are nothing but a datum.
    File {
        /// The `.avsc` or `.proto` file.
        path: PathBuf,
        /// Which message of a `.proto` file they are.
        message: Option<String>,
    },
}

const FORMATS: &str = "`json`, `csv`, `tsv`, `text`, `avro` or `protobuf`";

impl RecordSettings {
    /// Sets one of `format`, `delimiter`, `columns`, `schema` and `message` by its name.
    ///
    /// # Errors
    /// A message, if it is none of these.
    pub fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        match option {
            "format" => self.format = Some(value.to_owned()),
            "delimiter" => self.delimiter = Some(value.to_owned()),
            "columns" => self.columns = Some(value.split(',').map(|name| name.trim().to_owned()).collect()),
            "schema" => self.schema = Some(value.into()),
            "message" => self.message = Some(value.to_owned()),
            other => return Err(format!("unknown option `{other}`")),
        }
        Ok(())
    }

    /// What the records are.
    ///
    /// # Errors
    /// What does not belong together, or is missing.
    pub fn options(self) -> Result<RecordOptions, String> {
        let format = self.format.as_deref().unwrap_or("json");
        let schema_format = match format {
            "avro" => Some(SchemaFormat::Avro),
            "protobuf" => Some(SchemaFormat::Protobuf),
            _ => None,
        };
        let is_csv = matches!(format, "csv" | "tsv");
        for (is_given, option) in
            [(self.delimiter.is_some(), "delimiter"), (self.columns.is_some(), "columns")]
        {
            if is_given && !is_csv {
                return Err(format!(
                    "`{option}` is about lines of CSV, and the format is `{format}`: set `format` to `csv`"
                ));
            }
        }
        if self.schema.is_some() && schema_format.is_none() {
            return Err(format!(
                "`schema` is set, and records of the format `{format}` have none: set `format` to `avro` or `protobuf`"
            ));
        }
        if self.message.is_some() && (schema_format != Some(SchemaFormat::Protobuf) || self.schema.is_none())
        {
            return Err("`message` names a message of a `.proto` file: it goes with `format` `protobuf` and `schema`; \
                        records of a registry say themselves which message they are"
                .to_owned());
        }
        if let Some(format) = schema_format {
            return self.origin(format).map(|origin| RecordOptions::Schema(format, origin));
        }
        match format {
            "json" | "ndjson" | "jsonl" => Ok(RecordOptions::default()),
            "text" => Ok(RecordOptions::Text),
            _ if is_csv => csv(format, self.delimiter.as_deref(), self.columns),
            _ => Err(format!("unknown format `{format}` of the records of a topic: it is {FORMATS}")),
        }
    }

    fn origin(self, format: SchemaFormat) -> Result<SchemaOrigin, String> {
        let name = format.name();
        match (self.schema, self.registry) {
            (Some(path), None) => Ok(SchemaOrigin::File { path, message: self.message }),
            (None, Some(registry)) => registry.checked().map(SchemaOrigin::Registry),
            (Some(_), Some(_)) => Err(format!(
                "records of {name} have their schemas from a registry or from a file: set `registry` or `schema`, not both"
            )),
            (None, None) => Err(format!(
                "records of {name} need a schema: name a schema registry, or the file of the schema (`schema`)"
            )),
        }
    }
}

fn csv(format: &str, delimiter: Option<&str>, columns: Option<Vec<String>>) -> Result<RecordOptions, String> {
    let mut options = FileOptions { format: Some(Format::Csv), ..FileOptions::default() };
    options.set("format", format)?;
    delimiter.map(|delimiter| options.set("delimiter", delimiter)).transpose()?;
    if let Some(columns) = &columns {
        if columns.iter().any(String::is_empty) {
            return Err("`columns` has an empty name".to_owned());
        }
        if let Some(twice) = columns.iter().enumerate().find(|(n, name)| columns[..*n].contains(name)) {
            return Err(format!("`columns` names `{}` more than once", twice.1));
        }
    }
    let delimiter = options.delimiter.unwrap_or(b',');
    Ok(RecordOptions::Plain(RecordKind::Csv { delimiter, columns }))
}

impl RegistryAddress {
    /// The address without a slash at its end.
    fn checked(mut self) -> Result<Self, String> {
        self.url.truncate(self.url.trim_end_matches('/').len());
        let rest = self.url.strip_prefix("http://").or_else(|| self.url.strip_prefix("https://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        if host.contains('@') {
            return Err(
                "the URL of the registry has a password in it: give it as a reference (`registry_auth`, \
                        `--registry-auth`)"
                    .to_owned(),
            );
        }
        if host.is_empty() || self.url.contains(['?', '#', ' ']) || reqwest::Url::parse(&self.url).is_err() {
            return Err(format!(
                "`{}` is not the URL of a schema registry, such as `http://registry:8081`",
                self.url
            ));
        }
        if self.auth.as_ref().is_some_and(|auth| auth.is_empty() || auth.contains(char::is_control)) {
            return Err("what the registry is to be told is empty or has several lines".to_owned());
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(settings: &[(&str, &str)], registry: Option<&str>) -> Result<RecordOptions, String> {
        let mut all = RecordSettings::default();
        for (option, value) in settings {
            all.set(option, value)?;
        }
        all.registry = registry.map(|url| RegistryAddress { url: url.to_owned(), auth: None });
        all.options()
    }

    #[test]
    fn settings_that_belong_together_are_options() {
        let registry = Some("http://r:8081/");
        let csv = |delimiter, columns: Option<&[&str]>| {
            let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            Ok(RecordOptions::Plain(RecordKind::Csv { delimiter, columns }))
        };
        assert_eq!(options(&[], None), Ok(RecordOptions::default()));
        assert_eq!(options(&[("format", "text")], None), Ok(RecordOptions::Text));
        assert_eq!(options(&[("format", "csv")], None), csv(b',', None));
        assert_eq!(options(&[("format", "tsv")], None), csv(b'\t', None));
        let settings = [("format", "csv"), ("delimiter", ";"), ("columns", "a, b")];
        assert_eq!(options(&settings, None), csv(b';', Some(&["a", "b"])));
        let Ok(RecordOptions::Schema(SchemaFormat::Avro, SchemaOrigin::Registry(address))) =
            options(&[("format", "avro")], registry)
        else {
            panic!("a registry")
        };
        assert_eq!(address.url, "http://r:8081");
        let settings = [("format", "protobuf"), ("schema", "a.proto"), ("message", "a.B")];
        let file = SchemaOrigin::File { path: "a.proto".into(), message: Some("a.B".into()) };
        assert_eq!(options(&settings, None), Ok(RecordOptions::Schema(SchemaFormat::Protobuf, file)));
    }

    #[test]
    fn what_does_not_belong_together_is_said() {
        let registry = Some("http://r");
        for (settings, registry, part) in [
            (&[("format", "parquet")][..], None, "unknown format `parquet`"),
            (&[("format", "avro")], None, "need a schema"),
            (&[("format", "avro"), ("schema", "a.avsc")], registry, "not both"),
            (&[("schema", "a.avsc")], None, "`schema` is set"),
            (&[("format", "avro"), ("schema", "a"), ("message", "B")], None, "`message` names"),
            (&[("format", "protobuf"), ("message", "B")], registry, "`message` names"),
            (&[("delimiter", ";")], None, "about lines of CSV"),
            (&[("format", "avro"), ("columns", "a")], registry, "about lines of CSV"),
            (&[("format", "csv"), ("columns", "a,,b")], None, "empty name"),
            (&[("format", "csv"), ("columns", "a,a")], None, "`a` more than once"),
            (&[("format", "csv"), ("delimiter", "ab")], None, "not a delimiter"),
            (&[("format", "avro")], Some("r:8081"), "not the URL"),
            (&[("format", "avro")], Some("http://"), "not the URL"),
            (&[("format", "avro")], Some("http://u:s3cret@r"), "as a reference"),
        ] {
            let problem = options(settings, registry).expect_err(part);
            assert!(problem.contains(part) && !problem.contains("s3cret"), "{settings:?}: {problem}");
        }
    }

    #[test]
    fn what_a_registry_is_told_is_not_shown() {
        let address = RegistryAddress { url: "http://r".into(), auth: Some("u:s3cret".into()) };
        assert!(!format!("{address:?}").contains("s3cret"));
    }
}
