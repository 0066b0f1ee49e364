//! The threads on which requests to object stores run.

use std::sync::OnceLock;
use std::sync::mpsc;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads. They wait for the network, and decode TLS.
const N_THREADS: usize = 2;

/// The runtime of all stores of this process, which ends with it.
pub(crate) fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_multi_thread()
            .worker_threads(N_THREADS)
            .thread_name("metricc-storage")
            .enable_all()
            .build();
        // Without threads, nothing of this process works.
        runtime.unwrap_or_else(|error| panic!("no threads for requests to object stores: {error}"))
    };
    RUNTIME.get_or_init(start).handle()
}

/// Waits for work of the runtime, on any thread: also on one of another runtime.
pub(crate) fn wait<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let (sender, answer) = mpsc::sync_channel(1);
    runtime().spawn(async move {
        // Whoever waits may be gone.
        let _ = sender.send(work.await);
    });
    answer.recv().ok()
}
