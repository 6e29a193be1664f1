//! What a worker executes: a program of the runtime (`exec`), or a foreign one (`command`).

use super::fields::Fields;
use super::values::Choice;
use crate::check::Diagnostic;
use crate::spec::{Command, Exec, Kind, StopSignal, Worker};

/// What `kind` may say; that it is a foreign program is no kind of its own but says which key names it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Resident,
    Oneshot,
    Command,
}

impl Choice for Word {
    const WORDS: &'static [(&'static str, Self)] =
        &[("resident", Self::Resident), ("oneshot", Self::Oneshot), ("command", Self::Command)];
    const LATER: &'static [&'static str] = &[];
}

impl Choice for StopSignal {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("SIGTERM", Self::Terminate),
        ("SIGINT", Self::Interrupt),
        ("SIGQUIT", Self::Quit),
        ("SIGHUP", Self::HangUp),
        ("SIGUSR1", Self::User1),
        ("SIGUSR2", Self::User2),
    ];
    const LATER: &'static [&'static str] = &[];
}

/// Keys that only a foreign program has.
const FOREIGN: [&str; 3] = ["notify", "watchdog", "stop_signal"];

/// Reads what the worker executes and what sets it apart if it is a foreign program.
pub(super) fn read(fields: &mut Fields<'_, '_>, worker: &mut Worker) {
    let foreign = fields.key_span("command").is_some();
    let exec = if foreign {
        fields.read("exec")
    } else {
        fields.require("exec", "name the program: `exec = \"PROGRAM\"`, from the manifest's folder")
    };
    worker.exec = Exec::Path(exec.unwrap_or_default());
    let mut word = Word::Resident;
    fields.set("kind", &mut word);
    worker.kind = if word == Word::Oneshot { Kind::Oneshot } else { Kind::Resident };
    let line = fields.read::<Vec<String>>("command");
    let mut command = Command::default();
    fields.set("notify", &mut command.notify);
    let mut watchdog = command.watchdog.unwrap_or_default();
    fields.set_positive("watchdog", &mut watchdog);
    command.watchdog = (!watchdog.is_zero()).then_some(watchdog);
    fields.set("stop_signal", &mut command.stop_signal);
    if foreign {
        contradict(fields, &["exec", "threads", "drain_timeout"]);
    } else {
        misplaced(fields, word);
    }
    match line.as_deref() {
        Some([program, arguments @ ..]) if !program.is_empty() => {
            // By its components, as every other path.
            worker.exec = Exec::Path(fields.reader.folder.join(program).components().collect());
            worker.command = Some(Command { arguments: arguments.to_vec(), ..command });
        }
        Some(_) => {
            let error =
                Diagnostic::error("a command without a program").at_key(fields.key("command"), "empty");
            fields.reader.refuse(error.help(
                "write the program and its arguments: `command = [\"/usr/bin/PROGRAM\", \"ARGUMENT\"]`",
            ));
        }
        None => {}
    }
}

/// Refuses keys that mean nothing for a foreign program.
fn contradict(fields: &mut Fields<'_, '_>, keys: &[&str]) {
    for key in keys {
        let Some(span) = fields.key_span(key) else { continue };
        let (title, help) = match *key {
            "exec" => (
                "two programs for one worker",
                "remove `exec`, or `command` if it is a program of the runtime",
            ),
            "threads" => (
                "a foreign program has as many threads as it likes",
                "remove it: `sandbox.tasks_max` says how many there may be",
            ),
            _ => (
                "a foreign program cannot be told to drain",
                "remove it: `stop_signal` asks it to stop, `stop_timeout` later it is killed",
            ),
        };
        let error = Diagnostic::error(title).at(span, "for a worker of the runtime");
        fields.reader.refuse(error.at_key(fields.key("command"), "a foreign program").help(help));
    }
}

/// Refuses keys that mean something only for a foreign program.
fn misplaced(fields: &mut Fields<'_, '_>, word: Word) {
    let help =
        "name the foreign program: `command = [\"/usr/bin/PROGRAM\", \"ARGUMENT\"]`, in place of `exec`";
    if word == Word::Command {
        let error = Diagnostic::error(format!("{} is a command and names none", fields.title()));
        fields.reader.refuse(error.at_key(fields.key("kind"), "a foreign program").help(help));
    }
    for key in FOREIGN {
        let Some(span) = fields.key_span(key) else { continue };
        let error = Diagnostic::error(format!("`{key}` for a worker of the runtime"));
        fields.reader.refuse(error.at(span, "only for a foreign program").help(help));
    }
}
