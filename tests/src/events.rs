//! Events that other crates measure.

use metricc::Event;
use metricc::jiff::Timestamp;

/// A click.
#[derive(Event, Debug, Clone)]
pub struct Click {
    /// When.
    #[event(time)]
    pub at: Timestamp,
    /// On what.
    pub device: Device,
}

/// What people click on.
#[derive(Event, Debug, Clone, Copy)]
pub enum Device {
    /// A telephone.
    Phone,
    /// All else.
    Other,
}

/// Types of one name in two places.
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
