//! What the integration tests judge the engines by: a naive interpreter of the typed metric, and
//! generators of metrics and logs.
//!
//! Nothing in this library may use an engine, a monoid, a kernel or a calendar of the product: it is
//! written from the definitions alone, slowly and plainly, so that an agreement between the two is
//! evidence and a difference is a finding.

pub mod generate;
pub mod oracle;
