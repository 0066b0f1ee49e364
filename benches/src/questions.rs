//! The benchmarked questions: each as a metric, and as the best SQL for it that we know.

/// The source of all questions; see `events`.
pub(crate) const SOURCE: &str = "\
source events {
  at: timestamp time
  country: string  region: int  customer: int  merchant: int  amount: int  status: string
}
";

/// A question in both languages.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// The text after `metric NAME =`.
    pub(crate) metric: &'static str,
    /// `at` is an integer of microseconds, so that a bucket is one division.
    pub(crate) sql: &'static str,
}

pub(crate) const QUESTIONS: [Question; 7] = [
    Question {
        name: "count, sum by region (1k keys)",
        metric: "{ n: count(), total: sum(amount) } { from events  by region }",
        sql: "SELECT region, count(*), sum(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "min, max, mean by region (1k keys)",
        metric: "{ lo: min(amount), hi: max(amount), mean: mean(amount) } { from events  by region }",
        sql: "SELECT region, min(amount), max(amount), avg(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "count, sum by country × hour, two filters (14k keys)",
        metric: "{ n: count(), total: sum(amount) } \
                 { from events  where status == \"captured\" and amount > 0  by country  every 1h }",
        sql: "SELECT country, \"at\" / 3600000000 h, count(*), sum(amount) FROM events \
              WHERE status = 'captured' AND amount > 0 GROUP BY 1, 2",
    },
    Question {
        name: "mean, min, max by country × 5 min (173k keys)",
        metric: "{ mean: mean(amount), lo: min(amount), hi: max(amount) } \
                 { from events  by country  every 5m }",
        sql: "SELECT country, \"at\" / 300000000 b, avg(amount), min(amount), max(amount) FROM events \
              GROUP BY 1, 2",
    },
    Question {
        name: "count by merchant (100k keys)",
        metric: "count() { from events  by merchant }",
        sql: "SELECT merchant, count(*) FROM events GROUP BY 1",
    },
    Question {
        name: "sum by customer (2.6 M keys)",
        metric: "sum(amount) { from events  by customer }",
        sql: "SELECT customer, sum(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "sum by merchant × day (3 M keys)",
        metric: "sum(amount) { from events  by merchant  every 24h }",
        sql: "SELECT merchant, \"at\" / 86400000000 d, sum(amount) FROM events GROUP BY 1, 2",
    },
];

/// Single aggregates by 1,000 regions, compared with the engine's own; run with the argument `aggregates`.
pub(crate) const AGGREGATES: [Question; 13] = [
    Question {
        name: "count",
        metric: "count() { from events  by region }",
        sql: "SELECT region, count(*) FROM events GROUP BY 1",
    },
    Question {
        name: "sum of ints",
        metric: "sum(amount) { from events  by region }",
        sql: "SELECT region, sum(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "min",
        metric: "min(amount) { from events  by region }",
        sql: "SELECT region, min(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "max",
        metric: "max(amount) { from events  by region }",
        sql: "SELECT region, max(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "mean of ints",
        metric: "mean(amount) { from events  by region }",
        sql: "SELECT region, avg(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "sum of floats (theirs plain, ours exact)",
        metric: "sum(float(amount)) { from events  by region }",
        sql: "SELECT region, sum(CAST(amount AS DOUBLE)) FROM events GROUP BY 1",
    },
    Question {
        name: "stddev of floats (theirs plain, ours exact)",
        metric: "stddev(float(amount)) { from events  by region }",
        sql: "SELECT region, stddev(CAST(amount AS DOUBLE)) FROM events GROUP BY 1",
    },
    Question {
        name: "correlation of floats (theirs plain, ours exact)",
        metric: "correlation(float(amount), float(merchant)) { from events  by region }",
        sql: "SELECT region, corr(CAST(amount AS DOUBLE), CAST(merchant AS DOUBLE)) FROM events GROUP BY 1",
    },
    Question {
        name: "distinct within 1 % (theirs approx_distinct)",
        metric: "distinct(customer, within: 1%) { from events  by region }",
        sql: "SELECT region, approx_distinct(customer) FROM events GROUP BY 1",
    },
    Question {
        name: "distinct, exact",
        metric: "distinct(customer) { from events  by region }",
        sql: "SELECT region, count(DISTINCT customer) FROM events GROUP BY 1",
    },
    Question {
        name: "p99 within 1 % (theirs approx_percentile_cont)",
        metric: "p99(amount, within: 1%) { from events  by region }",
        sql: "SELECT region, approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY amount) FROM events GROUP BY 1",
    },
    Question {
        name: "median, exact",
        metric: "median(amount) { from events  by region }",
        sql: "SELECT region, median(amount) FROM events GROUP BY 1",
    },
    Question {
        name: "last by time (theirs last_value)",
        metric: "last(amount) { from events  by region }",
        sql: "SELECT region, last_value(amount ORDER BY \"at\") FROM events GROUP BY 1",
    },
];
