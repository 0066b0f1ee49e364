//! The examples of the language reference check, and give the documented typed metrics.

use metricc_ir::explain_typed::explain_typed;

use super::{checked, rendered};

const EXAMPLE: &str = r#"//! Payments: the commercial view.

/// Captured and failed payment attempts, as the gateway reports them.
source payments {
  payment_id:  string key            // identity: a second event with the same key is a duplicate
  created_at:  timestamp time        // event time (exactly one per source)
  merchant_id: int
  status:      enum("captured", "failed", "refunded")
  amount:      decimal(12, 2)
  country:     string?               // may be none
  tags:        list<string>
  channel:     string = "web"        // absent or null in the record: this value
}

source requests {
  id: string key
  at: timestamp time unit ms
  endpoint: string
  code: int
  ms: float
}

calendar india { zone "Asia/Kolkata", week monday }

/// Merchants with at least one captured payment, per business day.
metric distinct_merchants = distinct(merchant_id) {
  from payments
  where status == "captured" and amount > 0
  every day in india
}

metric approx_merchants = distinct(merchant_id, within: 1%) { from payments  every day in india }

metric revenue = sum(amount) { from payments  where status == "captured"  by country ?? "unknown" as country  every 1h }

/// A record of values is one metric with a product state.
metric latency = { requests: count(), mean_ms: mean(ms), p99_ms: quantile(ms, 0.99, within: 1%), errors: count() where code >= 500 } {
  from requests  by endpoint  every 1h
}

metric failure_rate = (count() where status == "failed") / count() { from payments  every day in india  unit percent }

metric tag_use    = count() { from payments  each tag in tags  by tag  every day in india }
metric lifetime   = { first: min(created_at), last: max(created_at), spend: sum(amount) } { from payments  by merchant_id }
"#;

#[test]
fn the_language_by_example_gives_its_typed_metrics() {
    assert_eq!(rendered(EXAMPLE), "");
    let checked = checked(EXAMPLE);
    let texts: Vec<String> =
        checked.package.metrics.iter().map(|metric| explain_typed(metric).to_text()).collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn the_syntax_of_a_metric_is_shown_as_it_was_written() {
    let node = checked(EXAMPLE).explain_syntax("failure_rate").expect("the metric");
    insta::assert_snapshot!(node.to_text());
    assert!(checked(EXAMPLE).explain_syntax("nothing").is_none());
}

#[test]
fn documentation_goes_with_what_it_describes() {
    let checked = checked(EXAMPLE);
    assert_eq!(
        checked.package.sources[0].doc,
        "Captured and failed payment attempts, as the gateway reports them."
    );
    assert_eq!(
        checked.package.metrics[0].doc,
        "Merchants with at least one captured payment, per business day."
    );
}

#[test]
fn parts_of_the_language_that_are_missing_give_one_clear_error_each() {
    let text = format!(
        r#"{EXAMPLE}
metric top_items  = top(10, status, by: sum(amount)) {{ from payments  every day in india }}
metric first_one  = first(amount) {{ from payments }}
metric exact      = quantile(amount, 0.5) {{ from payments }}
metric middle     = median(amount) {{ from payments }}
metric revenue_per_merchant = revenue / distinct_merchants
metric conversion = revenue / distinct_merchants {{ unit percent }}
metric growth = revenue - revenue offset 7 day
"#
    );
    insta::assert_snapshot!(rendered(&text));
}
