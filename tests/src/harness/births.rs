//! Watches a supervisor's children from their first system call on, and has one of these fail.
//!
//! A worker is followed from its fork to where code of the user would begin, which the runtime's event queue tells. The
//! product needs nothing for that: the kernel lets a debugger see every call and put another result in its place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{PATIENCE, Process, Watchdog};

/// How often whoever waits for a birth looks whether it was too long.
const LOOK: Duration = Duration::from_millis(100);

/// A system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub number: libc::c_long,
    /// Its first arguments.
    pub arguments: [u64; 4],
    /// What came of it.
    pub result: i64,
}

/// What a worker's process did from its fork to its end, or to where code of the user begins.
#[derive(Clone, Debug)]
pub struct Birth {
    /// The process.
    pub process: Process,
    /// Its calls.
    pub calls: Vec<Call>,
    /// It came to the user's code.
    pub went: bool,
    /// The call that came to something else.
    pub failed: Option<usize>,
}

/// Another result in the place of a call that is not made.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The number of the call, counted from the fork.
    pub at: usize,
    /// What the process is told: an error number below zero, or a value.
    pub result: i64,
}

/// A debugger of a supervisor's children, until it is dropped.
#[derive(Debug)]
pub struct Births {
    supervisor: Pid,
    fault: Arc<Mutex<Option<Fault>>>,
    orphans: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    births: Receiver<Birth>,
    tracer: Option<JoinHandle<()>>,
}

/// What the debugger holds of a child.
struct Followed {
    birth: Birth,
    /// It is in as many PID namespaces as a worker.
    is_in_place: bool,
    fault: Option<Fault>,
    /// The next stop is the return from a call.
    returns: bool,
}

struct Tracer {
    supervisor: Pid,
    /// In how many PID namespaces a worker is.
    depth: usize,
    fault: Arc<Mutex<Option<Fault>>>,
    orphans: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    births: Sender<Birth>,
    followed: Vec<Followed>,
}

impl Births {
    /// Follows the children that a supervisor makes from now on.
    ///
    /// # Panics
    /// If it may not be traced.
    pub fn of(supervisor: Process) -> Self {
        Self::following(supervisor, false)
    }

    /// The same of a supervisor whose workers are born in PID namespaces of their own.
    ///
    /// # Panics
    /// If it may not be traced.
    pub fn of_nested(supervisor: Process) -> Self {
        Self::following(supervisor, true)
    }

    fn following(supervisor: Process, nested: bool) -> Self {
        let supervisor = Pid::from_raw(supervisor.0.cast_signed());
        let (fault, over) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let orphans = Arc::new(AtomicBool::new(false));
        let (sender, births) = channel();
        let (began, begun) = channel();
        let (its_fault, its_over) = (Arc::clone(&fault), Arc::clone(&over));
        let its_orphans = Arc::clone(&orphans);
        // All that is asked of a traced process has to be asked by one thread.
        let tracer = thread::spawn(move || {
            let options = Options::PTRACE_O_TRACESYSGOOD
                | Options::PTRACE_O_TRACEFORK
                // Without root a child is made by another one, beside itself.
                | Options::PTRACE_O_TRACECLONE;
            ptrace::seize(supervisor, options).expect("a process of ours may be traced");
            let _nobody_waits = began.send(());
            let followed = Vec::new();
            let depth = depth(Process(supervisor.as_raw().cast_unsigned())) + usize::from(nested);
            let (fault, orphans, over) = (its_fault, its_orphans, its_over);
            Tracer { supervisor, depth, fault, orphans, over, births: sender, followed }.run();
        });
        begun.recv().expect("it is traced");
        Self { supervisor, fault, orphans, over, births, tracer: Some(tracer) }
    }

    /// Has one call of the worker that is born next come to something else.
    pub fn have_fail(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Has the supervisor killed before the worker that is born next makes its first call.
    pub fn have_orphaned(&self) {
        self.orphans.store(true, Ordering::SeqCst);
    }

    /// Waits for the next worker to be born or to fail.
    ///
    /// # Panics
    /// If there is none in time.
    #[track_caller]
    pub fn next(&self) -> Birth {
        let watchdog = Watchdog::start();
        loop {
            match self.births.recv_timeout(LOOK) {
                Ok(birth) => return birth,
                Err(RecvTimeoutError::Timeout) if !watchdog.barks() => {}
                Err(error) => panic!("no worker is started: {error}; {}", self.describe()),
            }
        }
    }

    /// Tells what the supervisor does, and all who are traced.
    fn describe(&self) -> String {
        let supervisor = Process(self.supervisor.as_raw().cast_unsigned());
        let traced: Vec<_> = Process::all_traced().into_iter().map(Process::describe).collect();
        format!("{}; of those that are traced: {traced:#?}", supervisor.describe())
    }
}

impl Drop for Births {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Means nothing to it, and stops it where it is debugged.
        let _gone_already = kill(self.supervisor, Signal::SIGWINCH);
        if let Some(tracer) = self.tracer.take() {
            let _panicked = tracer.join();
        }
    }
}

impl Tracer {
    fn run(mut self) {
        // Of this thread's alone: the tests around it have children too.
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        loop {
            let status = match waitpid(None, Some(flags)) {
                Ok(status) => status,
                Err(Errno::EINTR) => continue,
                Err(_) => return,
            };
            let Some(pid) = status.pid() else { continue };
            if pid == self.supervisor {
                if !self.heed(status) {
                    return;
                }
            } else {
                self.follow(pid, status);
            }
        }
    }

