//! A sink follows the version of the package that is live.

use crate::node::{Node, PACKAGE, events, folder, metricc};
use crate::postgres::{check, settings};
use crate::postgres_server::Postgres;
use crate::until;

#[test]
fn a_deployed_version_is_in_the_sink_with_its_new_metrics() {
    let Some(postgres) = Postgres::start() else { return };
    let folder = folder(&settings(&postgres));
    let node = Node::start(folder.path());
    assert!(node.send(&events(0..300)));
    check(&postgres, &node);
    let hash = |metric: &str| {
        let statement =
            format!("SELECT metric_hash FROM metricc.metricc_frontiers WHERE metric = '{metric}'");
        postgres.query(&statement).unwrap_or_default()
    };
    let (revenue, orders) = (hash("revenue"), hash("orders"));
    // Other events count, and one metric is new.
    let text =
        PACKAGE.replace("sum(amount) { from payments by", "sum(amount) { from payments where amount > 5 by");
    let text = text + "metric countries = distinct(country) { from payments every 1h }\n";
    std::fs::write(folder.path().join("next.metric"), text).expect("the package");
    let deployed = metricc(folder.path(), &["deploy", "next.metric", "--node", &node.url()]);
    assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));
    until("the new definition is in the sink", || {
        hash("revenue") != revenue && !hash("countries").is_empty()
    });
    assert_eq!(hash("orders"), orders, "it has not changed");
    assert!(node.send(&events(300..400)));
    check(&postgres, &node);
    node.until_written("countries");
    let n_rows = node.json("/v1/metrics/countries")["rows"].as_array().expect("rows").len();
    let in_sink = postgres.query("SELECT count(*) FROM metricc.countries");
    assert_eq!(in_sink, Some(n_rows.to_string()));
    // A metric that is removed stays in the sink as it is, and is no problem.
    let text = PACKAGE.replace("metric visits", "metric visitors");
    std::fs::write(folder.path().join("next.metric"), text).expect("the package");
    let deployed = metricc(folder.path(), &["deploy", "next.metric", "--node", &node.url()]);
    assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));
    node.until_written("visitors");
    assert!(node.sink("visits").is_null() && node.sink("countries").is_null());
    assert!(postgres.query("SELECT count(*) FROM metricc.countries").is_some());
}
