//! Offsets that are committed for a group, so that programs that watch the lag of groups see how far a log
//! is. They are told after the log has them, and never read: where to go on, the log alone says.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::{KafkaError, Topic};

/// Commits offsets beside the thread that offers them.
#[derive(Debug)]
pub struct GroupCommits {
    topic: Topic,
    group: String,
    sender: Sender<Result<(), KafkaError>>,
    receiver: Receiver<Result<(), KafkaError>>,
    /// What is being committed.
    running: Option<Vec<Option<u64>>>,
    committed: Vec<Option<u64>>,
}

impl GroupCommits {
    pub(crate) fn new(topic: &Topic, group: &str) -> Self {
        let (sender, receiver) = channel();
        let (topic, group) = (topic.clone(), group.to_owned());
        GroupCommits { topic, group, sender, receiver, running: None, committed: Vec::new() }
    }

    /// Begins to commit the offset of each partition that has one, unless these are committed, or others
    /// still are being so. Does not wait. Returns how the last attempt has ended, once.
    pub fn offer(&mut self, offsets: &[Option<u64>]) -> Option<Result<(), KafkaError>> {
        let ended = self.receiver.try_recv().ok();
        if let Some(ended) = &ended {
            let ran = self.running.take();
            if ended.is_ok() {
                self.committed = ran.unwrap_or_default();
            }
        }
        let some: Vec<(u32, u64)> =
            (0u32..).zip(offsets).filter_map(|(partition, offset)| Some((partition, (*offset)?))).collect();
        if self.running.is_none() && self.committed != offsets && !some.is_empty() {
            self.running = Some(offsets.to_vec());
            let (inner, group, sender) = (self.topic.inner.clone(), self.group.clone(), self.sender.clone());
            self.topic.inner.spawn(async move {
                // Nobody may want to know it any more.
                let _ = sender.send(inner.commit(group, some).await);
            });
        }
        ended
    }
}
