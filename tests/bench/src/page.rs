//! The results page: goals beside what was measured, tables, pictures; all of it from what `compare --save` kept.

mod pictures;
mod plot;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::compare::{Kind, Results, goals, tables};

/// The page's folder.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
const PAGE: &str = "results.md";

/// Writes the page and its pictures; `arguments` name the file with the results, and perhaps another one of which what is
/// measured at many points is taken.
pub fn run(arguments: &[String]) -> ExitCode {
    let (file, swept) = match arguments {
        [file] => (file, None),
        [file, swept] => (file, Some(swept)),
        _ => {
            eprintln!(
                "page FILE [FILE], as `compare --save FILE` wrote them; of a second one is what has many points"
            );
            return ExitCode::from(2);
        }
    };
    let mut text = String::new();
    write(&read(file), swept.map(read).as_ref(), &mut text).expect("memory takes all text");
    fs::write(Path::new(DOCS).join(PAGE), text).expect("the page can be written");
    ExitCode::SUCCESS
}

fn read(file: &String) -> Results {
    let json = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&json).expect("what `compare --save` wrote")
}

fn write(results: &Results, swept: Option<&Results>, text: &mut String) -> std::fmt::Result {
    let Results { machine, rounds, millis, .. } = results;
    write!(text, "{HEAD}")?;
    writeln!(text, "\nOn {machine}; medians of {rounds} rounds of {millis} ms for each measurement.\n")?;
    if *rounds < 5 {
        writeln!(
            text,
            "**Fewer than five rounds: these figures say that the harness works, and no more.**\n"
        )?;
    }
    if let Some(Results { machine, rounds, .. }) = swept {
        writeln!(
            text,
            "What was measured at many points, tables and pictures, is of another run: {machine}, {rounds} rounds. Nothing \
             of the one can be compared with the other.\n"
        )?;
    }
    goals::write(results, text)?;
    ahead(results, text)?;
    let swept = swept.unwrap_or(results);
    tables::write(results, swept, text);
    writeln!(text, "\n## Pictures\n")?;
    for (name, title) in pictures::draw(swept, Path::new(DOCS)) {
        writeln!(text, "![{title}]({name})\n")?;
    }
    write!(text, "{TAIL}")
}

/// Names every value in which a peer is ahead by more than a tie.
fn ahead(results: &Results, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n## Where a peer is ahead\n")?;
    let mut none = true;
    for (workload, x) in tables::entries() {
        let (ours, peer) = (results.best(workload, x, Kind::Ours), results.best(workload, x, Kind::Peer));
        let (Some((ours, _)), Some((peer, named))) = (ours, peer) else { continue };
        let about = workload.describe();
        let factor = if about.less_is_better { ours / peer } else { peer / ours };
        if factor > TIE {
            none = false;
            let (title, ours, peer) =
                (tables::title((workload, x)), tables::readable(ours), tables::readable(peer));
            writeln!(
                text,
                "- {title}: {} has {peer}, Bailiwick {ours}, {factor:.1} times worse.",
                named.title
            )?;
        }
    }
    if none {
        writeln!(text, "Nowhere by more than a fifth, which is a tie.")?;
    }
    Ok(())
}

/// What is better by less is a tie.
const TIE: f64 = 1.2;

const HEAD: &str = "\
# Results

Bailiwick beside hand-written loops (*in italics*: no actor, no type, no grant, no supervision) and beside other frameworks, all
measured in one run. Both files come from

```console
$ cd tests/bench
$ cargo run --release --features peers -- compare --save results.json
$ cargo run --release --features peers -- page results.json
```

and are not edited by hand; `--only page` measures what the goals and the tables of systems need and leaves out what is drawn at
many points, which `page` takes from a second file if it is given one. Each round measures every workload of every system once, in processes of their own and in changing
order; every reply is checked, every one-way message is counted by its receiver, every byte of a payload is read by it. Compare
ratios: the machine sets the times, and less than a fifth is a tie.
";

const TAIL: &str = "\
## How each is written

| system | as |
|---|---|
| *blocking Unix stream*, *tokio Unix stream* | a length and bincode; writers coalesce up to 64 KiB, readers take all there is; one thread each; a kill is answered by starting the process again |
| *tokio Unix packets* | the same over a socket that keeps apart what was written at once, as links do: whole frames in packets of up to 128 KiB, what is larger in pieces |
| Bailiwick | two sealed workers under one supervisor, a link with grants and budgets, `Blob` for payloads; *payloads copied* sends `Vec<u8>`; *ring* has both workers in one trust domain, whose messages go through shared memory, and *polled* looks for them for up to 50 us before it sleeps |
| iceoryx2 | publish and subscribe each way, slices of bytes with bincode in them, room for 2048 (64 MiB where payloads are large), senders wait for room; *polling* looks again and again, *events* sleeps until there is one, sent with each flush |
| ipc-channel | a channel each way, a bytes channel for payloads |
| tarpc | bincode over a Unix socket, as in its example of a transport; calls are answered, so 64 are on their way for one-way messages |
| ractor_cluster | two nodes over its external transport on a Unix socket; the actor is found in a process group |
| kameo, remote | two swarms of libp2p on the loopback, by TCP with its encryption; the other process says its address and its actor, nobody looks for peers; a tell that is not acknowledged is dropped where more are on their way than there may be streams, so all are acknowledged, 64 at once |
| Bailiwick, in a sealed worker | the same actors as in one process, spawned by the front of a supervised system (without a sandbox where it looks at its own memory) |
| in one process | all on one thread of tokio (actix: on its own system); mailboxes of 1024 where they are bounded; actix is told by `try_send`, since `do_send` is not bounded; as many actors as are asked about are made, each takes a message, and all of them end, again and again until 100,000 were made; memory is that of the first time |

*none* is what a system does not do: none of the peers between processes starts or restarts a worker. Their start is that of a
process by the standard library until its first answer; ours is from the order to the supervisor.

The latency of so many asks in flight is measured in a closed loop: each asker asks again when it has its reply.
";
