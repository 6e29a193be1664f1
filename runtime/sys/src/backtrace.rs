//! Where every thread of this process stands when a signal ends it: raw addresses, left where a survivor reads them.
//!
//! The handler runs in a process that is broken in an unknown way. It allocates nothing, takes no lock, and has memory
//! of its own to stand on and to write to. It makes few system calls: to list the threads, and to have each of them walk
//! its own stack. The walk is the unwinder's, which the C library lets look up an address without a lock (glibc 2.35 and
//! later); whatever hangs all the same is ended by whoever waits for this process.
//!
//! What is written is text, of which `bailiwick_wire::backtraces` tells the meaning.

mod area;
mod objects;
mod overflow;
mod threads;
mod walk;

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use libc::{c_int, c_void, siginfo_t};

use crate::at_work;
use crate::error::{Failed, check};
use area::{Area, Line};
use objects::Object;
use threads::each_thread;

/// The signals that end a process for what it did, or because it was told to say where it hangs.
const FATAL: [c_int; 5] = [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];
/// Stack of the handler, in bytes.
const STACK_BYTES: usize = 64 << 10;
/// How often it is looked whether a thread has told where it stands, and the pause in between: 100 ms in all.
const PATIENCE: (u32, libc::c_long) = (200, 500_000);
/// Threads that may fail to tell before the others are not asked any more.
const MAX_SILENT: u32 = 8;

/// What the handlers work with.
struct Recorder {
    area: Area,
    objects: Vec<Object>,
    /// The folder of this process's threads.
    threads: OnceLock<OwnedFd>,
    /// The thread whose end ends the process.
    leader: AtomicI32,
    done: AtomicBool,
    /// The thread that told last.
    told: AtomicI32,
    /// What handles signals cannot be changed any more; the kernel has taken the handler away before it runs.
    is_settled: AtomicBool,
    former: [libc::sigaction; FATAL.len()],
}

static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// Has every thread leave its stack in `area`, which is all zero, when one of SIGABRT, SIGSEGV, SIGBUS, SIGILL and SIGFPE
/// ends the process, as it then does. What else handled these signals is called afterwards, unless a stack is used up:
/// that is told here, also on standard error, since the standard library cannot know the bounds of a stack in a sandbox.
///
/// Takes the last real-time signal for its own use. To be called once, by the first thread, which gets a stack for its
/// handlers that holds when its own has overflowed.
///
/// # Errors
/// The kernel's reason.
pub fn leave_in(area: &'static [AtomicU64]) -> Result<(), Failed> {
    let mut former = [default_action(); FATAL.len()];
    for (signal, former) in FATAL.iter().zip(&mut former) {
        // SAFETY: without a new action the call writes the present one to a place that is valid for it.
        check("sigaction", unsafe { libc::sigaction(*signal, null(), former) }.into())?;
    }
    let recorder = Recorder {
        area: Area::new(area),
        objects: objects::of_this_process(),
        threads: OnceLock::new(),
        leader: AtomicI32::new(0),
        done: AtomicBool::new(false),
        told: AtomicI32::new(0),
        is_settled: AtomicBool::new(false),
        former,
    };
    if RECORDER.set(recorder).is_err() {
        return Ok(());
    }
    let Some(recorder) = RECORDER.get() else { return Ok(()) };
    for (number, object) in recorder.objects.iter().enumerate() {
        recorder.area.append(object.describe(number).as_bytes());
    }
    // The first walk makes the unwinder allocate what it keeps.
    walk::warm_up();
    stand_on_own_stack()?;
    for signal in FATAL {
        handle(signal, fatal, libc::SA_ONSTACK)?;
    }
    handle(tell_signal(), tell, libc::SA_RESTART)
}

/// Has the handlers find the other threads in this folder, `/proc/PID/task`, which a sandbox may forbid to open. Without
/// it only the thread that the signal ended tells where it stands.
pub fn list_threads_by(folder: OwnedFd) {
    if let Some(recorder) = RECORDER.get() {
        // The first one is as good as any.
        let _there_already = recorder.threads.set(folder);
    }
}

