//! A running gallery and the folder that it serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use super::client::Client;
use super::load::Outage;
use super::program::{Line, Program, kill_process};

/// A gallery on a port of its own.
#[derive(Debug)]
pub(crate) struct Gallery {
    pub(crate) program: Program,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

/// What the supervisor says of a life that did not end as planned.
const ENDED: &str = " ended after ";

/// A user that this machine need not know.
const OWNER: u32 = 4242;

/// Pictures of each format, small enough that a test may ask for many.
pub(crate) const PICTURES: [(&str, image::ImageFormat); 4] = [
    ("a.png", image::ImageFormat::Png),
    ("b.jpg", image::ImageFormat::Jpeg),
    ("c.gif", image::ImageFormat::Gif),
    ("d.webp", image::ImageFormat::WebP),
];

impl Gallery {
    /// Starts `gallery FOLDER --listen 127.0.0.1:0` over a folder of a few pictures.
    pub(crate) fn start() -> Self {
        let folder = folder();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gallery"));
        command.arg(folder.path()).args(["--listen", "127.0.0.1:0"]);
        Self::started(command, folder)
    }

    /// Starts `command`, which is to serve `folder`, and waits until it does.
    pub(crate) fn started(command: Command, folder: TempDir) -> Self {
        let program = Program::start(command);
        let address = program.journal().wait_for(0, |line| {
            let (_, address) = line.split_once("http://")?;
            address.trim_end_matches('/').parse().ok()
        });
        Self { program, address, folder }
    }

    /// Starts `command`, which serves a folder of its own.
    pub(crate) fn of_its_own(command: Command) -> Self {
        Self::started(command, tempfile::tempdir().expect("a temporary folder"))
    }

    /// Returns a new client.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns what the supervisor says of its workers to whoever asks the gallery.
    pub(crate) fn workers(&self) -> Vec<serde_json::Value> {
        let accept = [("Accept", "application/json")];
        let answer = self.client().request("GET", "/processes", &accept, b"").expect("the front lives");
        let mut tree: serde_json::Value = serde_json::from_slice(&answer.body).expect("it is JSON");
        match tree["workers"].take() {
            serde_json::Value::Array(workers) => workers,
            other => panic!("{other} for a list of workers"),
        }
    }

    /// Kills the process of an instance.
    pub(crate) fn kill(&self, (instance, pid): &(String, u32)) -> Kill {
        let kill = Kill {
            instance: instance.clone(),
            at: Instant::now(),
            from: self.program.journal().lines().len(),
        };
        kill_process(*pid);
        kill
    }

    /// Waits for what the supervisor says of a life that was killed.
    pub(crate) fn report(&self, kill: &Kill) -> String {
        let ended =
            |line: &str| (instance_that(line, ENDED) == Some(&kill.instance)).then(|| line.to_owned());
        self.program.journal().wait_for(kill.from, ended)
    }

    /// Returns the times in which workers were not there: from each kill that ended a life to the next line that says
    /// that the instance is ready. Who kills a spare, or a life that was at its planned end, ends none.
    pub(crate) fn outages(&self, kills: &[Kill]) -> Vec<Outage> {
        let lines = self.program.journal().lines();
        let outage = |(number, kill): (usize, &Kill)| {
            let of_it = |what| move |line: &&Line| instance_that(&line.text, what) == Some(&kill.instance);
            let next = kills[number + 1..].iter().find(|other| other.instance == kill.instance);
            let until = next.map_or(lines.len(), |next| next.from);
            lines[kill.from..until.max(kill.from)].iter().find(of_it(ENDED))?;
            let mut later = lines[kill.from..].iter().filter(|line| line.at > kill.at);
            let worker = kill.instance.split('.').next().unwrap_or_default().to_owned();
            Some(Outage { worker, begin: kill.at, ready: later.find(of_it(" is ready")).map(|line| line.at) })
        };
        kills.iter().enumerate().filter_map(outage).collect()
    }
}

/// An instance of a worker that was killed on purpose.
#[derive(Clone, Debug)]
pub(crate) struct Kill {
    pub(crate) instance: String,
    pub(crate) at: Instant,
    /// How many lines the program had said by then.
    from: usize,
}

impl Kill {
    /// Tells whether it was an instance of this worker.
    pub(crate) fn is_of(&self, worker: &str) -> bool {
        self.instance.split('.').next() == Some(worker)
    }
}

/// What [`footprint`] calls the memory of a process, in kB.
pub(crate) const HELD: &str = "held kB";

/// Makes a folder with [`PICTURES`].
pub(crate) fn folder() -> TempDir {
    folder_in(&std::env::temp_dir())
}

/// Makes a folder with [`PICTURES`] in another one.
pub(crate) fn folder_in(place: &Path) -> TempDir {
    let folder = own_folder_in(place);
    own(folder.path());
    folder
}

/// Makes a folder with [`PICTURES`] in another one, which belongs to whoever runs the test.
pub(crate) fn own_folder_in(place: &Path) -> TempDir {
    let folder = tempfile::tempdir_in(place).expect("a temporary folder");
    let picture = image::RgbImage::from_fn(480, 320, |x, y| image::Rgb([(x / 2) as u8, (y / 2) as u8, 90]));
    for (name, format) in PICTURES {
        let path = folder.path().join(name);
        picture.save_with_format(path, format).expect("the picture is written");
    }
    folder
}

/// Gives a folder to a user that is not root, so that a worker that is not root may write to it.
pub(crate) fn own(path: &Path) {
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(OWNER), Some(OWNER)).expect("root may give folders away");
    }
}

/// Reads `bailiwick | shrinker.2#4 is ready`: which instance it is that did `what`.
pub(crate) fn instance_that<'a>(line: &'a str, what: &str) -> Option<&'a str> {
    let (before, _) = line.split_once(what)?;
    before.rsplit(' ').next()?.split_once('#').map(|(instance, _generation)| instance)
}

/// Counts descriptors and memory of a process: its own. How many pages come with one of a file is up to the kernel.
pub(crate) fn footprint(pid: u32) -> BTreeMap<&'static str, u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let held = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let held = held.and_then(|text| text.split_whitespace().next()).and_then(|text| text.parse().ok());
    let mut found = BTreeMap::from([(HELD, held.expect("a live process has memory"))]);
    // Only root may look into a process that is not dumpable.
    if let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) {
        found.insert("descriptors", entries.count() as u64);
    }
    found
}
