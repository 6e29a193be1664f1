//! One trace over all processes, as a collector of OpenTelemetry is told of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use bailiwick_supervisor::control::Verb;
use bailiwick_tests::harness::PATIENCE;
use bailiwick_tests::run;
use serde_json::Value;

/// A collector, which answers what it is told to.
fn collector(listener: TcpListener, codes: impl Iterator<Item = u16> + Send + 'static) -> Receiver<Value> {
    let (told, heard) = channel();
    thread::spawn(move || {
        for code in codes {
            let (mut stream, _) = listener.accept().expect("it listens");
            let body = read(&mut stream);
            let _gone =
                write!(stream, "HTTP/1.1 {code} so\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            if told.send(serde_json::from_str(&body).expect("it is JSON")).is_err() {
                return;
            }
        }
    });
    heard
}

/// Reads a request, and returns its body.
fn read(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).expect("it is sent");
        assert!(count > 0, "the request is cut: {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&some[..count]);
        let found = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = found.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
        let length =
            head.to_lowercase().split("content-length: ").nth(1).expect("it has a length").to_owned();
        let length: usize =
            length.split("\r\n").next().and_then(|digits| digits.parse().ok()).expect("a number");
        if body.len() >= length {
            return body.to_owned();
        }
    }
}

fn manifest(port: u16) -> String {
    let exec = env!("CARGO_BIN_EXE_traced");
    format!(
        r#"
        [worker.front]
        exec = {exec:?}
        needs = ["store", "otel"]
        actor.door = {{ type = "Door", args = {{ store = "store/cellar" }} }}
        actor.spans = {{ type = "Spans", args = {{ to = "otel/otlp", every_ms = 20 }} }}
        [worker.store]
        exec = {exec:?}
        needs = ["otel"]
        actor.cellar = {{ type = "Cellar" }}
        actor.spans = {{ type = "Spans", args = {{ to = "otel/otlp", every_ms = 20 }} }}
        [worker.otel]
        exec = {exec:?}
        sandbox = {{ preset = "net-client", tcp_connect = [{port}] }}
        actor.otlp = {{ type = "Otlp", args = {{ endpoint = "127.0.0.1:{port}" }} }}
        [[grant]]
        from = "front"
        to = "store/cellar"
        methods = ["find", "lose"]
        [[grant]]
        from = "front"
        to = "otel/otlp"
        methods = ["collect"]
        [[grant]]
        from = "store"
        to = "otel/otlp"
        methods = ["collect"]
        "#
    )
}

/// A span as it was told, and by which worker.
#[derive(Clone, Debug, Default)]
struct Told {
    worker: String,
    span: Value,
}

impl Told {
    fn text(&self, name: &str) -> &str {
        self.span[name].as_str().unwrap_or_default()
    }
}

/// Takes what was posted until all of these are among it.
fn gather(heard: &Receiver<Value>, names: &[&str]) -> BTreeMap<String, Told> {
    let mut found: BTreeMap<String, Told> = BTreeMap::new();
    let until = Instant::now() + PATIENCE;
    while !names.iter().all(|name| found.contains_key(*name)) {
        let left = until.saturating_duration_since(Instant::now());
        let body =
            heard.recv_timeout(left).unwrap_or_else(|_| panic!("{names:?} are not told of: {found:#?}"));
        let resource = &body["resourceSpans"][0];
        let worker = resource["resource"]["attributes"][0]["value"]["stringValue"].as_str().expect("a name");
        for span in resource["scopeSpans"][0]["spans"].as_array().expect("spans") {
            let told = Told { worker: worker.to_owned(), span: span.clone() };
            found.insert(told.text("name").to_owned(), told);
        }
    }
    found
}

/// Seen to fail where a handler's own spans have no parent, and where a message does not carry the number of its sender's span.
#[test]
fn one_message_and_all_that_it_brings_about_are_one_trace_over_three_processes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    let heard = collector(listener, std::iter::repeat(200));
    let mut supervised = run!(&manifest(port));
    let found = gather(&heard, &["Front.welcome", "Store.find", "disk", "Store.lose"]);
    let [serve, find, disk, lose] =
        ["Front.welcome", "Store.find", "disk", "Store.lose"].map(|name| found[name].clone());
    assert_eq!(
        [&serve, &find, &disk, &lose].map(|told| told.worker.as_str()),
        ["front", "store", "store", "store"]
    );
    for told in [&find, &disk, &lose] {
        assert_eq!(told.text("traceId"), serve.text("traceId"), "{told:?}");
    }
    assert_eq!(serve.text("parentSpanId"), "");
    assert_eq!(find.text("parentSpanId"), serve.text("spanId"));
    assert_eq!(lose.text("parentSpanId"), serve.text("spanId"));
    assert_eq!(disk.text("parentSpanId"), find.text("spanId"));
    assert_eq!(lose.span["status"]["code"], 2, "{lose:?}");
    assert!(
        lose.span["status"]["message"].as_str().is_some_and(|text| text.contains("it is gone")),
        "{lose:?}"
    );
    assert_eq!(find.span["status"], serde_json::json!({}));
    // The layer of the logs stands beside that of the traces, and has the same trace.
    supervised.journal().wait_for(0, "store | INFO cellar#1: it is read key=motto");
    // By which spans are sent is told of by nobody.
    assert!(!found.keys().any(|name| name.contains("flush") || name.contains("collect")), "{found:#?}");
    supervised.stop();
}

#[test]
fn a_collector_that_refuses_is_told_of_once_and_nobody_waits_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    let heard = collector(listener, [503, 503].into_iter().chain(std::iter::repeat(200)));
    let mut supervised = run!(&manifest(port));
    supervised.journal().wait_until("an answer in spite of it", |lines| {
        lines.iter().any(|line| line.text.contains("front | served: Ok(7)")).then_some(())
    });
    let said = |text: &str| {
        let said = supervised.journal().since(0);
        said.iter().filter(|line| line.text.contains(text)).count()
    };
    supervised.journal().wait_until("a word of it", |_| (said("spans are lost") == 1).then_some(()));
    // More spans come with more lives: each brings a batch of the front's and one of the store's.
    supervised.journal().wait_until("spans that are taken", |_| {
        if said("takes spans again") == 0 {
            let life = supervised.wait_for_life("front", 1).generation;
            supervised.order(Verb::Restart, "front");
            supervised.wait_for_life("front", life + 1);
        }
        heard.try_iter().count();
        (said("takes spans again") == 1).then_some(())
    });
    assert_eq!((said("spans are lost"), said("takes spans again")), (1, 1), "{}", supervised.journal());
    supervised.stop();
}
