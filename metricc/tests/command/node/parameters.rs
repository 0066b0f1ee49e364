//! Query parameters and names: what is not valid is an error in our form and in our words.

use super::Home;
use super::http::{EVENTS, LINE, PACKAGE, error, head, is};

#[test]
fn parameters_and_names_that_are_not_valid_are_errors_in_our_form() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    for (target, part) in [
        ("/v1/metrics/total?at=1&at=2", "`at` is given twice"),
        ("/v1/metrics/by_hour?latest=true&latest=false", "`latest` is given twice"),
        ("/v1/metrics/by_hour/live?key.a.to=1&key.a.to=2", "`a.to` is given twice"),
        ("/v1/read?metric=total&metric=by_hour&at=1&at=1", "`at` is given twice"),
        ("/v1/sources/events/requests?prefix=a&prefix=b", "`prefix` is given twice"),
        ("/v1/sources/events/served?min_frontier=1&min_frontier=1", "`min_frontier` is given twice"),
        ("/v1/sources/events/quarantine?limit=1&limit=1", "`limit` is given twice"),
        ("/v1/sources/events/quarantine?limit=x", "`limit=x` is not a number"),
        (
            "/v1/sources/events/quarantine?limi=1",
            "there is no parameter `limi`: the parameters are `partition`",
        ),
        ("/v1/metrics/total?key.a=%ff", "no UTF-8"),
        ("/v1/sources/events/requests?prefix=%ff", "no UTF-8"),
        ("/v1/metrics/%ff", "UTF-8"),
        ("/v1/sources/%ff/events", ""),
    ] {
        let method = if target.ends_with("/events") { "POST" } else { "GET" };
        let answer = head(&node, &format!("{method} {target}"), "");
        is(&answer, 400, "request");
        assert!(answer.contains(part), "{target}: {answer}");
    }
    let twice = head(&node, "POST /v1/audit?full=true&full=false", "Content-Length: 0\r\n");
    is(&twice, 400, "request");
}

/// What libraries say, and no message of ours.
const OF_LIBRARIES: [&str; 9] = [
    "deserialize",
    "serde",
    "invalid type",
    "invalid digit",
    "unknown field",
    "Utf8Error",
    "expected ",
    "hyper",
    "axum",
];

#[test]
fn nonsense_in_any_parameter_of_any_route_is_an_error_in_our_words() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    node.post("r0", LINE).expect("an answer");
    node.catch_up();
    let routes = [
        ("GET", "/v1/metrics", &[][..]),
        (
            "GET",
            "/v1/read?metric=total",
            &["from", "to", "grain", "latest", "fill", "at", "min_frontier", "receipt", "metric"],
        ),
        (
            "GET",
            "/v1/metrics/by_hour",
            &[
                "from",
                "to",
                "grain",
                "latest",
                "at",
                "epoch",
                "receipt",
                "hash",
                "format",
                "limit",
                "cursor",
                "key.a",
                "fill",
                "per_window",
            ],
        ),
        ("GET", "/v1/metrics/by_hour/explain-value", &["from", "grain", "at", "limit", "format"]),
        ("GET", "/v1/metrics/by_hour/live", &["from", "grain", "at", "limit", "format"]),
        ("POST", EVENTS, &[]),
        ("GET", "/v1/sources/events/requests", &[]),
        ("GET", "/v1/sources/events/served", &["min_frontier"]),
        ("GET", "/v1/sources/events/quarantine", &["partition", "from", "limit", "grouped"]),
        ("GET", "/v1/sources", &[]),
        ("POST", "/v1/audit", &["full"]),
        ("GET", "/metrics", &[]),
        ("GET", "/healthz", &[]),
        ("GET", "/readyz", &[]),
    ];
    let values = [
        "x",
        "-1",
        "1e9",
        "99999999999999999999999",
        "%00",
        "%ff",
        "null",
        "[1]",
        "1,,2",
        "{",
        "%F0%9F%8C%8D",
        "'",
    ];
    let refused = |method: &str, target: &str| {
        let answer = head(&node, &format!("{method} {target}"), "Content-Length: 0\r\n");
        let (status, _) = error(&answer);
        assert!((400..500).contains(&status), "{target}: {answer}");
        for said in OF_LIBRARIES {
            assert!(!answer.contains(said), "{target} is answered in words of a library, `{said}`: {answer}");
        }
        answer
    };
    for (method, path, names) in routes {
        let with = |name: &str, value: &str| {
            let sign = if path.contains('?') { '&' } else { '?' };
            format!("{path}{sign}{name}={value}")
        };
        for name in names {
            for value in values {
                // What one refuses, another takes as a text.
                let is_text = matches!(*name, "epoch" | "hash" | "grain" | "cursor" | "key.a" | "metric");
                if is_text || (*name == "grouped" || *name == "full") && value.is_empty() {
                    let answer =
                        head(&node, &format!("{method} {}", with(name, value)), "Content-Length: 0\r\n");
                    OF_LIBRARIES
                        .iter()
                        .for_each(|said| assert!(!answer.contains(said), "{name}={value}: {answer}"));
                } else {
                    refused(method, &with(name, value));
                }
            }
            if *name != "metric" && *name != "key.a" {
                let twice = format!("{}&{name}=1", with(name, "1"));
                assert!(refused(method, &twice).contains(&format!("`{name}` is given twice")), "{twice}");
            }
        }
        let answer = refused(method, &with("nonsense", "1"));
        assert!(answer.contains("there is no parameter `nonsense`"), "{answer}");
    }
    for frontier in ["1,2", "1,2,3"] {
        let answer = refused("GET", &format!("/v1/sources/events/served?min_frontier={frontier}"));
        assert!(answer.contains("of `events` has 1 partition"), "{answer}");
    }
}
