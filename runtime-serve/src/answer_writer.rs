//! Writes an answer in a format, piece by piece: the bytes are those of the whole answer, and only some
//! pieces of it are in memory at a time.

use std::fmt;

use arrow::ipc::writer::StreamWriter;
use metricc_client::{Format, NOTE_HEADER, Served, ServingError};

use crate::answer_rows::OpenAnswer;
use crate::export::{ARROW_ROWS, csv_header, csv_rows, not_in_format, record_batch, with_overflow};
use crate::json_rows::json_rows;
use crate::overflow::OverflowSum;
use crate::query::failed;
use crate::row_writer::Waiting;
use crate::{AnswerRows, Presented, to_json};

/// Groups of a piece.
const PIECE_GROUPS: usize = 1024;

/// Pieces of one turn, at most, and bytes from which on a turn is over.
const TURN_PIECES: usize = 4;
const TURN_BYTES: usize = 64 << 10;

/// Most rows of an answer that is written in one go.
pub const FEW_ROWS: usize = 2000;

/// An answer that is being written.
pub struct AnswerWriter {
    answer: OpenAnswer,
    form: Form,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is written; headers are to be known first.
    Surveying,
    Begin,
    Rows,
    Done,
}

impl fmt::Debug for AnswerWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerWriter").field("answer", &self.answer).field("stage", &self.stage).finish()
    }
}

enum Form {
    /// `after` is what follows the rows if there is no next page.
    Json {
        is_first: bool,
        after: String,
    },
    Csv(Heading),
    Arrow {
        heading: Heading,
        writer: Option<Box<StreamWriter<Vec<u8>>>>,
        waiting: Waiting,
    },
}

/// What is said of rows before the first of them, in formats that have rows alone.
#[derive(Debug, Default)]
struct Heading {
    overflow: OverflowSum,
    next: Option<String>,
}

impl AnswerWriter {
    /// # Errors
    /// [`ServingError::Request`] if the rows do not have the format.
    pub fn new(answer: OpenAnswer, format: Format) -> Result<Self, ServingError> {
        let form = match format {
            Format::Json => Form::Json { is_first: true, after: String::new() },
            Format::Csv => {
                csv_header(&answer.rows.none()).map_err(not_in_format)?;
                Form::Csv(Heading::default())
            }
            Format::Arrow => {
                record_batch(&answer.rows.none()).map_err(not_in_format)?;
                Form::Arrow { heading: Heading::default(), writer: None, waiting: Waiting::default() }
            }
        };
        let stage = if format == Format::Json { Stage::Begin } else { Stage::Surveying };
        Ok(AnswerWriter { answer, form, stage })
    }

    /// The rows that are not written yet, at most.
    pub fn n_left(&self) -> usize {
        self.answer.rows.n_left()
    }

    /// Whether headers are not known yet.
    pub fn is_surveying(&self) -> bool {
        self.stage == Stage::Surveying
    }

    /// A turn of the work before the first byte.
    ///
    /// # Errors
    /// [`ServingError::Failed`].
    pub fn survey(&mut self) -> Result<(), ServingError> {
        let heading = match &mut self.form {
            Form::Csv(heading) | Form::Arrow { heading, .. } if self.stage == Stage::Surveying => heading,
            _ => return Ok(()),
        };
        for _ in 0..TURN_PIECES {
            match self.answer.rows.next(PIECE_GROUPS).map_err(failed)? {
                Some(piece) => heading.overflow.add(&piece),
                None => {
                    heading.next = self.answer.rows.next_page();
                    self.answer.rows.rewind();
                    self.stage = Stage::Begin;
                    break;
                }
            }
        }
        Ok(())
    }

