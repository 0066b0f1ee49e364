use super::*;

#[test]
fn missing_settings_have_defaults() {
    let config = Config::parse("package = \"a.metric\"\n[sources.clicks]\npartitions = 2\n").unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:7171");
    assert_eq!((config.batch.every.as_secs(), config.batch.events), (300, 1_000_000));
    assert_eq!(config.sources["clicks"].partitions, 2);
    assert_eq!(config.sources["clicks"].duplicates_within, DedupWindow::Positions(1_000_000));
    let config = Config::parse("package = \"a\"\n[sources.s]\nduplicates_within = \"24h\"\n").unwrap();
    let day = DedupWindow::EventTime { micros: 86_400_000_000 };
    assert_eq!(config.sources["s"].duplicates_within, day);
}

#[test]
fn invalid_settings_are_reported_with_their_position() {
    for (text, parts) in [
        ("", &["missing field `package`"][..]),
        ("package = 5", &["line 1, column 11", "invalid type"]),
        ("package = \"a\"\n\npackag = \"b\"", &["line 3, column 1", "unknown field `packag`"]),
        (
            "package = \"a\"\n[batch]\nevery = \"5 minutes\"",
            &["line 3, column 9", "not a duration such as `1h30m`"],
        ),
        ("package = \"a\"\n[batch]\nevery = \"0s\"", &["line 3, column 9", "greater than zero"]),
        ("package = \"a\"\n[batch]\nevents = -1", &["line 3, column 10", "invalid value"]),
        ("package = \"a\"\n[batch]\nevents = 0", &["`batch.events` is 0"]),
        (
            "package = \"a\"\n[sources.s]\npartitions = 0",
            &["`sources.s.partitions` is 0: it must be from 1 to 1024"],
        ),
        (
            "package = \"a\"\n[sources.s]\nduplicates_within = -1",
            &["line 3, column 21", "must not be negative"],
        ),
        ("package = \"a\"\n[sources.s]\nduplicates_within = \"-1h\"", &["line 3, column 21"]),
        ("package = \"a\"\n[sources.s]\nduplicates_within = true", &["such as \"24h\""]),
        (
            "package = \"a\"\nlisten = \"here\"",
            &["line 2, column 10", "`here` is not an address to listen at"],
        ),
        ("package = \"a\"\n[sources.s]\ndelimiter = \"ab\"", &["`sources.s`: `ab` is not a delimiter"]),
        ("package = \"a\"\n[sources.s]\nformat = \"xml\"", &["`sources.s`: unknown format `xml`"]),
        ("package = \"a\"\n[batch]\nworkers = 1025", &["`batch.workers` is 1025: it must be at most 1024"]),
        (
            "package = \"a\"\n[batch]\ncluster = \"df://a:1\"",
            &["`batch.cluster` needs `batch.store`: the folder that the node and the executors share"],
        ),
        ("package = \"a\"\n[batch]\nstore = \"s\"", &["`batch.store` is set without `batch.cluster`"]),
        (
            "package = \"a\"\n[batch]\nwithout_cluster = \"local\"",
            &["`batch.without_cluster` is set without `batch.cluster`"],
        ),
        (
            "package = \"a\"\n[batch]\nwithout_cluster = \"here\"",
            &["line 3, column 19", "unknown variant `here`"],
        ),
        ("package = \"a\"\n[speed]\nworkers = 9999", &["`speed.workers` is 9999: it must be at most 1024"]),
    ] {
        let problem = Config::parse(text).unwrap_err();
        for part in parts {
            assert!(problem.contains(part), "{text:?}: {problem}");
        }
    }
}

#[test]
fn a_host_is_a_name_or_an_address_alone() {
    let parse = |host: &str| Config::parse(&format!("package = \"a\"\nhosts = [{host:?}]\n"));
    for host in
        ["metrics.example", "METRICS", "a-b.example", "xn--mnchen-3ya.example", "10.0.0.1", "[::1]", "a_b"]
    {
        assert!(parse(host).is_ok(), "{host}");
    }
    for (host, instead) in [
        ("https://metrics.example", "`metrics.example`"),
        ("http://metrics.example:8080/x?y", "`metrics.example`"),
        ("metrics.example/", "`metrics.example`"),
        ("metrics.example:443", "`metrics.example`"),
        ("metrics.example:99999", "`metrics.example`"),
        ("user@metrics.example", "`metrics.example`"),
        (" metrics.example ", "`metrics.example`"),
        ("::1", "`[::1]`"),
        ("[::1]:80", "`[::1]`"),
        ("", "such as `metrics.example`"),
        ("*", "such as `metrics.example`"),
        ("*.example", "such as `metrics.example`"),
        ("metrics example", "such as `metrics.example`"),
        ("a..b", "such as `metrics.example`"),
        ("[x]", "such as `metrics.example`"),
        ("münchen.example", "such as `metrics.example`"),
    ] {
        let problem = parse(host).expect_err(host);
        assert!(
            problem.contains(&format!("`{host}` in `hosts`")) && problem.contains(instead),
            "{host}: {problem}"
        );
    }
}
