//! Versions that are kept no longer: those that cannot read what comes in, those beyond the number that is kept,
//! and those that were replaced too long ago.

use std::cmp::Reverse;

use super::planned::Planned;
use super::{Deployments, State, Versions, now_us};

/// Why a version goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Going {
    /// Other versions were live later, and only so many are kept.
    TooMany { kept: usize },
    /// It was replaced too long ago.
    TooOld,
    /// It could not read what comes in.
    Unreadable { problem: String },
}

/// What is said of a version that goes, as the rest of a sentence.
pub(super) fn going_text(why: &Going) -> String {
    match why {
        Going::TooMany { kept: 0 } => "is kept no longer (`versions = 0` under `[deploy]`)".to_owned(),
        Going::TooMany { kept } => {
            format!("is kept no longer (`versions = {kept}` under `[deploy]`, besides the live one)")
        }
        Going::TooOld => "is kept no longer (`keep_for` under `[deploy]`)".to_owned(),
        Going::Unreadable { problem } => format!("is kept no longer: read as it declares {problem}"),
    }
}

impl Deployments {
    /// Of versions that were replaced at these times, those that are kept no longer.
    fn beyond_kept(&self, mut kept: Vec<(Option<i64>, u64)>) -> Vec<(u64, Going)> {
        let kept_for = i64::try_from(self.keep.keep_for.as_micros()).unwrap_or(i64::MAX);
        let oldest = now_us().saturating_sub(kept_for);
        kept.sort_by_key(|(replaced_at, _)| Reverse(*replaced_at));
        let goes = |(index, (replaced_at, number)): (usize, (Option<i64>, u64))| {
            let is_old = replaced_at.is_none_or(|at| at < oldest);
            let too_many =
                (index >= self.keep.versions).then_some(Going::TooMany { kept: self.keep.versions });
            Some((number, too_many.or(is_old.then_some(Going::TooOld))?))
        };
        kept.into_iter().enumerate().filter_map(goes).collect()
    }

    /// The versions that are kept no longer as it is.
    pub(super) fn beyond_kept_now(&self, state: &State) -> Vec<(u64, Going)> {
        let kept = state.kept().map(|version| (version.record.replaced_at, version.record.number));
        self.beyond_kept(kept.collect())
    }

    /// The versions beyond those that are kept once another one takes the place of the live one: one that is there
    /// already and has this number, or a new one. Those that it could not be read with are not among them.
    pub(super) fn beyond_kept_after(
        &self,
        state: &State,
        number: Option<u64>,
        next: &Planned,
    ) -> Vec<(u64, Going)> {
        let given_up = self.given_up(state, next);
        let live = state.live().record.number;
        let replaced = std::iter::once((Some(now_us()), live));
        let kept = state.kept().map(|version| (version.record.replaced_at, version.record.number));
        let stays =
            |(_, of): &(Option<i64>, u64)| Some(*of) != number && given_up.iter().all(|(gone, _)| gone != of);
        self.beyond_kept(replaced.chain(kept).filter(stays).collect())
    }

    /// All versions that go when one takes the place of the live one.
    pub(super) fn going(&self, state: &State, number: u64, next: &Planned) -> Vec<(u64, Going)> {
        let given_up = self.given_up(state, next).into_iter().filter(|(gone, _)| *gone != number);
        let given_up = given_up.map(|(gone, problem)| (gone, Going::Unreadable { problem }));
        given_up.chain(self.beyond_kept_after(state, Some(number), next)).collect()
    }
}

impl Versions {
    pub(super) fn retain_but(&mut self, going: &[(u64, Going)]) {
        self.versions.retain(|version| going.iter().all(|(gone, _)| *gone != version.number));
    }
}

/// Says in the log which versions are gone, and why.
pub(super) fn log_gone(going: &[(u64, Going)]) {
    for (version, why) in going {
        let text = going_text(why);
        match why {
            Going::Unreadable { .. } => tracing::warn!(version, "a version of the package {text}"),
            Going::TooMany { .. } | Going::TooOld => {
                tracing::info!(version, "a version of the package {text}");
            }
        }
    }
}
