//! Sealed files with rows that no metric wants, as their statistics tell.

use super::Home;
use super::deploy::{CONFIG, SOURCE, bare, run, view_has, write};

/// Events of one shop with one value, which a sealed file has all of.
fn events(n_events: usize, value: u64) -> String {
    format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"shop\":\"a\",\"n\":{value}}}\n").repeat(n_events)
}

#[test]
fn files_without_a_wanted_row_are_read_as_all_others() {
    let large = "metric large = count() { from events  where n >= 100  by shop }\n";
    let home = Home::new(&format!("{SOURCE}{large}"), CONFIG);
    let node = home.ready();
    let mut all = String::new();
    for (request, value) in [5, 500, 5, 5, 700].into_iter().enumerate() {
        let body = events(1000, value);
        assert_eq!(node.post(&format!("r{request}"), &body).unwrap().status, 200);
        all.push_str(&body);
    }
    view_has(&node, 5000);
    let file = home.path().join("events.metric").to_string_lossy().into_owned();
    assert_eq!(bare(node.rows("large").0), bare(run(&home, &file, &all, "large")));
    let (code, _, said) = node.run(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{said}");
    let other = "metric large = count() { from events  where n >= 600  by shop }\n";
    let next = write(&home, "next.metric", other);
    assert_eq!(node.run(&["deploy", &next]).0, Some(0));
    assert_eq!(bare(node.rows("large").0), bare(run(&home, &next, &all, "large")));
    node.kill();
    let node = home.ready();
    assert_eq!(bare(node.rows("large").0), bare(run(&home, &next, &all, "large")));
}
