//! Versions that are deployed while events come in and the node is killed.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::deploy::{CONFIG, bare, deployed, events, home, run, view_has, write, write_package};
use super::{Home, Node};

const BANK: &str = "
source events { at: timestamp time  account: int  amount: int }
metric balance = sum(amount) { from events by account }
";

fn transfer(number: u64) -> String {
    let (from, to, amount) = (number * 7 % 50, number * 11 % 50 + 50, number % 1000 + 1);
    let line = |account: u64, amount: i64| {
        format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"account\":{account},\"amount\":{amount}}}\n")
    };
    line(from, -(amount as i64)) + &line(to, amount as i64)
}

fn sum(rows: &[Value]) -> i64 {
    let amounts = rows.iter().map(|row| {
        let value = &row["value"];
        value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{row}"))
    });
    amounts.sum()
}

/// Reads all that is served in one answer, in the versions that there are, and checks that no money is made.
fn check_answers(node: &Node, hashes: &mut Vec<String>) -> u64 {
    let list = node.get("/v1/metrics").json();
    let names: Vec<String> = list["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|metric| metric["name"].as_str().unwrap().to_owned())
        .collect();
    let several: Vec<String> = names.iter().map(|name| format!("metric={name}")).collect();
    let answer = node.get(&format!("/v1/read?{}", several.join("&")));
    // A version may have become live in between, which does not have one of the names.
    if answer.status == 404 {
        return 0;
    }
    assert_eq!(answer.status, 200, "{}", answer.body);
    for of_metric in answer.json()["answers"].as_array().unwrap() {
        let rows = of_metric["rows"].as_array().unwrap();
        assert_eq!(sum(rows), 0, "{} at {}", of_metric["metric"], of_metric["frontier"]);
        if of_metric["metric"] == "balance" {
            hashes.push(of_metric["hash"].as_str().unwrap().to_owned());
        }
    }
    hashes.dedup();
    // Whoever asks for a version gets that one, or is told that there is another one.
    let mut n_answers = 1;
    for hash in hashes.iter().rev().take(3) {
        let answer = node.get(&format!("/v1/metrics/balance?hash={hash}"));
        assert!([200, 409].contains(&answer.status), "{}", answer.body);
        if answer.status == 200 {
            assert_eq!(sum(answer.json()["rows"].as_array().unwrap()), 0, "{hash}");
            assert_eq!(answer.json()["hash"].as_str(), Some(&**hash));
            n_answers += 1;
        }
    }
    n_answers
}

/// The balances by other groups: each is another state, and all of them sum to zero. Some declare another field.
fn version(number: u64) -> String {
    let modulus = number % 7 + 2;
    let more = ["", "note: string?", "fee: int = 0", ""][(number % 4) as usize];
    format!(
        "source events {{ at: timestamp time  account: int  amount: int  {more} }}\n\
         metric balance = sum(amount) {{ from events  by account % {modulus} as part }}\n\
         metric other_{number} = sum(amount) {{ from events  by account % {} as part }}\n",
        modulus + 1
    )
}

#[test]
fn balances_sum_to_zero_in_every_answer_of_every_version() {
    let home = Home::new(BANK, CONFIG);
    let (number, deployed) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut n_answers, mut n_live, mut hashes) = (0, 0, Vec::new());
    for round in 0..3 {
        let node = home.ready();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = number.fetch_add(1, Ordering::Relaxed);
                    node.post(&format!("t{number}"), &transfer(number));
                }
            });
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let number = deployed.fetch_add(1, Ordering::Relaxed);
                    // Another one may be underway since the last kill.
                    node.run(&["deploy", &write_package(&home, "next.metric", &version(number))]);
                }
            });
            let live = || node.get("/v1/package").json()["live"].as_u64().unwrap();
            let start = Instant::now();
            let (least, most) = (Duration::from_millis(2500 + 300 * round), Duration::from_secs(60));
            // On a busy machine a version takes longer.
            while start.elapsed() < least || start.elapsed() < most && live() < n_live + 2 {
                n_answers += check_answers(&node, &mut hashes);
            }
            is_over.store(true, Ordering::Relaxed);
            let live = live();
            assert!(live >= n_live, "the version went back from {n_live} to {live}");
            n_live = live;
        });
        node.kill();
    }
    assert!(n_live > 5 && n_answers > 50, "{n_answers} answers, up to version {n_live}");
}

#[test]
fn a_deployment_is_whole_after_a_kill_at_any_moment() {
    let (home, all) = (home(), events(0, 20_000));
    let node = home.ready();
    for part in 0..4 {
        node.post(&format!("a{part}"), &events(part * 5000, part * 5000 + 5000)).unwrap();
    }
    view_has(&node, 20_000);
    node.kill();
    for round in 0..6u64 {
        let node = home.ready();
        let metrics = format!(
            "metric seen = count() {{ from events  by shop }}\n\
             metric added_{round} = sum(n) {{ from events  where n % {} == 0  by shop  every 1h }}\n",
            round + 2
        );
        let file = write(&home, &format!("round{round}.metric"), &metrics);
        let (code, _, said) = node.run(&["deploy", &file, "--no-wait"]);
        assert_eq!(code, Some(0), "{said}");
        std::thread::sleep(Duration::from_millis(round * 40));
        node.kill();
        let node = home.ready();
        // It is on its way or live: nobody has to deploy it again.
        let metric = format!("added_{round}");
        node.until(|node| node.get(&format!("/v1/metrics/{metric}")).status == 200);
        for metric in ["seen", &metric] {
            assert_eq!(bare(node.rows(metric).0), bare(run(&home, &file, &all, metric)), "{metric}");
        }
        node.kill();
    }
}

#[test]
fn many_deployments_leave_nothing_behind_but_what_is_kept() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 2000)).unwrap();
    view_has(&node, 2000);
    for number in 0..40 {
        let metrics = format!(
            "metric of_{number} = sum(n) {{ from events  where n % {} == 1  by shop }}\n",
            number + 2
        );
        deployed(&node, &write(&home, "next.metric", &metrics));
    }
    let names = |folder: &str| {
        let folder = home.path().join("metricc-data").join(folder);
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    // The live one, two that are kept, and of those that were live the last three.
    assert_eq!(names("packages").len(), 4, "{:?}", names("packages"));
    // A view that is committed after the last step has no states of versions that are gone.
    node.post("b", &events(2000, 2100)).unwrap();
    view_has(&node, 2100);
    let metrics = node.get("/metrics").body;
    let groups = metrics.lines().find(|line| line.starts_with("metricc_groups{")).unwrap().to_owned();
    assert!(groups.ends_with(" 7") || groups.ends_with(" 14"), "{groups}");
}

#[test]
fn two_hundred_metrics_are_deployed_with_one_read_of_the_log() {
    let (home, all) = (home(), events(0, 5000));
    let node = home.ready();
    node.post("a", &all).unwrap();
    view_has(&node, 5000);
    let metric =
        |n: u64| format!("metric m{n} = sum(n) {{ from events  where n % {} == 0  by shop }}\n", n + 2);
    let file = write(&home, "many.metric", &(0..200).map(metric).collect::<String>());
    deployed(&node, &file);
    for metric in ["m0", "m77", "m199"] {
        assert_eq!(bare(node.rows(metric).0), bare(run(&home, &file, &all, metric)), "{metric}");
    }
}
