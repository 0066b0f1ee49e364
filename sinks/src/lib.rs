//! Sinks: presented values at a frontier, written to other systems.
