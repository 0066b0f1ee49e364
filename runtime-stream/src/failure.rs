//! Why a dataflow stopped.

use std::sync::{Arc, Mutex, PoisonError};

use metricc_compiler::{CompileError, Engine, EvaluateError};

/// The first error of any worker; later ones are consequences.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures(Arc<Mutex<Option<CompileError>>>);

impl Failures {
    pub(crate) fn report(&self, error: CompileError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(crate) fn take(&self) -> Option<CompileError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub(crate) fn worker_died() -> EvaluateError {
    EvaluateError::thread(Engine::Stream, "a worker has died")
}
