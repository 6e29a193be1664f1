//! A fresh shrinker for each picture, beside shrinkers that stay: what the first costs who looks at the gallery.
//!
//! The shipped manifest runs twice: as it is, and without the two keys that make its shrinkers disposable. Both serve the
//! shipped pictures over loopback and are asked in turns, so that whatever else the machine does meets both.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const ROUNDS: usize = 5;
/// Thumbnails of each gallery in each round and manner.
const REQUESTS: usize = 60;
/// What nothing here takes unless it hangs.
const PATIENCE: Duration = Duration::from_secs(15);
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What makes the shrinkers of the manifest disposable.
const FRESH: [&str; 2] = ["max_messages", "spares"];

/// How thumbnails are asked for.
struct Manner {
    name: &'static str,
    /// Clients at the same time; each waits for its answer before it asks again.
    clients: usize,
    /// From one ask of a client to its next, where the answer is there before.
    pace: Duration,
}

const MANNERS: [Manner; 3] = [
    Manner { name: "one every 40 ms", clients: 1, pace: Duration::from_millis(40) },
    Manner { name: "one after another", clients: 1, pace: Duration::ZERO },
    Manner { name: "two at a time", clients: 2, pace: Duration::ZERO },
];

/// A running gallery. Dropping it ends it.
struct Gallery {
    supervisor: Child,
    address: SocketAddr,
    folder: PathBuf,
    /// Thumbnails that were asked for so far.
    asked: usize,
}

/// Measures, and prints a table.
pub fn print() {
    build();
    let mut galleries = [Gallery::start("fresh", true), Gallery::start("lasting", false)];
    let pictures = pictures();
    let mut times = MANNERS.map(|_| [Vec::new(), Vec::new()]);
    for round in 0..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        for (manner, times) in MANNERS.iter().zip(&mut times) {
            for turn in 0..galleries.len() {
                // Each is the first in every other round.
                let which = (round + turn) % galleries.len();
                let took = galleries[which].ask(manner, &pictures);
                // The first round warms both up.
                times[which].extend(took.into_iter().filter(|_| round > 0));
            }
        }
    }
    let asked = galleries.iter().map(|gallery| gallery.asked).sum::<usize>();
    println!("| thumbnails, ms: fresh / lasting | p50 | p90 | p99 | ratio of p50 |");
    println!("|---|---:|---:|---:|---:|");
    for (manner, times) in MANNERS.iter().zip(&mut times) {
        times.iter_mut().for_each(|times| times.sort());
        let at = |which: usize, permille: usize| {
            let sorted = &times[which];
            sorted[(sorted.len() * permille / 1000).min(sorted.len() - 1)].as_secs_f64() * 1e3
        };
        let cell = |permille| format!("{:.2} / {:.2}", at(0, permille), at(1, permille));
        let ratio = at(0, 500) / at(1, 500);
        println!("| {} | {} | {} | {} | {ratio:.2} |", manner.name, cell(500), cell(900), cell(990));
    }
    println!("\n{asked} thumbnails were asked for, and {asked} came.");
}

/// Builds what is measured, as it is deployed.
fn build() {
    let programs = ["bailiwick-cli", "bailiwick-supervisor", "bailiwick-examples"];
    let packages = programs.iter().flat_map(|program| ["--package", program]);
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(ROOT).args(["build", "--release", "--locked", "--bins"]).args(packages);
    assert!(build.status().expect("cargo runs").success(), "the gallery does not build");
}

/// Names the shipped pictures.
fn pictures() -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join("examples/gallery/pictures")).expect("they are shipped");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("read").file_name().into_string().expect("plain names")).collect();
    names.sort();
    names
}

