//! Work that is done on several threads at once, which have the priority of the one that waits for them.

use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, available_parallelism};

/// The results of `work` for each task, in the order of the tasks; on as many threads as the machine has cores,
/// or on this one if there is but one task.
///
/// # Errors
/// That of one of the tasks that failed.
///
/// # Panics
/// If `work` does.
pub(crate) fn side_by_side<T: Send, R: Send, E: Send>(
    tasks: Vec<T>,
    work: impl Fn(T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let n_threads = available_parallelism().map_or(1, |n| n.get()).min(tasks.len());
    if n_threads <= 1 {
        return tasks.into_iter().map(work).collect();
    }
    let tasks = Mutex::new(tasks.into_iter().enumerate());
    let next = || tasks.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take_turns = || {
        let done = std::iter::from_fn(next).map(|(index, task)| Ok((index, work(task)?)));
        done.collect::<Result<Vec<_>, E>>()
    };
    let mut done = std::thread::scope(|scope| {
        // One that does not start leaves its tasks to the others.
        let start = |_| Builder::new().spawn_scoped(scope, take_turns).ok();
        let others: Vec<_> = (1..n_threads).filter_map(start).collect();
        let mut done = take_turns()?;
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(done)
    })?;
    done.sort_unstable_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_tasks() {
        for n in [0, 1, 2, 1000] {
            let squares = side_by_side((0..n).collect(), |task: u64| Ok::<_, ()>(task * task));
            assert_eq!(squares, Ok((0..n).map(|task| task * task).collect()));
        }
    }

    #[test]
    fn an_error_is_returned() {
        let outcome =
            side_by_side((0..100).collect(), |task: u64| if task == 70 { Err(task) } else { Ok(()) });
        assert_eq!(outcome, Err(70));
    }
}
