//! The codes of all findings. An id is for ever: it may be retired, never given to something else.
//! Each has an explanation of its own in `code/`, with an example that gives the code and one that
//! gives nothing; a test checks both.

use serde::{Serialize, Serializer};

use crate::diagnostic::Severity;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $title:literal;)*) => {
        /// What kind of finding a diagnostic is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
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

            /// A few sentences, an example that is wrong and one that is right, as Markdown.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(concat!("code/", $id, ".md")),)*
                }
            }
        }
    };
}

codes! {
    /// A character or byte that has no place in a file.
    UnreadableText = "M0001", "a character or byte that has no place in a file";
    /// The file defines nothing.
    NothingDefined = "M0002", "the file defines nothing";
    /// A limit of the compiler is exceeded.
    LimitExceeded = "M0003", "a limit of the compiler is exceeded";
    /// A string that cannot be read.
    StringLiteral = "M0004", "a string that cannot be read";
    /// A number that cannot be read, or does not fit its place.
    NumberLiteral = "M0005", "a number that cannot be read, or does not fit its place";
    /// A spelling of another language.
    ForeignSpelling = "M0006", "a spelling of another language";
    /// Something else was expected.
    Syntax = "M0007", "something else was expected";
    /// A word that starts no item.
    UnknownItem = "M0008", "a word that starts no item";
    /// A part of the language that this version does not have.
    NotSupported = "M0009", "a part of the language that this version does not have";
    /// A doc comment that describes nothing.
    DocComment = "M0010", "a doc comment that describes nothing";
    /// A name that is not spelled as names are.
    NameSpelling = "M0011", "a name that is not spelled as names are";
    /// Two things of one name.
    DuplicateName = "M0012", "two things of one name";
    /// A name that nothing has.
    UnknownName = "M0013", "a name that nothing has";
    /// A name that is defined further down.
    UsedBeforeDeclared = "M0014", "a name that is defined further down";
    /// A source that is not defined.
    UnknownSource = "M0015", "a source that is not defined";
    /// A calendar that is not defined.
    UnknownCalendar = "M0016", "a calendar that is not defined";
    /// A time zone that does not exist.
    UnknownZone = "M0017", "a time zone that does not exist";
    /// A function that does not exist.
    UnknownFunction = "M0018", "a function that does not exist";
    /// A type that does not exist.
    UnknownType = "M0019", "a type that does not exist";
    /// A type with the wrong arguments.
    TypeArguments = "M0020", "a type with the wrong arguments";
    /// Not exactly one event time.
    TimeField = "M0021", "not exactly one event time";
    /// A type that cannot identify an event.
    KeyField = "M0022", "a type that cannot identify an event";
    /// A marker that does not fit its field.
    FieldMarker = "M0023", "a marker that does not fit its field";
    /// A default that does not fit its field.
    DefaultValue = "M0024", "a default that does not fit its field";
    /// A calendar without a zone, or with a strange week.
    CalendarClause = "M0025", "a calendar without a zone, or with a strange week";
    /// A metric without a source.
    MissingFrom = "M0026", "a metric without a source";
    /// A clause that is given twice.
    DuplicateClause = "M0027", "a clause that is given twice";
    /// A window that is none.
    Window = "M0028", "a window that is none";
    /// A value of the wrong type.
    TypeMismatch = "M0029", "a value of the wrong type";
    /// An exact number beside a float.
    MixedNumbers = "M0030", "an exact number beside a float";
    /// A value that may be none where one is needed.
    MayBeNone = "M0031", "a value that may be none where one is needed";
    /// A function with the wrong arguments.
    Arguments = "M0032", "a function with the wrong arguments";
    /// An argument that has to be a literal within limits.
    LiteralArgument = "M0033", "an argument that has to be a literal within limits";
    /// A text that is no value of its type.
    TextLiteral = "M0034", "a text that is no value of its type";
    /// A decimal of more than 38 digits.
    DecimalScale = "M0035", "a decimal of more than 38 digits";
    /// A division by a zero that is written out.
    DivisionByZero = "M0036", "a division by a zero that is written out";
    /// A regular expression that cannot be used.
    Pattern = "M0037", "a regular expression that cannot be used";
    /// An aggregate inside of an aggregate.
    NestedAggregate = "M0038", "an aggregate inside of an aggregate";
    /// An aggregate in a clause.
    AggregateOutside = "M0039", "an aggregate in a clause";
    /// A field outside of an aggregate.
    FieldOutside = "M0040", "a field outside of an aggregate";
    /// A value without an aggregate.
    NoAggregate = "M0041", "a value without an aggregate";
    /// A `where` that follows no aggregate.
    FilterPlace = "M0042", "a `where` that follows no aggregate";
    /// A comparison of a comparison.
    ChainedComparison = "M0043", "a comparison of a comparison";
    /// A key that needs a name, or is none.
    KeyName = "M0044", "a key that needs a name, or is none";
    /// A metric that counts repeated events.
    CountsDuplicates = "M0045", "a metric that counts repeated events";
    /// Something that is defined and never used.
    Unused = "M0046", "something that is defined and never used";
    /// A test for none where none is impossible.
    NeverNone = "M0047", "a test for none where none is impossible";
    /// An aggregate that no lawful state exists for.
    NoLawfulState = "M0048", "an aggregate that no lawful state exists for";
    /// An import that cannot be one.
    Import = "M0049", "an import that cannot be one";
    /// A step that makes no sliding window.
    SlidingStep = "M0050", "a step that makes no sliding window";
    /// A session without a gap.
    SessionGap = "M0051", "a session without a gap";
    /// A metric that is not defined.
    UnknownMetric = "M0052", "a metric that is not defined";
    /// A test that cannot be run.
    TestClause = "M0053", "a test that cannot be run";
    /// A row of a test that does not fit.
    TestRow = "M0054", "a row of a test that does not fit";
    /// A file that cannot be used.
    UsedFile = "M0055", "a file that cannot be used";
    /// Files that use each other.
    CircularUse = "M0056", "files that use each other";
    /// Metrics that are made of each other.
    CircularMetric = "M0057", "metrics that are made of each other";
    /// Metrics whose rows do not fit together.
    Operands = "M0058", "metrics whose rows do not fit together";
    /// An offset that is no number of windows.
    Offset = "M0059", "an offset that is no number of windows";
    /// Values of different units.
    Units = "M0060", "values of different units";
    /// A table that cannot be read.
    TableFile = "M0061", "a table that cannot be read";
    /// Keys that do not tell the rows of a table apart.
    TableKey = "M0062", "keys that do not tell the rows of a table apart";
    /// A lookup that fits no table.
    Lookup = "M0063", "a lookup that fits no table";
}

impl Code {
    /// The code of an id; case does not matter.
    pub fn parse(id: &str) -> Option<Code> {
        Code::all().iter().copied().find(|code| code.id().eq_ignore_ascii_case(id))
    }

    /// Whether it makes an item unusable.
    pub fn severity(self) -> Severity {
        match self {
            Code::CountsDuplicates | Code::Unused | Code::NeverNone => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
