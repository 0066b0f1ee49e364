//! The tests are in `tests/`, the mistakes in `cases/`.
