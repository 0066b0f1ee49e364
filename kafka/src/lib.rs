//! Topics of Kafka as logs.
//!
//! A partition of a topic is a partition of the log, and an offset of Kafka is a position: frontiers, cuts
//! and receipts name what Kafka's own tools name. Three rules follow from what offsets of Kafka are.
//!
//! - **Offsets may have no record.** Markers of transactions, records of aborted ones and what compaction has
//!   removed leave gaps. A gap is neither read nor rejected; cuts may lie in it.
//! - **A partition ends at its last stable offset.** Records after it may still be aborted, so they are not
//!   part of the log yet. Reading is always `read_committed`.
//! - **A partition starts where retention has left it**:
//!   [`Partition::start`](metricc_log::partition::Partition).
//!
//! Nothing here is a member of a consumer group: any number of programs read the same offsets, and what
//! [`GroupCommits`] tells the broker, nobody here reads. krafka is behind [`Topic`], and nothing outside this
//! crate names it.

mod address;
mod avro;
mod background;
mod bounded;
mod commit;
mod connection;
mod envelope;
mod error;
mod fetch;
mod follow;
mod json_text;
mod partition;
mod payload;
mod protobuf;
mod record_options;
mod record_texts;
mod registry;
mod topic;

pub use address::TopicAddress;
pub use bounded::{Bounds, From, open};
pub use commit::GroupCommits;
pub use connection::{ClientCertificate, Mechanism, Sasl, Security, Tls};
pub use error::KafkaError;
pub use fetch::{Fetched, Record, Records};
pub use follow::{Follow, Followed, FollowedPart};
pub use record_options::{RecordOptions, RecordSettings, RegistryAddress, SchemaFormat, SchemaOrigin};
pub use record_texts::{RecordTexts, TextReader};
pub use topic::{Ends, Topic};