    /// The headers of a format that has rows alone, after the survey.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let heading = match &self.form {
            Form::Json { .. } => return Vec::new(),
            Form::Csv(heading) | Form::Arrow { heading, .. } => heading,
        };
        let Served { hash, frontier, epoch, notes, .. } = &self.answer;
        let offsets: Vec<String> = frontier.iter().map(u64::to_string).collect();
        let mut headers = vec![("metricc-hash", hash.clone()), ("metricc-frontier", offsets.join(","))];
        headers.extend(epoch.iter().map(|epoch| ("metricc-epoch", epoch.clone())));
        headers.extend(notes.iter().map(|note| (NOTE_HEADER, note.clone())));
        let overflow = heading.overflow.json(&self.answer.rows.none().row_type);
        headers.extend(overflow.map(|overflow| (metricc_client::OVERFLOW_HEADER, overflow)));
        headers.extend(heading.next.clone().map(|next| (metricc_client::NEXT_HEADER, next)));
        headers
    }

    /// The bytes of the next turn, perhaps none; `None` after the last ones.
    ///
    /// # Errors
    /// [`ServingError::Failed`]. The answer is then incomplete.
    pub fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, ServingError> {
        let mut out = Vec::new();
        while self.is_surveying() {
            self.survey()?;
        }
        if self.stage == Stage::Begin {
            self.begin(&mut out)?;
            self.stage = Stage::Rows;
        }
        if self.stage == Stage::Done {
            return Ok(None);
        }
        for _ in 0..TURN_PIECES {
            if out.len() >= TURN_BYTES {
                break;
            }
            match self.answer.rows.next(PIECE_GROUPS).map_err(failed)? {
                Some(piece) => self.write(piece, &mut out)?,
                None => {
                    self.end(&mut out)?;
                    self.stage = Stage::Done;
                    break;
                }
            }
        }
        Ok(Some(out))
    }

    /// All bytes.
    ///
    /// # Errors
    /// As [`AnswerWriter::next_bytes`].
    pub fn whole(&mut self) -> Result<Vec<u8>, ServingError> {
        let mut out = Vec::new();
        while let Some(bytes) = self.next_bytes()? {
            out.extend(bytes);
        }
        Ok(out)
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), ServingError> {
        let none = self.answer.rows.none();
        match &mut self.form {
            Form::Json { after, .. } => {
                let (before, without_next) = frame(&self.answer, none, None)?;
                out.extend(before.as_bytes());
                *after = without_next;
            }
            Form::Csv(_) => out.extend(csv_header(&none).map_err(not_in_format)?.as_bytes()),
            Form::Arrow { heading, writer, .. } => {
                let schema = record_batch(&none).map_err(not_in_format)?.schema();
                let schema = with_overflow(&schema, heading.overflow.json(&none.row_type));
                *writer = Some(Box::new(StreamWriter::try_new(Vec::new(), &schema).map_err(not_in_format)?));
            }
        }
        Ok(())
    }

    fn write(&mut self, piece: Presented, out: &mut Vec<u8>) -> Result<(), ServingError> {
        match &mut self.form {
            Form::Json { is_first, .. } => {
                json_rows(&piece, is_first, out);
                Ok(())
            }
            Form::Csv(_) => {
                csv_rows(&piece, out);
                Ok(())
            }
            Form::Arrow { writer, waiting, .. } => {
                waiting.push(piece);
                while waiting.n_rows() >= ARROW_ROWS {
                    write_batch(writer, &waiting.take(ARROW_ROWS).map_err(failed)?, out)?;
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), ServingError> {
        let next = self.answer.rows.next_page();
        match &mut self.form {
            Form::Json { after, .. } if next.is_none() => out.extend(after.as_bytes()),
            Form::Json { .. } => {
                let none = self.answer.rows.none();
                out.extend(frame(&self.answer, none, next)?.1.as_bytes());
            }
            Form::Csv(_) => {}
            Form::Arrow { writer, waiting, .. } => {
                match waiting.n_rows() {
                    // An answer without rows has a batch as well.
                    0 if self.answer.rows.is_empty() => {
                        write_batch(writer, &self.answer.rows.none(), out)?;
                    }
                    0 => {}
                    n => write_batch(writer, &waiting.take(n).map_err(failed)?, out)?,
                }
                if let Some(mut writer) = writer.take() {
                    writer.finish().map_err(not_in_format)?;
                    out.extend(writer.into_inner().map_err(not_in_format)?);
                }
            }
        }
        Ok(())
    }
}

fn write_batch(
    writer: &mut Option<Box<StreamWriter<Vec<u8>>>>,
    rows: &Presented,
    out: &mut Vec<u8>,
) -> Result<(), ServingError> {
    let Some(writer) = writer else { return Ok(()) };
    writer.write(&record_batch(rows).map_err(not_in_format)?).map_err(not_in_format)?;
    out.append(writer.get_mut());
    Ok(())
}

/// The text of an answer before its rows and after them.
fn frame(
    answer: &Served<AnswerRows>,
    none: Presented,
    next: Option<String>,
) -> Result<(String, String), ServingError> {
    let Served { metric, hash, frontier, epoch, unit, notes, rows: _, next: _, receipt } = answer;
    let none = Served {
        metric: metric.clone(),
        hash: hash.clone(),
        frontier: frontier.clone(),
        epoch: epoch.clone(),
        unit: unit.clone(),
        notes: notes.clone(),
        rows: none,
        next,
        receipt: receipt.clone(),
    };
    let text = to_json(&none).map_err(|error| ServingError::Failed(error.into()))?;
    // Quotes inside of a text are escaped, so this is the member.
    const ROWS: &str = "\"rows\":[";
    let at = text.find("\"rows\":[]").ok_or_else(|| ServingError::Failed("an answer has no rows".into()))?;
    let (before, after) = text.split_at(at + ROWS.len());
    Ok((before.to_owned(), after.to_owned()))
}
