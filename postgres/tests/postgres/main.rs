//! Clients of PostgreSQL against the protocol, over metrics that were evaluated here.

#[path = "../../../sql/tests/it/served.rs"]
mod served;

mod door;
mod drivers;
mod psql;
mod wire;
