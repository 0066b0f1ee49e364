//! What the integration tests judge the engines by: a naive interpreter of the typed metric, and
//! generators of metrics and logs.
//!
//! Nothing in [`generate`] and [`oracle`] may use an engine, a monoid, a kernel or a calendar of the product: it is
//! written from the definitions alone, slowly and plainly, so that an agreement between the two is
//! evidence and a difference is a finding. [`events`] is what another crate would publish for its users to measure.

pub mod events;
pub mod generate;
pub mod oracle;
