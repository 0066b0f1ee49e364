//! Event types for metrics in other crates.

use metricc::Event;
use metricc::jiff::Timestamp;

/// A click.
#[derive(Event, Debug, Clone)]
pub struct Click {
    /// When.
    #[event(time)]
    pub at: Timestamp,
    /// The device.
    pub device: Device,
}

/// A device.
#[derive(Event, Debug, Clone, Copy)]
pub enum Device {
    /// A telephone.
    Phone,
    /// Any other device.
    Other,
}

/// Types of the same name in two modules.
pub mod elsewhere {
    use super::{Event, Timestamp};

    /// Another click.
    #[derive(Event, Debug, Clone)]
    pub struct Click {
        /// When.
        #[event(time)]
        pub at: Timestamp,
    }
}