    /// Lets the supervisor go on. Returns whether it is to be followed further.
    fn heed(&mut self, status: WaitStatus) -> bool {
        let signal = match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return false,
            WaitStatus::Stopped(_, Signal::SIGWINCH) if self.over.load(Ordering::SeqCst) => {
                self.let_go();
                return false;
            }
            WaitStatus::Stopped(_, signal) => Some(signal),
            _ => None,
        };
        let _killed_already = ptrace::cont(self.supervisor, signal);
        true
    }

    fn let_go(&mut self) {
        for followed in &self.followed {
            let pid = Pid::from_raw(followed.birth.process.0.cast_signed());
            let _running = ptrace::interrupt(pid);
            let _gone = waitpid(pid, Some(WaitPidFlag::__WALL));
            let _gone = ptrace::detach(pid, None);
        }
        let _gone = ptrace::detach(self.supervisor, None);
    }

    fn follow(&mut self, pid: Pid, status: WaitStatus) {
        let process = Process(pid.as_raw().cast_unsigned());
        let found = self.followed.iter().position(|followed| followed.birth.process == process);
        let at = found.unwrap_or_else(|| {
            let birth = Birth { process, calls: Vec::new(), went: false, failed: None };
            let is_in_place = depth(process) == self.depth;
            self.followed.push(Followed { birth, is_in_place, fault: None, returns: false });
            self.followed.len() - 1
        });
        let mut signal = None;
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                let followed = self.followed.swap_remove(at);
                return self.tell(followed);
            }
            WaitStatus::PtraceSyscall(_) => {
                if self.followed[at].returns {
                    self.returns(at, pid);
                } else if self.enters(at, pid) {
                    let mut followed = self.followed.swap_remove(at);
                    followed.birth.went = true;
                    let _gone = ptrace::detach(pid, None);
                    return self.tell(followed);
                } else if self.is_first_of_worker(at) && self.orphans.swap(false, Ordering::SeqCst) {
                    self.kill_supervisor();
                }
                self.followed[at].returns = !self.followed[at].returns;
            }
            WaitStatus::Stopped(_, other) => signal = Some(other),
            _ => {}
        }
        let _killed_already = ptrace::syscall(pid, signal);
    }

    /// Notes a call that is about to be made. Returns whether code of the user comes next.
    fn enters(&mut self, at: usize, pid: Pid) -> bool {
        let followed = &mut self.followed[at];
        let Ok(mut registers) = ptrace::getregs(pid) else { return false };
        let number = registers.orig_rax.cast_signed();
        let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
        followed.birth.calls.push(Call { number, arguments, result: 0 });
        let is_worker = followed.is_worker();
        if number == libc::SYS_epoll_create1 && is_worker {
            return true;
        }
        let index = followed.birth.calls.len() - 1;
        if is_worker {
            let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            followed.fault = fault.take_if(|fault| fault.at == index);
        }
        if followed.fault.is_some() {
            followed.birth.failed = Some(index);
            // Another one that changes nothing, and that every filter lets pass.
            registers.orig_rax = libc::SYS_getpid.cast_unsigned();
            let _killed_already = ptrace::setregs(pid, registers);
        }
        false
    }

    /// Tells whether a worker has come to its first call.
    fn is_first_of_worker(&self, at: usize) -> bool {
        let followed = &self.followed[at];
        followed.birth.calls.len() == 1 && followed.is_worker()
    }

    /// Kills the supervisor, and comes back when it is dead. Whoever has started it takes note of its end.
    fn kill_supervisor(&self) {
        let _running = ptrace::interrupt(self.supervisor);
        let flags = WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD;
        let _stopped = waitpid(self.supervisor, Some(flags));
        let _held = ptrace::detach(self.supervisor, None);
        let _alive = kill(self.supervisor, Signal::SIGKILL);
        let process = Process(self.supervisor.as_raw().cast_unsigned());
        let until = Instant::now() + PATIENCE;
        while process.is_alive() && Instant::now() < until {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    fn returns(&mut self, at: usize, pid: Pid) {
        let followed = &mut self.followed[at];
        let Ok(mut registers) = ptrace::getregs(pid) else { return };
        if let Some(fault) = followed.fault.take() {
            registers.rax = fault.result.cast_unsigned();
            let _killed_already = ptrace::setregs(pid, registers);
        }
        if let Some(call) = followed.birth.calls.last_mut() {
            call.result = registers.rax.cast_signed();
        }
    }

    fn tell(&self, followed: Followed) {
        if followed.is_worker() {
            let _nobody_waits = self.births.send(followed.birth);
        }
    }
}

impl Followed {
    /// Others begin otherwise: only a worker lets go first of a pipe that it has no use for. So does who makes one that is
    /// born in namespaces, but not in these.
    fn is_worker(&self) -> bool {
        let first = self.birth.calls.first().map(|call| call.number);
        self.is_in_place && (first == Some(libc::SYS_close) || first == Some(libc::SYS_fcntl))
    }
}

/// Returns in how many PID namespaces a process is.
fn depth(process: Process) -> usize {
    process.status().get("NSpid").map_or(0, |numbers| numbers.split_whitespace().count())
}
