//! What is asked of an admin worker, and what becomes of its answers: over sockets, against one that answers as it is told.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};

use bailiwick_admin::sample::sample;

use super::*;
use crate::exit::Exit;

/// A status with an admin worker at `address`, in a state.
fn found(address: &str, state: State) -> Status {
    let mut found = sample();
    let admin = Row { name: NAME.into(), state, ..found.workers[1].clone() };
    found.workers.push(admin);
    found.admin = Some(address.into());
    found
}

/// Answers one question with `answer`, byte by byte as it stands, and returns what was asked.
fn answering(answer: Vec<u8>) -> (Admin, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let asked = read_question(&mut stream);
        // Whoever has read enough closes before the end.
        let _ = stream.write_all(&answer);
        asked
    });
    (Admin::of(&found(&address, State::Ready)).expect("it runs"), asked)
}

/// Reads a question up to the end of its body.
fn read_question(stream: &mut impl Read) -> String {
    let mut asked = String::new();
    let mut bytes = [0; 4096];
    let is_whole = |asked: &str| {
        let length =
            asked.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
        asked.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length.unwrap_or(0))
    };
    while !is_whole(&asked) {
        let count = stream.read(&mut bytes).expect("it is sent");
        assert_ne!(count, 0, "{asked}");
        asked.push_str(str::from_utf8(&bytes[..count]).expect("it is text"));
    }
    asked
}

fn plain(code: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {code}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn a_question_names_the_address_and_its_answer_is_code_and_text() {
    let (admin, asked) = answering(plain("200 OK", "ok\n"));
    let answer = admin.get("/livez?x=1").expect("it answers");
    assert_eq!((answer.code, &*answer.text), (200, "ok\n"));
    let asked = asked.join().expect("it was asked");
    assert!(asked.starts_with("GET /livez?x=1 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {}\r\n", admin.address)), "{asked}");
    assert!(!asked.contains("authorization"), "{asked}");
}

#[test]
fn what_is_sent_carries_the_token_without_its_last_line_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    let (mut admin, asked) = answering(plain("202 Accepted", "{\"outcome\":\"ordered\"}"));
    admin.token = Some(token.clone());
    let error = admin.post("/x", "{}").expect_err("no token");
    assert!(matches!(error, AdminError::Token { .. }) && error.exit() == Exit::Failed, "{error}");
    std::fs::write(&token, "0123456789abcdef\n").expect("it is written");
    let document: serde_json::Value = admin.post("/x", "{}").expect("it answers").document().expect("one");
    assert_eq!(document["outcome"], "ordered");
    let asked = asked.join().expect("it was asked");
    assert!(asked.contains("authorization: Bearer 0123456789abcdef\r\n"), "{asked}");
    assert!(asked.starts_with("POST /x ") && asked.ends_with("\r\n\r\n{}"), "{asked}");
}

#[test]
fn a_unix_socket_is_asked_likewise() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("admin.sock");
    let listener = UnixListener::bind(&path).expect("it is bound");
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody asks");
        let asked = read_question(&mut stream);
        stream.write_all(&plain("200 OK", "ok")).expect("it is read");
        asked
    });
    let admin = Admin::of(&found(path.to_str().expect("text"), State::Ready)).expect("it runs");
    assert_eq!(admin.get("/livez").expect("it answers").text, "ok");
    assert!(served.join().expect("it was asked").contains("host: localhost\r\n"));
}

#[test]
fn an_answer_that_is_too_long_cut_or_no_text_is_an_error() {
    let of = |answer: Vec<u8>| {
        let (admin, asked) = answering(answer);
        let error = admin.get("/").expect_err("no good");
        asked.join().expect("it was asked");
        error
    };
    let long = vec![b'x'; exchange::BODY_BYTES_MAX + 1];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", long.len());
    assert!(matches!(of([head.as_bytes(), &long].concat()), AdminError::TooLong { .. }));
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &long].concat();
    assert!(matches!(of(endless), AdminError::TooLong { .. }));
    let head = vec![b'x'; 1 << 20];
    assert!(matches!(of([b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &head].concat()), AdminError::NoHttp { .. }));
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_vec();
    assert!(matches!(of(cut), AdminError::NoHttp { .. }));
    let binary = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\xff".to_vec();
    assert!(matches!(of(binary), AdminError::NoText { .. }));
    assert!(matches!(of(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()), AdminError::NoHttp { .. }));
    assert!(matches!(of(Vec::new()), AdminError::NoHttp { .. }));
}

#[test]
fn who_does_not_answer_is_waited_for_no_longer_than_said() {
    // The backlog takes the connection, as the supervisor's does while the worker is away.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let admin = Admin::of(&found(&address, State::Backoff)).expect("it will run");
    let error = admin.waiting(Duration::from_millis(30)).get("/").expect_err("nobody answers");
    assert_eq!(error.exit(), Exit::TimedOut);
    assert!(error.to_string().contains("did not answer within 30ms; it is backoff: "), "{error}");
    drop(listener);
    let admin = Admin::of(&found(&address, State::Ready)).expect("it runs");
    let error = admin.get("/").expect_err("nobody listens");
    assert!(matches!(error, AdminError::Unreachable { .. }) && error.exit() == Exit::Unreachable, "{error}");
}

#[test]
fn a_system_without_an_admin_worker_is_told_how_to_get_one() {
    let mut without = sample();
    without.admin = None;
    let error = Admin::of(&without).expect_err("there is none");
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.to_string(), "system shop has no admin worker, which knows this");
    let advice = "add `[admin]` with `tcp = \"127.0.0.1:9464\"` to /etc/shop.toml, and start the system anew";
    assert_eq!(error.advice().as_deref(), Some(advice));
    let error = Admin::of(&found("127.0.0.1:1", State::Failed)).expect_err("it is given up");
    assert_eq!(error.exit(), Exit::Unreachable);
    assert!(error.to_string().starts_with("the admin worker does not run; it is failed: "), "{error}");
}

#[test]
fn a_refusal_is_shown_in_one_line_without_what_a_terminal_obeys() {
    let (admin, _asked) = answering(plain("403 Forbidden", "not \u{1b}[2J you\nand more"));
    let error = admin.get("/x").expect("it answers").done().expect_err("it refuses");
    assert_eq!(error.exit(), Exit::NotAllowed);
    assert_eq!(error.to_string(), "the admin worker refuses /x with 403: not \\u{1b}[2J you");
    let (admin, _asked) = answering(plain("200 OK", "{]"));
    let document = admin.get("/x").expect("it answers").document::<serde_json::Value>();
    assert!(matches!(document, Err(AdminError::Document { .. })));
}
