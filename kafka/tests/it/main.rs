//! Topics read as logs, from brokers that speak the protocol: the one of the client library's tests, in this
//! process, and `noida-db`, if `METRICC_NOIDA_DB` names its program.

mod bounds;
mod broker;
mod commits;
mod cuts;
mod fake_registry;
mod faults;
mod formats;
mod payments;
mod schemas;
mod server;
