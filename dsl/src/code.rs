//! The codes of all errors and warnings. An id is permanent: it may be retired, but is never reused. Each has
//! an explanation in `code/`, with an example that gives the code and one that is correct; a test checks
//! both.

use serde::{Serialize, Serializer};

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal;)*) => {
        /// What kind of error a diagnostic is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// All codes, by id.
            pub fn all() -> &'static [Code] {
                &[$(Code::$name),*]
            }

            /// The stable id, such as `M0012`.
            pub fn id(self) -> &'static str {
                match self {
                    $(Code::$name => $id,)*
                }
            }

            /// What it is about, in a few words.
            pub fn title(self) -> &'static str {
                match self {
                    $(Code::$name => $title,)*
                }
            }

            /// A few sentences, a wrong and a correct example, as Markdown.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(concat!("code/", $id, ".md")),)*
                }
            }
        }
    };
}

codes! {
    UnreadableText = "M0001", "a character or byte that is not allowed in a file";
    NothingDefined = "M0002", "the file defines nothing";
    LimitExceeded = "M0003", "a limit of the compiler is exceeded";
    StringLiteral = "M0004", "a malformed string";
    NumberLiteral = "M0005", "a number that is malformed or out of range";
    ForeignSpelling = "M0006", "a spelling from another language";
    Syntax = "M0007", "a syntax error";
    UnknownItem = "M0008", "an unknown kind of item";
    NotSupported = "M0009", "a feature that this version does not support";
    DocComment = "M0010", "a doc comment without an item";
    NameSpelling = "M0011", "an invalid name";
    DuplicateName = "M0012", "a name that is defined twice";
    UnknownName = "M0013", "an unknown name";
    UsedBeforeDeclared = "M0014", "a name that is used before its definition";
    UnknownSource = "M0015", "a source that is not defined";
    UnknownCalendar = "M0016", "a calendar that is not defined";
    UnknownZone = "M0017", "a time zone that does not exist";
    UnknownFunction = "M0018", "a function that does not exist";
    UnknownType = "M0019", "a type that does not exist";
    TypeArguments = "M0020", "a type with the wrong arguments";
    TimeField = "M0021", "no event time, or more than one";
    KeyField = "M0022", "a type that cannot identify an event";
    FieldMarker = "M0023", "a marker that does not fit its field";
    DefaultValue = "M0024", "a default that does not fit its field";
    CalendarClause = "M0025", "a calendar without a zone, or with an invalid week";
    MissingFrom = "M0026", "a metric without a source";
    DuplicateClause = "M0027", "a clause that is given twice";
    Window = "M0028", "an invalid window";
    TypeMismatch = "M0029", "a value of the wrong type";
    MixedNumbers = "M0030", "exact numbers and floats mixed";
    MayBeNone = "M0031", "a value that may be none where one is needed";
    Arguments = "M0032", "a function with the wrong arguments";
    LiteralArgument = "M0033", "an argument that has to be a literal within limits";
    TextLiteral = "M0034", "a string that is not a value of its type";
    DecimalScale = "M0035", "a decimal of more than 38 digits";
    DivisionByZero = "M0036", "a division by a literal zero";
    Pattern = "M0037", "a regular expression that cannot be used";
    NestedAggregate = "M0038", "an aggregate inside of an aggregate";
    AggregateOutside = "M0039", "an aggregate in a clause";
    FieldOutside = "M0040", "a field outside of an aggregate";
    NoAggregate = "M0041", "a value without an aggregate";
    FilterPlace = "M0042", "a `where` that follows no aggregate";
    ChainedComparison = "M0043", "a comparison of a comparison";
    KeyName = "M0044", "a key without a name, or an invalid key";
    CountsDuplicates = "M0045", "a metric that counts repeated events";
    Unused = "M0046", "something that is defined and never used";
    NeverNone = "M0047", "a test for none where none is impossible";
    NoLawfulState = "M0048", "an aggregate that no lawful state exists for";
    Import = "M0049", "an invalid import";
    SlidingStep = "M0050", "a step that does not fit the sliding window";
    SessionGap = "M0051", "a session without a gap";
    UnknownMetric = "M0052", "a metric that is not defined";
    TestClause = "M0053", "a test that cannot be run";
    TestRow = "M0054", "a row of a test that does not fit";
    UsedFile = "M0055", "a file that cannot be used";
    CircularUse = "M0056", "files that use each other";
    CircularMetric = "M0057", "metrics that read each other";
    Operands = "M0058", "metrics whose rows do not fit together";
    Offset = "M0059", "an offset that is not a whole number of windows";
    Units = "M0060", "values of different units";
    TableFile = "M0061", "a table that cannot be read";
    TableKey = "M0062", "keys that do not identify the rows of a table";
    Lookup = "M0063", "a lookup that does not match its table";
    Format = "M0064", "a format that does not say what a value looks like";
    WrappingPeriod = "M0065", "a period whose numbers start over";
    YearOfWeek = "M0066", "an ISO week beside another year";
}

impl Code {
    /// The code of an id; case does not matter.
    pub fn parse(id: &str) -> Option<Code> {
        Code::all().iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// Whether it makes an item unusable.
    pub fn severity(self) -> Severity {
        match self {
            Code::CountsDuplicates | Code::Unused | Code::NeverNone | Code::YearOfWeek => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// Whether a diagnostic makes an item unusable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The item is unusable.
    Error,
    /// The item is usable, but probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}
