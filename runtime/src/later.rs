//! `-> Later<T>`: a handler that returns before it has the answer, so that the actor can take the next message.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::outcome::Unknown;
use crate::payload::Portable;
use crate::reply::Reply;

/// An answer that will come. Callers see a method that returns `T`.
///
/// In a test of the actor's own methods it can be awaited.
///
/// ```
/// use bailiwick::Later;
///
/// let (later, answer) = Later::pair();
/// answer.send(7);
/// bailiwick::local(async |_cx| assert_eq!(later.await, Ok(7)));
/// ```
#[derive(Debug)]
#[must_use = "a handler returns it; dropped, the asker is told that there is no answer"]
pub struct Later<T>(Arc<Mutex<State<T>>>);

/// The other half of a [`Later`]: gives the answer, from wherever and whenever.
///
/// Dropping it tells the asker `Unknown(ReplyDropped)`.
#[derive(Debug)]
#[must_use = "dropped, the asker is told that there is no answer"]
pub struct Answer<T: Portable>(Option<Arc<Mutex<State<T>>>>);

enum State<T> {
    /// Neither half has done its part.
    Open(Option<Waker>),
    /// The asker is known, the answer is not.
    Asked(Reply),
    /// The answer is known, the asker is not.
    Answered(T),
    /// The answer will not come, or has been given.
    Over,
}

impl<T: Portable> Later<T> {
    /// Makes the promise and the means to keep it.
    pub fn pair() -> (Self, Answer<T>) {
        let state = Arc::new(Mutex::new(State::Open(None)));
        (Self(Arc::clone(&state)), Answer(Some(state)))
    }

    /// Makes an answer that is there already.
    pub fn ready(value: T) -> Self {
        Self(Arc::new(Mutex::new(State::Answered(value))))
    }

    pub(crate) fn answer_to(self, reply: Reply) {
        let mut state = lock(&self.0);
        match mem::replace(&mut *state, State::Over) {
            State::Open(_) => *state = State::Asked(reply),
            State::Answered(value) => {
                drop(state);
                reply.send(value);
            }
            // The reply is dropped, which tells the asker.
            State::Asked(_) | State::Over => {}
        }
    }
}

impl<T: Portable> Answer<T> {
    /// Gives the answer. Does nothing if nobody waits for it any more.
    pub fn send(mut self, value: T) {
        let Some(shared) = self.0.take() else { return };
        let mut state = lock(&shared);
        match mem::replace(&mut *state, State::Over) {
            State::Open(waker) => {
                *state = State::Answered(value);
                drop(state);
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            State::Asked(reply) => {
                drop(state);
                reply.send(value);
            }
            State::Answered(_) | State::Over => {}
        }
    }

    /// Returns whether the asker has given up, as far as is known: then the answer need not be worked out.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| match &*lock(shared) {
            State::Asked(reply) => reply.poll_abandoned(Waker::noop()),
            State::Over => true,
            State::Open(_) | State::Answered(_) => false,
        })
    }
}

impl<T: Portable> Drop for Answer<T> {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let mut state = lock(&shared);
        let before = mem::replace(&mut *state, State::Over);
        drop(state);
        // An asker is told by the drop of the reply.
        if let State::Open(Some(waker)) = before {
            waker.wake();
        }
    }
}

/// Waits for the answer: how a test reads what a handler promised.
impl<T: Portable> Future for Later<T> {
    type Output = Result<T, Unknown>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.0);
        match mem::replace(&mut *state, State::Over) {
            State::Answered(value) => Poll::Ready(Ok(value)),
            State::Open(_) => {
                *state = State::Open(Some(task.waker().clone()));
                Poll::Pending
            }
            State::Asked(_) | State::Over => Poll::Ready(Err(Unknown::ReplyDropped)),
        }
    }
}

fn lock<T>(state: &Arc<Mutex<State<T>>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> std::fmt::Debug for State<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Asked(_) => "Asked",
            Self::Answered(_) => "Answered",
            Self::Over => "Over",
        })
    }
}
