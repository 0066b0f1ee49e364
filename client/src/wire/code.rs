//! Codes of errors that are not those of reads.

/// No token, or one that is not known.
pub const UNAUTHORIZED: &str = "unauthorized";
/// A token without the scope of the request.
pub const FORBIDDEN: &str = "forbidden";
/// A request of a web page of another site.
pub const OTHER_SITE: &str = "other_site";
/// A name of the host that is not configured.
pub const HOST: &str = "host";
/// A parameter, a header or a body that is not valid.
pub const REQUEST: &str = "request";
/// A path that the node does not have.
pub const UNKNOWN_PATH: &str = "unknown_path";
/// A method that a path does not have.
pub const METHOD: &str = "method";
/// More bytes or events than a request may have.
pub const TOO_LARGE: &str = "too_large";
/// A path and query that are too long.
pub const URI: &str = "uri";
/// An `Expect` header other than `100-continue`.
pub const EXPECTATION: &str = "expectation";
/// A `Transfer-Encoding` other than `chunked`.
pub const TRANSFER_ENCODING: &str = "transfer_encoding";
/// Too many headers, or too long ones.
pub const HEADERS: &str = "headers";
/// The node failed.
pub const FAILED: &str = "failed";
/// The disk of the node failed.
pub const DISK: &str = "disk";
/// There is no space left on the disk of the node.
pub const FULL: &str = "full";
/// The node writes nothing any more.
pub const STOPPED: &str = "stopped";
/// A version of the package that the node does not have.
pub const UNKNOWN_VERSION: &str = "unknown_version";
/// A step that the versions of the package do not allow.
pub const VERSION: &str = "version";
/// A package that has errors.
pub const PACKAGE: &str = "package";
/// A question that has errors.
pub const QUESTION: &str = "question";
/// A question that would take more than it may.
pub const TOO_MUCH: &str = "too_much";
/// A question that was cancelled.
pub const CANCELLED: &str = "cancelled";
/// A question that is not being computed.
pub const UNKNOWN_QUESTION: &str = "unknown_question";
