//! Lines and reports of crashes over HTTP: what the command line shows, to those who may read it, as fast as they read.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use bailiwick_tests::harness::{PATIENCE, Supervised, wait_until};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Cli, foreign, worker};

const TOKEN: &str = "correct-horse-battery-staple";

/// Who is not restarted soon.
const ONCE: &str = "backoff = { first = \"60s\", cap = \"60s\" }";

/// How many may read lines at a time.
const READERS: usize = 16;

/// What tries to be another line, or another worker's.
const HOSTILE: &str = "\\\\\\\"},{\\\\\\\"worker\\\\\\\":\\\\\\\"victim\\\\\\\"";

fn admin(keys: &str) -> String {
    format!("[admin]\nexec = {:?}\n{keys}\n", env!("CARGO_BIN_EXE_bailiwick-under-test"))
}

/// A system with an admin worker that knows a token.
fn guarded(workers: &str) -> (Supervised, String, TempDir) {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("token");
    fs::write(&path, TOKEN).expect("it is ours");
    let keys = format!("tcp = \"127.0.0.1:0\"\ntoken = {path:?}");
    let supervised = run!(&[&admin(&keys), workers].concat());
    let address = address(&supervised);
    (supervised, address, folder)
}

fn address(supervised: &Supervised) -> String {
    supervised.journal().wait_until("an address", |lines| {
        let said = lines.iter().find_map(|line| line.text.strip_prefix("admin | serving at http://"));
        said.map(|address| address.trim_end_matches('/').to_owned())
    })
}

fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}")
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the supervisor listens, whoever serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    stream
}

fn question(address: &str, path: &str, headers: &[&str]) -> String {
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    // An older version of HTTP has no pieces with lengths between.
    format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{more}\r\n")
}

/// Reads an answer to its end; returns the code, the head and the body.
fn answer(mut stream: impl Read + Write, question: &str) -> (u16, String, String) {
    stream.write_all(question.as_bytes()).expect("it is read");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).expect("it is text");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    (code.unwrap_or_else(|| panic!("{question}: {answer:?}")), head.to_owned(), body.to_owned())
}

fn ask(address: &str, path: &str, headers: &[&str]) -> (u16, String, String) {
    answer(connect(address), &question(address, path, headers))
}

/// What somebody is told who knows the token.
fn told(address: &str, path: &str) -> String {
    let (code, head, body) = ask(address, path, &[&bearer()]);
    assert_eq!(code, 200, "{path}: {head}\n{body}");
    body
}

/// Somebody who follows.
struct Follower(BufReader<TcpStream>);

impl Follower {
    /// Returns one whose question is answered so.
    fn begin(address: &str, path: &str, code: u16) -> Self {
        let mut stream = connect(address);
        stream.write_all(question(address, path, &[&bearer()]).as_bytes()).expect("it is read");
        let mut follower = Self(BufReader::new(stream));
        let first = follower.line().expect("it is answered");
        assert!(first.starts_with(&format!("HTTP/1.0 {code} ")), "{path}: {first}");
        while follower.line().expect("the head ends") != "\r\n" {}
        follower
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).expect("something comes") > 0).then_some(line)
    }

    fn next(&mut self) -> Value {
        let line = self.line().expect("it goes on");
        serde_json::from_str(&line).expect("each line is a document")
    }

    /// Reads on to a line with this text.
    fn until(&mut self, text: &str) -> Value {
        loop {
            let found = self.next();
            if found["text"] == text {
                return found;
            }
        }
    }
}

