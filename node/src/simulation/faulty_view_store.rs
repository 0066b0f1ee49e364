//! A store of views in memory, on which every single operation can fail. What was put is there whole, and
//! stays until the power fails: nothing is synced, so any of the changes since the last time may then be
//! undone, or leave an object that is short or empty of what was written.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use metricc_durable_log::faulty_disk::Dice;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::RUNTIME;

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StoreFault {
    /// It fails, and has not happened.
    Error,
    /// It fails, and has happened.
    ErrorAfter,
    /// The machine stops before it.
    Crash,
    /// The machine stops after it, before it returns.
    CrashAfter,
}

pub(super) const STORE_FAULTS: [StoreFault; 4] =
    [StoreFault::Error, StoreFault::ErrorAfter, StoreFault::Crash, StoreFault::CrashAfter];

impl StoreFault {
    /// Whether it makes a difference only to what changes something.
    pub(super) fn is_after(self) -> bool {
        matches!(self, StoreFault::ErrorAfter | StoreFault::CrashAfter)
    }
}

/// Clones are the same store.
#[derive(Debug, Clone, Default)]
pub(super) struct SimStore {
    objects: InMemory,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// For each operation since it was last asked for, whether it changes something.
    recorded: Vec<bool>,
    n_operations: u64,
    n_happened: u64,
    faults: Vec<(u64, StoreFault)>,
    is_down: bool,
    /// Whether it replaces what it is told to create.
    replaces: bool,
    /// The objects that were changed since the power failed last, as they were before, in order.
    unsynced: Vec<(Path, Option<Vec<u8>>)>,
}

fn failed(problem: &'static str) -> Error {
    Error::Generic { store: "simulated", source: problem.into() }
}

impl SimStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets it replace what it is told to create.
    pub(super) fn replacing(self) -> Self {
        self.state().replaces = true;
        self
    }

    /// Lets operations fail, by their numbers.
    pub(super) fn with_faults(self, faults: &[(u64, StoreFault)]) -> Self {
        self.state().faults = faults.to_vec();
        self
    }

    /// A store of its own with the same objects.
    pub(super) fn fork(&self) -> Self {
        SimStore { objects: self.objects.fork(), state: Arc::default() }
    }

    pub(super) fn is_down(&self) -> bool {
        self.state().is_down
    }

    /// How many of the faults have come.
    pub(super) fn n_happened(&self) -> u64 {
        self.state().n_happened
    }

    /// The power fails: of what was not synced, chance decides what is left.
    pub(super) fn lose_unsynced(&self, dice: &mut Dice) {
        let unsynced = std::mem::take(&mut self.state().unsynced);
        RUNTIME.block_on(async {
            for (path, before) in unsynced.into_iter().rev() {
                let now = self.object(&path).await;
                let left = match (dice.below(6), now) {
                    (0 | 1, _) => before,
                    (2, Some(mut now)) => {
                        now.truncate(dice.below(now.len() as u64) as usize);
                        Some(now)
                    }
                    (3, Some(now)) => Some(vec![0; now.len()]),
                    (_, now) => now,
                };
                match left {
                    Some(bytes) => {
                        drop(self.objects.put(&path, PutPayload::from(bytes)).await.expect("it is put"));
                    }
                    None => drop(self.objects.delete(&path).await),
                }
            }
        });
    }

    async fn object(&self, path: &Path) -> Option<Vec<u8>> {
        let found = self.objects.get(path).await.ok()?;
        Some(found.bytes().await.expect("its bytes").to_vec())
    }

    async fn note_change(&self, path: &Path) {
        let before = self.object(path).await;
        self.state().unsynced.push((path.clone(), before));
    }

    /// Comes up again.
    pub(super) fn start(&self) {
        self.state().is_down = false;
    }

    /// For each operation since the last call, whether it changes something.
    pub(super) fn recorded(&self) -> Vec<bool> {
        std::mem::take(&mut self.state().recorded)
    }

    /// An object is lost, or is not what it was: something outside of the node does that.
    pub(super) fn damage(&self, dice: &mut Dice) {
        RUNTIME.block_on(async {
            let all: Vec<ObjectMeta> = self.objects.list(None).try_collect().await.expect("a list");
            let Some(object) = all.get(dice.below(all.len() as u64) as usize) else { return };
            if dice.below(2) == 0 {
                self.objects.delete(&object.location).await.expect("it is removed");
                return;
            }
            let found = self.objects.get(&object.location).await.expect("an object");
            let mut bytes = found.bytes().await.expect("its bytes").to_vec();
            let place = dice.below(bytes.len() as u64) as usize;
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << dice.below(8);
            }
            self.objects.put(&object.location, PutPayload::from(bytes)).await.expect("it is replaced");
        });
    }

    /// All objects, by their paths.
    pub(super) fn objects(&self) -> Vec<(String, Vec<u8>)> {
        RUNTIME.block_on(async {
            let all: Vec<ObjectMeta> = self.objects.list(None).try_collect().await.expect("a list");
            let mut objects = Vec::with_capacity(all.len());
            for object in all {
                let found = self.objects.get(&object.location).await.expect("an object");
                objects.push((object.location.to_string(), found.bytes().await.expect("its bytes").to_vec()));
            }
            objects
        })
    }

    /// Replaces an object: something outside of the node does that.
    pub(super) fn replace(&self, path: &str, bytes: &[u8]) {
        let (path, bytes) = (Path::from(path), PutPayload::from(bytes.to_vec()));
        RUNTIME.block_on(self.objects.put(&path, bytes)).expect("it is replaced");
    }

    /// Counts an operation, and lets it fail before it has happened, if it has such a fault.
    fn begin(&self, is_change: bool) -> Result<Option<StoreFault>> {
        let mut state = self.state();
        if state.is_down {
            return Err(failed("the machine is down"));
        }
        let number = state.n_operations;
        state.n_operations += 1;
        state.recorded.push(is_change);
        let fault = state.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
        state.n_happened += u64::from(fault.is_some());
        match fault {
            Some(StoreFault::Error) => Err(failed("input/output error")),
            Some(StoreFault::Crash) => {
                state.is_down = true;
                Err(failed("the machine is down"))
            }
            later => Ok(later),
        }
    }

    fn end(&self, fault: Option<StoreFault>) -> Result<()> {
        match fault {
            Some(StoreFault::ErrorAfter) => Err(failed("input/output error")),
            Some(StoreFault::CrashAfter) => {
                self.state().is_down = true;
                Err(failed("the machine is down"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

#[async_trait]
impl ObjectStore for SimStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let fault = self.begin(true)?;
        self.note_change(location).await;
        let mode = if self.state().replaces { PutMode::Overwrite } else { options.mode.clone() };
        let options = PutOptions { mode, ..options };
        let put = self.objects.put_opts(location, payload, options).await?;
        self.end(fault)?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (operation, implementer) = ("put_multipart_opts".to_owned(), "simulated".to_owned());
        Err(Error::NotImplemented { operation, implementer })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.begin(false)?;
        self.end(fault)?;
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let own = store.clone();
            async move {
                let location = location?;
                let fault = own.begin(true)?;
                own.note_change(&location).await;
                let mut deleted = own.objects.delete_stream(stream::iter([Ok(location.clone())]).boxed());
                deleted.try_next().await?;
                own.end(fault)?;
                Ok::<_, Error>(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.begin(false).and_then(|fault| self.end(fault)) {
            Ok(()) => self.objects.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let fault = self.begin(false)?;
        self.end(fault)?;
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let fault = self.begin(true)?;
        self.objects.copy_opts(from, to, options).await?;
        self.end(fault)
    }
}
