//! Sinks: presented values of metrics at a frontier, written to other systems.
//!
//! There is one trait, [`Sink`], and one file or folder for each kind. A kind knows neither nodes nor
//! metrics: it gets [`Changes`] from what it holds to a newer version, and makes them visible in one step
//! together with the frontier that they are of. So what it holds is always of one whole frontier, and says
//! which.
//!
//! Invariants: a sink says itself what it holds, and is asked after every failure, so that a write whose
//! outcome is unknown is neither lost nor repeated. A write names the version that it starts from, and the
//! sink refuses it if it holds another one: two writers cannot mix.
//!
//! | module | what it does |
//! |---|---|
//! | `sink` | the trait, and what is written |
//! | `rows` | rows as columns and as JSON, with the key of each |
//! | `tls`, `secret`, `error` | what several kinds need |
//! | `postgres`, `redis`, `kafka`, `webhook` | the kinds |

mod error;
#[cfg(feature = "kafka")]
mod kafka;
mod postgres;
mod redis;
mod rows;
mod secret;
mod sink;
mod tls;
mod webhook;

pub use error::SinkError;
#[cfg(feature = "kafka")]
pub use kafka::{KafkaSettings, KafkaSink, Login};
pub use postgres::{PostgresSettings, PostgresSink};
pub use redis::{RedisSettings, RedisSink};
pub use rows::{Change, Changes, Row, Rows};
pub use secret::Secret;
pub use sink::{Held, Sink, Stored, Version, Written};
pub use webhook::{WebhookSettings, WebhookSink};
