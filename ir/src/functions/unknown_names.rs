//! Names that are no functions of the language, and what to say about them.

use super::{AGGREGATES, SCALARS};
use crate::suggest;

/// An aggregate that other systems have and for which no lawful state exists.
#[derive(Debug)]
pub struct Unlawful {
    /// Its names, in lower case.
    pub names: &'static [&'static str],
    /// Why there is no such state.
    pub reason: &'static str,
    /// What to write instead.
    pub help: &'static str,
}

/// All of them.
pub static UNLAWFUL: &[Unlawful] = &[
    Unlawful {
        names: &["decayed_sum", "exp_decay_sum", "ema", "ewma"],
        reason: "a weight that falls with age is relative to the latest event or to the time of reading: either \
                 the state would be rescaled, which rounds in another way in every order, or hold every event",
        help: "write `sum(x)` with `every 1h`, and weigh the hours where they are read: their sums are exact and merge",
    },
    Unlawful {
        names: &[
            "array_agg",
            "collect_list",
            "list_agg",
            "listagg",
            "string_agg",
            "group_concat",
            "grouparray",
        ],
        reason: "a list in the order of arrival depends on how the log is cut and read",
        help: "write `set(x)` for the distinct values in order, or `top(10, x)` for the most frequent",
    },
    Unlawful {
        names: &["any_value", "anylast", "arbitrary"],
        reason: "which value comes first depends on how the log is cut and read",
        help: "write `first(x)` or `min(x)`",
    },
];

/// A function of other languages for which there is something else here.
#[derive(Debug)]
pub struct ForeignFunction {
    /// Its names, in lower case.
    pub names: &'static [&'static str],
    /// What to write.
    pub help: &'static str,
}

const fn foreign(names: &'static [&'static str], help: &'static str) -> ForeignFunction {
    ForeignFunction { names, help }
}

