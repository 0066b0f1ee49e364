//! A partition decoded by several threads, its batches handed out in the order of their positions.
//!
//! Opening a log whose source has an identity decodes all of it, and which of two records is the duplicate
//! depends on their order. So only the decoding is divided: each thread decodes every n-th chunk, some
//! batches ahead of the one that is wanted.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::LogError;
use crate::partition::{DecodedBatch, OffsetRange, Partition, SliceRequest};

/// Records that one thread decodes before another takes its turn.
const CHUNK_RECORDS: u64 = 64 << 10;
/// Batches that a thread is ahead at most.
const MAX_AHEAD: usize = 4;

/// A batch, or that there is none any more in the chunk.
type Message = Result<Option<DecodedBatch>, LogError>;

/// Reads what is requested of a partition with at most so many threads.
///
/// # Errors
/// The first error, in the order of positions; that of `take`.
pub(crate) fn read_in_order(
    partition: &dyn Partition,
    request: &SliceRequest,
    n_threads: usize,
    take: &mut dyn FnMut(DecodedBatch) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let chunks = chunks(partition, request.range);
    let n_threads = n_threads.min(chunks.len());
    if n_threads <= 1 {
        let mut reader = partition.read(request.clone())?;
        while let Some(batch) = reader.next_batch()? {
            take(batch)?;
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        let receivers: Vec<Receiver<Message>> = (0..n_threads)
            .map(|thread| {
                let (sender, receiver) = sync_channel(MAX_AHEAD);
                let own = chunks.iter().skip(thread).step_by(n_threads);
                scope.spawn(move || {
                    let mut requests = own.map(|range| SliceRequest { range: *range, ..request.clone() });
                    requests.all(|request| send(partition, request, &sender))
                });
                receiver
            })
            .collect();
        // Where this ends early, the receivers are dropped, and then the threads end as well.
        for receiver in (0..chunks.len()).map(|chunk| &receivers[chunk % n_threads]) {
            while let Ok(message) = receiver.recv() {
                match message? {
                    Some(batch) => take(batch)?,
                    None => break,
                }
            }
        }
        Ok(())
    })
}

/// A range in chunks that are read without decoding records before them.
fn chunks(partition: &dyn Partition, range: OffsetRange) -> Vec<OffsetRange> {
    let mut chunks = Vec::new();
    let (mut from, mut wanted) = (range.from, range.from);
    while from < range.to {
        wanted = wanted.saturating_add(CHUNK_RECORDS);
        let to = if wanted < range.to { partition.nearest_start(wanted).min(range.to) } else { range.to };
        if to > from {
            chunks.push(OffsetRange { from, to });
            from = to;
        }
    }
    chunks
}

/// Sends the batches of a chunk. Whether there is somebody who wants more.
fn send(partition: &dyn Partition, request: SliceRequest, to: &SyncSender<Message>) -> bool {
    let mut reader = match partition.read(request) {
        Ok(reader) => reader,
        Err(error) => {
            // Nobody may be there any more; then the error is nobody's.
            let _ = to.send(Err(error));
            return false;
        }
    };
    loop {
        let message = reader.next_batch();
        let is_last = !matches!(message, Ok(Some(_)));
        let is_error = message.is_err();
        if to.send(message).is_err() || is_error {
            return false;
        }
        if is_last {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metricc_ir::{Field, Kind, Source, Type};

    use super::*;
    use crate::log::open_file;
    use crate::{Binding, RecordDecoder, folders};

    #[test]
    fn threads_hand_out_batches_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson");
        let n_records = 3 * CHUNK_RECORDS + 17;
        let lines: String =
            (0..n_records).map(|n| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"n\":{n}}}\n")).collect();
        std::fs::write(&path, lines).unwrap();
        let fields = vec![Field::new("at", Type::of(Kind::Timestamp)), Field::new("n", Type::of(Kind::Int))];
        let source = Source { name: "s".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
        let decoder = RecordDecoder::new(&Arc::new(source)).unwrap();
        let file = folders::resolve(&Binding::new(path.to_string_lossy())).unwrap().remove(0);
        let partition = open_file(file, &decoder, None, &mut |_| {}).unwrap();
        let request = SliceRequest {
            partition: 0,
            range: OffsetRange { from: 5, to: n_records },
            columns: vec![1],
            batch_rows: 10_000,
            duplicates: Arc::default(),
            wanted: Arc::default(),
        };
        let read = |n_threads: usize| {
            let (mut next, mut n_rows) = (5, 0);
            let mut take = |batch: DecodedBatch| {
                assert_eq!(batch.range.from, next);
                next = batch.range.to;
                n_rows += batch.n_rows as u64;
                Ok(())
            };
            read_in_order(partition.as_ref(), &request, n_threads, &mut take).unwrap();
            (next, n_rows)
        };
        for n_threads in [1, 2, 3, 9] {
            assert_eq!(read(n_threads), (n_records, n_records - 5));
        }
        let stop = LogError::Request { problem: "enough".into() };
        let mut stop = Some(stop);
        let mut take = |_: DecodedBatch| stop.take().map_or(Ok(()), Err);
        assert!(read_in_order(partition.as_ref(), &request, 2, &mut take).is_err());
    }
}
