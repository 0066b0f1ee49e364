//! The runtime of the client. It is a runtime of its own, so that threads of any kind may wait for it: those
//! of an engine are threads of another runtime, where waiting for a future is a panic.

use std::future::Future;
use std::io;
use std::sync::mpsc::channel;

use tokio::runtime::{Builder, Runtime};

/// Threads of the client. Decoding is not done here.
const N_THREADS: usize = 2;

/// Runs the futures of the client.
#[derive(Debug)]
pub(crate) struct Background {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Background {
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(N_THREADS)
            .thread_name("kafka")
            .enable_all()
            .build()?;
        Ok(Background { runtime: Some(runtime) })
    }

    /// Runs a future beside this thread.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(future);
        }
    }

    /// Waits for what a future gives; `None` if it has panicked.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = channel();
        self.spawn(async move {
            // The receiver waits for it.
            let _ = sender.send(future.await);
        });
        receiver.recv().ok()
    }
}

impl Drop for Background {
    /// Without waiting, which a thread of another runtime must not do.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
