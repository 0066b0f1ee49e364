//! Versions beside the limits of a node, and beside one another.

use super::deploy::{CONFIG, SOURCE, events, home, versions, view_has, write};
use super::{Home, Node};

/// Groups take part in `max_groups` as long as their version is live.
#[test]
fn events_are_taken_again_after_a_rollback_from_a_version_with_too_many_groups() {
    let few = "metric seen = count() { from events  by shop }\n";
    let home =
        Home::new(&format!("{SOURCE}{few}"), &CONFIG.replace("[speed]\n", "[speed]\nmax_groups = 100\n"));
    let node = home.ready();
    assert_eq!(node.post("a", &events(0, 600)).unwrap().status, 200);
    view_has(&node, 600);
    let many = write(&home, "many.metric", "metric seen = count() { from events  by n }\n");
    assert_eq!(node.run(&["deploy", &many]).0, Some(0));
    let refused = node.post("b", &events(600, 601)).unwrap();
    assert!(refused.status == 507 && refused.body.contains("600 groups"), "{}", refused.body);
    assert_eq!(node.run(&["rollback"]).0, Some(0));
    let taken = node.post("b", &events(600, 601)).unwrap();
    assert_eq!(taken.status, 200, "{}", taken.body);
    node.catch_up();
}

fn deploy_slowly(node: &Node, home: &Home) -> bool {
    let many = "metric seen = count() { from events  by shop }
        metric p = quantile(n, 0.5, within: 1%) { from events  by n % 1000 as part }
        metric d = distinct(n) { from events  by n % 1000 as part }";
    let file = write(home, "slow.metric", many);
    assert_eq!(node.run(&["deploy", &file, "--no-wait"]).0, Some(0));
    versions(node).iter().any(|(_, state)| state == "building")
}

/// Whoever rolls back has the last word, also over a deployment that is still being computed.
#[test]
fn a_rollback_is_not_undone_by_a_version_that_is_on_its_way() {
    let home = home();
    let node = home.ready();
    let mut n_events = 0;
    for request in 0..20 {
        node.post(&format!("e{request}"), &events(n_events, n_events + 5000)).unwrap();
        n_events += 5000;
    }
    view_has(&node, n_events);
    // What batch took for these events says what it will take for others.
    let added = write(&home, "added.metric", "metric added = min(n) { from events }\n");
    let (_, out, said) = node.run(&["deploy", &added, "--plan"]);
    assert!(
        out.contains("added         added") && out.contains("100000 events of the log, about "),
        "{out}{said}"
    );
    let second = write(&home, "second.metric", "metric seen = count() * 2 { from events  by shop }\n");
    assert_eq!(node.run(&["deploy", &second]).0, Some(0));
    assert!(deploy_slowly(&node, &home), "it was computed at once: give it more events");
    let (code, _, said) = node.run(&["rollback", "1"]);
    assert!(code == Some(0) && said.contains("version 1 is live"), "{said}");
    assert!(
        said.contains("note: version 3 was being computed, and is a preview now")
            && said.contains("`metricc promote 3`"),
        "{said}"
    );
    node.until(|node| node.get("/v1/package").json()["versions"][0]["waits_for"].is_null());
    std::thread::sleep(std::time::Duration::from_secs(2));
    let states: Vec<(u64, String)> = versions(&node);
    let wanted = [(3, "preview"), (2, "kept"), (1, "live")].map(|(n, state)| (n, state.to_owned()));
    assert_eq!(states, wanted);
}

#[test]
fn a_rollback_goes_to_the_version_that_was_live_last() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    let deploy = |factor: u64| {
        let text = format!("metric seen = count() * {factor} {{ from events  by shop }}\n");
        assert_eq!(node.run(&["deploy", &write(&home, "next.metric", &text)]).0, Some(0));
    };
    // What is said of it before is what it does.
    let next = || {
        let (_, _, said) = node.run(&["versions"]);
        (node.get("/v1/package").json()["rollback"].clone(), said)
    };
    let nothing = "`metricc rollback` has no version to go back to";
    assert!(next().0.is_null() && next().1.contains(nothing), "{:?}", next());
    node.catch_up();
    deploy(2);
    deploy(3);
    assert!(
        next().0 == 2 && next().1.contains("`metricc rollback` makes version 2 live again"),
        "{:?}",
        next()
    );
    assert_eq!(node.run(&["rollback", "1"]).0, Some(0));
    assert!(next().0.is_null(), "{:?}", next());
    deploy(4);
    assert!(
        next().0 == 1 && next().1.contains("`metricc rollback` makes version 1 live again"),
        "{:?}",
        next()
    );
    let (code, _, said) = node.run(&["rollback"]);
    assert!(code == Some(0) && said.contains("version 1 is live"), "{said}");
    assert!(next().0.is_null() && next().1.contains(nothing), "{:?}", next());
    let (code, _, said) = node.run(&["rollback"]);
    assert!(code == Some(2) && said.contains("no version before the live one is kept"), "{said}");
}

