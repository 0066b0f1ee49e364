//! Offsets that are committed for a group: they are what was offered, and nothing waits for them.

use std::time::{Duration, Instant};

use krafka::error::ErrorCode;
use krafka::testing::{ApiKey, Control};
use metricc_kafka::{GroupCommits, KafkaError, Security, Topic};

use crate::server::Server;

const TOPIC: &str = "events";

fn topic(server: &Server) -> Topic {
    server.create(TOPIC, 2);
    Topic::open_with_patience(server.address(TOPIC), Security::default(), Duration::from_secs(2))
        .expect("a topic")
}

/// Offers offsets until an attempt to commit has ended.
fn ended(commits: &mut GroupCommits, offsets: &[Option<u64>]) -> Result<(), KafkaError> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(ended) = commits.offer(offsets) {
            return ended;
        }
        assert!(Instant::now() < until, "it has not ended");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_group_is_told_what_was_offered() {
    for server in Server::all() {
        let mut commits = topic(&server).commits("monitor");
        ended(&mut commits, &[Some(3), None]).expect("it is committed");
        assert_eq!(server.committed("monitor", TOPIC, 1), Some(3));
        assert_eq!(
            server.committed("monitor", TOPIC, 2),
            None,
            "a partition that was not read has no offset"
        );
        ended(&mut commits, &[Some(4), Some(5)]).expect("it is committed");
        assert_eq!(server.committed("monitor", TOPIC, 2), Some(9));
        // What is committed already is not committed again.
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(commits.offer(&[Some(4), Some(5)]), None);
    }
}

#[test]
fn a_commit_that_fails_says_so_and_the_next_one_may_not() {
    let server = Server::fake();
    let mut commits = topic(&server).commits("monitor");
    let broker = server.fake.as_ref().expect("the broker of this process");
    broker.on(ApiKey::OffsetCommit, |_| Control::Error(ErrorCode::GroupAuthorizationFailed));
    let error = ended(&mut commits, &[Some(3), Some(3)]).expect_err("it is not allowed");
    let said = format!("{error}; {}", error.help().unwrap_or_default());
    for part in ["topic `events`", "group `monitor`", "must have no members"] {
        assert!(said.contains(part), "{said}");
    }
    broker.clear_hooks();
    // An attempt with the offsets of before may still be on its way.
    let until = Instant::now() + Duration::from_secs(20);
    while server.committed("monitor", TOPIC, 2) != Some(7) {
        assert!(Instant::now() < until, "it is not committed");
        let _ = commits.offer(&[Some(3), Some(4)]);
        std::thread::sleep(Duration::from_millis(10));
    }
}
