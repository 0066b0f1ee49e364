//! What an executor says of a job if it cannot note it in the store of the run.
//!
//! The scheduler gives such a text to the run inside of one of its own, with the names of errors of other
//! libraries. Marks around it let the run find it again.

use std::fmt;

const BEGIN: &str = "[metricc: ";
const END: &str = " :metricc]";
const SEPARATOR: &str = " | ";
const OTHER_STORE: &str = "other store";
const FAILED: &str = "failed";

/// What an executor says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// It has another store than the run.
    OtherStore {
        /// The executor.
        executor: String,
        /// Its store.
        store: String,
    },
    /// It could not do the job.
    Failed(String),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = match self {
            Told::OtherStore { executor, store } => vec![OTHER_STORE, executor, store],
            Told::Failed(why) => vec![FAILED, why],
        };
        write!(f, "{BEGIN}{}{END}", fields.join(SEPARATOR))
    }
}

impl Told {
    /// What an executor has said, in a text of the scheduler.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let (_, after) = text.split_once(BEGIN)?;
        let (said, _) = after.split_once(END)?;
        let (kind, rest) = said.split_once(SEPARATOR)?;
        match kind {
            OTHER_STORE => {
                let (executor, store) = rest.split_once(SEPARATOR)?;
                Some(Told::OtherStore { executor: executor.to_owned(), store: store.to_owned() })
            }
            FAILED => Some(Told::Failed(rest.to_owned())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_executor_says_is_found_in_the_words_of_others() {
        let (executor, store) = ("h:1".to_owned(), "/a | b".to_owned());
        for told in [Told::OtherStore { executor, store }, Told::Failed("executor h:1: no | disk".to_owned())]
        {
            let text = format!("Job failed due to stage 1 failed: Execution(\"{told}\")\n");
            assert_eq!(Told::find(&text), Some(told));
        }
        for text in ["", "[metricc: ", "[metricc: failed :metricc]", "stage 1 failed"] {
            assert_eq!(Told::find(text), None, "{text}");
        }
    }
}
