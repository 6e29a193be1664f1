//! Hostile pictures, requests and uploads cost at most the request that they came with.

#[path = "../gallery/hostile.rs"]
mod hostile;
mod support;

use std::io::ErrorKind;
use std::thread;
use std::time::Instant;

use support::client::{Client, PATIENCE};
use support::gallery::Gallery;
use support::program::WATCHDOG;

fn status(client: &mut Client, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    client.request(method, path, headers, b"").expect(path).status
}

#[test]
fn hostile_pictures_cost_at_most_their_own_request() {
    let gallery = Gallery::start();
    let mut client = gallery.client();
    for (name, bytes) in hostile::pictures() {
        std::fs::write(gallery.path(name), bytes).expect("written");
        let begin = Instant::now();
        let answer = client.get(&format!("/thumb/{name}?w=160")).expect(name);
        assert!(matches!(answer.status, 200 | 422 | 503), "{name}: {answer:?}");
        assert!(begin.elapsed() < PATIENCE, "{name} took {:?}", begin.elapsed());
        // At once, although the picture before was hostile: the pool has another shrinker, or the same one.
        let sound = client.get("/thumb/a.png?w=160").expect("a sound picture");
        assert_eq!((sound.status, sound.header("content-type")), (200, Some("image/jpeg")), "after {name}");
    }
}

/// Returns how many lives the shrinkers have had, and how many of them failed.
fn lives(gallery: &Gallery) -> (u64, u64) {
    let workers = gallery.workers();
    let shrinkers = workers
        .iter()
        .filter(|worker| worker["name"].as_str().is_some_and(|name| name.starts_with("shrinker")));
    let sum = |key| shrinkers.clone().filter_map(|worker| worker[key].as_u64()).sum();
    (sum("generation"), sum("restarts"))
}

#[test]
fn each_picture_is_given_to_a_fresh_process_and_nobody_notices() {
    const CLIENTS: usize = 4;
    const EACH: usize = 15;
    let gallery = Gallery::start();
    gallery.client().get("/thumb/a.png?w=160").expect("answered");
    let (before, said) = (lives(&gallery).0, gallery.program.journal().lines().len());
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut client = gallery.client();
            scope.spawn(move || {
                for width in 0..EACH {
                    let path = format!("/thumb/b.jpg?w={}", 100 + CLIENTS * width + number);
                    let answer = client.get(&path).expect("answered");
                    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
                }
            });
        }
    });
    // The next life of whoever had the last picture may still be on its way.
    let pictures = (CLIENTS * EACH) as u64;
    let (lives, failed) =
        wait_until(|| Some(lives(&gallery)).filter(|(lives, _)| *lives >= before + pictures));
    assert!(lives <= before + pictures + 1, "{} lives for {pictures} pictures", lives - before);
    assert_eq!(failed, 0, "a life that ends as planned is no failure");
    // The first lives may be told after the first picture.
    let mut lines = gallery.program.journal().lines().split_off(said);
    lines.retain(|line| !line.text.ends_with("#1 is ready"));
    assert!(lines.is_empty(), "{pictures} pictures, and it says: {lines:?}");
}

/// Looks until there is something to be seen.
fn wait_until<T>(look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + WATCHDOG;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "what was waited for did not come");
        thread::yield_now();
    }
}

