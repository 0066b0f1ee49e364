//! Thread priorities for a busy machine: answers and acknowledgements first, then decoding, the tail, and batch last.
//!
//! Only Linux has priorities per thread; on other systems all threads are equal.

use std::sync::Arc;

/// How much the priority is lowered, in steps of `nice`: a step is about a fifth less time on a busy processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Priority {
    /// A client waits for it, but reads wait for nothing.
    Decoding = 6,
    /// Decides how fresh answers are.
    Tail = 7,
    /// No client waits for it.
    Batch = 12,
}

/// Lowers the priority of this thread and of the threads that it starts, and makes their long work yield in time slices.
pub(crate) fn lower_priority(priority: Priority) {
    metricc_log::enable_time_slices();
    #[cfg(target_os = "linux")]
    {
        // On Linux the priority of "the calling process" is that of the calling thread. If it cannot be set, all threads
        // stay equal.
        let own = rustix::process::getpriority_process(None).unwrap_or(0);
        let _ = rustix::process::setpriority_process(None, own + priority as i32);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = priority;
}

/// A pool of threads that decode requests.
#[derive(Debug, Clone)]
pub(crate) struct Decoding(Arc<Threads>);

#[derive(Debug)]
struct Threads(Option<tokio::runtime::Runtime>);

impl Decoding {
    /// Starts a pool of up to one thread per processor.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn start() -> std::io::Result<Self> {
        let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(n_threads)
            .thread_name("metricc-decode")
            .on_thread_start(|| lower_priority(Priority::Decoding))
            .build()?;
        Ok(Decoding(Arc::new(Threads(Some(runtime)))))
    }

    /// Runs `work` on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let Some(runtime) = &self.0.0 else { return Err("the node is shutting down".to_owned()) };
        runtime.spawn_blocking(work).await.map_err(|error| error.to_string())
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