impl Gallery {
    fn start(name: &str, is_fresh: bool) -> Self {
        let folder = std::env::temp_dir().join(format!("bailiwick-gallery-{name}-{}", std::process::id()));
        fs::create_dir(&folder).expect("a temporary folder");
        let root = fs::canonicalize(ROOT).expect("a clone has a root");
        let root = root.to_str().expect("it has a plain name");
        let shipped = fs::read_to_string(format!("{root}/examples/gallery/gallery.toml")).expect("shipped");
        let is_kept = |line: &&str| is_fresh || !FRESH.iter().any(|key| line.starts_with(key));
        let lines: Vec<_> = shipped.lines().filter(is_kept).collect();
        let removed = shipped.lines().count() - lines.len();
        assert_eq!(removed, if is_fresh { 0 } else { FRESH.len() }, "the manifest has both keys, once");
        let manifest = lines
            .join("\n")
            .replace("../../target", &format!("{root}/target"))
            .replace("\"pictures\"", &format!("\"{root}/examples/gallery/pictures\""))
            .replace("127.0.0.1:8080", "127.0.0.1:0")
            .replace("[8080]", "[0]");
        let path = folder.join("gallery.toml");
        fs::write(&path, manifest).expect("written");
        let mut command = Command::new(format!("{root}/target/release/bailiwick"));
        command.arg("run").arg(path).arg("--state-dir").arg(folder.join("state"));
        // Whoever is to read what it says reads all of it, or it would wait for its reader.
        let mut supervisor =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it was built");
        let said = supervisor.stdout.take().expect("it was piped");
        let (address, rest) = address(BufReader::new(said).lines());
        thread::spawn(move || rest.for_each(drop));
        Self { supervisor, address, folder, asked: 0 }
    }

    /// Asks for [`REQUESTS`] thumbnails, and returns how long each took.
    fn ask(&mut self, manner: &Manner, pictures: &[String]) -> Vec<Duration> {
        let share = REQUESTS / manner.clients;
        let (address, first) = (self.address, self.asked);
        self.asked += share * manner.clients;
        thread::scope(|scope| {
            let clients: Vec<_> = (0..manner.clients)
                .map(|client| {
                    let numbers = (first + client * share)..(first + (client + 1) * share);
                    scope.spawn(move || one_client(address, manner.pace, numbers, pictures))
                })
                .collect();
            clients.into_iter().flat_map(|client| client.join().expect("every answer came")).collect()
        })
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        let pid = Pid::from_raw(self.supervisor.id().cast_signed()).expect("a number");
        kill_process(pid, Signal::TERM).expect("it is ours");
        let ended = self.supervisor.wait().expect("it is ours");
        let _left_for_a_look = fs::remove_dir_all(&self.folder);
        assert!(ended.success() || thread::panicking(), "an ordered stop ends with 0, this one with {ended}");
    }
}

/// Reads where the gallery listens, and returns what else it will say.
fn address(mut lines: Lines<BufReader<ChildStdout>>) -> (SocketAddr, Lines<BufReader<ChildStdout>>) {
    let found = lines.find_map(|line| {
        let line = line.ok()?;
        line.split_once("http://")?.1.trim_end_matches('/').parse().ok()
    });
    (found.expect("the gallery says where it listens"), lines)
}

fn one_client(
    address: SocketAddr,
    pace: Duration,
    numbers: std::ops::Range<usize>,
    pictures: &[String],
) -> Vec<Duration> {
    let mut connection = TcpStream::connect(address).expect("the gallery listens");
    connection.set_nodelay(true).expect("a socket");
    connection.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut times = Vec::with_capacity(numbers.len());
    for number in numbers {
        let name = &pictures[number % pictures.len()];
        // Widths that cost about the same.
        let width = 160 + number / pictures.len() % 160;
        let request = format!("GET /thumb/{name}?w={width} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let began = Instant::now();
        connection.write_all(request.as_bytes()).expect("the gallery reads");
        let (status, bytes) = receive(&mut connection);
        times.push(began.elapsed());
        assert!(status == 200 && bytes > 100, "thumbnail {number}: status {status}, {bytes} bytes");
        while let Some(left) = pace.checked_sub(began.elapsed()) {
            thread::park_timeout(left);
        }
    }
    times
}

/// Reads one answer, and returns its status and how many bytes its content has.
fn receive(connection: &mut TcpStream) -> (u16, usize) {
    let mut connection = BufReader::new(connection);
    let (mut line, mut status, mut length) = (String::new(), 0, 0);
    loop {
        line.clear();
        connection.read_line(&mut line).expect("the gallery answers");
        match line.trim_end().split_once([' ', ':']) {
            None => break,
            Some(("HTTP/1.1", rest)) => status = rest[..3].parse().expect("a status"),
            Some((key, value)) if key.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().expect("a length");
            }
            Some(_) => {}
        }
    }
    let mut content = vec![0; length];
    connection.read_exact(&mut content).expect("the gallery sends what it announced");
    (status, length)
}
