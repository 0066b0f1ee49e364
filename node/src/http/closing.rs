//! The end of a connection.
//!
//! What is no request of HTTP never becomes one, so the library answers it itself: with a status and no body.
//! Here such an answer gets the body that every other error has. And a client that still sends the body of a
//! request that was answered already is listened to for a while: a closed socket would be reset, and the
//! answer lost with it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use metricc_client::wire::code;
use metricc_client::{ErrorBody, ErrorFields};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::framing::{BadFraming, Framing};
use super::headers::TOO_MANY;

/// How long a client may go on sending after its answer, and how long it may pause.
const LINGER: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_secs(1);

/// Longest answer of the library without a body: a status, a length and a date.
const LONGEST_HEAD: usize = 256;

/// A stream between the library and a client.
#[derive(Debug)]
pub(super) struct ErrorBodies<S> {
    inner: S,
    lingers: bool,
    framing: Framing,
    /// Why the library refuses what it has read, where that is known.
    refused: Option<BadFraming>,
    /// An answer that is written instead of the library's, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
    closing: Option<Closing>,
}

/// A connection on which nothing more is written.
#[derive(Debug)]
struct Closing {
    paused: Pin<Box<Sleep>>,
    end: Instant,
}

impl<S> ErrorBodies<S> {
    /// `lingers` is whether a client that still sends is listened to after its answer.
    pub(super) fn new(inner: S, lingers: bool) -> Self {
        ErrorBodies { inner, lingers, framing: Framing::new(), refused: None, instead: None, closing: None }
    }
}

/// The whole answer with a body, where these bytes are an answer of the library: our own errors are never
/// empty.
fn with_body(head: &[u8], refused: Option<BadFraming>) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(head.get(..head.len().min(LONGEST_HEAD))?).ok()?;
    let fields = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "))?;
    if !fields.starts_with('4') || !text.ends_with("\r\n\r\n") || !text.contains("\r\ncontent-length: 0\r\n")
    {
        return None;
    }
    let (line, _) = text.split_once("\r\n")?;
    let (line, code, message) = match (refused, fields.get(..3)?) {
        (Some(BadFraming::Both), _) => (
            line,
            code::REQUEST,
            "the request has both `Content-Length` and `Transfer-Encoding`: send one of them",
        ),
        (Some(BadFraming::Encoding), _) => (
            "HTTP/1.1 501 Not Implemented",
            code::TRANSFER_ENCODING,
            "the only `Transfer-Encoding` is `chunked`: what packs a body is named by `Content-Encoding`",
        ),
        (None, "414") => (line, code::URI, "the path and the query are too long"),
        (None, "431") => (line, code::HEADERS, TOO_MANY),
        (None, _) => (line, code::REQUEST, "what was sent is no request of HTTP/1.1"),
    };
    let error = ErrorFields { code: code.to_owned(), message: message.to_owned(), ..ErrorFields::default() };
    let body = serde_json::to_string(&ErrorBody { error }).ok()?;
    let length = body.len();
    let answer = format!(
        "{line}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\
         x-content-type-options: nosniff\r\ncache-control: no-store\r\n\r\n{body}"
    );
    Some(answer.into_bytes())
}

impl<S: AsyncWrite + Unpin> ErrorBodies<S> {
    /// Writes the rest of the answer that is written instead.
    fn poll_instead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.instead {
            let rest = bytes.get(*written..).unwrap_or_default();
            if rest.is_empty() {
                self.instead = None;
                break;
            }
            match ready!(Pin::new(&mut self.inner).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n_bytes => *written += n_bytes,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> ErrorBodies<S> {
    /// Reads on until the client is done or its time is over; what it sends is dropped.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(closing) = &mut self.closing else { return Poll::Ready(Ok(())) };
        let mut dropped = [0; 8192];
        loop {
            let mut read = ReadBuf::new(&mut dropped);
            match Pin::new(&mut self.inner).poll_read(context, &mut read) {
                Poll::Ready(Ok(())) if read.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    let until = closing.end.min(Instant::now() + PAUSE);
                    closing.paused.as_mut().reset(until);
                    // A client that sends without a pause does not keep the connection either.
                    if Instant::now() >= closing.end {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Pending => return closing.paused.as_mut().poll(context).map(Ok),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ErrorBodies<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n_before = into.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, into))?;
        let found = self.framing.look(&mut into.filled_mut()[n_before..]);
        self.refused = self.refused.or(found);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ErrorBodies<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none() {
            self.instead = with_body(bytes, self.refused).map(|answer| (answer, 0));
        }
        if self.instead.is_none() {
            return Pin::new(&mut self.inner).poll_write(context, bytes);
        }
        ready!(self.poll_instead(context))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        all: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match all {
            // An answer without a body is one piece.
            [head] => self.poll_write(context, head),
            all => Pin::new(&mut self.inner).poll_write_vectored(context, all),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            if !self.lingers {
                return Poll::Ready(Ok(()));
            }
            let paused = Box::pin(sleep(PAUSE));
            self.closing = Some(Closing { paused, end: Instant::now() + LINGER });
        }
        self.poll_linger(context)
    }
}
