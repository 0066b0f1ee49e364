//! Turns: long work on answers, cut into short pieces that wait for one another.

use metricc_client::ServingError;
use tokio::runtime::Handle;

/// Threads that do long work in turns. Each turn waits for those that were asked for before, so that no
/// answer waits until another one is complete.
#[derive(Debug, Clone, Default)]
pub struct Turns(Option<Handle>);

impl Turns {
    /// Turns on the blocking threads of a runtime; by default, of the caller's.
    pub fn on(runtime: Handle) -> Self {
        Turns(Some(runtime))
    }

    /// Does a piece of work when it is its turn.
    ///
    /// # Errors
    /// [`ServingError::Failed`] if it panics, or the threads are gone.
    pub async fn take<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServingError> {
        let done = match &self.0 {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        done.await.map_err(|error| ServingError::Failed(error.into()))
    }
}
