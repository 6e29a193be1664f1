//! The dashboard: pages over a running system, and who gets nothing done with it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use bailiwick_supervisor::control::{State, Verb};
use bailiwick_tests::harness::{Process, Supervised, wait_until};
use bailiwick_tests::run;
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

const TOKEN: &str = "correct-horse-battery-staple";

const PAGES: [&str; 9] =
    ["/", "/tree", "/actors", "/links", "/grants", "/crashes", "/events", "/configuration", "/workers/web"];

/// A system with an admin worker, one that stays and one that others order about.
fn system(admin: &str) -> (Supervised, String) {
    let manifest = format!(
        "[admin]\ntcp = \"127.0.0.1:0\"\nexec = {:?}\n{admin}\n[worker.web]\nexec = \"tw\"\nactor.book = {{ type = \"Clerk\", args = {{}} }}\n\
         [worker.other]\nexec = \"tw\"\n",
        env!("CARGO_BIN_EXE_bailiwick-under-test")
    );
    let supervised = run!(&manifest);
    let address = supervised.journal().wait_until("an address", |lines| {
        let said = lines.iter().find_map(|line| line.text.strip_prefix("admin | serving at http://"));
        said.map(|address| address.trim_end_matches('/').to_owned())
    });
    (supervised, address)
}

/// The same, with a token whose file ends as editors end it.
fn guarded(may: &str) -> (Supervised, String, TempDir) {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("token");
    fs::write(&path, format!("{TOKEN}\n")).expect("it is ours");
    let (supervised, address) = system(&format!("token = {path:?}\nmay = {may}"));
    supervised.wait_for_life("web", 1);
    (supervised, address, folder)
}

/// Sends a request with more headers and a body; returns the code, the head and the body.
fn send(address: &str, request: &str, headers: &[&str], body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("the supervisor listens, whoever serves");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is a socket");
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/x-www-form-urlencoded\r\n" };
    let length = body.len();
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{kind}{more}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).expect("it is read");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (code.unwrap_or_else(|| panic!("{request}: {answer:?}")), head.to_owned(), body.to_owned())
}

fn get(address: &str, path: &str) -> (u16, String) {
    let (code, _, body) = send(address, &format!("GET {path}"), &[], "");
    (code, body)
}

/// Waits until a page has this in it, for who has signed in.
fn shows(address: &str, cookie: &str, page: &str, text: &str) {
    let content = || send(address, &format!("GET {page}"), &[cookie], "").2;
    wait_until(&format!("{page} to show {text}"), || content().contains(text));
}

fn order(address: &str, path: &str, headers: &[&str]) -> (u16, Value) {
    let (code, _, body) = send(address, &format!("POST /api/v1/workers/{path}"), headers, "");
    (code, serde_json::from_str(&body).unwrap_or_default())
}

/// Signs in as a browser does; returns the cookie, and the secret of its forms.
fn sign_in(address: &str) -> (String, String) {
    let origin = format!("Origin: http://{address}");
    let headers = [&*origin, "Sec-Fetch-Site: same-origin"];
    let (code, head, _) = send(address, "POST /sign-in", &headers, &format!("token={TOKEN}"));
    assert_eq!(code, 303, "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a session is begun");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = format!("Cookie: {}", cookie.split(';').next().expect("it has a value"));
    let (_, _, page) = send(address, "GET /", &[&cookie], "");
    let csrf = page.split_once("name=\"csrf\" value=\"").expect("who has signed in may sign out").1;
    (cookie, csrf.split('"').next().expect("it ends").to_owned())
}

/// Returns the number of the life of `web`, which no refused order may have changed.
fn life(supervised: &Supervised) -> (State, u32) {
    let row = supervised.worker("web");
    (row.state, row.generation)
}

