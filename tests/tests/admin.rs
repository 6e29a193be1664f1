//! The admin worker: what it serves, whom it does not, and that nobody else notices what happens to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use bailiwick_supervisor::control::Verb;
use bailiwick_tests::harness::{Process, Supervised};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn system(more: &str) -> (Supervised, String) {
    let manifest = format!(
        "[admin]\ntcp = \"127.0.0.1:0\"\nexec = {:?}\n[worker.web]\nexec = \"tw\"\n{more}",
        env!("CARGO_BIN_EXE_bailiwick-under-test")
    );
    let supervised = run!(&manifest);
    let address = supervised.journal().wait_until("an address", |lines| {
        let said = lines.iter().find_map(|line| line.text.strip_prefix("admin | serving at http://"));
        said.map(|address| address.trim_end_matches('/').to_owned())
    });
    (supervised, address)
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the supervisor listens, whoever serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    stream
}

/// Sends a request as it stands, and returns the whole answer.
fn raw(address: &str, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("it is read");
    let mut answer = Vec::new();
    // Whoever is refused may find the connection reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks for a path; returns the code and the body.
fn get(address: &str, path: &str) -> (u16, String) {
    let answer =
        raw(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"));
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (code.unwrap_or_else(|| panic!("{path}: {answer:?}")), body.to_owned())
}

/// Asks again until it is answered so.
fn wait_for(address: &str, path: &str, code: u16) -> String {
    loop {
        let (found, body) = get(address, path);
        if found == code {
            return body;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn health_metrics_and_workers_are_served() {
    let (supervised, address) = system("[worker.lame]\nexec = \"tw\"\nenvironment = { TW_PANIC = \"no\" }\n");
    assert_eq!(get(&address, "/livez"), (200, "ok\n".to_owned()));
    supervised.wait_for_life("web", 1);
    let (code, body) = get(&address, "/readyz");
    assert_eq!(code, 503, "{body}");
    assert!(body.contains("[+] web ready") && body.contains("[-] lame "), "{body}");
    let metrics = get(&address, "/metrics").1;
    for line in [
        r#"bailiwick_worker_ready{worker="web",instance="1"} 1"#,
        r#"bailiwick_worker_state{worker="web",instance="1",state="ready"} 1"#,
        r#"bailiwick_worker_ready{worker="lame",instance="1"} 0"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains(r#"bailiwick_worker_exits_total{worker="lame",cause="exit"}"#), "{metrics}");
    let (_, document) = get(&address, "/api/v1/workers");
    let document: Value = serde_json::from_str(&document).expect("it is a document");
    let names: Vec<_> =
        document["workers"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["web", "lame", "admin"]);
    // The port was the kernel's choice.
    assert_eq!(document["supervisor"]["admin"], *address);
    assert_eq!(supervised.status().admin, Some(address.clone()));
    assert_eq!(get(&address, "/nowhere").0, 404);
}

/// Returns the value of a sample, as soon as it is there.
fn sample(address: &str, line: &str) -> f64 {
    loop {
        let text = get(address, "/metrics").1;
        let mut values = text.lines().filter_map(|found| found.strip_prefix(line)?.trim().parse().ok());
        if let Some(value) = values.next() {
            return value;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until a sample has at least this value.
fn reaches(address: &str, line: &str, value: f64) {
    while sample(address, line) < value {
        thread::park_timeout(Duration::from_millis(20));
    }
}

const BOOKS: &str = r#"
[worker.clerk]
exec = "tw"
actor.book = { type = "Clerk", args = {} }
[worker.sender]
exec = "tw"
needs = ["clerk"]
instances = 2
actor.courier = { type = "Sender", args = { target = "clerk", asks = 2, every_ms = 1 } }
[[grant]]
from = "sender"
to = "clerk"
"#;

#[test]
fn what_workers_say_of_themselves_is_served() {
    let (_supervised, address) = system(BOOKS);
    let of = |name: &str, more: &str| format!("bailiwick_{name}{{worker=\"clerk\",instance=\"1\"{more}}}");
    reaches(&address, &of("messages_processed_total", ",type=\"Clerk\""), 10.0);
    assert_eq!(sample(&address, &of("worker_answers", "")), 1.0);
    assert_eq!(sample(&address, &of("actors", ",type=\"Clerk\"")), 1.0);
    assert!(sample(&address, &of("worker_cpu_seconds_total", "")) > 0.0);
    assert!(sample(&address, &of("worker_memory_peak_bytes", "")) > 1e5);
    for peer in ["sender.1", "sender.2"] {
        reaches(&address, &of("link_up", &format!(",peer=\"{peer}\"")), 1.0);
        reaches(&address, &of("link_frames_total", &format!(",peer=\"{peer}\",direction=\"in\"")), 4.0);
        reaches(&address, &of("link_bytes_total", &format!(",peer=\"{peer}\",direction=\"out\"")), 100.0);
    }
    let metrics = get(&address, "/metrics").1;
    assert!(!metrics.contains("type=\"Observer\""), "who looks is not looked at: {metrics}");
    assert!(!metrics.contains("worker_answers{worker=\"admin\""), "{metrics}");
    let (_, text) = get(&address, "/api/v1/actors?n=1");
    let document: Value = serde_json::from_str(&text).expect("it is a document");
    let clerk = document["workers"].as_array().expect("a list").iter().find(|one| one["worker"] == "clerk");
    let clerk = clerk.expect("it runs");
    assert_eq!(
        (&clerk["actors"][0]["actor"], &clerk["actors"][0]["type"]),
        (&"book".into(), &"Clerk".into())
    );
    assert_eq!((&clerk["actors"][0]["generation"], &clerk["silent_because"]), (&1.into(), &Value::Null));
    let (_, text) = get(&address, "/api/v1/links");
    let document: Value = serde_json::from_str(&text).expect("it is a document");
    let links = document["workers"][1]["links"].as_array().expect("a list").len();
    assert_eq!(links, 3, "two senders and who asks: {text}");
}

#[test]
fn who_computes_without_end_is_told_of_and_keeps_nobody_else_from_being_told_of() {
    let (supervised, address) = system(
        "actor.life = { type = \"Life\", args = {} }\n[worker.mad]\nexec = \"tw\"\nstuck_after = \"0s\"\n\
                liveness_timeout = \"0s\"\nactor.life = { type = \"Life\", args = { spin_ms = 600000 } }\n",
    );
    supervised.wait_for_life("mad", 1);
    reaches(&address, "bailiwick_worker_answers{worker=\"web\",instance=\"1\"}", 1.0);
    while sample(&address, "bailiwick_worker_answers{worker=\"mad\",instance=\"1\"}") > 0.0 {
        thread::park_timeout(Duration::from_millis(20));
    }
    let (_, text) = get(&address, "/api/v1/actors");
    let document: Value = serde_json::from_str(&text).expect("it is a document");
    let mad = document["workers"].as_array().expect("a list").iter().find(|one| one["worker"] == "mad");
    assert!(mad.expect("it runs")["silent_because"].is_string(), "{text}");
}

#[test]
fn a_look_is_no_message_of_a_life_and_starts_nobody() {
    let more = r#"
actor.life = { type = "Life", args = {} }
[worker.once]
exec = "tw"
max_messages = 1
actor.life = { type = "Life", args = {} }
[worker.asleep]
exec = "tw"
start = "on_demand"
idle_stop = "300ms"
actor.book = { type = "Clerk", args = {} }
[[grant]]
from = "web"
to = "asleep"
"#;
    let (supervised, address) = system(more);
    reaches(&address, "bailiwick_worker_answers{worker=\"once\",instance=\"1\"}", 1.0);
    for _ in 0..20 {
        get(&address, "/api/v1/actors?n=256");
    }
    assert_eq!(supervised.worker("once").generation, 1);
    assert_eq!(supervised.worker("asleep").generation, 0);
    // It runs until nobody needs it, however often it is looked at.
    supervised.order(Verb::Start, "asleep");
    while supervised.worker("asleep").pid.is_some() {
        get(&address, "/metrics");
    }
    assert_eq!(supervised.worker("asleep").generation, 1);
}

#[test]
fn what_happens_is_streamed() {
    let (supervised, address) = system("");
    let life = supervised.wait_for_life("web", 1);
    let mut stream = BufReader::new(connect(&address));
    let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.get_mut().write_all(request.as_bytes()).expect("it is read");
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(stream.read_line(&mut line).expect("it is text") > 0, "the head ends");
    }
    Process(life.pid.expect("it is ready")).signal(Signal::SIGKILL);
    let ended = loop {
        line.clear();
        assert!(stream.read_line(&mut line).expect("something happens") > 0, "it goes on");
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let event: Value = serde_json::from_str(data).expect("it is a document");
        if event["event"] == "ended" {
            break event;
        }
    };
    assert_eq!((&ended["worker"], &ended["cause"]), (&"web".into(), &"SIGKILL from outside".into()));
}

#[test]
fn a_page_of_another_site_is_not_served() {
    let (_supervised, address) = system("");
    for host in ["evil.example", "127.0.0.1.evil.example", ""] {
        let answer =
            raw(&address, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        assert!(!answer.contains("bailiwick_"), "{host}: {answer}");
    }
    let answer = raw(&address, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for header in [
        "content-security-policy: default-src 'self'",
        "x-frame-options: DENY",
        "x-content-type-options: nosniff",
    ] {
        assert!(answer.contains(header), "{header}: {answer}");
    }
    let answer = raw(
        &address,
        "POST /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[test]
fn garbage_and_slow_requests_keep_nobody_from_being_served() {
    let (supervised, address) = system("");
    let before = supervised.worker("admin").generation;
    assert!(!raw(&address, "\u{0}\u{1}garbage\r\n\r\n").contains("200"));
    let huge = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    assert!(!raw(&address, &huge).starts_with("HTTP/1.1 200"));
    // Each has begun and says no more.
    let slow: Vec<_> = (0..40)
        .map(|_| {
            let mut stream = connect(&address);
            stream.write_all(b"GET /livez HT").expect("it is taken");
            stream
        })
        .collect();
    assert_eq!(get(&address, "/livez").0, 200);
    drop(slow);
    assert_eq!(supervised.worker("admin").generation, before, "{}", supervised.journal());
}

/// Asks for a path at a socket whose buffers do not grow, so that what nobody reads stays where it is; returns the beginning of the
/// answer.
fn look_at_the_beginning(socket: &Path, path: &str) -> (UnixStream, String) {
    let mut stream = UnixStream::connect(socket).expect("the supervisor listens, whoever serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("it is read");
    let mut head = [0; 150];
    stream.read_exact(&mut head).expect("it begins");
    (stream, String::from_utf8_lossy(&head).into_owned())
}

/// Reads an answer to its end; returns its code and all of it.
fn read_at(socket: &Path, path: &str) -> (u16, String) {
    let (mut stream, mut answer) = look_at_the_beginning(socket, path);
    stream.read_to_string(&mut answer).expect("it is text");
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or_else(|| panic!("{path}: {answer:?}")), answer)
}

#[test]
fn what_slow_readers_leave_is_held_to_a_bound_and_health_answers_meanwhile() {
    let manifest = format!(
        "[admin]\nunix = \"FOLDER/admin.sock\"\nexec = {:?}\n[worker.web]\nexec = \"tw\"\n\
         [worker.idle]\nexec = \"tw\"\nstart = \"on_demand\"\ninstances = 300\n",
        env!("CARGO_BIN_EXE_bailiwick-under-test")
    );
    let supervised = run!(&manifest);
    supervised.wait_for_life("web", 1);
    supervised.wait_for_life("admin", 1);
    let socket = supervised.path().join("admin.sock");
    let admin = Process(supervised.pid("admin").0);
    let peak_kib = || -> u64 {
        let peak = admin.status().remove("VmHWM").expect("it runs");
        peak.trim_end_matches(" kB").parse().expect("it is a number")
    };
    let bytes = read_at(&socket, "/metrics").1.len();
    assert!(bytes > 400_000, "{bytes}");
    let before = peak_kib();
    let slow: Vec<_> = (0..100).map(|_| look_at_the_beginning(&socket, "/metrics")).collect();
    let served = slow.iter().filter(|(_, head)| head.contains(" 200 OK")).count();
    let refused: Vec<_> = slow.iter().filter(|(_, head)| head.contains(" 503 ")).collect();
    assert!(served > 10 && refused.len() > 10 && served + refused.len() == 100, "{served} served");
    assert!(refused.iter().all(|(_, head)| head.contains("retry-after: 5")), "{}", refused[0].1);
    for path in ["/livez", "/readyz?verbose"] {
        let (code, answer) = read_at(&socket, path);
        assert!(code == 200 && answer.ends_with("ok\n"), "{path}: {answer}");
    }
    let grown = peak_kib() - before;
    assert!(grown < 24 << 10, "{grown} KiB more, of {served} answers of {bytes} bytes");
    drop(slow);
    while read_at(&socket, "/metrics").0 != 200 {
        thread::park_timeout(Duration::from_millis(20));
    }
    assert_eq!(supervised.worker("admin").generation, 1, "{}", supervised.journal());
}

#[test]
fn who_kills_it_again_and_again_is_noticed_by_nobody_else() {
    let (supervised, address) = system("");
    supervised.wait_for_life("web", 1);
    for generation in 1..=8 {
        let life = supervised.wait_for_life("admin", generation);
        Process(life.pid.expect("it is ready")).signal(Signal::SIGKILL);
        supervised.order(Verb::Reset, "admin");
    }
    wait_for(&address, "/readyz", 200);
    assert_eq!(supervised.worker("web").generation, 1);
}
