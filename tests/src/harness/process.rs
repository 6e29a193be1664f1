//! Processes as /proc shows them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// One process, named by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(pub u32);

impl Process {
    /// Returns every process that executes a file below `folder`, also one that was deleted since, or that names the
    /// folder in its environment, as the descendants of such a one do.
    pub fn all_below(folder: &Path) -> Vec<Self> {
        let is_below = |process: &Self| {
            let executes = process.executable().is_some_and(|exe| exe.starts_with(folder));
            executes || process.environment().values().any(|value| Path::new(value) == folder)
        };
        all().filter(is_below).collect()
    }

    /// Returns every process that a thread of this one debugs.
    pub fn all_traced() -> Vec<Self> {
        let is_traced = |process: &Self| {
            let tracer = process.status().remove("TracerPid").unwrap_or_default();
            tracer != "0" && Path::new("/proc/self/task").join(tracer).is_dir()
        };
        all().filter(is_traced).collect()
    }

    /// Returns what it executes; `None` if it is gone, a zombie, or may not be looked at.
    pub fn executable(self) -> Option<PathBuf> {
        fs::read_link(self.path("exe")).ok()
    }

    /// Returns the fields of `/proc/PID/status`.
    pub fn status(self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.path("status")).unwrap_or_default();
        let field =
            |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        text.lines().filter_map(field).collect()
    }

    /// Tells who it is and what it does: enough to find out why it is still there.
    pub fn describe(self) -> String {
        let status = self.status();
        let field = |name: &str| status.get(name).map_or("?", String::as_str);
        let waits = fs::read_to_string(self.path("wchan")).unwrap_or_default();
        format!(
            "process {} ({}, executes {:?}, state {}, parent {}, users {}, signals pending {} blocked {}, \
             nice {}, waits in {waits:?}, descriptors {:?})",
            self.0,
            field("Name"),
            self.executable(),
            field("State"),
            field("PPid"),
            field("Uid"),
            field("ShdPnd"),
            field("SigBlk"),
            self.stat().get(16).map_or("?", String::as_str),
            self.descriptors(),
        )
    }

    /// Returns the folder that its relative paths start from.
    pub fn directory(self) -> Option<PathBuf> {
        fs::read_link(self.path("cwd")).ok()
    }

    /// Returns the soft limit on a resource, by its line in `/proc/PID/limits`.
    pub fn limit(self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.path("limits")).ok()?;
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next().map(ToOwned::to_owned)
    }

    /// Returns how much of its memory is in use, the pages of files included; zero if it is gone.
    pub fn resident_bytes(self) -> u64 {
        self.memory("VmRSS")
    }

    /// Returns how much memory in use is its own or shared with others; zero if it is gone. Pages of files do not count:
    /// how many of them come with one that is touched is up to the kernel.
    pub fn held_bytes(self) -> u64 {
        self.memory("RssAnon") + self.memory("RssShmem")
    }

    /// Returns the most of its memory that was in use at a time, the pages of files included; zero if it is gone.
    pub fn peak_bytes(self) -> u64 {
        self.memory("VmHWM")
    }

    /// Reads an amount of memory in its status; zero if it is gone.
    fn memory(self, line: &str) -> u64 {
        let kilobytes = self.status().get(line).and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    }

    /// Returns its open descriptors and what each stands for.
    pub fn descriptors(self) -> BTreeMap<u32, String> {
        let Ok(entries) = fs::read_dir(self.path("fd")) else { return BTreeMap::new() };
        let target = |path: PathBuf| {
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, fs::read_link(path).ok()?.to_string_lossy().into_owned()))
        };
        entries.flatten().filter_map(|entry| target(entry.path())).collect()
    }

    /// Returns the variables of its environment as it was started.
    pub fn environment(self) -> BTreeMap<String, String> {
        let bytes = fs::read(self.path("environ")).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let variable =
            |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        text.split('\0').filter_map(variable).collect()
    }

    /// Returns the name under which it was started: a worker's own.
    pub fn name(self) -> Option<String> {
        let bytes = fs::read(self.path("cmdline")).ok()?;
        let name = bytes.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Returns the process that started it, its process group and its session.
    pub fn family(self) -> Option<(u32, u32, u32)> {
        let fields = self.stat();
        let number = |at: usize| fields.get(at)?.parse().ok();
        Some((number(1)?, number(2)?, number(3)?))
    }

    /// Returns the fields of `/proc/PID/stat` behind the name; none if it is gone.
    fn stat(self) -> Vec<String> {
        let text = fs::read_to_string(self.path("stat")).unwrap_or_default();
        // The name before the bracket may hold anything, also brackets.
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().map(str::to_owned).collect()
    }

    /// Returns the CPU time that it has used, user and system, in the kernel's ticks of 10 ms.
    pub fn cpu(self) -> Duration {
        let fields = self.stat();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
        Duration::from_millis(10 * (ticks(11) + ticks(12)))
    }

    /// Returns its children that ended and were not taken note of.
    pub fn zombies(self) -> Vec<Self> {
        self.children().into_iter().filter(|child| child.is_zombie()).collect()
    }

    /// Returns its children, also those of which a user who is not root may see no more than that.
    pub fn children(self) -> Vec<Self> {
        all().filter(|other| other.family().is_some_and(|family| family.0 == self.0)).collect()
    }

    /// Returns when it was started, in the kernel's ticks: another process of the same number has another time.
    pub fn born(self) -> Option<u64> {
        self.stat().get(19)?.parse().ok()
    }

    /// Returns whether it has not ended.
    pub fn is_alive(self) -> bool {
        self.status().get("State").is_some_and(|state| !state.starts_with(['Z', 'X']))
    }

    /// Sends it a signal; one that is gone takes none.
    pub fn signal(self, signal: Signal) {
        if let Ok(number) = i32::try_from(self.0) {
            let _ = kill(Pid::from_raw(number), signal);
        }
    }

    fn is_zombie(self) -> bool {
        self.status().get("State").is_some_and(|state| state.starts_with('Z'))
    }

    fn path(self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.0))
    }
}

/// Returns every process of the machine.
fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Process)
}