#[test]
fn lines_over_http_are_those_of_the_command_line_and_hostile_ones_stay_in_their_place() {
    let says = worker("a", "", "event = \"odd \\u001b[2J\", settled = true");
    let evil = foreign("evil", "", &["say=<3>loud", &format!("say={HOSTILE}"), "say=\\u001b[2Jx", "wait"]);
    let (mut supervised, address, _folder) = guarded(&[says, evil].concat());
    supervised.journal().wait_for(0, "a | has settled");
    supervised.journal().wait_for(0, "evil | \\x1b[2Jx");
    let cli = Cli::of(&supervised);
    for (query, arguments) in [
        ("n=100000", &["-n", "all"][..]),
        ("since=1h", &["--since", "1h"]),
        ("worker=a&n=1", &["a", "-n", "1"]),
        ("worker=a&n=0", &["a", "-n", "0"]),
        ("worker=evil.1", &["evil.1"]),
        ("worker=evil&level=err", &["evil", "--level", "err"]),
        ("actor=life&n=1000", &["--actor", "life", "-n", "all"]),
    ] {
        let found = told(&address, &format!("/api/v1/logs?{query}"));
        let shown = cli.run(&[&["logs", "--json"], arguments].concat()).data;
        assert!(shown.starts_with(&found), "{query}: {found}\n{shown}");
        assert_eq!(found.is_empty(), query.ends_with("n=0"), "{query}");
    }
    let lines = told(&address, "/api/v1/logs?worker=evil&n=1000");
    for line in lines.lines() {
        let document: Value = serde_json::from_str(line).expect("each line is a document");
        assert_eq!(document["worker"], "evil", "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    assert_eq!(lines.lines().count(), 3, "{lines}");
    let number = serde_json::from_str::<Value>(lines.lines().next().expect("a line")).expect("a document");
    let rest = told(&address, &format!("/api/v1/logs?worker=evil&after={}", number["number"]));
    assert_eq!(rest.lines().collect::<Vec<_>>(), lines.lines().skip(1).collect::<Vec<_>>());
    assert_eq!(ask(&address, "/api/v1/logs?worker=nobody", &[&bearer()]).0, 404);
    assert_eq!(ask(&address, "/api/v1/logs?worker=", &[&bearer()]).0, 404);
    for query in ["since=yesterday", "level=loud", "n=x", "who=me"] {
        let (code, _, body) = ask(&address, &format!("/api/v1/logs?{query}"), &[&bearer()]);
        assert!(code == 400 && !body.is_empty(), "{query}: {code} {body}");
    }
    supervised.stop();
}

#[test]
fn what_is_printed_is_told_over_tcp_to_who_knows_the_token_and_at_a_socket_to_who_may_open_it() {
    let workers = foreign("bad", ONCE, &["say=secret", "exit=1"]);
    let paths = ["/api/v1/logs?n=1000", "/api/v1/crashes", "/api/v1/crashes/bad", "/api/v1/logs?follow"];
    let (mut supervised, address, _folder) = guarded(&workers);
    supervised.wait_for_crash("bad", 1);
    for path in paths {
        for (headers, code) in [
            (&[][..], 401),
            (&["Authorization: Bearer wrong-horse-battery-staple"], 401),
            (&["Cookie: bailiwick-session=00000000000000000000000000000000"], 401),
            (&[&*bearer(), "Origin: http://evil.example"], 403),
            (&[&*bearer(), "Sec-Fetch-Site: cross-site"], 403),
        ] {
            let (found, head, body) = ask(&address, path, headers);
            assert_eq!(found, code, "{path} {headers:?}: {head}");
            assert!(!body.contains("secret"), "{path} {headers:?}: {body}");
            let says = head.contains("www-authenticate: Bearer") && body.contains("`token` of [admin]");
            assert_eq!(says, code == 401, "{path}: {head}\n{body}");
        }
    }
    assert!(told(&address, "/api/v1/logs").contains("secret"));
    let cli = Cli::of(&supervised);
    for (path, arguments) in [
        ("/api/v1/crashes", &["crashes", "--json"][..]),
        ("/api/v1/crashes/bad", &["crashes", "bad", "--json"]),
    ] {
        let found = told(&address, path);
        assert!(found.contains("\"secret\""), "{found}");
        assert_eq!(found, cli.run(arguments).data, "{path}");
    }
    assert_eq!(ask(&address, "/api/v1/crashes/nobody", &[&bearer()]).0, 404);
    supervised.stop();

    let mut supervised = run!(&[&*admin("tcp = \"127.0.0.1:0\""), &workers].concat());
    supervised.wait_for_crash("bad", 1);
    let address = self::address(&supervised);
    for path in paths {
        let (code, _, body) = ask(&address, path, &[&bearer()]);
        assert!(code == 403 && body.contains("`token = \"PATH\"`"), "{path}: {code} {body}");
    }
    for page in ["/crashes", "/workers/bad"] {
        let (code, _, body) = ask(&address, page, &[]);
        assert!(code == 200 && body.contains("know a token") && !body.contains("secret"), "{page}: {body}");
    }
    supervised.stop();

    let mut supervised = run!(&[&*admin("unix = \"FOLDER/admin.sock\""), &workers].concat());
    supervised.wait_for_crash("bad", 1);
    supervised.journal().wait_for(0, "admin | serving at a Unix socket");
    for path in &paths[..3] {
        let stream = UnixStream::connect(supervised.path().join("admin.sock")).expect("it is there");
        let (code, _, body) = answer(stream, &question("bailiwick", path, &[]));
        assert!(code == 200 && body.contains("secret"), "{path}: {code} {body}");
    }
    supervised.stop();
}

#[test]
fn who_follows_hears_of_a_crash_and_of_the_next_life() {
    let steps = ["ignore=SIGUSR1", "say=begins", "until=SIGUSR1", "say=<0>breaks", "exit=1"];
    let keys = "backoff = { first = \"0s\", base = \"10ms\" }";
    let (mut supervised, address, _folder) = guarded(&foreign("a", keys, &steps));
    supervised.journal().wait_for(0, "a | begins");
    let mut follower = Follower::begin(&address, "/api/v1/logs?follow", 200);
    let mut of_one = Follower::begin(&address, "/api/v1/logs?worker=a&n=0&follow=1", 200);
    follower.until("begins");
    supervised.pid("a").signal(Signal::SIGUSR1);
    let breaks = follower.until("breaks");
    assert_eq!((&breaks["generation"], &breaks["priority"]), (&1.into(), &0.into()));
    let begins = follower.until("begins");
    assert_eq!((&begins["worker"], &begins["generation"]), (&"a".into(), &2.into()));
    // Of the one that was asked for, from then on, each once.
    let found = [of_one.next(), of_one.next()];
    assert_eq!(found, [breaks, begins]);
    supervised.stop();
}

#[test]
fn so_many_follow_at_a_time_and_whoever_leaves_makes_room() {
    let (mut supervised, address, _folder) = guarded(&foreign("a", "", &["say=begins", "wait"]));
    supervised.journal().wait_for(0, "a | begins");
    let mut followers: Vec<_> =
        (0..READERS).map(|_| Follower::begin(&address, "/api/v1/logs?follow", 200)).collect();
    let _refused = Follower::begin(&address, "/api/v1/logs?follow", 503);
    assert_eq!(ask(&address, "/livez", &[]).0, 200);
    followers.pop();
    wait_until("a place", || ask(&address, "/api/v1/logs", &[&bearer()]).0 == 200);
    for follower in &mut followers {
        follower.until("begins");
    }
    supervised.stop();
}

#[test]
fn who_follows_a_flood_slowly_is_told_how_much_was_missed() {
    const MANY: u64 = 50_000;
    let flood = format!("flood={MANY}");
    let steps =
        ["ignore=SIGUSR1", "say=begins", "until=SIGUSR1", &flood, "sleep=2000", "say=flooded", "wait"];
    let (mut supervised, address, _folder) = guarded(&foreign("flood", ONCE, &steps));
    supervised.journal().wait_for(0, "flood | begins");
    let mut follower = Follower::begin(&address, "/api/v1/logs?worker=flood&follow", 200);
    follower.until("begins");
    supervised.pid("flood").signal(Signal::SIGUSR1);
    supervised.journal().wait_for(0, "flood | flooded");
    let (mut lines, mut lost) = (0, 0);
    loop {
        let found = follower.next();
        match found["text"].as_str() {
            Some("flooded") => break,
            Some(_) => lines += 1,
            None => lost += found["dropped"].as_u64().unwrap() + found["forgotten"].as_u64().unwrap(),
        }
    }
    assert!(lines > 0 && lost > 0, "{lines} and {lost}");
    assert_eq!(lines + lost, MANY);
    supervised.stop();
}
