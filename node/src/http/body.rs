//! Reading the body of a request: so many bytes, so long, and unpacked no more than it is allowed to become.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use futures::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::Refusal;
use super::server::Limits;

/// How many times longer than it came a body may become.
const MAX_RATIO: usize = 256;

/// Reads all of a body as it came.
pub(crate) async fn read(body: Body, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let end = Instant::now() + limits.request;
    loop {
        let next = timeout_at(end, timeout(limits.idle, chunks.next())).await;
        let Ok(Ok(next)) = next else {
            return Err(late(if next.is_ok() { limits.idle } else { limits.request }));
        };
        let Some(chunk) = next else { return Ok(bytes) };
        let chunk =
            chunk.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "body", error.to_string()))?;
        if bytes.len() + chunk.len() > limits.body_bytes {
            return Err(too_long(limits.body_bytes));
        }
        bytes.extend_from_slice(&chunk);
    }
}

fn late(limit: Duration) -> Refusal {
    let message = format!("the body did not come within {} s", limit.as_secs_f64());
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "late", message)
}

fn too_long(most: usize) -> Refusal {
    let message = format!("more than {most} bytes in one request: send several");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// Unpacks a body as its headers say.
pub(crate) fn unpack(headers: &HeaderMap, bytes: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, Refusal> {
    let encoding = headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.to_str().unwrap_or("?"));
    let most = limits.body_bytes.min(bytes.len().saturating_mul(MAX_RATIO).max(64 << 10));
    let unpacked = match encoding {
        None | Some("identity") => return Ok(bytes),
        Some("gzip") => up_to(flate2::read::MultiGzDecoder::new(&bytes[..]), most),
        Some("zstd") => zstd::stream::read::Decoder::new(&bytes[..]).and_then(|decoder| up_to(decoder, most)),
        Some(other) => {
            let message = format!("content encoding `{other}` is not known: send gzip, zstd or none");
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", message));
        }
    };
    match unpacked {
        Ok(bytes) if bytes.len() > most => Err(too_long(most)),
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            let message = format!("the body is no {}: {error}", encoding.unwrap_or_default());
            Err(Refusal::new(StatusCode::BAD_REQUEST, "encoding", message))
        }
    }
}

/// Reads one byte more than is allowed, at most.
fn up_to(reader: impl Read, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