#[test]
fn pages_are_served_while_a_worker_crashes() {
    let (supervised, address, _folder) = guarded("[]");
    let (cookie, _) = sign_in(&address);
    for generation in 1..=3 {
        let found = supervised.wait_for_life("other", generation);
        Process(found.pid.expect("it is ready")).signal(Signal::SIGKILL);
        for page in PAGES {
            let (code, _, text) = send(&address, &format!("GET {page}"), &[&cookie], "");
            assert_eq!(code, 200, "{page}: {text}");
            assert!(
                text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"),
                "{page}: {text}"
            );
        }
        supervised.order(Verb::Reset, "other");
    }
    supervised.wait_for_crash("other", 3);
    shows(&address, &cookie, "/crashes", "other#3</a>");
    shows(&address, &cookie, "/crashes", "SIGKILL from outside");
    shows(&address, &cookie, "/workers/other", "other#3</a>");
    shows(&address, &cookie, "/events", "other#3");
    shows(&address, &cookie, "/actors", "<th scope=\"row\">book</th>");
}

#[test]
fn the_script_asks_for_the_content_alone_and_everything_it_needs_is_here() {
    let (_supervised, address) = system("");
    let (code, _, part) = send(&address, "GET /", &["X-Fragment: 1"], "");
    assert!(code == 200 && part.starts_with("<h1>") && !part.contains("<html"), "{part}");
    let (_, page) = get(&address, "/");
    for (at, _) in page.match_indices("/assets/") {
        let path = page[at..].split('"').next().expect("it ends");
        let (code, head, body) = send(&address, &format!("GET {path}"), &[], "");
        assert_eq!(code, 200, "{path}");
        assert!(
            head.contains("content-security-policy: default-src 'self'") && !body.is_empty(),
            "{path}: {head}"
        );
    }
    assert_eq!(get(&address, "/workers/nobody").0, 404);
    assert_eq!(get(&address, "/workers/web.7").0, 404);
}

#[test]
fn without_a_token_nothing_is_ordered_and_nothing_offers_to() {
    let (supervised, address) = system("may = [\"restart\", \"stop\"]");
    supervised.wait_for_life("web", 1);
    for path in ["/api/v1/workers/web/restart", "/workers/web/restart", "/sign-in", "/sign-out"] {
        let (code, _, _) =
            send(&address, &format!("POST {path}"), &["Authorization: Bearer "], "csrf=&token=");
        assert_eq!(code, 404, "{path}");
    }
    assert_eq!(get(&address, "/workers/web/restart").0, 404);
    for page in PAGES {
        let (_, text) = get(&address, page);
        assert!(!text.contains("sign-in") && !text.contains("<button"), "{page}: {text}");
    }
    assert_eq!(life(&supervised), (State::Ready, 1));
}

/// Seen to fail without the comparison of the token, and without the look at where a request comes from.
#[test]
fn a_program_without_the_token_gets_nothing_done() {
    let (supervised, address, _folder) = guarded("[\"restart\", \"reset\"]");
    for headers in [
        &[][..],
        &["Authorization: Bearer"],
        &["Authorization: Bearer wrong-horse-battery-staple"],
        &["Authorization: Basic correct-horse-battery-staple"],
    ] {
        assert_eq!(order(&address, "web/restart", headers).0, 401, "{headers:?}");
    }
    let right = format!("Authorization: Bearer {TOKEN}");
    for from in ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"] {
        assert_eq!(order(&address, "web/restart", &[&right, from]).0, 403, "{from}");
    }
    for path in ["web/stop", "web/start", "web/kill", "web/scale"] {
        assert_eq!(order(&address, path, &[&right]).0, 403, "{path}");
    }
    assert_eq!(order(&address, "nobody/restart", &[&right]).0, 404);
    assert_eq!(life(&supervised), (State::Ready, 1));
    supervised.journal().wait_for(0, "a wrong token from 127.0.0.1");
    let (code, answer) = order(&address, "web/restart", &[&right]);
    assert_eq!((code, &answer["outcome"]), (200, &"done".into()), "{answer}");
    supervised.wait_for_life("web", 2);
    supervised.journal().wait_for(0, "restart web: ordered by 127.0.0.1");
    assert_eq!(order(&address, "web/reset", &[&right]).0, 200);
}