/// Functions of SQL, pandas, PromQL, dbt and spreadsheets that are no functions here. Those that are one
/// under another name are aliases of its row.
pub static FOREIGN: &[ForeignFunction] = &[
    // None and conditions.
    foreign(&["coalesce", "ifnull", "nvl", "isnull_or", "fillna", "zeroifnull"], "write `a ?? b`"),
    foreign(&["nullif", "nullifzero"], "write `if a == b then none else a`"),
    foreign(&["isnull", "isna", "is_null", "isnan", "is_nan"], "write `x == none`"),
    foreign(&["notnull", "notna", "is_not_null", "isfinite"], "write `x != none`"),
    foreign(
        &["iff", "iif", "ifelse", "if_else", "decode", "choose", "switch", "case"],
        "write `if condition then a else b`",
    ),
    // Aggregates of some of the rows.
    foreign(&["count_if", "countif", "countifs", "counta"], "write `count() where condition`"),
    foreign(&["sum_if", "sumif", "sumifs", "sum_boolean"], "write `sum(x) where condition`"),
    foreign(&["avg_if", "avgif", "averageif", "averageifs"], "write `mean(x) where condition`"),
    foreign(
        &["count_distinct_if", "uniqif", "distinct_if", "distinctif"],
        "write `distinct(x) where condition`",
    ),
    foreign(
        &["min_if", "minif", "max_if", "maxif"],
        "write `min(x) where condition` or `max(x) where condition`",
    ),
    foreign(&["mode", "mode_value"], "write `top(1, x)`"),
    foreign(
        &["weighted_avg", "avg_weighted", "weighted_mean", "avgweighted", "wavg", "sumproduct"],
        "write `sum(x * weight) / sum(weight)`",
    ),
    foreign(
        &["stddev_pop", "stddevpop", "var_pop", "varpop", "covar_pop"],
        "statistics are those of a sample (n − 1): `stddev(x)`, `variance(x)`, `covariance(x, y)`",
    ),
    foreign(&["geomean", "geometric_mean", "harmonic_mean", "product", "prod"], "there is `mean(x)`"),
    foreign(
        &["row_number", "rank", "dense_rank", "ntile", "percent_rank", "nth_value", "bottomk", "cume_dist"],
        "rows have no number: the greatest are `top(10, x, by: sum(y))`, the earliest and latest `first(x)` and \
         `last(x)`",
    ),
    foreign(
        &[
            "lag",
            "lead",
            "shift",
            "diff",
            "pct_change",
            "prev",
            "previous",
            "predict_linear",
            "offset_window",
        ],
        "an earlier window is read by a derived metric: `growth = revenue - revenue offset 7 day`",
    ),
    foreign(
        &["cumulative", "cumsum", "running_total", "running_sum", "cumulative_sum", "rolling", "moving_avg"],
        "sliding windows are a clause: `over last 24h step 1h`; a total of a range is read with `--grain all`",
    ),
    // Metrics of time series and of semantic layers.
    foreign(
        &["rate", "irate", "increase", "idelta", "delta", "deriv", "resets"],
        "metrics count events, not what a counter has reached: `count()` or `sum(x)` with `every 1m`; for a rate, \
         divide by 60",
    ),
    foreign(
        &["histogram_quantile", "histogram_avg", "histogram_sum"],
        "quantiles are of the values, not of buckets: `quantile(x, 0.95)`, or `quantile(x, 0.95, within: 1%)`",
    ),
    foreign(
        &["ratio", "divide", "safe_divide", "div0", "safediv"],
        "write `a / b`: it is none where `b` is 0",
    ),
    foreign(
        &["measure", "metric", "derived", "simple", "sum_boolean_expr", "agg", "aggregate", "ref", "source"],
        "write the aggregate, such as `sum(x)`, or the name of another metric alone",
    ),
    foreign(
        &["describe", "resample", "groupby", "group_by", "pivot", "pivot_table"],
        "keys and windows are clauses: `by x`, `every 1h`",
    ),
    foreign(
        &["label_replace", "label_join", "absent", "vector", "scalar"],
        "a key may be any expression: `by lower(x) as name`",
    ),
    // Times.
    foreign(
        &[
            "date_trunc",
            "datetrunc",
            "date_bin",
            "time_bucket_gapfill",
            "tumble",
            "hop",
            "tostartofhour",
            "tostartofday",
            "tostartofmonth",
            "tostartofinterval",
            "timestamp_trunc",
            "floor_date",
        ],
        "windows are a clause: `every 1h`, `every day in CALENDAR`; as a value, write `truncate(at, 1h)` or \
         `truncate(at, day) in CALENDAR`",
    ),
    foreign(
        &["extract", "date_part", "datepart", "dow", "doy", "dayname", "monthname"],
        "write `hour(at)`, `weekday(at)`, `month(at)`, in local time `hour(at) in CALENDAR`",
    ),
    foreign(
        &["date_add", "dateadd", "date_sub", "datesub", "add_months", "timestampadd"],
        "write `at + 1h` or `at - 7d`",
    ),
    foreign(&["timestampdiff", "age", "timediff"], "write `later - earlier`, which is a duration"),
    foreign(
        &[
            "to_timestamp",
            "parse_date",
            "parse_timestamp",
            "parse_datetime",
            "strptime",
            "from_unixtime",
            "timestamp_millis",
            "unix_timestamp",
            "from_epoch",
            "to_datetime",
            "str_to_date",
        ],
        "a text or number becomes a time where the source declares it: `at: timestamp time`, with `unit ms` for numbers",
    ),
    foreign(
        &["to_char", "date_format", "strftime", "format_date", "format_timestamp"],
        "keys are values, not their spelling: `by date(at) in CALENDAR as day`",
    ),
    foreign(
        &["convert_timezone", "at_time_zone", "tz_convert", "from_utc_timestamp", "timezone"],
        "a zone is a calendar's: `calendar berlin { zone \"Europe/Berlin\" }`, then `hour(at) in berlin`",
    ),
    // Types.
    foreign(
        &[
            "cast",
            "convert",
            "try_cast",
            "safe_cast",
            "astype",
            "to_number",
            "to_numeric",
            "to_decimal",
            "decimal",
            "str",
            "string",
            "tostring",
            "boolean",
            "bool",
        ],
        "write `float(x)` or `int(x)`, of an enum `text(x)`; a column of text gets its type where the source declares it",
    ),
    // Texts and lists.
    foreign(&["left", "right", "head", "slice"], "write `substr(x, 0, 3)`, which counts characters from 0"),
    foreign(
        &["like", "ilike", "position", "instr", "charindex", "strpos", "indexof", "locate", "regexp_instr"],
        "write `contains(x, \"part\")`, `starts_with`, `ends_with` or `matches(x, \"pattern\")`",
    ),
    foreign(
        &[
            "replace",
            "regexp_replace",
            "translate",
            "regexp_extract",
            "regexp_substr",
            "lpad",
            "rpad",
            "reverse",
            "initcap",
            "format",
            "printf",
        ],
        "texts are compared, cut and joined: `lower`, `trim`, `substr`, `split`, `concat`",
    ),
    foreign(&["concat_ws", "join", "str_cat"], "write `concat(a, \", \", b)`"),
    foreign(
        &["md5", "sha1", "sha2", "sha256", "crc32", "farm_fingerprint", "cityhash64"],
        "write `hash64(x)`",
    ),
    foreign(
        &["unnest", "explode", "flatten", "arrayjoin", "array_join"],
        "write the clause `each item in items`",
    ),
    foreign(
        &["json_extract", "json_value", "get_json_object", "json_extract_scalar", "parse_json", "get_path"],
        "what is inside a record gets a field of its own where the source declares it",
    ),
    foreign(
        &["exists", "any_match", "all_match"],
        "write `any(condition)` or `all(condition)` over the elements of `each`",
    ),
    // Numbers.
    foreign(&["mod", "modulo", "fmod"], "write `a % b`"),
    foreign(
        &[
            "sqrt", "cbrt", "power", "pow", "exp", "log", "ln", "log2", "log10", "sign", "sin", "cos", "tan",
            "trunc", "random", "rand", "uuid",
        ],
        "numbers are added, multiplied, divided and rounded: `abs`, `round`, `floor`, `ceil`, `int`; another function is \
         imported from your program: `import function`",
    ),
];

