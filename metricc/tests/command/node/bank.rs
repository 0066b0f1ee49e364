//! The bank test: each request transfers money between two accounts, while nodes are killed. The balances sum
//! to zero in every answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  account: int  amount: int }
metric balance = sum(amount) { from events by account }
metric all_money = sum(amount) { from events }
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

#[test]
fn balances_sum_to_zero_in_every_answer() {
    let home = Home::new(
        PACKAGE,
        "[batch]\nevery = \"30ms\"\n[ingest]\nseal_events = 300\n[speed]\nrefresh = \"5ms\"\n",
    );
    let (number, n_answers) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut least = 0;
    for _ in 0..4 {
        let node = home.ready();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let number = number.fetch_add(1, Ordering::Relaxed);
                        node.post(&format!("t{number}"), &transfer(number));
                    }
                });
            }
            let end = Instant::now() + Duration::from_millis(900);
            while Instant::now() < end {
                for metric in ["balance", "all_money"] {
                    let (rows, frontier) = node.rows(metric);
                    assert_eq!(sum(&rows), 0, "{metric} at {frontier}");
                    assert_eq!(frontier % 2, 0, "half of a transfer is in the answer at {frontier}");
                    assert!(frontier >= least, "the frontier went back from {least} to {frontier}");
                    least = frontier;
                    n_answers.fetch_add(1, Ordering::Relaxed);
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        node.kill();
    }
    let n_answers = n_answers.into_inner();
    assert!(least > 200 && n_answers > 100, "{n_answers} answers up to {least}");
}
