//! The aggregates.

use super::{AggregateSpec, Param, Parameters, Presents, Reads, Sort};
use crate::AggregateOp;

/// The most items of a top, edges of a histogram, steps of a funnel, periods of a retention.
const MOST_ITEMS: u32 = 10_000;
const MOST_EDGES: usize = 256;
const MOST_STEPS: usize = 32;
const MOST_PERIODS: u32 = 1_000;

const ONE_NUMBER: &[Param] = &[Param::Value(Sort::Number)];
const TWO_NUMBERS: &[Param] = &[Param::Value(Sort::Number), Param::Alike(Sort::Number)];
const ORDERED: &[Param] = &[Param::Value(Sort::Ordered)];
const CONDITION: &[Param] = &[Param::Value(Sort::Bool)];
const INT: &[Param] = &[Param::Value(Sort::Int)];
const PLAIN: &[Param] = &[Param::Value(Sort::Plain)];
const BY_ORDER: &[Param] = &[Param::Value(Sort::Plain), Param::By(Sort::Ordered)];
const QUANTILE_ERROR: Param =
    Param::Within { least_ppm: 100, most_ppm: 500_000, of: Sort::Number, needed: &[] };
const NAMED_QUANTILE: &[Param] = &[Param::Value(Sort::Ordered), QUANTILE_ERROR];
/// From the largest to the smallest useful number of registers.
const DISTINCT_ERROR: Param =
    Param::Within { least_ppm: 2_032, most_ppm: 250_000, of: Sort::Plain, needed: &[] };
const FREQUENCY_ERROR: Param = Param::Within {
    least_ppm: 100,
    most_ppm: 500_000,
    of: Sort::Plain,
    needed: &[
        "say by which share of all rows it may be too high: `frequency(x, \"a\", within: 1%)`",
        "an exact number is `count() where x == …`",
    ],
};

/// What a row starts from: a statistic of numbers.
const STATISTIC: AggregateSpec = AggregateSpec {
    name: "",
    aliases: &[],
    usage: "",
    doc: "",
    params: ONE_NUMBER,
    presents: Presents::Float,
    empty: "none",
    idempotent: false,
    reads: Reads::Nothing,
    op: |_| AggregateOp::Count,
};
const PAIRS: AggregateSpec = AggregateSpec { params: TWO_NUMBERS, ..STATISTIC };
const EXTREME: AggregateSpec =
    AggregateSpec { params: ORDERED, presents: Presents::Same, idempotent: true, ..STATISTIC };
const CHOSEN: AggregateSpec = AggregateSpec { params: PLAIN, reads: Reads::TimeAndPosition, ..EXTREME };
const BITS: AggregateSpec = AggregateSpec { params: INT, presents: Presents::Int, empty: "0", ..STATISTIC };
const TRUTH: AggregateSpec =
    AggregateSpec { params: CONDITION, presents: Presents::Bool, idempotent: true, ..STATISTIC };
const QUANTILE: AggregateSpec =
    AggregateSpec { params: NAMED_QUANTILE, presents: Presents::SameOrFloat, ..STATISTIC };

