//! Panics of users' code, caught where one actor's turn ends and turned into the cause of its failure.

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::Once;
use std::task::Poll;

use crate::outcome::Cause;

thread_local! {
    /// Where the latest panic of this thread happened: the hook knows it, the one who catches does not.
    static LOCATION: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Makes panics leave their location, and a report for who asks after the process's death, before the hook that is there prints them.
pub(crate) fn note_locations() {
    HOOK.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            crate::last_words::panicked(info);
            let location = info.location().map(ToString::to_string);
            // A thread that is already past its locals has nobody to tell.
            let _ = LOCATION.try_with(|noted| *noted.borrow_mut() = location);
            next(info);
        }));
    });
}

/// Calls `code`; a panic in it becomes a cause.
///
/// Whoever calls this drops what `code` worked on after a panic, so that nobody sees it half changed.
pub(crate) fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Cause> {
    panic::catch_unwind(AssertUnwindSafe(code)).map_err(|payload| cause(&*payload))
}

/// Awaits `future`; a panic in it becomes a cause. A panic while the unfinished future is dropped is not caught.
pub(crate) async fn catch_async<F: Future>(future: F) -> Result<F::Output, Cause> {
    let mut future = pin!(future);
    poll_fn(|task| match catch(|| future.as_mut().poll(task)) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(cause) => Poll::Ready(Err(cause)),
    })
    .await
}

fn cause(payload: &(dyn Any + Send)) -> Cause {
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned());
    Cause::Panicked { message, location: LOCATION.take() }
}
