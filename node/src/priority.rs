//! Which threads go first when there is more to do than processors: answers and acknowledgements before decoding, that before
//! the tail, and batch last.
//!
//! Where a thread has no priority of its own (that is everywhere but on Linux), all are equal.

use std::sync::Arc;

/// By how much a thread steps back, in steps of `nice`: each step is about a fifth less of a busy processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Behind {
    /// Somebody waits for it, and for others more.
    Decoding = 6,
    /// Answers become older meanwhile.
    Tail = 7,
    /// Nobody waits.
    Batch = 12,
}

/// Lets this thread, and those that it starts, step back, and do long work in turns.
pub(crate) fn step_back(behind: Behind) {
    metricc_log::work_in_turns();
    #[cfg(target_os = "linux")]
    {
        // There, what is said of the calling process is of the calling thread. Without the right to it, all stay equal.
        let own = rustix::process::getpriority_process(None).unwrap_or(0);
        let _ = rustix::process::setpriority_process(None, own + behind as i32);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = behind;
}

/// Threads that decode requests.
#[derive(Debug, Clone)]
pub(crate) struct Decoding(Arc<Threads>);

#[derive(Debug)]
struct Threads(Option<tokio::runtime::Runtime>);

impl Decoding {
    /// One thread for each processor, as long as there is something to decode.
    ///
    /// # Errors
    /// What the system says, if no thread can be started.
    pub(crate) fn start() -> std::io::Result<Self> {
        let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(n_threads)
            .thread_name("metricc-decode")
            .on_thread_start(|| step_back(Behind::Decoding))
            .build()?;
        Ok(Decoding(Arc::new(Threads(Some(runtime)))))
    }

    /// Does something on one of the threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, String> {
        let Some(runtime) = &self.0.0 else { return Err("the node goes down".to_owned()) };
        runtime.spawn_blocking(work).await.map_err(|error| error.to_string())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Waiting for threads is not allowed where this may happen.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
