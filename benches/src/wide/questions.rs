//! The questions, each as a metric and as SQL.

/// The source: seven fields, whatever is asked of them.
pub(crate) const SOURCE: &str = "\
source payments {
  created_at: timestamp time
  merchant_id: int
  country: string
  status: string
  amount_minor: int
  amount: float
  latency_ms: float
}
calendar ist { zone \"Asia/Kolkata\" }
";

/// A question.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// The text after `metric NAME =`.
    pub(crate) metric: &'static str,
    /// SQL, with `{hour}`, `{day}` and `{minutes}` for the windows, of which days begin at midnight in India.
    #[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "what the peer of that feature runs"))]
    sql: &'static str,
}

impl Question {
    /// SQL over `at`, an integer of microseconds: windows are integer arithmetic, the fastest formulation
    /// that we know.
    #[cfg(feature = "sql")]
    pub(crate) fn sql_by_micros(&self) -> String {
        self.sql
            .replace("{hour}", "at / 3600000000")
            .replace("{day}", "(at + 19800000000) / 86400000000")
            .replace("{minutes}", "at / 300000000")
    }
}

pub(crate) const QUESTIONS: [Question; 7] = [
    Question {
        name: "M1",
        metric: "{ n: count(), s: sum(amount_minor) } \
                 { from payments where status == \"captured\" and amount_minor > 0 by country every 1h }",
        sql: "SELECT country, {hour} h, count(*), sum(amount_minor) FROM payments \
              WHERE status = 'captured' AND amount_minor > 0 GROUP BY 1, 2",
    },
    Question {
        name: "M2",
        metric: "distinct(merchant_id) \
                 { from payments where status == \"captured\" and amount_minor > 0 every day in ist }",
        sql: "SELECT d, count(*) FROM (SELECT DISTINCT {day} d, merchant_id FROM payments \
              WHERE status = 'captured' AND amount_minor > 0) GROUP BY 1",
    },
    Question {
        name: "M3",
        metric: "distinct(merchant_id, within: 1%) \
                 { from payments where status == \"captured\" and amount_minor > 0 every day in ist }",
        sql: "SELECT {day} d, approx_distinct(merchant_id) FROM payments \
              WHERE status = 'captured' AND amount_minor > 0 GROUP BY 1",
    },
    Question {
        name: "M4",
        metric: "{ a: mean(latency_ms), lo: min(latency_ms), hi: max(latency_ms) } \
                 { from payments by country every 5m }",
        sql: "SELECT country, {minutes} m, avg(latency_ms), min(latency_ms), max(latency_ms) FROM payments \
              GROUP BY 1, 2",
    },
    Question {
        name: "M5",
        metric: "{ p50: quantile(latency_ms, 0.5, within: 1%), p99: quantile(latency_ms, 0.99, within: 1%) } \
                 { from payments by country every 1h }",
        sql: "SELECT country, {hour} h, approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms), \
              approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms) FROM payments GROUP BY 1, 2",
    },
    Question {
        name: "M6",
        metric: "sum(amount_minor) { from payments where status == \"captured\" and amount_minor > 0 \
                 by merchant_id every day in ist }",
        sql: "SELECT merchant_id, {day} d, sum(amount_minor) FROM payments \
              WHERE status = 'captured' AND amount_minor > 0 GROUP BY 1, 2",
    },
    Question {
        name: "M7",
        metric: "top(10, merchant_id, by: sum(amount_minor)) \
                 { from payments where status == \"captured\" and amount_minor > 0 every day in ist }",
        sql: "SELECT d, merchant_id, s FROM \
              (SELECT *, row_number() OVER (PARTITION BY d ORDER BY s DESC, merchant_id) r \
              FROM (SELECT merchant_id, {day} d, sum(amount_minor) s FROM payments \
              WHERE status = 'captured' AND amount_minor > 0 GROUP BY 1, 2)) WHERE r <= 10",
    },
];
