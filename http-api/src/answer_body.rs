//! Bodies of answers: small ones as a whole, large ones in pieces.
//!
//! A piece is computed when the connection has room for it: a slow client slows its own answer down, and a
//! client that is gone ends it. So an answer of any size takes the memory of a piece, and the work of one
//! waits for the turns of the others.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures::stream;
use metricc_client::ServingError;
use metricc_runtime_serve::{AnswerWriter, FEW_ROWS, Turns};

/// How long a client may take for a piece of an answer.
const PIECE_WITHIN: Duration = Duration::from_secs(30);

/// Most parts of a body that is written in one go.
const FEW_PARTS: usize = 100;

/// A part of a body.
pub(crate) enum BodyPart {
    Text(&'static str),
    Answer(Box<AnswerWriter>),
}

/// A body of these parts.
///
/// # Errors
/// [`ServingError`] of a small answer. A large one has errors as it is sent: then its body is incomplete.
pub(crate) fn body(turns: &Turns, mut parts: VecDeque<BodyPart>) -> Result<Body, ServingError> {
    let n_rows = |part: &BodyPart| match part {
        BodyPart::Text(_) => 0,
        BodyPart::Answer(answer) => answer.n_left(),
    };
    if parts.len() <= FEW_PARTS && parts.iter().map(n_rows).sum::<usize>() <= FEW_ROWS {
        let mut bytes = Vec::new();
        for part in &mut parts {
            match part {
                BodyPart::Text(text) => bytes.extend(text.as_bytes()),
                BodyPart::Answer(answer) => bytes.extend(answer.whole()?),
            }
        }
        return Ok(Body::from(bytes));
    }
    let rest = Rest { parts, turns: turns.clone(), given: None };
    Ok(Body::from_stream(stream::try_unfold(rest, Rest::next)))
}

/// The parts that are still to be sent.
struct Rest {
    parts: VecDeque<BodyPart>,
    turns: Turns,
    /// When the last piece was given to the connection.
    given: Option<Instant>,
}

impl Rest {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, ServingError> {
        if self.given.is_some_and(|given| given.elapsed() > PIECE_WITHIN) {
            return Err(ServingError::Failed(
                "the client has not taken a piece of its answer in time".into(),
            ));
        }
        loop {
            let bytes = match self.parts.pop_front() {
                None => return Ok(None),
                Some(BodyPart::Text(text)) => text.into(),
                Some(BodyPart::Answer(mut answer)) => {
                    let turn = self.turns.take(move || (answer.next_bytes(), answer)).await?;
                    let (Some(bytes), answer) = (turn.0?, turn.1) else { continue };
                    self.parts.push_front(BodyPart::Answer(answer));
                    bytes
                }
            };
            if !bytes.is_empty() {
                self.given = Some(Instant::now());
                return Ok(Some((bytes.into(), self)));
            }
        }
    }
}