impl AggregateSpec {
    const fn called(self, name: &'static str, aliases: &'static [&'static str], usage: &'static str) -> Self {
        AggregateSpec { name, aliases, usage, ..self }
    }

    const fn computes(self, doc: &'static str, op: fn(&Parameters) -> AggregateOp) -> Self {
        AggregateSpec { doc, op, ..self }
    }

    const fn takes(self, params: &'static [Param]) -> Self {
        AggregateSpec { params, ..self }
    }

    const fn presents(self, presents: Presents, empty: &'static str) -> Self {
        AggregateSpec { presents, empty, ..self }
    }

    const fn idempotent(self) -> Self {
        AggregateSpec { idempotent: true, ..self }
    }

    const fn reads(self, reads: Reads) -> Self {
        AggregateSpec { reads, ..self }
    }
}

/// All aggregates, in the order of the book.
pub static AGGREGATES: &[AggregateSpec] = &[
    STATISTIC
        .called("count", &["count_star", "size", "count_rows", "count_over_time"], "count()")
        .computes("The number of rows.", |_| AggregateOp::Count)
        .takes(&[])
        .presents(Presents::Int, "0"),
    STATISTIC
        .called("sum", &["total", "sum_over_time"], "sum(number)")
        .computes("The sum: exact, and of floats rounded once.", |_| AggregateOp::Sum)
        .presents(Presents::Sum, "0"),
    STATISTIC
        .called("mean", &["avg", "average", "mean_value", "avg_over_time"], "mean(number)")
        .computes("The arithmetic mean, rounded once.", |given| match given.is_wide {
            true => AggregateOp::WideMean,
            false => AggregateOp::Mean,
        })
        .presents(Presents::Mean, "none"),
    EXTREME
        .called("min", &["minimum", "min_over_time"], "min(value)")
        .computes("The least value.", |_| AggregateOp::Min),
    EXTREME
        .called("max", &["maximum", "max_over_time"], "max(value)")
        .computes("The greatest value.", |_| AggregateOp::Max),
    STATISTIC
        .called("variance", &["var", "var_samp", "varsamp", "stdvar"], "variance(number)")
        .computes("The variance of the sample (n − 1), rounded once.", |_| AggregateOp::Variance),
    STATISTIC
        .called(
            "stddev",
            &["std", "stdev", "stddev_samp", "stddevsamp", "standard_deviation"],
            "stddev(number)",
        )
        .computes("The standard deviation of the sample (n − 1), rounded once.", |_| AggregateOp::Stddev),
    STATISTIC
        .called("skewness", &["skew"], "skewness(number)")
        .computes("The skewness of the sample, adjusted for its size.", |_| AggregateOp::Skewness),
    STATISTIC.called("kurtosis", &["kurt"], "kurtosis(number)").computes(
        "The excess kurtosis of the sample, adjusted for its size: 0 for a normal distribution.",
        |_| AggregateOp::Kurtosis,
    ),
    PAIRS
        .called("covariance", &["cov", "covar_samp"], "covariance(number, number)")
        .computes("The covariance of the sample (n − 1).", |_| AggregateOp::Covariance),
    PAIRS
        .called("correlation", &["corr"], "correlation(number, number)")
        .computes("Pearson's correlation coefficient.", |_| AggregateOp::Correlation),
    PAIRS
        .called("slope", &["regr_slope"], "slope(y, x)")
        .computes("The slope of the least-squares line of y over x.", |_| AggregateOp::Slope),
    PAIRS
        .called("intercept", &["regr_intercept"], "intercept(y, x)")
        .computes("The value of the least-squares line of y over x at x = 0.", |_| AggregateOp::Intercept),
    TRUTH
        .called("any", &["bool_or", "logical_or", "some"], "any(condition)")
        .computes("Whether the condition holds for at least one row.", |_| AggregateOp::Any)
        .presents(Presents::Bool, "false"),
    TRUTH
        .called("all", &["bool_and", "logical_and", "every"], "all(condition)")
        .computes("Whether the condition holds for every row.", |_| AggregateOp::All)
        .presents(Presents::Bool, "true"),
    CHOSEN
        .called("first", &["first_value", "earliest"], "first(value)")
        .computes("The value of the earliest event.", |_| AggregateOp::First),
    CHOSEN
        .called("last", &["last_value", "latest", "last_over_time"], "last(value)")
        .computes("The value of the latest event.", |_| AggregateOp::Last),
    CHOSEN
        .called("arg_min", &["min_by", "argmin"], "arg_min(value, by: other)")
        .computes(
            "The value of the event with the least of another value, of the earliest among equal ones.",
            |_| AggregateOp::ArgMin,
        )
        .takes(BY_ORDER),
    CHOSEN
        .called("arg_max", &["max_by", "argmax"], "arg_max(value, by: other)")
        .computes(
            "The value of the event with the greatest of another value, of the latest among equal ones.",
            |_| AggregateOp::ArgMax,
        )
        .takes(BY_ORDER),
    STATISTIC
        .called(
            "distinct",
            &[
                "count_distinct",
                "countdistinct",
                "approx_count_distinct",
                "approx_distinct",
                "uniq",
                "uniqexact",
                "nunique",
                "n_distinct",
                "dcount",
            ],
            "distinct(value)",
        )
        .computes(
            "The number of distinct values: exact, or a HyperLogLog estimate within a standard error.",
            |given| match given.error_ppm {
                None => AggregateOp::Distinct,
                Some(error_ppm) => AggregateOp::DistinctWithin { error_ppm },
            },
        )
        .takes(&[Param::Value(Sort::Plain), DISTINCT_ERROR])
        .presents(Presents::Int, "0")
        .idempotent(),
    STATISTIC
        .called("set", &["collect_set", "unique"], "set(value)")
        .computes("The distinct values, in ascending order.", |_| AggregateOp::Set)
        .takes(PLAIN)
        .presents(Presents::Values, "[]")
        .idempotent(),
    STATISTIC
        .called("union", &["set_union"], "union(list)")
        .computes("The distinct elements of all lists, in ascending order.", |_| AggregateOp::Union)
        .takes(&[Param::Value(Sort::List)])
        .presents(Presents::Elements, "[]")
        .idempotent(),
    QUANTILE
        .called(
            "quantile",
            &[
                "percentile",
                "percentile_disc",
                "percentile_cont",
                "approx_percentile",
                "approx_quantile",
                "quantile_cont",
                "quantile_over_time",
            ],
            "quantile(number, 0.99)",
        )
        .computes("The value of rank ⌊q·(n − 1)⌋: exact, or within a relative error.", |given| {
            quantile(given.q_ppb, given)
        })
        .takes(&[Param::Value(Sort::Ordered), Param::Quantile, QUANTILE_ERROR]),
    QUANTILE
        .called("median", &[], "median(number)")
        .computes("The 0.5 quantile: exact, or within a relative error.", |given| {
            quantile(500_000_000, given)
        }),
    QUANTILE
        .called("p50", &[], "p50(number)")
        .computes("The 0.5 quantile: exact, or within a relative error.", |given| {
            quantile(500_000_000, given)
        }),
    QUANTILE
        .called("p90", &[], "p90(number)")
        .computes("The 0.9 quantile: exact, or within a relative error.", |given| {
            quantile(900_000_000, given)
        }),
    QUANTILE
        .called("p95", &[], "p95(number)")
        .computes("The 0.95 quantile: exact, or within a relative error.", |given| {
            quantile(950_000_000, given)
        }),
    QUANTILE
        .called("p99", &[], "p99(number)")
        .computes("The 0.99 quantile: exact, or within a relative error.", |given| {
            quantile(990_000_000, given)
        }),
    QUANTILE
        .called("p999", &[], "p999(number)")
        .computes("The 0.999 quantile: exact, or within a relative error.", |given| {
            quantile(999_000_000, given)
        }),
    STATISTIC
        .called("histogram", &["width_bucket", "hist"], "histogram(value, [10, 100, 1000])")
        .computes(
            "The number of rows below the first edge, from each edge to the next, and from the last \
             edge on.",
            |given| AggregateOp::Histogram { edges: given.edges.clone() },
        )
        .takes(&[Param::Value(Sort::Ordered), Param::Edges(MOST_EDGES)])
        .presents(Presents::Counts, "zeros"),
    STATISTIC
        .called("top", &["topk", "top_k", "value_counts", "count_values"], "top(10, item, by: sum(amount))")
        .computes(
            "The items with the most rows, or with the greatest sums of a value: the greatest first, \
             then by item.",
            |given| AggregateOp::Top { k: given.count },
        )
        .takes(&[
            Param::Count { most: MOST_ITEMS, what: "how many items, such as `top(10, item)`" },
            Param::Value(Sort::Plain),
            Param::Ranking,
        ])
        .presents(Presents::Ranked, "[]"),
    STATISTIC
        .called("frequency", &["count_min_sketch"], "frequency(value, \"a\", within: 1%)")
        .computes(
            "An estimate of the number of rows with a value: never too low, and too high by at most a share \
             of all rows, but for a chance of 1 %.",
            frequency,
        )
        .takes(&[Param::Value(Sort::Plain), Param::Item, FREQUENCY_ERROR])
        .presents(Presents::Int, "0"),
    BITS.called("bits_or", &["bit_or"], "bits_or(int)")
        .computes("The bits that are set in at least one row.", |_| AggregateOp::BitsOr)
        .idempotent(),
    BITS.called("bits_and", &["bit_and"], "bits_and(int)")
        .computes("The bits that are set in every row.", |_| AggregateOp::BitsAnd)
        .presents(Presents::Same, "none")
        .idempotent(),
    BITS.called("bits_xor", &["bit_xor"], "bits_xor(int)")
        .computes("The bits that are set in an odd number of rows.", |_| AggregateOp::BitsXor),
    STATISTIC
        .called("funnel", &["window_funnel"], "funnel(actor, condition, condition, within: 1h)")
        .computes("How many actors did each step, in order, within a time from their first step.", |given| {
            AggregateOp::Funnel { within: given.time }
        })
        .takes(&[
            Param::Value(Sort::Plain),
            Param::Steps(MOST_STEPS),
            Param::Time { needed: &["say how long an actor has for all steps: `within: 1h`"] },
        ])
        .presents(Presents::Counts, "zeros")
        .idempotent()
        .reads(Reads::Time),
    STATISTIC
        .called("retention", &["cohorts"], "retention(actor, date(at) in CALENDAR, 7)")
        .computes(
            "By the first period of the actors: how many were active in it and in each of the following \
             ones.",
            |given| AggregateOp::Retention { n_periods: given.count },
        )
        .takes(&[
            Param::Value(Sort::Plain),
            Param::Value(Sort::Period),
            Param::Count { most: MOST_PERIODS, what: "the number of periods, such as `7`" },
        ])
        .presents(Presents::Cohorts, "[]")
        .idempotent(),
];

fn quantile(q_ppb: u32, given: &Parameters) -> AggregateOp {
    match given.error_ppm {
        None => AggregateOp::ExactQuantile { q_ppb },
        Some(error_ppm) => AggregateOp::Quantile { q_ppb, error_ppm },
    }
}

fn frequency(given: &Parameters) -> AggregateOp {
    AggregateOp::Frequency { error_ppm: given.error_ppm.unwrap_or_default(), item: given.item.clone() }
}
