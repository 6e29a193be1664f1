//! A pipeline of log lines that goes on while its parsers crash, and accounts for every line.
//!
//! `reader` takes lines from a socket; a `parser` looks into each, and dies of some; `store` keeps what came of them.
//! `pipeline.toml` says what each may do.

mod parser;
mod protocol;
mod reader;
mod store;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use bailiwick::prelude::*;

use parser::LineParser;
use protocol::{ParserRef, SilentRef, StoreRef};
use reader::Reader;
use store::{FileStore, StoreArgs};

const USAGE: &str = "usage: pipeline SOCKET < LINES    has the pipeline behind SOCKET settle the lines
to start it: bailiwick run examples/pipeline/pipeline.toml";

fn main() -> ExitCode {
    if Program::is_worker() {
        return workers().run();
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [socket] = &arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    match send(socket) {
        Ok(counts) if !counts.is_empty() => {
            print!("{counts}");
            ExitCode::SUCCESS
        }
        Ok(_) => {
            eprintln!("pipeline: the reader ended before all lines were settled: send them again");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("pipeline: {socket}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn workers() -> Program {
    Program::new()
        .register("Reader", SilentRef::serve(Reader::default).with_lifecycle())
        .register("Parser", ParserRef::serve(LineParser::default))
        .register("Store", StoreRef::serve(FileStore::new).with_args::<StoreArgs>().with_lifecycle())
}

/// Sends what comes in, and returns the counts.
fn send(socket: &str) -> io::Result<String> {
    let mut pipeline = UnixStream::connect(socket)?;
    io::copy(&mut io::stdin(), &mut pipeline)?;
    pipeline.flush()?;
    pipeline.shutdown(Shutdown::Write)?;
    let mut counts = String::new();
    pipeline.read_to_string(&mut counts)?;
    Ok(counts)
}