#[test]
fn hostile_uploads_leave_nothing_behind() {
    let gallery = Gallery::start();
    let mut client = gallery.client();
    let before = std::fs::read_dir(gallery.path("")).expect("read").count();
    let png = b"\x89PNG\r\n\x1a\n0000";
    for (name, body, expected) in [
        ("..%2F..%2Fetc%2Fcron.png", png.as_slice(), 400),
        (".hidden.png", png, 400),
        ("a%00.png", png, 400),
        ("page.html", b"<script>", 415),
        ("page.png", b"<script>alert(1)</script>", 415),
        ("picture.jpg", png, 415),
    ] {
        let answer = client.put(&format!("/file/{name}"), body).expect(name);
        assert_eq!(answer.status, expected, "{name}: {}", answer.text());
    }
    let cross = [("Sec-Fetch-Site", "cross-site")];
    assert_eq!(client.request("PUT", "/file/x.png", &cross, png).expect("answered").status, 403);
    let long = b"PUT /file/x.png HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    assert_eq!(gallery.client().exchange(long, false).expect("answered").status, 413);
    assert_eq!(std::fs::read_dir(gallery.path("")).expect("read").count(), before);
}

#[test]
fn an_upload_is_there_at_once_and_whole() {
    let gallery = Gallery::start();
    let mut client = gallery.client();
    let picture = std::fs::read(gallery.path("a.png")).expect("read");
    let made = client.put("/file/new%20one.png", &picture).expect("answered");
    assert_eq!((made.status, made.header("location")), (201, Some("/file/new%20one.png")), "{}", made.text());
    assert_eq!(client.put("/file/new%20one.png", &picture).expect("answered").status, 204);
    assert_eq!(client.get("/file/new%20one.png").expect("answered").body, picture);
    assert!(client.get("/").expect("answered").text().contains("new one.png"));
}

#[test]
fn requests_that_are_none_are_refused_and_end_nothing() {
    let gallery = Gallery::start();
    let mut client = gallery.client();
    for (method, path, headers, expected) in [
        ("GET", "/nothing", vec![], 404),
        ("GET", "/file/missing.png", vec![], 404),
        ("GET", "/file/..%2F..%2Fetc%2Fpasswd", vec![], 404),
        ("GET", "/file/%ff.png", vec![], 400),
        ("GET", "/thumb/a.png?w=0", vec![], 400),
        ("DELETE", "/file/a.png", vec![], 405),
        ("PUT", "/thumb/a.png", vec![], 405),
        ("POST", "/", vec![("Content-Length", "0")], 405),
        ("GET", "/file/a.png", vec![("Range", "bytes=99999999-")], 416),
        ("GET", "/file/a.png", vec![("Range", "bytes=0-3")], 206),
        ("HEAD", "/file/a.png", vec![], 200),
    ] {
        assert_eq!(status(&mut client, method, path, &headers), expected, "{method} {path} {headers:?}");
    }
    for garbage in
        [b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".as_slice(), b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
    {
        let outcome = gallery.client().exchange(&[garbage, &[b'x'; 40_000]].concat(), false);
        let ended = match &outcome {
            Ok(answer) => (400..=505).contains(&answer.status),
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        assert!(ended, "{outcome:?}");
    }
    assert_eq!(status(&mut client, "GET", "/", &[]), 200);
}

#[test]
fn a_page_of_another_name_is_not_answered() {
    let gallery = Gallery::start();
    let foreign = b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    assert_eq!(gallery.client().exchange(foreign, false).expect("answered").status, 421);
}

#[test]
fn what_a_browser_has_already_is_not_sent_again() {
    let gallery = Gallery::start();
    let mut client = gallery.client();
    for path in ["/file/a.png", "/thumb/b.jpg?w=160"] {
        let first = client.get(path).expect("answered");
        let tag = first.header("etag").unwrap_or_else(|| panic!("no tag: {}", first.text())).to_owned();
        let again = client.request("GET", path, &[("If-None-Match", &tag)], b"").expect("answered");
        assert_eq!((first.status, again.status, again.body.len()), (200, 304, 0), "{path}");
    }
    let head = client.request("HEAD", "/file/a.png", &[], b"").expect("answered");
    let whole = client.get("/file/a.png").expect("answered");
    assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()));
    let part = client.request("GET", "/file/a.png", &[("Range", "bytes=-8")], b"").expect("answered");
    assert_eq!(part.body, whole.body[whole.body.len() - 8..]);
}
