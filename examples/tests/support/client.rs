//! A client that notes when each request began and ended, and how.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// One connection, made at the first request and again after it broke.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// Longer than any deadline of the gallery: who waits longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

impl Answer {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// Returns a client of the gallery at `address`.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Asks for a path.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.request("GET", path, &[], b"")
    }

    /// Puts a picture.
    pub(crate) fn put(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        self.request("PUT", path, &[], body)
    }

    /// Sends any request. After an error the next one makes a new connection.
    pub(crate) fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method == "PUT" {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let outcome = self.exchange(&[head.as_bytes(), body].concat(), method == "HEAD");
        if !outcome.as_ref().is_ok_and(|answer| answer.header("connection") != Some("close")) {
            self.connection = None;
        }
        outcome
    }

    /// Sends bytes that need not be a request.
    pub(crate) fn exchange(&mut self, request: &[u8], head_only: bool) -> io::Result<Answer> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                none.insert(BufReader::new(stream))
            }
        };
        let until = Instant::now() + PATIENCE;
        connection.get_ref().set_write_timeout(Some(PATIENCE))?;
        // A server may answer and close before it has read everything; the answer counts.
        let sent = connection.get_mut().write_all(request);
        let answer = receive(connection, until, head_only);
        if answer.is_err() { sent.and(answer) } else { answer }
    }
}

fn receive(connection: &mut BufReader<TcpStream>, until: Instant, head_only: bool) -> io::Result<Answer> {
    let status_line = line(connection, until)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| malformed(&status_line))?;
    let mut headers = Vec::new();
    loop {
        let line = line(connection, until)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    let length = answer.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    if !head_only && !matches!(status, 204 | 304) {
        answer.body.resize(length, 0);
        let mut at = 0;
        while at < length {
            limit(connection, until)?;
            at += match connection.read(&mut answer.body[at..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
        }
    }
    Ok(answer)
}

fn line(connection: &mut BufReader<TcpStream>, until: Instant) -> io::Result<String> {
    limit(connection, until)?;
    let mut line = String::new();
    match connection.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim_end().to_owned()),
    }
}

fn limit(connection: &BufReader<TcpStream>, until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now());
    connection.get_ref().set_read_timeout(Some(left.max(Duration::from_millis(1))))
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP: {line:?}"))
}
