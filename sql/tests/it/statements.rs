//! What statements mean, and what is refused.

use std::fmt::Write;

use arrow::util::pretty::pretty_format_batches;
use metricc_sql::Tables;

use crate::rows::query;
use crate::served::{all_bound, derived, package, serve, tables};

const PAYMENTS: &str = r#"
source payments {
  at: timestamp time
  country: string
  device: enum("ios", "web")
  user: string
  amount: decimal(12, 2)
  latency: float?
}

/// What was paid.
metric revenue = sum(amount) { from payments by country, device every 1h }

metric orders = { n: count(), users: distinct(user), least: min(amount), most: max(amount), mean: mean(amount) }
  { from payments by country, device every 1h }

metric latency = { p99: quantile(latency, 0.99) } { from payments by country every 1h }

metric lately = { n: count() } { from payments by country over last 3h step 1h }

metric visits = { n: count() } { from payments by country session gap 30m }

metric total = { n: count() } { from payments }

metric per_user = { value: revenue / orders.users, n: orders.n }

metric growth = { now: revenue, before: revenue offset 1h }
"#;

fn with_tables(check: impl Fn(&Tables)) {
    let package = package(PAYMENTS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("payments.ndjson");
    let mut lines = String::new();
    for n in 0..60_u32 {
        let (hour, minute) = (n / 20, n % 20 * 3);
        let (country, device) = (["IN", "DE", "FR"][n as usize % 3], ["ios", "web"][n as usize % 2]);
        let latency = if n % 7 == 0 { "null".to_owned() } else { format!("{}.5", n * 3 % 50) };
        writeln!(
            lines,
            r#"{{"at":"2026-04-25T{hour:02}:{minute:02}:00Z","country":"{country}","device":"{device}","user":"u{}","amount":"{}.25","latency":{latency}}}"#,
            n % 11,
            n % 13
        )
        .expect("a line");
    }
    std::fs::write(&log, lines).expect("the log is written");
    let bound = all_bound(&package, &log);
    let serving = serve(&bound, &derived(&package, &bound));
    check(&tables(&serving, &bound));
}

fn text(tables: &Tables, statement: &str) -> String {
    match query(tables, statement) {
        Ok(rows) => pretty_format_batches(&[rows]).expect("a table").to_string(),
        Err(error) => panic!("{statement}: {error}"),
    }
}

fn are_equal(tables: &Tables, left: &str, right: &str) {
    let [left_rows, right_rows] = [left, right].map(|statement| text(tables, statement));
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let body =
        |text: &str| text.lines().skip(3).filter(|line| line.starts_with('|')).map(cells).collect::<Vec<_>>();
    assert_eq!(body(&left_rows), body(&right_rows), "{left}\n{right}\n{left_rows}\n{right_rows}");
}

fn problem(tables: &Tables, statement: &str) -> String {
    match query(tables, statement) {
        Ok(rows) => panic!("{statement} gives {rows:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn outputs_are_what_the_events_of_a_group_give() {
    with_tables(|tables| {
        let of_events = "SELECT country, count(*), count(DISTINCT \"user\"), min(amount), max(amount), sum(amount) \
                         FROM payments GROUP BY country ORDER BY country";
        let of_states = "SELECT o.country, measure(n), measure(users), measure(least), measure(most), r.value \
                         FROM orders o JOIN (SELECT country, MEASURE(value) AS value FROM revenue GROUP BY 1) r \
                         ON r.country = o.country GROUP BY o.country, r.value ORDER BY o.country";
        are_equal(tables, of_events, of_states);
        let of_declared = "SELECT country, sum(n), count(DISTINCT users), min(least), max(most), 0 FROM orders \
                           GROUP BY country ORDER BY 1";
        let named = "SELECT country, agg(n), aggregate(users), measure(least), measure(most), 0 FROM orders \
                     GROUP BY country ORDER BY 1";
        are_equal(tables, of_declared, named);
    });
}

#[test]
fn rows_that_a_join_repeats_count_once() {
    with_tables(|tables| {
        let plain = "SELECT country, measure(n) FROM orders GROUP BY country ORDER BY country";
        let repeated = "SELECT o.country, measure(o.n) FROM orders o JOIN latency l ON o.country = l.country \
                        GROUP BY o.country ORDER BY 1";
        are_equal(tables, plain, repeated);
        let outer = "SELECT c.country, measure(o.n) FROM (VALUES ('DE'), ('FR'), ('IN'), ('XX')) AS c(country) \
                     LEFT JOIN orders o ON o.country = c.country WHERE c.country <> 'XX' GROUP BY 1 ORDER BY 1";
        are_equal(tables, plain, outer);
        let none = "SELECT c.country, measure(o.n), measure(o.users), measure(o.mean) FROM (VALUES ('XX')) AS c(country) \
                    LEFT JOIN orders o ON o.country = c.country GROUP BY 1";
        are_equal(tables, none, "SELECT * FROM (VALUES ('XX', 0, 0, NULL))");
    });
}

#[test]
fn measures_stand_in_subqueries_expressions_and_with_filters() {
    with_tables(|tables| {
        let plain = "SELECT country, measure(n) FROM orders GROUP BY country ORDER BY 1";
        for same in [
            "SELECT country, measure(n) FROM (SELECT * FROM orders) AS t GROUP BY country ORDER BY 1",
            "WITH o AS (SELECT country AS c, n AS m FROM orders) SELECT c, measure(m) FROM o GROUP BY c ORDER BY c",
            "SELECT country, measure(n) FROM orders WHERE window_start >= '2026-04-25T00:00:00Z' GROUP BY 1 ORDER BY 1",
            "SELECT country, measure(n) FROM (SELECT * FROM orders ORDER BY n LIMIT 1000) AS t GROUP BY 1 ORDER BY 1",
            "SELECT country, measure(n) FILTER (WHERE device IN ('ios', 'web')) FROM orders GROUP BY 1 ORDER BY 1",
            "SELECT country, sum(m) FROM (SELECT country, device, measure(n) AS m FROM orders GROUP BY 1, 2) GROUP BY 1 ORDER BY 1",
            "SELECT country, m FROM (SELECT country, measure(n) AS m, rank() OVER (ORDER BY measure(n)) FROM orders GROUP BY 1) ORDER BY 1",
            "SELECT DISTINCT country, measure(n) OVER_ALL FROM orders GROUP BY country ORDER BY 1",
        ] {
            are_equal(tables, plain, same);
        }
        let web = "SELECT measure(n) FILTER (WHERE device = 'web') * 2, measure(n) - 1 FROM orders HAVING measure(n) > 1";
        are_equal(tables, web, "SELECT 60, 59");
        let rolled =
            "SELECT country, device, measure(n) FROM orders GROUP BY ROLLUP (country, device) ORDER BY 1, 2";
        let counted =
            "SELECT country, device, count(*) FROM payments GROUP BY ROLLUP (country, device) ORDER BY 1, 2";
        are_equal(tables, rolled, counted);
        let none = "SELECT measure(n), measure(mean) FROM orders WHERE country = 'nowhere'";
        are_equal(tables, none, "SELECT 0, NULL");
        are_equal(tables, "SELECT measure(n), n FROM total GROUP BY n", "SELECT * FROM (VALUES (60, 60))");
    });
}

#[test]
fn derived_metrics_are_computed_from_the_merged_states_of_their_operands() {
    with_tables(|tables| {
        let derived = "SELECT country, measure(value), measure(n) FROM per_user GROUP BY country ORDER BY 1";
        let by_hand = "SELECT o.country, r.v / o.u, o.n FROM \
                       (SELECT country, measure(users) u, measure(n) n FROM orders GROUP BY 1) o JOIN \
                       (SELECT country, CAST(measure(value) AS double) v FROM revenue GROUP BY 1) r \
                       ON o.country = r.country ORDER BY 1";
        are_equal(tables, derived, by_hand);
        let before = "SELECT window_start, measure(now), measure(before) FROM growth GROUP BY 1 ORDER BY 1";
        let by_hand = "SELECT window_start, v, coalesce(lag(v) OVER (ORDER BY window_start), CAST(0 AS DECIMAL(38, 2))) FROM \
                       (SELECT window_start, measure(value) v FROM revenue GROUP BY 1) ORDER BY 1";
        are_equal(tables, before, by_hand);
        assert!(problem(tables, "SELECT measure(now) FROM growth").contains("`window_start` to GROUP BY"));
    });
}

#[test]
fn rows_of_overlapping_windows_merge_within_a_window() {
    with_tables(|tables| {
        let of_window = "SELECT window_start, measure(n) FROM lately GROUP BY window_start ORDER BY 1";
        let of_rows = "SELECT window_start, sum(m) FROM (SELECT window_start, country, measure(n) m FROM lately \
                       GROUP BY 1, 2) GROUP BY 1 ORDER BY 1";
        are_equal(tables, of_window, of_rows);
        assert!(problem(tables, "SELECT measure(n) FROM lately").contains("overlap"));
        assert!(
            problem(tables, "SELECT window_start, measure(n) FROM visits GROUP BY 1").contains("sessions")
        );
        let own = "SELECT window_start, country, measure(n) FROM visits GROUP BY 1, 2 ORDER BY 1, 2";
        are_equal(tables, own, "SELECT window_start, country, n FROM visits ORDER BY 1, 2");
    });
}

#[test]
fn aggregates_that_mean_nothing_are_refused_with_the_way_out() {
    with_tables(|tables| {
        for (statement, expected) in [
            ("SELECT sum(p99) FROM latency", "SUM of `p99` of metric `latency` has no meaning"),
            ("SELECT avg(mean) FROM orders", "Write MEASURE(mean)"),
            ("SELECT count(DISTINCT n) FROM orders", "COUNT DISTINCT of `n`"),
            ("SELECT sum(n + 1) FROM orders", "SUM of `n`"),
            ("SELECT max(n) FROM orders", "MAX of `n`"),
            ("SELECT avg(x) FROM (SELECT p99 * 2 AS x FROM latency) AS t", "AVG of"),
            ("SELECT measure(x) FROM (SELECT p99 * 2 AS x FROM latency) AS t", "is computed from"),
            ("SELECT measure(n) FROM (SELECT DISTINCT n FROM orders) AS t", "told apart no longer"),
            ("SELECT measure(country) FROM orders", "`orders.country` is none"),
            ("SELECT measure(amount) FROM payments", "is none"),
            ("SELECT measure(DISTINCT n) FROM orders", "neither DISTINCT nor ORDER BY"),
            ("SELECT measure(n) OVER (ORDER BY window_start) FROM orders", "MEASURE has no OVER"),
            ("SELECT avg(p99) OVER (ORDER BY window_start) FROM latency", "AVG of `p99`"),
        ] {
            let problem = problem(tables, statement);
            assert!(problem.contains(expected), "{statement}: {problem}");
        }
    });
}

#[test]
fn plain_columns_and_sources_are_as_they_are() {
    with_tables(|tables| {
        let rows = text(tables, "SELECT * FROM orders ORDER BY window_start, country, device LIMIT 2");
        let header =
            ["window_start", "window_end", "country", "device", "n", "users", "least", "most", "mean"];
        let found: Vec<&str> = rows.lines().nth(1).expect("a header").split('|').map(str::trim).collect();
        assert_eq!(found[1..10], header, "{rows}");
        are_equal(
            tables,
            "SELECT _partition, _offset, country, device FROM payments WHERE _offset < 2 ORDER BY 2",
            "SELECT * FROM (VALUES (0, 0, 'IN', 'ios'), (0, 1, 'DE', 'web')) ORDER BY 2",
        );
        let summed = "SELECT window_start, sum(n) OVER (ORDER BY window_start) FROM \
                      (SELECT window_start, measure(n) AS n FROM orders GROUP BY 1) ORDER BY 1";
        let plan = text(tables, &format!("EXPLAIN {summed}"));
        assert!(plan.contains("TableScan: orders projection=[window_start, row 0 of orders]"), "{plan}");
    });
}
