//! A command as an actor: lines go in, lines come out, and how it ended is told as the actor's end.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitCode, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use bailiwick::prelude::*;

/// Starts commands.
#[protocol]
pub trait Shell {
    /// Starts `command` and returns the actor that it is from now on.
    async fn start(&mut self, cx: &mut Context, command: String) -> Result<FilterRef, NotStarted>;
}

/// A running command.
#[protocol]
pub trait Filter {
    /// Writes a line to its standard input.
    async fn write(&mut self, cx: &mut Context, line: String);
    /// Ends its input and returns the lines of its output. The actor then ends as the command did.
    async fn finish(&mut self, cx: &mut Context) -> Vec<String>;
}

/// Why there is no command.
#[message]
#[derive(Debug, thiserror::Error)]
#[error("`{command}` does not start: {reason}")]
pub struct NotStarted {
    /// The command.
    pub command: String,
    /// What the kernel said.
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the command ended with {0}")]
struct Ended(ExitStatus);

#[derive(Default)]
struct Starter;

impl Shell for Starter {
    async fn start(&mut self, cx: &mut Context, command: String) -> Result<FilterRef, NotStarted> {
        let running = Running::start(&command);
        let mut running = Some(running.map_err(|error| refused(&command, &error))?);
        // A command that has failed is not run again: what was written to it is gone.
        let filter = FilterRef::serve(move || running.take().expect("made once")).temporary();
        cx.spawn(filter).map_err(|error| refused(&command, &error))
    }
}

fn refused(command: &str, error: &dyn std::error::Error) -> NotStarted {
    NotStarted { command: command.to_owned(), reason: error.to_string() }
}

struct Running {
    child: Child,
    input: Option<ChildStdin>,
    /// Reads from the start on, so that the command never waits for somebody to take its output.
    output: Option<JoinHandle<Vec<String>>>,
}

impl Running {
    fn start(command: &str) -> io::Result<Self> {
        let mut words = command.split(' ');
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let read = |output| {
            std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).collect())
        };
        Ok(Self { child, input, output: output.map(read) })
    }
}

impl Filter for Running {
    async fn write(&mut self, cx: &mut Context, line: String) {
        if let Some(input) = &mut self.input
            && let Err(error) = writeln!(input, "{line}")
        {
            cx.fail(error);
        }
    }

    async fn finish(&mut self, cx: &mut Context) -> Vec<String> {
        self.input = None;
        let lines = match self.output.take() {
            Some(output) => cx.run_blocking(|| output.join().unwrap_or_default()).await,
            None => Vec::new(),
        };
        match self.child.wait() {
            Ok(status) if status.success() => cx.stop(),
            Ok(status) => cx.fail(Ended(status)),
            Err(error) => cx.fail(error),
        }
        lines
    }
}

async fn front(mut cx: Context) -> Result<(), ActorError> {
    let shell: ShellRef = cx.peer("shell")?;
    let patience = Duration::from_secs(5);
    for command in ["sort -n", "grep 7"] {
        let filter = shell.start(command.to_owned()).ask(patience).await??;
        cx.watch(&filter);
        for line in ["10", "9", "100"] {
            filter.write(line.to_owned()).tell().await?;
        }
        let lines = filter.finish().ask(patience).await?;
        println!("{command}: {} ({})", lines.join(" "), cx.next_down().await.cause);
    }
    let missing = shell.start("no-such-command".to_owned()).ask(patience).await?;
    println!("{}", missing.err().map_or("started".to_owned(), |error| error.to_string()));
    Ok(())
}

fn main() -> ExitCode {
    Program::new()
        .worker("shell", Sandbox::exec(), ShellRef::serve(Starter::default))
        .main("front", Sandbox::sealed().grant("shell"), front)
        .run()
}
