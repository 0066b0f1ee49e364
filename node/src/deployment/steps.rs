//! The steps from one version of the package to another. Each is on the disk before it is taken.

use std::sync::Arc;

use metricc_jobs::PackageText;

use super::going::{going_text, log_gone};
use super::{
    Changes, DeployError, Deployed, Deployments, State, StepKind, Stepped, Version, VersionRecord,
    VersionState, Versions, now_us,
};

/// Who retires versions that are kept for long enough.
const BY_SETTINGS: &str = "[deploy]";

/// What the log says of a version that does not become live by itself any more.
pub(super) const HELD_BACK: &str = "a version that was on its way is a preview now";

impl State {
    /// The version that rolling back makes live: of the kept ones that were deployed before the live one the one
    /// that was live last, so that going back again goes further back.
    pub(super) fn before_live(&self) -> Option<&Arc<Version>> {
        let live = self.live().record.number;
        let before = self.kept().filter(|version| version.record.number < live);
        before.max_by_key(|version| (version.record.replaced_at, version.record.number))
    }
}

impl Deployments {
    /// What deploying a package would do.
    ///
    /// # Errors
    /// As [`Deployments::deploy`].
    pub(crate) fn plan(&self, text: &PackageText) -> Result<Changes, DeployError> {
        let state = self.lock();
        if state.stored.is_none() {
            return Err(DeployError::Program);
        }
        self.without_cluster()?;
        let planned = self.planned(text.clone())?;
        Ok(self.changes_of(&state, text, &planned)?)
    }

    fn without_cluster(&self) -> Result<(), DeployError> {
        if self.has_cluster { Err(DeployError::Cluster) } else { Ok(()) }
    }

    /// Deploys a package: it becomes live as soon as its states are there, at once if they all are, or when it
    /// is told to if it is a preview.
    ///
    /// # Errors
    /// [`DeployError`]. The versions are as they were, but after [`DeployError::Thread`].
    pub(crate) fn deploy(
        &self,
        text: PackageText,
        by: &str,
        is_preview: bool,
    ) -> Result<Deployed, DeployError> {
        self.deploy_after(None, text, by, is_preview)
    }

    /// As [`Deployments::deploy`], if the live version still has the text of this hash.
    pub(super) fn deploy_after(
        &self,
        before: Option<&str>,
        text: PackageText,
        by: &str,
        is_preview: bool,
    ) -> Result<Deployed, DeployError> {
        self.without_cluster()?;
        let planned = self.planned(text.clone())?;
        let new_sources = self.open_new(&planned)?;
        let mut state = self.lock();
        let Some((store, versions)) = state.stored.clone() else { return Err(DeployError::Program) };
        is_free(&state)?;
        if before.is_some_and(|hash| hash != state.live().record.hash) {
            return Err(DeployError::Changed);
        }
        let changes = self.changes_of(&state, &text, &planned)?;
        if let Some(version) = changes.live_as {
            return Ok(Deployed { version, state: VersionState::Live, changes });
        }
        let (hash, at) = (text.hash(), now_us());
        store.write_text(&text)?;
        let number = versions.next;
        let record = VersionRecord {
            number,
            hash,
            name: text.name,
            by: by.to_owned(),
            at,
            state: if is_preview { VersionState::Preview } else { VersionState::Building },
            served: false,
            replaced_at: None,
        };
        self.change(&mut state, |versions| {
            versions.next += 1;
            versions.note_deployed(&record.hash);
            versions.versions.insert(0, record.clone());
            versions.step(number, StepKind::Deployed, by, at);
        })?;
        state.versions.insert(0, Arc::new(Version { record, planned }));
        new_sources.begin()?;
        tracing::info!(version = number, by, "a version of the package is deployed");
        self.serve(&state);
        self.want(&state)?;
        self.advance_in(&mut state)?;
        let now = state.of(number)?.record.state;
        Ok(Deployed { version: number, state: now, changes })
    }