/// Seen to fail without the secret of forms, and without the look at where a request comes from.
#[test]
fn a_browser_signs_in_confirms_and_signs_out() {
    let (supervised, address, _folder) = guarded("[\"restart\"]");
    let origin = format!("Origin: http://{address}");
    let (code, head, page) = send(&address, "POST /sign-in", &[&origin], "token=wrong");
    assert!(code == 403 && !head.contains("set-cookie") && page.contains("not the token"), "{head}\n{page}");
    let stranger = ["Origin: http://evil.example"];
    let (code, head, _) = send(&address, "POST /sign-in", &stranger, &format!("token={TOKEN}"));
    assert!(code == 403 && !head.contains("set-cookie"), "{head}");

    let (cookie, csrf) = sign_in(&address);
    let (_, _, page) = send(&address, "GET /workers/web", &[&cookie], "");
    assert!(page.contains("href=\"/workers/web/restart\"") && !page.contains("/workers/web/stop"), "{page}");
    let (code, _, question) = send(&address, "GET /workers/web/restart", &[&cookie], "");
    assert!(code == 200 && question.contains("Restart web?") && question.contains(&csrf), "{question}");
    let signed = format!("csrf={csrf}");
    for (headers, body) in [
        (&[&*origin][..], &*signed),
        (&[&origin, "Cookie: bailiwick-session=00000000000000000000000000000000"], &signed),
        (&[&origin, &cookie], ""),
        (&[&origin, &cookie], "csrf=00000000000000000000000000000000"),
        (&["Origin: http://evil.example", &cookie], &signed),
        (&["Sec-Fetch-Site: cross-site", &cookie], &signed),
    ] {
        let (code, _, text) = send(&address, "POST /workers/web/restart", headers, body);
        assert!(code == 403 || (code == 415 && body.is_empty()), "{headers:?} {body}: {code} {text}");
    }
    let (code, _, _) = send(&address, "POST /workers/web/stop", &[&origin, &cookie], &signed);
    assert_eq!(code, 403, "the manifest does not grant it");
    assert_eq!(life(&supervised), (State::Ready, 1));

    let (code, head, _) = send(&address, "POST /workers/web/restart", &[&origin, &cookie], &signed);
    assert!(code == 303 && head.contains("location: /workers/web?said=done"), "{head}");
    supervised.wait_for_life("web", 2);
    supervised.journal().wait_for(0, "signed in");
    let (_, _, page) = send(&address, "GET /workers/web?said=done", &[&cookie], "");
    assert!(page.contains("Done, as ordered."), "{page}");

    let (code, _, _) = send(&address, "POST /sign-out", &[&origin, &cookie], &signed);
    assert_eq!(code, 303);
    let (code, _, _) = send(&address, "POST /workers/web/restart", &[&origin, &cookie], &signed);
    assert_eq!((code, life(&supervised)), (403, (State::Ready, 2)));
}

#[test]
fn what_workers_printed_is_shown_to_who_has_signed_in_where_one_can() {
    let (supervised, address, _folder) = guarded("[]");
    Process(supervised.pid("other").0).signal(Signal::SIGKILL);
    supervised.wait_for_crash("other", 1);
    for page in ["/crashes", "/workers/other"] {
        let (_, text) = get(&address, page);
        assert!(!text.contains("other#1") && text.contains("has signed in"), "{page}: {text}");
    }
    let (cookie, _) = sign_in(&address);
    let (_, _, text) = send(&address, "GET /crashes", &[&cookie], "");
    assert!(text.contains("other#1"), "{text}");
}

#[test]
fn many_wrong_tokens_take_their_time_and_keep_nobody_from_looking() {
    let (_supervised, address, _folder) = guarded("[\"restart\"]");
    let guesses: Vec<_> = (0..4)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || order(&address, "web/restart", &["Authorization: Bearer guess"]).0)
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(get(&address, "/").0, 200);
    }
    assert!(guesses.into_iter().all(|guess| guess.join().expect("it is answered") == 401));
}

#[test]
fn a_short_token_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("token");
    fs::write(&path, "short\n").expect("it is ours");
    let manifest = format!(
        "[admin]\ntcp = \"127.0.0.1:0\"\nexec = {:?}\ntoken = {path:?}\n[worker.web]\nexec = \"tw\"\n",
        env!("CARGO_BIN_EXE_bailiwick-under-test")
    );
    let supervised = run!(&manifest);
    supervised.journal().wait_for(0, "the token of [admin] has 5 bytes");
    supervised.wait_for_life("web", 1);
}