/// Has each fatal signal handled once at most, and the next end the process: for one that is about to be forbidden to
/// change how it handles them, and whose handlers would otherwise be called for ever.
///
/// # Errors
/// The kernel's reason.
pub fn settle() -> Result<(), Failed> {
    let Some(recorder) = RECORDER.get() else {
        // Those of the standard library take themselves away as well.
        return [libc::SIGSEGV, libc::SIGBUS].iter().try_for_each(|signal| set(*signal, &default_action()));
    };
    recorder.is_settled.store(true, Ordering::Release);
    FATAL.iter().try_for_each(|signal| handle(*signal, fatal, libc::SA_ONSTACK | libc::SA_RESETHAND))
}

/// By what a thread is asked to tell where it stands.
fn tell_signal() -> c_int {
    libc::SIGRTMAX()
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn handle(signal: c_int, handler: Handler, flags: c_int) -> Result<(), Failed> {
    let mut action = default_action();
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | flags;
    // SAFETY: the set is valid for writes. Nothing interrupts a handler: what would is fatal by then.
    unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    set(signal, &action)
}

fn set(signal: c_int, action: &libc::sigaction) -> Result<(), Failed> {
    // SAFETY: the action is the default or complete, and then its handler makes async-signal-safe calls only.
    check("sigaction", unsafe { libc::sigaction(signal, action, null_mut()) }.into()).map(drop)
}

fn default_action() -> libc::sigaction {
    // SAFETY: an action consists of integers and of pointers that may be null, for which zero is a value: SIG_DFL.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Gives the handlers of this thread a stack for ever, with a page below it that nobody can use.
fn stand_on_own_stack() -> Result<(), Failed> {
    const GUARD: usize = 64 << 10;
    let (none, own) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK);
    // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use.
    let start = unsafe { libc::mmap(null_mut(), GUARD + STACK_BYTES, none, own, -1, 0) };
    check("mmap", if start == libc::MAP_FAILED { -1 } else { 0 })?;
    // SAFETY: it lies within the mapping just made.
    let stack = unsafe { start.byte_add(GUARD) };
    // SAFETY: nobody else knows this memory, and it is used for nothing yet.
    let opened = unsafe { libc::mprotect(stack, STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE) };
    check("mprotect", opened.into())?;
    let stack = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: STACK_BYTES };
    // SAFETY: the memory is of this size, writable, never given back, and this thread's alone.
    check("sigaltstack", unsafe { libc::sigaltstack(&raw const stack, null_mut()) }.into()).map(drop)
}

/// The handler of [`FATAL`].
extern "C" fn fatal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(recorder) = RECORDER.get() else { return };
    let me = this_thread();
    // SAFETY: both are what the kernel passed to this handler.
    let overflowed = unsafe { overflow::is_told_by(signal, info, context) };
    // SAFETY: the kernel passes a valid description to a handler that asked for one.
    let code = unsafe { (*info).si_code };
    // What another process sends comes to any thread.
    let is_own = code > 0 || code == libc::SI_TKILL;
    match recorder.leader.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            if is_own {
                at_work::ends_here();
            }
            recorder.tell_all(signal, overflowed, me);
        }
        // Whoever handled its signal before ends the process by another one.
        Err(leader) if leader == me => {}
        Err(_) => recorder.await_leader(),
    }
    let former = FATAL.iter().position(|fatal| *fatal == signal).map(|at| recorder.former[at]);
    // What the processor refused it refuses again, and then whoever handled that before knows what to say.
    let again = code > 0 && signal != libc::SIGABRT;
    let action = former.filter(|_| again && !overflowed).unwrap_or(default_action());
    if !recorder.is_settled.load(Ordering::Acquire) {
        // SAFETY: the action is a former one of this process, or the default.
        unsafe { libc::sigaction(signal, &raw const action, null_mut()) };
    }
    if !again {
        // It is delivered when this handler returns.
        signal_thread(me, signal);
    }
}