    /// Makes a preview live, as soon as its states are there.
    ///
    /// # Errors
    /// [`DeployError`].
    pub(crate) fn promote(&self, number: u64, by: &str) -> Result<Stepped, DeployError> {
        let mut state = self.lock();
        let version = state.of(number)?.clone();
        let now = version.record.state;
        match now {
            VersionState::Preview => {}
            VersionState::Kept => return Err(DeployError::WasLive { version: number }),
            VersionState::Live => {
                return Ok(Stepped { version: number, state: now, notes: underway_note(&state) });
            }
            VersionState::Building => return Ok(Stepped { version: number, state: now, notes: Vec::new() }),
        }
        version.planned.check_readers()?;
        let going = self.going(&state, number, &version.planned);
        let is_there = self.waits_for(&version.planned).is_none();
        match is_there {
            true => self.make_live(&mut state, number, by, StepKind::Promoted)?,
            false => {
                self.change(&mut state, |versions| set(versions, number, VersionState::Building))?;
            }
        }
        let when = if is_there { "" } else { ", when this one is live" };
        let notes = going.iter().map(|(gone, why)| format!("version {gone} {}{when}", going_text(why)));
        Ok(Stepped { version: number, state: state.of(number)?.record.state, notes: notes.collect() })
    }

    /// Makes a kept version live again: [`State::before_live`], or another one.
    ///
    /// # Errors
    /// [`DeployError`] if there is no such version, or its states are not there yet.
    pub(crate) fn roll_back(&self, number: Option<u64>, by: &str) -> Result<Stepped, DeployError> {
        let mut state = self.lock();
        let version = match number {
            Some(number) => state.of(number)?.clone(),
            None => state.before_live().cloned().ok_or_else(|| DeployError::NothingKept {
                others: state.kept().map(|version| version.record.number).collect(),
            })?,
        };
        let number = version.record.number;
        match version.record.state {
            VersionState::Kept => {}
            VersionState::Live => {
                let notes = underway_note(&state);
                return Ok(Stepped { version: number, state: VersionState::Live, notes });
            }
            _ => return Err(DeployError::NeverLive { version: number }),
        }
        version.planned.check_readers()?;
        if let Some(metric) = self.lacks(&version.planned) {
            return Err(DeployError::NotFollowed { version: number, metric });
        }
        // What was on its way does not come after it.
        let held_back = state.with(|state| state == VersionState::Building).map(|other| other.record.number);
        self.change(&mut state, |versions| versions.hold_back())?;
        let going = self.going(&state, number, &version.planned);
        self.make_live(&mut state, number, by, StepKind::RolledBack)?;
        let held_back = held_back.map(|other| {
            tracing::info!(version = other, "{HELD_BACK}");
            format!(
                "version {other} was being computed, and is a preview now: it does not become live by itself; `metricc promote \
                 {other}` makes it live, `metricc retire {other}` gives it up"
            )
        });
        let going = going.iter().map(|(gone, why)| format!("version {gone} {}", going_text(why)));
        let notes = held_back.into_iter().chain(going).collect();
        Ok(Stepped { version: number, state: VersionState::Live, notes })
    }

    /// Gives a version up that is not live.
    ///
    /// # Errors
    /// [`DeployError`].
    pub(crate) fn retire(&self, number: u64, by: &str) -> Result<(), DeployError> {
        let mut state = self.lock();
        if state.of(number)?.record.state == VersionState::Live {
            return Err(DeployError::IsLive { version: number });
        }
        self.change(&mut state, |versions| {
            versions.versions.retain(|version| version.number != number);
            versions.step(number, StepKind::Retired, by, now_us());
        })?;
        tracing::info!(version = number, by, "a version of the package is retired");
        self.serve(&state);
        self.want(&state)
    }

    /// Takes the next step, if there is one: a version whose states are there becomes live, and versions that
    /// were kept for long enough are retired.
    pub(crate) fn advance(&self) {
        let mut state = self.lock();
        let advanced = self
            .note_served(&mut state)
            .and_then(|()| self.advance_in(&mut state))
            .and_then(|()| self.forget_old(&mut state));
        if let Err(error) = advanced {
            tracing::error!(%error, "the versions of the package stay as they are; this is tried again");
        }
    }

