//! PostgreSQL's protocol in front of the SQL of [`metricc_sql`], for psql, drivers and BI tools. It reads only.
//!
//! A [`Door`] says who reads, and what is served at a moment; [`serve`] takes connections. A statement sees the
//! tables of the moment at which it begins, and so does a transaction: one frontier each.
//!
//! What is PostgreSQL's own is other people's code: the wire and its states (`pgwire`), values on it (`arrow-pg`),
//! `pg_catalog` and the texts that clients ask of it (`datafusion-pg-catalog`), `SET`, cursors and the words of
//! transactions (`datafusion-postgres`).

mod cancel;
mod catalog;
mod catalogue_subqueries;
mod comparisons;
mod connection;
mod copy_out;
mod cursors;
mod door;
mod empty_tables;
mod errors;
mod escapes;
mod functions;
mod parsing;
mod pg_catalog;
mod read_only;
mod reading;
mod refusal;
mod rows;
mod server;
mod startup;
mod statements;
mod tables_of_plan;
mod tls;

pub use door::{Door, Limits, Reader};
pub use reading::ReadStatement;
pub use server::serve;
pub use tls::tls_acceptor;
/// TLS of connections.
pub use tokio_rustls::TlsAcceptor;
