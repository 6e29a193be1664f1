//! One request of HTTP, on a connection of its own.

use std::error::Error;
use std::pin::pin;

use futures::future::{Either, select};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Posts a JSON document. What is answered beside the code is not read.
pub(crate) async fn post(
    address: &str,
    path: &str,
    body: String,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let request = Request::post(path)
        .header(HOST, address)
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))?;
    // The answer is there once the connection is at its end, or before.
    let answer = pin!(sender.send_request(request));
    let answer = match select(answer, pin!(connection)).await {
        Either::Left((answer, _)) => answer?,
        Either::Right((ended, answer)) => {
            ended?;
            answer.await?
        }
    };
    match answer.status() {
        code if code.is_success() => Ok(()),
        code => Err(format!("it answers {code}").into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn posted(answer: &'static str) -> (String, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has one").to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("it listens");
            let (mut some, mut text) = ([0; 4096], Vec::new());
            while !text.ends_with(b"{}") {
                let count = stream.read(&mut some).expect("it is sent");
                text.extend_from_slice(&some[..count]);
            }
            stream.write_all(answer.as_bytes()).expect("it is read");
            String::from_utf8(text).expect("it is text")
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let posted = runtime.block_on(post(&address, "/v1/traces", "{}".into()));
        (server.join().expect("it does not panic"), posted.map_err(|error| error.to_string()))
    }

    #[test]
    fn a_document_is_posted_and_the_code_of_the_answer_says_whether_it_was_taken() {
        let (request, posted) = posted_many("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert!(request.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{request}");
        assert_eq!(posted, Ok(()));
        let (_, refused) = posted_many("HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(refused, Err("it answers 503 Service Unavailable".to_owned()));
        let (_, broken) = posted_many("");
        broken.expect_err("nothing was answered");
    }

    /// The answer and the end of the connection may be seen in either order.
    fn posted_many(answer: &'static str) -> (String, Result<(), String>) {
        (0..20)
            .map(|_| posted(answer))
            .reduce(|first, other| {
                assert_eq!(first.1, other.1);
                other
            })
            .expect("there were some")
    }
}