    /// Notes that the live version is answered as a whole: only then is it worth keeping later.
    fn note_served(&self, state: &mut State) -> Result<(), DeployError> {
        let live = state.live();
        let is_noted = live.record.served && state.unwritten.is_none();
        if is_noted || state.stored.is_none() || self.waits_for(&live.planned).is_some() {
            return Ok(());
        }
        let number = live.record.number;
        self.change(state, |versions| {
            for version in versions.versions.iter_mut().filter(|version| version.number == number) {
                version.served = true;
            }
        })
    }

    fn advance_in(&self, state: &mut State) -> Result<(), DeployError> {
        let Some(building) = state.with(|state| state == VersionState::Building) else { return Ok(()) };
        // One with problems was deployed before the readers were changed.
        if building.planned.check_readers().is_err() || self.waits_for(&building.planned).is_some() {
            return Ok(());
        }
        let (number, by) = (building.record.number, building.record.by.clone());
        self.make_live(state, number, &by, StepKind::Promoted)
    }

    /// Retires versions beyond those that are to be kept.
    fn forget_old(&self, state: &mut State) -> Result<(), DeployError> {
        let going = self.beyond_kept_now(state);
        if going.is_empty() {
            return Ok(());
        }
        self.change(state, |versions| {
            versions.retain_but(&going);
            going.iter().for_each(|(gone, _)| versions.step(*gone, StepKind::Retired, BY_SETTINGS, now_us()));
        })?;
        log_gone(&going);
        self.serve(state);
        self.want(state)
    }

    fn make_live(&self, state: &mut State, number: u64, by: &str, kind: StepKind) -> Result<(), DeployError> {
        let at = now_us();
        let next = state.of(number)?.clone();
        let going = self.going(state, number, &next.planned);
        self.change(state, |versions| {
            versions.note_earlier();
            for version in &mut versions.versions {
                if version.state == VersionState::Live {
                    (version.state, version.replaced_at) = (VersionState::Kept, Some(at));
                }
            }
            set(versions, number, VersionState::Live);
            versions.step(number, kind, by, at);
            // What goes with a step has its time.
            versions.retain_but(&going);
            going.iter().for_each(|(gone, _)| versions.step(*gone, StepKind::Retired, by, at));
        })?;
        self.serve(state);
        self.declare(state);
        (self.on_promotion)(&state.live().planned);
        tracing::info!(version = number, by, "a version of the package is live");
        log_gone(&going);
        self.want(state)
    }

    /// Changes the versions, on the disk first.
    fn change(&self, state: &mut State, change: impl FnOnce(&mut Versions)) -> Result<(), DeployError> {
        let Some((store, versions)) = &mut state.stored else { return Err(DeployError::Program) };
        let mut next = versions.clone();
        change(&mut next);
        if let Some(Some(text)) = &state.unwritten {
            store.write_text(text)?;
        }
        store.write(&next)?;
        state.unwritten = None;
        state.versions.retain_mut(|version| match next.of(version.record.number) {
            Some(record) if *record == version.record => true,
            Some(record) => {
                let (record, planned) = (record.clone(), version.planned.clone());
                *version = Arc::new(Version { record, planned });
                true
            }
            None => false,
        });
        *versions = next;
        Ok(())
    }
}

fn set(versions: &mut Versions, number: u64, state: VersionState) {
    for version in versions.versions.iter_mut().filter(|version| version.number == number) {
        (version.state, version.replaced_at) = (state, None);
    }
}

/// What is said of a version that takes the place of the live one later.
fn underway_note(state: &State) -> Vec<String> {
    let building = state.with(|state| state == VersionState::Building).map(|version| version.record.number);
    let note = |version: u64| {
        format!(
            "version {version} is being computed, and takes its place then; `metricc retire {version}` gives that one up"
        )
    };
    building.into_iter().map(note).collect()
}

/// Refuses a second version that is on its way.
pub(super) fn is_free(state: &State) -> Result<(), DeployError> {
    let Some(other) = state.candidate() else { return Ok(()) };
    let VersionRecord { number, by, state, .. } = &other.record;
    let is_preview = *state == VersionState::Preview;
    Err(DeployError::Underway { version: *number, by: by.clone(), is_preview })
}
