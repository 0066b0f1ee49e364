//! The questions: each as a metric, and as the best SQL we know for it.

/// The source that all questions are asked of; see `events`.
pub(crate) const SOURCE: &str = "\
source events {
  at: timestamp time
  country: string  region: int  customer: int  merchant: int  amount: int  status: string
}
";

/// A question in both languages.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// Behind `metric NAME =`.
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
