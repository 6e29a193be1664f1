//! An open file travels in a message: the worker that reads it could never have opened it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;

/// Looks into files that others have opened.
#[protocol]
pub trait Reader {
    /// Counts the lines of `text`.
    async fn lines(&mut self, text: Fd<File>) -> u64;
    /// Tries to open a file by its name, and tells what came of it.
    async fn open(&mut self, path: String) -> String;
}

/// A file that every machine has and everybody may read, unless a sandbox says otherwise.
const USERS: &str = "/etc/passwd";

#[derive(Default)]
struct Sealed;

impl Reader for Sealed {
    async fn lines(&mut self, text: Fd<File>) -> u64 {
        BufReader::new(File::from(text)).lines().map_while(Result::ok).count() as u64
    }

    async fn open(&mut self, path: String) -> String {
        match File::open(path) {
            Ok(_) => "opened".to_owned(),
            Err(error) => error.kind().to_string(),
        }
    }
}

async fn front(cx: Context) -> Result<(), ActorError> {
    let reader: ReaderRef = cx.peer("reader")?;
    let patience = Duration::from_secs(2);
    let users = File::open(USERS)?;
    println!("by descriptor: {} lines", reader.lines(users.into()).ask(patience).await?);
    println!("by name: {}", reader.open(USERS.to_owned()).ask(patience).await?);
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("reader", Sandbox::sealed(), ReaderRef::serve(Sealed::default))
        .main("front", Sandbox::sealed().read(USERS).grant("reader"), front)
        .run()
}
