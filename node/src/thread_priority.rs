//! Thread priorities for a busy machine: answers and acknowledgements first, then decoding, the tail, and
//! batch last.
//!
//! Only Linux has priorities per thread; on other systems all threads are equal.

use std::sync::Arc;

use metricc_runtime_serve::Turns;

/// How much the priority is lowered, in steps of `nice`: a step is about a fifth less time on a busy
/// processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Priority {
    /// A piece of a large answer.
    Answer = 5,
    /// A client waits for it, but small answers wait for nothing.
    Decoding = 6,
    /// Decides how fresh answers are.
    Tail = 7,
    /// No client waits for it.
    Batch = 12,
}

/// Lowers the priority of this thread and of the threads that it starts, and makes their long work yield in
/// time slices.
pub(crate) fn lower_priority(priority: Priority) {
    metricc_log::enable_time_slices();
    #[cfg(target_os = "linux")]
    {
        // On Linux the priority of "the calling process" is that of the calling thread. If it cannot be set,
        // all threads stay equal.
        let own = rustix::process::getpriority_process(None).unwrap_or(0);
        let _ = rustix::process::setpriority_process(None, own + priority as i32);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = priority;
}

/// A pool of threads for one sort of work: what is asked for first is done first.
#[derive(Debug, Clone)]
pub(crate) struct Pool(Arc<Threads>);

#[derive(Debug)]
struct Threads(Option<tokio::runtime::Runtime>);

impl Pool {
    /// Starts a pool of up to so many threads.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start(name: &str, n_threads: usize, priority: Priority) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(n_threads)
            .thread_name(name)
            .on_thread_start(move || lower_priority(priority))
            .build()?;
        Ok(Pool(Arc::new(Threads(Some(runtime)))))
    }

    /// No threads: work is done on those of the caller.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Pool(Arc::new(Threads(None)))
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let Some(runtime) = &self.0.0 else { return Err("the node is shutting down".to_owned()) };
        runtime.spawn_blocking(work).await.map_err(|error| error.to_string())
    }

    /// The threads as those that answers take turns on.
    pub(crate) fn turns(&self) -> Turns {
        self.0.0.as_ref().map_or_else(Turns::default, |runtime| Turns::on(runtime.handle().clone()))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Not a blocking shutdown: the last owner may be dropped in an async context.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