/// Hashes choose a version, and a request is answered by one.
#[test]
fn a_request_for_several_metrics_is_of_one_version() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    node.catch_up();
    let hashes = |node: &Node| -> Vec<String> {
        let metrics = node.get("/v1/metrics").json()["metrics"].as_array().unwrap().clone();
        let hash = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap()["hash"].clone();
        ["seen", "total"].map(|name| format!("{name}@{}", hash(name).as_str().unwrap())).to_vec()
    };
    let old = hashes(&node);
    let text = "metric seen = count() * 2 { from events  by shop }\nmetric total = sum(n) * 2 { from events  by shop }\n";
    assert_eq!(node.run(&["deploy", &write(&home, "next.metric", text)]).0, Some(0));
    let new = hashes(&node);
    let read = |first: &str, second: &str| node.get(&format!("/v1/read?metric={first}&metric={second}"));
    for (first, second, status) in [
        (&*old[0], &*old[1], 200),
        (&new[0], &new[1], 200),
        (&new[0], "total", 200),
        (&old[0], &new[1], 409),
        (&old[0], "gone", 200),
    ] {
        let answer = read(first, second);
        assert_eq!(answer.status, status, "{first} {second}: {}", answer.body);
    }
    // What names no hash is of the same version as what does.
    let answer = read(&old[0], "total").json();
    assert_eq!(format!("total@{}", answer["answers"][1]["hash"].as_str().unwrap()), old[1]);
}

/// A file is deployed when its tests pass, and says which do not.
#[test]
fn a_file_with_a_test_that_fails_is_not_deployed() {
    let home = home();
    let node = home.ready();
    let file = |wanted: u64| {
        let text = format!(
            "metric seen = count() {{ from events  by shop }}
test \"one event is seen\" {{
  given events [{{ at: \"2026-04-25T10:00:00Z\", shop: \"a\", n: 1 }}]
  expect seen [{{ shop: \"a\", value: {wanted} }}]
}}
"
        );
        write(&home, "next.metric", &text)
    };
    let wrong = file(2);
    let (_, report, _) = node.run(&["test", &wrong]);
    assert!(report.contains("FAILED") && report.contains("one event is seen"), "{report}");
    for more in [&["--plan"][..], &["--preview"], &["--json"], &[]] {
        let (code, out, said) = node.run(&[&["deploy", &wrong], more].concat());
        // A plan is shown all the same.
        let shown = if more == ["--plan"] { "kept          seen\nremoved       total\n" } else { "" };
        assert!(
            code == Some(1) && out.starts_with(shown) && out.is_empty() == shown.is_empty(),
            "{out}{said}"
        );
        assert!(said.contains(report.trim_end()) && said.contains("0 tests passed, 1 failed"), "{said}");
        let outcome = if shown.is_empty() { "nothing is deployed" } else { "nothing would be deployed" };
        assert!(said.contains(outcome) && said.contains("`--skip-tests`"), "{said}");
    }
    assert_eq!(versions(&node), vec![(1, "live".to_owned())]);
    assert_eq!(node.run(&["deploy", &wrong, "--skip-tests", "--plan"]).0, Some(0));
    let (code, _, said) = node.run(&["deploy", &file(1)]);
    assert!(
        code == Some(0) && said.contains("1 test passed") && said.contains("version 2 is live"),
        "{said}"
    );
    let (code, _, said) = node.run(&["deploy", &file(2), "--skip-tests"]);
    assert!(code == Some(0) && !said.contains("passed"), "{said}");
}
