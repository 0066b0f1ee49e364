//! Live answers: the rows as server-sent events, each time the frontier moves.
//!
//! All subscribers of the same rows share one event: its version, and its bytes, which are made piece by
//! piece as the first of them takes them. A subscriber that has taken an event gets the newest one next, so a
//! slow one misses versions, and delays nobody. Events that nobody takes are given up, however many
//! subscribers are in the middle of them. So the memory of all subscribers is that of a few versions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use futures::{StreamExt, stream};
use metricc_client::{Format, ServingError};
use metricc_runtime_serve::{AnswerWriter, FEW_ROWS, Published, Query, ServingTables, Versions};
use serde_json::json;

/// Events in the making: of the same rows, and in all.
const MOST_OF_ROWS: usize = 4;
const MOST: usize = 16;

/// From when on an event of which nobody has taken a piece is given up if others need its place.
const STUCK: Duration = Duration::from_secs(2);

/// Time between two signs of life on a connection without events.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// The events of all subscribers.
pub(crate) struct Live {
    serving: Arc<dyn ServingTables>,
    /// How long a subscriber stays without an event.
    idle: Duration,
    events: Mutex<Vec<Weak<LiveEvent>>>,
}

/// What tells events apart: their rows, and whether they have a receipt.
type Key = (u64, bool);

/// One version of some rows, as an event.
#[derive(Debug)]
struct LiveEvent {
    key: Key,
    frontier: Vec<u64>,
    /// Taken by whoever makes the next piece.
    making: tokio::sync::Mutex<Making>,
    pieces: Mutex<Pieces>,
}

#[derive(Debug)]
enum Making {
    Unopened(Arc<Query>, Arc<Published>),
    Open(Box<AnswerWriter>),
    /// All pieces are made, or given up.
    Over,
}

#[derive(Debug)]
struct Pieces {
    made: Vec<Bytes>,
    is_complete: bool,
    is_given_up: bool,
    /// When the last piece was taken.
    taken: Instant,
}

/// The next piece of an event.
enum Taken {
    Piece(Bytes),
    Complete,
    GivenUp,
}

impl LiveEvent {
    fn new(key: Key, query: Arc<Query>, published: Arc<Published>) -> Self {
        let frontier = query.frontier(&published);
        let pieces =
            Pieces { made: Vec::new(), is_complete: false, is_given_up: false, taken: Instant::now() };
        let making = tokio::sync::Mutex::new(Making::Unopened(query, published));
        LiveEvent { key, frontier, making, pieces: Mutex::new(pieces) }
    }

    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees what the event holds, whoever is in the middle of it.
    fn give_up(&self) {
        let mut pieces = self.pieces();
        pieces.is_given_up = true;
        pieces.made = Vec::new();
        drop(pieces);
        // Whoever makes a piece just now frees the rest.
        if let Ok(mut making) = self.making.try_lock() {
            *making = Making::Over;
        }
    }

    fn made(&self, index: usize) -> Option<Taken> {
        let mut pieces = self.pieces();
        if pieces.is_given_up {
            return Some(Taken::GivenUp);
        }
        let piece = pieces.made.get(index).cloned();
        if piece.is_some() {
            pieces.taken = Instant::now();
        }
        piece.map(Taken::Piece).or_else(|| pieces.is_complete.then_some(Taken::Complete))
    }

    async fn piece(
        self: &Arc<Self>,
        index: usize,
        serving: &Arc<dyn ServingTables>,
    ) -> Result<Taken, ServingError> {
        loop {
            if let Some(taken) = self.made(index) {
                return Ok(taken);
            }
            // A subscriber that leaves does not take the work of the others with it.
            let (own, serving) = (self.clone(), serving.clone());
            let made = tokio::spawn(async move { own.make(index, &serving).await }).await;
            made.map_err(|error| ServingError::Failed(error.into()))??;
        }
    }

    /// Makes the next piece, unless somebody else has made it.
    async fn make(&self, index: usize, serving: &Arc<dyn ServingTables>) -> Result<(), ServingError> {
        let mut making = self.making.lock().await;
        if self.made(index).is_some() {
            return Ok(());
        }
        let made = match std::mem::replace(&mut *making, Making::Over) {
            // Whoever made the piece before has not come back.
            Making::Over => Err(ServingError::Failed("an event could not be made".into())),
            Making::Open(writer) => next_piece(writer, serving).await,
            Making::Unopened(query, published) => {
                let answer = serving.open_version(query, published).await;
                match answer.and_then(|answer| AnswerWriter::new(answer, Format::Json)) {
                    Ok(writer) => next_piece(Box::new(writer), serving).await,
                    Err(error) => Err(error),
                }
            }
        };
        let mut pieces = self.pieces();
        match made {
            Err(error) => {
                pieces.is_given_up = true;
                pieces.made = Vec::new();
                return Err(error);
            }
            Ok(_) if pieces.is_given_up => {}
            Ok((mut bytes, writer)) => {
                if pieces.made.is_empty() {
                    bytes.splice(0..0, *b"event: rows\ndata: ");
                }
                match writer {
                    Some(writer) => *making = Making::Open(writer),
                    None => {
                        bytes.extend(b"\n\n");
                        pieces.is_complete = true;
                    }
                }
                pieces.made.push(bytes.into());
            }
        }
        Ok(())
    }
}

/// The bytes of the next piece, perhaps none, and the writer unless that was the last one.
async fn next_piece(
    mut writer: Box<AnswerWriter>,
    serving: &Arc<dyn ServingTables>,
) -> Result<(Vec<u8>, Option<Box<AnswerWriter>>), ServingError> {
    if writer.n_left() <= FEW_ROWS {
        return Ok((writer.whole()?, None));
    }
    let (bytes, writer) = serving.turns().take(move || (writer.next_bytes(), writer)).await?;
    let bytes = bytes?;
    let rest = bytes.is_some().then_some(writer);
    Ok((bytes.unwrap_or_default(), rest))
}