/// What to write instead of a function that other languages have.
pub fn instead(name: &str) -> Option<&'static str> {
    let is_named = |row: &&ForeignFunction| row.names.iter().any(|known| known.eq_ignore_ascii_case(name));
    FOREIGN.iter().find(is_named).map(|row| row.help)
}

/// Why an aggregate of this name cannot exist.
pub fn unlawful(name: &str) -> Option<&'static Unlawful> {
    UNLAWFUL.iter().find(|unlawful| unlawful.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// Whether other languages call a function so that gives the time at which it runs.
pub fn reads_the_clock(name: &str) -> bool {
    const CLOCKS: [&str; 10] = [
        "now",
        "today",
        "current_timestamp",
        "current_date",
        "current_time",
        "getdate",
        "sysdate",
        "utcnow",
        "utc_timestamp",
        "time",
    ];
    CLOCKS.iter().any(|clock| clock.eq_ignore_ascii_case(name))
}

/// The most names that a message suggests.
const MOST_MEANT: usize = 3;

/// What was probably meant by an unknown name: what has it as an alias, or else the names that are spelled
/// like it, or that it is a part of, the nearest first.
pub fn meant(name: &str) -> Vec<&'static str> {
    let scalars = SCALARS.iter().map(|spec| (spec.aliases, spec.name));
    let aggregates = AGGREGATES.iter().map(|spec| (spec.aliases, spec.name));
    let known: Vec<_> = scalars.chain(aggregates).collect();
    let has_alias = |aliases: &[&str]| aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name));
    if let Some((_, own)) = known.iter().find(|(aliases, _)| has_alias(aliases)) {
        return vec![own];
    }
    let spelled = |aliases: &'static [&'static str], own: &'static str| aliases.iter().copied().chain([own]);
    let words = known.iter().flat_map(|(aliases, own)| spelled(aliases, own));
    let mut meant = Vec::new();
    for word in suggest::several(name, words) {
        let own = known.iter().find(|(aliases, own)| *own == word || aliases.contains(&word));
        meant.extend(own.map(|(_, own)| *own));
    }
    let mut seen = std::collections::BTreeSet::new();
    meant.retain(|own| seen.insert(*own));
    meant.truncate(MOST_MEANT);
    meant
}
