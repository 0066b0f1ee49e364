//! Errors as HTTP responses.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use metricc_client::{ErrorBody, ErrorFields, ServingError};

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

    /// The same error, for a request that may be sent again after some seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        ApiError { retry_after: Some(seconds), ..self }
    }
}

impl From<ServingError> for ApiError {
    fn from(error: ServingError) -> Self {
        let status = StatusCode::from_u16(error.status_and_code().0);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let is_temporary = matches!(
            error,
            ServingError::NotReady { .. } | ServingError::Behind { .. } | ServingError::Busy(_)
        );
        let retry_after = is_temporary.then_some(1);
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
