//! A supervisor that answers as it is told.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::thread::JoinHandle;

use bailiwick_supervisor::control::{REQUEST_BYTES, Record, Request, Target, Verb};
use bailiwick_supervisor::state_dir::{StateDir, private_path};

/// One packet of an answer.
pub(crate) struct Packet(pub(crate) Vec<u8>);

impl From<Record> for Packet {
    fn from(record: Record) -> Self {
        Self(record.to_bytes().to_vec())
    }
}

/// A supervisor that gives its answers in order to one client, and remembers what it was asked.
pub(crate) struct Supervisor {
    state: StateDir,
    asked: JoinHandle<Vec<Request>>,
}

impl Supervisor {
    pub(crate) fn answering<P: Into<Packet>>(answers: impl IntoIterator<Item = Vec<P>>) -> Self {
        let mut state = StateDir::claim_private(&private_path()).expect("a private folder can be made");
        let listener = UnixListener::from(state.listen().expect("the folder is ours"));
        listener.set_nonblocking(false).expect("it is a socket");
        let packets = |answer: Vec<P>| answer.into_iter().map(Into::into).collect();
        let answers: Vec<_> = answers.into_iter().map(packets).collect();
        Self { state, asked: std::thread::spawn(move || serve(&listener, answers)) }
    }

    /// Runs a command against it; returns exit code, data, messages and what was asked.
    pub(crate) fn run(self, arguments: &[&str]) -> (i32, String, String, Vec<(Verb, Target)>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
        command.args(arguments).arg("--state-dir").arg(self.state.path());
        // What a program reads is as wide as it is, however narrow the terminal.
        command.env("COLUMNS", "40").env("TERM", "dumb");
        let output = command.output().expect("it can be executed");
        let text = |bytes| String::from_utf8(bytes).expect("output is text");
        let asked = self.asked.join().expect("the supervisor did not fail");
        let asked = asked.into_iter().map(|request| (request.verb, request.target)).collect();
        let code = output.status.code().expect("no signal ended it");
        (code, text(output.stdout), text(output.stderr), asked)
    }
}

/// Answers one client until the answers are used up or the client has gone.
fn serve(listener: &UnixListener, answers: Vec<Vec<Packet>>) -> Vec<Request> {
    // Each read and each write of such a socket is one packet.
    let (mut client, _) = listener.accept().expect("a client comes");
    let mut asked = Vec::new();
    for answer in answers {
        let mut bytes = [0; REQUEST_BYTES];
        if client.read(&mut bytes).expect("the client asks") == 0 {
            break;
        }
        asked.push(Request::from_bytes(&bytes).expect("what it asks is a request"));
        for Packet(bytes) in answer {
            client.write_all(&bytes).expect("the client listens");
        }
    }
    asked
}
