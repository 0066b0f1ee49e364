//! Errors as HTTP responses.
//!
//! What fails inside of the node is told by its kind alone. The details, such as the paths of files, are for
//! whoever runs the node, and go to its log.

use std::error::Error;
use std::io;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metricc_client::wire::code;
use metricc_client::{ErrorBody, ErrorFields, ServingError, with_causes};

/// Seconds after which a request may be sent again that failed with the disk: somebody has to do something
/// first.
const DISK_RETRY: u32 = 30;

/// An error as an HTTP response: `{"error": {"code": …, "message": …}}`.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Box<ErrorBody>,
    retry_after: Option<u32>,
}

impl ApiError {
    /// An error with a code and a message for people.
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        let error = ErrorFields { code: code.to_owned(), message: message.into(), ..ErrorFields::default() };
        ApiError { status, body: Box::new(ErrorBody { error }), retry_after: None }
    }

    /// A failure of the node itself.
    pub fn failed(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = with_causes(error), "a request failed");
        match disk_error(error).map(io::Error::kind) {
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => return ApiError::disk_full(),
            Some(_) => {
                let message = "the node cannot read or write its disk; its log has the reason";
                return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code::DISK, message)
                    .retry_after(DISK_RETRY);
            }
            None => {}
        }
        let message = "the node failed; its log has the reason";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, code::FAILED, message)
    }

    /// There is no space left for what the node has to write.
    pub fn disk_full() -> Self {
        let message = "there is no space left on the disk of the node; it goes on by itself when there is";
        ApiError::new(StatusCode::INSUFFICIENT_STORAGE, code::FULL, message).retry_after(DISK_RETRY)
    }

    /// What the body says.
    pub fn fields(&self) -> &ErrorFields {
        &self.body.error
    }

    /// The same error, for a request that may be sent again after some seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        ApiError { retry_after: Some(seconds), ..self }
    }
}

/// What the operating system reported, which every error of a file comes from.
fn disk_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>().filter(|error| error.raw_os_error().is_some())
        {
            return Some(error);
        }
        cause = error.source();
    }
    None
}

impl From<ServingError> for ApiError {
    fn from(error: ServingError) -> Self {
        if let ServingError::Failed(error) = &error {
            return ApiError::failed(&**error);
        }
        let status = StatusCode::from_u16(error.status_and_code().0);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = error.is_temporary().then_some(1);
        ApiError { status, body: Box::new(error.body()), retry_after }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
