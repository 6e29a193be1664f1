//! What this thread does right now, written where the supervisor looks: what hangs cannot be asked.
//!
//! One poll is what may hang: between two polls a task waits, which is never a fault. That the thread has something to
//! run leaves a beginning, which each poll of users' code that an actor is made of moves and names, and the
//! [beat](crate::beat) of the executor while others run. Threads of blocking actors leave nothing: they may take as long as
//! they like.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicU64;

use bailiwick_sys::at_work;
use bailiwick_sys::events::coarse_ns;
use bailiwick_wire::schema::ProtocolSchema;
use bailiwick_wire::slate::Desk;

use crate::beat::Beat;
use crate::cell;
use crate::envelope::method_name;

thread_local! {
    static HERE: Here = const { Here { desk: Cell::new(None), named: Cell::new(None), beat: Beat::new() } };
}

/// Where the thread writes, and whose name stands there.
struct Here {
    desk: Cell<Option<Desk<'static>>>,
    named: Cell<Option<(*const cell::Cell, Work)>>,
    beat: Beat,
}

/// What an actor is at.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// The handler of a method.
    Method(&'static ProtocolSchema, u16),
    /// Something else that users write.
    Step(&'static str),
}

impl PartialEq for Work {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Method(one, index), Self::Method(other, other_index)) => {
                std::ptr::eq(*one, *other) && index == other_index
            }
            (Self::Step(one), Self::Step(other)) => one == other,
            (Self::Method(..) | Self::Step(_), _) => false,
        }
    }
}

/// Has the calling thread leave what it does on `slate`, as the one with this number. With that the calls are noted that
/// are denied to it, and its crash.
pub(crate) fn write_to(slate: &'static [AtomicU64], thread: usize) {
    let Some(desk) = Desk::of(slate, thread) else { return };
    at_work::look_at(desk.named());
    HERE.with(|here| here.desk.set(Some(desk)));
}

/// Forgets whose name was written last: an actor begins, perhaps where another one was in memory.
pub(crate) fn forget_name() {
    HERE.with(|here| here.named.set(None));
}

/// Awaits the future that the executor of this thread ends with.
pub(crate) async fn of_executor<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let _ended = OnDrop(|| {
        rest();
        HERE.with(|here| here.beat.end());
    });
    poll_fn(|task| {
        HERE.with(|here| {
            if let Some(desk) = here.desk.get() {
                desk.begin(coarse_ns(), false);
            }
            here.beat.go_on(task);
        });
        future.as_mut().poll(task)
    })
    .await
}

/// Says that the thread has nothing to run.
pub(crate) fn rest() {
    HERE.with(|here| {
        if let Some(desk) = here.desk.get() {
            desk.rest();
        }
        here.beat.rest();
    });
}

/// Says that the thread has something to run again.
pub(crate) fn awake() {
    HERE.with(|here| {
        if let Some(desk) = here.desk.get() {
            desk.begin(coarse_ns(), false);
        }
        here.beat.awake();
    });
}

/// Awaits `future`, whose polls are of an actor's work.
pub(crate) async fn of<F: Future>(actor: &cell::Cell, work: Work, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|task| one_poll(actor, work, || future.as_mut().poll(task))).await
}

/// Runs one poll of an actor's work.
pub(crate) fn one_poll<T>(actor: &cell::Cell, work: Work, poll: impl FnOnce() -> T) -> T {
    let Some(desk) = HERE.with(|here| here.begin(actor, work)) else { return poll() };
    let _over = OnDrop(|| desk.unname());
    poll()
}

/// Returns the actor whose work the present poll is, if one's is: its path.
pub(crate) fn actor() -> Option<String> {
    // A thread that is already past its locals works for nobody.
    HERE.try_with(|here| here.desk.get()).ok().flatten()?.actor()
}

impl Here {
    fn begin(&self, actor: &cell::Cell, work: Work) -> Option<Desk<'static>> {
        let desk = self.desk.get()?;
        let name = Some((std::ptr::from_ref(actor), work));
        // To write names takes longer than many a poll.
        if self.named.get() != name {
            self.named.set(name);
            match work {
                Work::Method(protocol, index) => {
                    desk.name(actor.path(), [protocol.name, ".", method_name(protocol, index)]);
                }
                Work::Step(step) => desk.name(actor.path(), [step]),
            }
        }
        desk.begin(coarse_ns(), true);
        Some(desk)
    }
}

/// Does something when it is dropped, also by a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        self.0();
    }
}
