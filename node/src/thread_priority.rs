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
    /// No client waits for it. Not lower, and not the idle class: answers are no faster then, and on a node
    /// whose cores are always busy, a backfill and whoever waits for a lock that it holds would hardly get on.
    Batch = 12,
}

/// Lowers the priority of this thread and of the threads that it starts, and makes their long work yield in
/// time slices. Whoever starts the thread, it gets the priority of its work: that counts from the priority of
/// the process, or from that of the starting thread if it is the lower one.
pub(crate) fn lower_priority(priority: Priority) {
    metricc_log::enable_time_slices();
    #[cfg(target_os = "linux")]
    {
        // On Linux the priority of "the calling process" is that of the calling thread, and that of a process
        // by its number the one of its first thread. If it cannot be set, all threads stay equal.
        let of_process = rustix::process::getpriority_process(Some(rustix::process::getpid())).unwrap_or(0);
        let lowered = of_process + priority as i32;
        if nice() < lowered {
            let _ = rustix::process::setpriority_process(None, lowered);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = priority;
}

/// How much the priority of this thread is lowered.
#[cfg(target_os = "linux")]
pub(crate) fn nice() -> i32 {
    rustix::process::getpriority_process(None).unwrap_or(0)
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
            .enable_all()
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

    /// The threads as a runtime.
    pub(crate) fn handle(&self) -> Option<tokio::runtime::Handle> {
        self.0.0.as_ref().map(|runtime| runtime.handle().clone())
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// How far the priority of a thread is lowered that is started here for some work.
    fn lowered_for(priority: Priority) -> i32 {
        let thread = std::thread::spawn(move || {
            lower_priority(priority);
            nice()
        });
        thread.join().expect("no panic")
    }

    #[test]
    fn a_thread_has_the_priority_of_its_work_and_not_that_of_whoever_starts_it_as_well() {
        let of_process = nice();
        let expected = |priority: Priority| (of_process + priority as i32).min(19);
        assert_eq!(lowered_for(Priority::Tail), expected(Priority::Tail));
        let below = std::thread::spawn(move || {
            lower_priority(Priority::Batch);
            let again = lowered_for(Priority::Batch);
            // A priority cannot be raised again without a privilege.
            let tail = lowered_for(Priority::Tail);
            (nice(), again, tail)
        });
        let batch = expected(Priority::Batch);
        assert_eq!(below.join().expect("no panic"), (batch, batch, batch));
    }
}
