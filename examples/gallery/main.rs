//! Serves a folder of pictures over HTTP, with every part in a process of its own.
//!
//! `binder` may bind a port and is gone before the first stranger comes; `front` talks to strangers and has no files;
//! `files` has one folder and no network; a fresh `shrinker` for each picture looks into what strangers sent and has nothing at all.

mod binder;
mod draw;
mod files;
mod folder;
mod format;
mod front;
#[cfg(test)]
mod hostile;
mod http;
mod index_page;
mod name;
mod options;
mod permission;
mod process_tree;
mod processes_page;
mod protocol;
mod shrink;
mod shrinker;
mod site;

use std::process::ExitCode;
use std::time::Duration;

use bailiwick::prelude::*;
use bailiwick::{Group, Hosted, May, Worker};

use binder::{Binder, BinderArgs};
use files::{FilesActor, FilesArgs};
use front::Front;
use options::{HELP, Options};
use process_tree::TreeRef;
use protocol::{FilesRef, SilentRef, ThumbsRef};
use shrinker::Shrinker;
use site::SHRINKERS;

/// Ports below this one belong to root.
const FIRST_FREE_PORT: u16 = 1024;
/// The command line makes no sense.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    if Program::is_worker() {
        return program(&Options::unknown()).run();
    }
    if std::env::args_os().any(|argument| argument == "--help" || argument == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match Options::read(std::env::args_os().skip(1)) {
        Ok(options) => {
            if !options.uploads {
                let folder = options.folder.display();
                eprintln!(
                    "gallery: {folder} belongs to root and no worker is root: it is shown and takes no uploads"
                );
                eprintln!(
                    "gallery: for uploads give it to the user who is to be its worker: chown -R USER {folder}"
                );
            }
            program(&options).run()
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(USAGE)
        }
    }
}

/// Declares who does what. `gallery.toml` says the same for `bailiwick run`.
fn program(options: &Options) -> Program {
    let mut may_bind = Sandbox::net_server().tcp_bind(options.listen.port());
    if options.listen.port() != 0 && options.listen.port() < FIRST_FREE_PORT {
        may_bind = may_bind.capability("CAP_NET_BIND_SERVICE");
    }
    let may_ask =
        Sandbox::net_server().grant("files").grant_methods("shrinker", ["shrink"]).may([May::Status]);
    let folder = &options.folder;
    let may_use_folder =
        if options.uploads { Sandbox::sealed().write(folder) } else { Sandbox::sealed().read(folder) };
    let drawn = options.own_folder.is_some();
    let files_args = FilesArgs { folder: folder.clone(), draw: drawn };

    Program::new()
        .name("gallery")
        // Every worker may die several times a second and is back at once: this lets the tests of the gallery kill
        // each of them for half a minute. A service of its own is better off with the default, five in 30 seconds.
        .group(Group::new("gallery").budget(2000, Duration::from_secs(30)))
        .add(
            Worker::new("binder", may_bind)
                .oneshot()
                // Without its port the gallery is nothing: it ends and says why. No stranger reaches this worker.
                .essential()
                .crash_may_stop_all()
                .serve_with(binder(), &BinderArgs { listen: options.listen }),
        )
        .add(soon_back(Worker::new("files", may_use_folder)).serve_with(files(), &files_args))
        .add(
            soon_back(Worker::new("shrinker", Sandbox::sealed().memory_max_mib(768)))
                // One picture each. A spare makes the change short; one more than work at a time makes up for it.
                .instances(SHRINKERS + 1)
                .max_messages(1)
                .spare()
                .serve(shrinker()),
        )
        .add(
            soon_back(Worker::new("front", may_ask))
                .needs("binder")
                .needs("files")
                .kept("http")
                .serve(front()),
        )
        .register("Binder", binder())
        .register("Files", files())
        .register("Shrinker", shrinker())
        .register("Front", front())
}

/// Restarts a worker within the group's budget, after pauses that a person hardly notices.
fn soon_back(worker: Worker) -> Worker {
    worker.group("gallery").backoff(Duration::from_millis(10), Duration::from_millis(50))
}

fn binder() -> Hosted {
    SilentRef::serve(Binder::new).with_args::<BinderArgs>().with_lifecycle().into()
}

fn files() -> Hosted {
    FilesRef::serve(FilesActor::new).with_args::<FilesArgs>().with_lifecycle().into()
}

fn shrinker() -> Hosted {
    // It computes for long: on a thread of its own, so that the worker still hears its supervisor.
    ThumbsRef::serve(Shrinker::default).with_lifecycle().blocking().into()
}

fn front() -> Hosted {
    TreeRef::serve(Front::default).with_lifecycle().into()
}