impl Live {
    pub(crate) fn new(serving: Arc<dyn ServingTables>, idle: Duration) -> Self {
        Live { serving, idle, events: Mutex::default() }
    }

    /// The event of a version: one that others have already, or a new one. `seen` is the frontier of the
    /// subscriber's last event.
    fn event(&self, query: Arc<Query>, published: Arc<Published>, seen: Option<&[u64]>) -> Arc<LiveEvent> {
        let (key, frontier) = ((query.fingerprint(), query.wants_receipt()), query.frontier(&published));
        let mut known = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|event| event.upgrade().is_some_and(|event| !event.pieces().is_given_up));
        let events: Vec<Arc<LiveEvent>> = known.iter().filter_map(Weak::upgrade).collect();
        let alike = || events.iter().filter(|event| event.key == key);
        if let Some(same) = alike().find(|event| event.frontier == frontier) {
            return same.clone();
        }
        if alike().count() >= MOST_OF_ROWS || events.len() >= MOST {
            let crowd: Vec<&Arc<LiveEvent>> =
                if events.len() >= MOST { events.iter().collect() } else { alike().collect() };
            let stuck = crowd.iter().min_by_key(|event| event.pieces().taken);
            match stuck {
                Some(stuck) if stuck.pieces().taken.elapsed() > STUCK => stuck.give_up(),
                _ => {
                    // All of them are being taken. The newest is news for most.
                    let newer = |event: &&Arc<LiveEvent>| {
                        seen.is_none_or(|seen| event.frontier.iter().sum::<u64>() > seen.iter().sum::<u64>())
                    };
                    if let Some(newest) = alike().rfind(newer) {
                        return newest.clone();
                    }
                    if let Some(oldest) = crowd.first() {
                        oldest.give_up();
                    }
                }
            }
        }
        let event = Arc::new(LiveEvent::new(key, query, published));
        known.push(Arc::downgrade(&event));
        event
    }

    /// The body of a subscription, whose first event is of this version.
    pub(crate) async fn body(self: Arc<Self>, mut versions: Versions) -> Result<Body, ServingError> {
        let ended = || ServingError::Failed("the serving layer is closed".into());
        let (query, published) = versions.next().await.ok_or_else(ended)??;
        let event = self.event(query.clone(), published, None);
        // If the request cannot be answered, the response is an error, and not an event.
        event.piece(0, &self.serving).await?;
        let state = State::Sending { event, index: 0 };
        let subscriber = Subscriber { live: self, query, versions, state, seen: None, since: Instant::now() };
        let bytes = stream::unfold(Some(subscriber), |subscriber| async move {
            let (bytes, rest) = subscriber?.next().await?;
            Some((Ok::<_, std::convert::Infallible>(bytes), rest))
        });
        Ok(Body::from_stream(bytes))
    }
}

/// A connection that gets events.
struct Subscriber {
    live: Arc<Live>,
    query: Arc<Query>,
    versions: Versions,
    state: State,
    seen: Option<Vec<u64>>,
    /// When the last event was complete.
    since: Instant,
}

enum State {
    Waiting,
    Sending { event: Arc<LiveEvent>, index: usize },
}

impl Subscriber {
    /// The next bytes, and the subscriber unless they are the last ones.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        loop {
            let State::Sending { event, index } = &mut self.state else {
                let sign = SIGN_OF_LIFE.min(self.live.idle.saturating_sub(self.since.elapsed()));
                match tokio::time::timeout(sign, self.versions.next()).await {
                    Ok(version) => {
                        let (query, published) = match version? {
                            Ok(version) => version,
                            Err(error) => return Some((error_event(&error), None)),
                        };
                        let event = self.live.event(query, published, self.seen.as_deref());
                        self.state = State::Sending { event, index: 0 };
                        continue;
                    }
                    Err(_) if self.since.elapsed() >= self.live.idle => {
                        let idle = self.live.idle.as_secs_f64();
                        let problem = format!("no new rows for {idle} s: subscribe again to go on");
                        return Some((error_event(&ServingError::Dropped(problem)), None));
                    }
                    Err(_) => return Some((Bytes::from_static(b":\n\n"), Some(self))),
                }
            };
            match event.piece(*index, &self.live.serving).await {
                Ok(Taken::Piece(bytes)) => {
                    *index += 1;
                    if !bytes.is_empty() {
                        return Some((bytes, Some(self)));
                    }
                }
                Ok(Taken::Complete) => {
                    self.seen = Some(event.frontier.clone());
                    (self.state, self.since) = (State::Waiting, Instant::now());
                }
                Ok(Taken::GivenUp) => {
                    let is_begun = *index > 0;
                    let newest = self.live.serving.newest();
                    let event = self.live.event(self.query.clone(), newest, self.seen.as_deref());
                    self.state = State::Sending { event, index: 0 };
                    if is_begun {
                        // The last name of an event is the one that counts: what was begun is no event of
                        // rows.
                        let skipped = json!({ "reason": "a newer version of the rows follows" });
                        let text = format!("\nevent: skipped\ndata: {skipped}\n\n");
                        return Some((text.into(), Some(self)));
                    }
                }
                Err(error) => return Some((error_event(&error), None)),
            }
        }
    }
}

fn error_event(error: &ServingError) -> Bytes {
    format!("event: error\ndata: {}\n\n", json!(error.body().error)).into()
}