/// The handler of [`tell_signal`].
extern "C" fn tell(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: the C library gives each thread its own, which is always there.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above; nobody else has a reference to it.
    let before = unsafe { *errno };
    // SAFETY: the kernel passes a valid description to a handler that asked for one.
    let is_asked = unsafe { (*info).si_code } == libc::SI_TKILL;
    if let Some(recorder) = RECORDER.get().filter(|recorder| is_asked && recorder.is_telling()) {
        let me = this_thread();
        recorder.tell(me);
        recorder.told.store(me, Ordering::Release);
    }
    // SAFETY: as above. Whoever was interrupted finds what its last call left.
    unsafe { *errno = before };
}

impl Recorder {
    fn is_telling(&self) -> bool {
        self.leader.load(Ordering::Acquire) != 0
    }

    fn tell_all(&self, signal: c_int, overflowed: bool, me: c_int) {
        self.say(Line::of("signal ").number(signal.unsigned_abs().into(), 10));
        if overflowed {
            self.say(Line::of("overflow"));
            let line = Line::of("thread '").name(&name_of_this_thread()).text("' has overflowed its stack\n");
            let line = line.as_bytes();
            // SAFETY: the bytes are valid for reads. Where nobody reads, nobody misses it.
            unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
        }
        self.tell(me);
        let mut silent = 0;
        let ask = |thread: c_int| {
            if thread == me || silent >= MAX_SILENT {
                return;
            }
            signal_thread(thread, tell_signal());
            if !await_true(|| self.told.load(Ordering::Acquire) == thread) {
                silent += 1;
                self.say(Line::of("silent ").number(thread.unsigned_abs().into(), 10));
            }
        };
        if let Some(threads) = self.threads.get() {
            each_thread(threads.as_raw_fd(), ask);
        }
        self.say(Line::of("end"));
        self.done.store(true, Ordering::Release);
    }

    /// Leaves the stack of the calling thread.
    fn tell(&self, me: c_int) {
        let name = name_of_this_thread();
        self.say(Line::of("thread ").number(me.unsigned_abs().into(), 10).text(" ").name(&name));
        walk::each_frame(&mut |address| {
            let found = self.objects.iter().position(|object| object.holds(address));
            let line = match found {
                Some(at) => Line::of("").number(at as u64, 10).text("+"),
                None => Line::of("?+"),
            };
            self.say(line.number(found.map_or(address, |at| address - self.objects[at].base), 16));
        });
    }

    fn say(&self, line: Line) {
        self.area.append(line.text("\n").as_bytes());
    }

    /// Has a thread wait whose own end is not the first.
    fn await_leader(&self) {
        for _ in 0..MAX_SILENT {
            if await_true(|| self.done.load(Ordering::Acquire)) {
                return;
            }
        }
    }
}

/// Waits for a short while.
fn await_true(mut holds: impl FnMut() -> bool) -> bool {
    let (looks, pause_ns) = PATIENCE;
    for _ in 0..looks {
        if holds() {
            return true;
        }
        let pause = libc::timespec { tv_sec: 0, tv_nsec: pause_ns };
        // SAFETY: the time is valid, and what is left of it is not asked for.
        unsafe { libc::nanosleep(&raw const pause, null_mut()) };
    }
    holds()
}

fn this_thread() -> c_int {
    // SAFETY: takes nothing and touches no memory.
    unsafe { libc::gettid() }
}

/// Returns the name of the calling thread with the zero at its end.
fn name_of_this_thread() -> [u8; 16] {
    let mut name = [0; 16];
    // SAFETY: the kernel writes a name of at most 16 bytes with its end, for which there is room.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

fn signal_thread(thread: c_int, signal: c_int) {
    // SAFETY: takes nothing and touches no memory.
    let process = unsafe { libc::getpid() };
    // SAFETY: takes numbers and touches no memory.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
}
