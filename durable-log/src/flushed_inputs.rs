//! How far inputs have been read with all of their events flushed.
//!
//! The journal notes how far an input has been read in the frame that has the events. A log that is restored
//! from flushed files has not all of them, and must read the input again from where its events end.

use std::collections::{BTreeMap, VecDeque};

/// Where an input has been read to, and the ends of its source's partitions with these events.
#[derive(Debug, Clone)]
struct Mark {
    to: u64,
    ends: Vec<u64>,
}

/// The inputs of all sources.
#[derive(Debug, Default)]
pub(crate) struct FlushedInputs {
    /// By source and input: the last position whose events are flushed, and the later ones that were noted.
    inputs: BTreeMap<(String, String), (Option<u64>, VecDeque<Mark>)>,
}

impl FlushedInputs {
    /// What a checkpoint says of an input, with which replay begins: its events are flushed, since the journal
    /// has no frame of them any more.
    pub(crate) fn begin(&mut self, source: &str, input: &str, to: u64) {
        self.inputs.insert((source.to_owned(), input.to_owned()), (Some(to), VecDeque::new()));
    }

    /// An input has been read to a position, and the partitions of its source end there with its events.
    pub(crate) fn read(&mut self, source: &str, input: &str, to: u64, ends: Vec<u64>) {
        let (_, marks) = self.inputs.entry((source.to_owned(), input.to_owned())).or_default();
        marks.push_back(Mark { to, ends });
    }

    /// The partitions of a source are flushed to these offsets.
    pub(crate) fn flushed(&mut self, source: &str, flushed_to: &[u64]) {
        let of_source = self.inputs.iter_mut().filter(|((name, _), _)| name == source);
        for (_, (last, marks)) in of_source {
            let is_flushed =
                |mark: &mut Mark| mark.ends.iter().zip(flushed_to).all(|(end, flushed)| end <= flushed);
            while let Some(mark) = marks.pop_front_if(is_flushed) {
                *last = Some(mark.to);
            }
        }
    }

    /// The inputs of a source.
    pub(crate) fn of(&self, source: &str) -> BTreeMap<String, u64> {
        let of_source = self.inputs.iter().filter(|((name, _), _)| name == source);
        of_source.filter_map(|((_, input), (last, _))| Some((input.clone(), (*last)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_read_as_far_as_all_its_events_are_flushed() {
        let mut inputs = FlushedInputs::default();
        let of = |inputs: &FlushedInputs| inputs.of("s").get("a").copied();
        inputs.begin("other", "a", 9);
        inputs.read("s", "a", 10, vec![5, 0]);
        inputs.read("s", "a", 20, vec![5, 7]);
        assert_eq!(of(&inputs), None);
        inputs.flushed("s", &[5, 0]);
        assert_eq!(of(&inputs), Some(10));
        inputs.flushed("s", &[6, 6]);
        assert_eq!(of(&inputs), Some(10));
        inputs.flushed("s", &[6, 7]);
        assert_eq!((of(&inputs), inputs.of("other")["a"]), (Some(20), 9));
    }
}
