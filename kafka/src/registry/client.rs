//! Requests to a registry. They are repeated where that may help, with growing pauses.

use std::fmt;
use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::Value;

use crate::KafkaError;
use crate::record_options::RegistryAddress;

/// How often a request is made before it has failed, and the first pause, which doubles each time.
const N_TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How often a registry has to say that it does not know something. One that follows another may learn of a
/// schema after its records are there.
const N_UNKNOWN: u32 = 4;
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);
/// The longest answer.
const MAX_BYTES: usize = 16 << 20;
/// The codes of a registry for a subject, a version or a schema that it does not have.
const UNKNOWN: [u64; 3] = [40401, 40402, 40403];

/// Asks a registry.
pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    auth: Option<Auth>,
    /// Its address in messages.
    shown: String,
}

enum Auth {
    Basic { user: String, password: String },
    Bearer(String),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.shown).finish_non_exhaustive()
    }
}

/// A schema as the registry has it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) text: String,
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub(super) ty: String,
    pub(super) references: Vec<Reference>,
}

/// A schema that another one uses.
#[derive(Debug)]
pub(super) struct Reference {
    /// The name of its type, or of its file.
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) version: u64,
}

/// Why a try has failed.
enum Failed {
    /// Another one may help.
    Again(String),
    Finally(String),
    /// The registry says that it does not have it.
    Unknown,
}

impl Client {
    pub(super) fn new(address: &RegistryAddress) -> Result<Self, String> {
        let http =
            reqwest::Client::builder().connect_timeout(CONNECT).timeout(ANSWER).user_agent("metricc").build();
        let http = http.map_err(|error| format!("the client of the registry cannot be made: {error}"))?;
        let mut url =
            Url::parse(&address.url).map_err(|error| format!("the URL of the registry: {error}"))?;
        // Segments are added below the path.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
        }
        let auth = address.auth.as_ref().map(|auth| match auth.split_once(':') {
            Some((user, password)) => Auth::Basic { user: user.to_owned(), password: password.to_owned() },
            None => Auth::Bearer(auth.clone()),
        });
        Ok(Client { http, url, auth, shown: address.url.clone() })
    }

    /// The schema of an id; `None` if the registry does not know it.
    pub(super) async fn by_id(&self, id: u32) -> Result<Option<Found>, KafkaError> {
        self.get(&["schemas", "ids", &id.to_string()]).await
    }

    /// The schema that is referred to; `None` if the registry does not know it.
    pub(super) async fn by_subject(&self, reference: &Reference) -> Result<Option<Found>, KafkaError> {
        self.get(&["subjects", &reference.subject, "versions", &reference.version.to_string()]).await
    }

    async fn get(&self, path: &[&str]) -> Result<Option<Found>, KafkaError> {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        if path.first() == Some(&"subjects") {
            // A version that was deleted is still referred to.
            url.set_query(Some("deleted=true"));
        }
        let (mut pause, mut n_unknown) = (FIRST_PAUSE, 0);
        for n_try in 1.. {
            let cause = match self.try_get(&url).await {
                Ok(found) => return Ok(Some(found)),
                Err(Failed::Unknown) => {
                    n_unknown += 1;
                    if n_unknown >= N_UNKNOWN {
                        return Ok(None);
                    }
                    None
                }
                Err(Failed::Finally(cause)) => return Err(self.error(cause)),
                Err(Failed::Again(cause)) => Some(cause),
            };
            if let Some(cause) = cause.filter(|_| n_try >= N_TRIES) {
                return Err(self.error(cause));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Ok(None)
    }

    fn error(&self, cause: String) -> KafkaError {
        KafkaError::Registry { url: self.shown.clone(), cause }
    }

    async fn try_get(&self, url: &Url) -> Result<Found, Failed> {
        let request = self.http.get(url.clone());
        let request = match &self.auth {
            Some(Auth::Basic { user, password }) => request.basic_auth(user, Some(password)),
            Some(Auth::Bearer(token)) => request.bearer_auth(token),
            None => request,
        };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BYTES {
                return Err(Failed::Finally(format!("it answers with more than {MAX_BYTES} bytes")));
            }
        }
        let body: Option<Value> = serde_json::from_slice(&body).ok();
        if status.is_success() {
            let found = body.as_ref().and_then(found);
            return found
                .ok_or_else(|| Failed::Finally("it answers with something else than a schema".to_owned()));
        }
        Err(refused(status, body.as_ref()))
    }
}

/// What an answer says that has no schema.
fn refused(status: StatusCode, body: Option<&Value>) -> Failed {
    let code = body.and_then(|body| body.get("error_code")?.as_u64());
    let said = body
        .and_then(|body| body.get("message")?.as_str())
        .map_or_else(String::new, |said| format!(": {said}"));
    match status {
        StatusCode::NOT_FOUND if code.is_some_and(|code| UNKNOWN.contains(&code)) => Failed::Unknown,
        StatusCode::NOT_FOUND => {
            Failed::Finally(format!("it answers {status}, but not as a schema registry does{said}"))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Failed::Finally(format!("it does not accept this client ({status}){said}"))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Failed::Again(format!("it answers {status}{said}"))
        }
        _ if status.is_server_error() => Failed::Again(format!("it answers {status}{said}")),
        _ => Failed::Finally(format!("it answers {status}{said}")),
    }
}

fn found(body: &Value) -> Option<Found> {
    let text = |key: &str| Some(body.get(key)?.as_str()?.to_owned());
    let reference = |reference: &Value| {
        let text = |key: &str| Some(reference.get(key)?.as_str()?.to_owned());
        let version = reference.get("version")?.as_u64()?;
        Some(Reference { name: text("name")?, subject: text("subject")?, version })
    };
    let references = match body.get("references") {
        None | Some(Value::Null) => Vec::new(),
        Some(references) => references.as_array()?.iter().map(reference).collect::<Option<_>>()?,
    };
    Some(Found {
        text: text("schema")?,
        ty: text("schemaType").unwrap_or_else(|| "AVRO".to_owned()),
        references,
    })
}

/// An error of the connection, with its causes; without the URL, which the message has already.
fn failed(error: reqwest::Error) -> Failed {
    let is_request = error.is_builder();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    if is_request { Failed::Finally(text) } else { Failed::Again(text) }
}
