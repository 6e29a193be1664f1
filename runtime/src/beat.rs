//! The beat of an executor that is awake: its own task has a turn now and then, however busy users' tasks keep it.
//!
//! What users spawn is polled by nobody of ours, so many short polls of theirs would look like one that does not end.
//! The timers run only while the thread is awake, and at most once beyond that: a worker that idles is woken by nothing.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use bailiwick_sys::events::coarse_ns;
use tokio::time::{Instant, Sleep, sleep};

/// Boxed once, and there while it runs.
type Timer = Pin<Box<Option<Sleep>>>;

/// The timers of one executor, and the task that they give turns to.
///
/// There are two by turns: to arm the timer that runs off first wakes the executor, though it is awake.
pub(crate) struct Beat {
    timers: RefCell<Option<[Timer; 2]>>,
    /// They run.
    is_armed: Cell<bool>,
    /// Before this none of them has run off: to ask them costs more than the clock.
    due_ns: Cell<u64>,
    /// One has run off since the thread woke up, so that they may end when the thread parks.
    may_rest: Cell<bool>,
    task: RefCell<Option<Waker>>,
}

impl Beat {
    pub(crate) const fn new() -> Self {
        Self {
            timers: RefCell::new(None),
            is_armed: Cell::new(false),
            due_ns: Cell::new(0),
            may_rest: Cell::new(false),
            task: RefCell::new(None),
        }
    }

    /// Has the task woken when a timer runs off. To be called at each turn of the task.
    pub(crate) fn go_on(&self, task: &mut Context<'_>) {
        let now_ns = coarse_ns();
        if now_ns < self.due_ns.get() {
            return;
        }
        let mut timers = self.timers.borrow_mut();
        let timers = timers.get_or_insert_with(|| [(); 2].map(|()| Box::pin(None)));
        let mut left = PERIOD;
        for (timer, turn) in timers.iter_mut().zip(1..) {
            if !self.is_armed.get() {
                timer.set(Some(sleep(turn * PERIOD)));
            }
            let Some(mut running) = timer.as_mut().as_pin_mut() else { continue };
            while running.as_mut().poll(task).is_ready() {
                self.may_rest.set(true);
                running.as_mut().reset(Instant::now() + 2 * PERIOD);
            }
            left = left.min(running.deadline().saturating_duration_since(Instant::now()));
        }
        self.is_armed.set(true);
        self.due_ns.set(now_ns + left.saturating_sub(COARSE).as_nanos() as u64);
        let mut known = self.task.borrow_mut();
        if known.as_ref().is_none_or(|known| !known.will_wake(task.waker())) {
            *known = Some(task.waker().clone());
        }
    }

    /// The thread is about to wait.
    pub(crate) fn rest(&self) {
        if self.may_rest.take() {
            self.stop_timers();
        }
    }

    /// The thread has waited. The task has a turn if nothing else would give it one.
    pub(crate) fn awake(&self) {
        if !self.is_armed.get()
            && let Some(task) = &*self.task.borrow()
        {
            task.wake_by_ref();
        }
    }

    /// Forgets the task, which has ended.
    pub(crate) fn end(&self) {
        self.may_rest.set(false);
        self.stop_timers();
        drop((self.timers.take(), self.task.take()));
    }

    fn stop_timers(&self) {
        self.is_armed.set(false);
        self.due_ns.set(0);
        for timer in self.timers.borrow_mut().iter_mut().flatten() {
            timer.set(None);
        }
    }
}

/// The clock that costs little is late by so much at most.
const COARSE: Duration = Duration::from_millis(10);
/// By so much a poll may seem to have begun too early.
const PERIOD: Duration = Duration::from_millis(20);
