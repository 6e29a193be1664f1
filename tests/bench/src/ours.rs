//! Bailiwick's side: the same exchanges as an actor program of three processes, with grants, budgets and a sandbox.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bailiwick::prelude::*;
use bailiwick::{Group, Worker};

use crate::protocol::{EchoRef, Echoing};
use crate::workload::{Figures, Note, PIPELINE, Samples, Sizes};

const PATIENCE: Duration = Duration::from_secs(10);

/// Stands before what the front prints for the benchmark.
pub const MARK: &str = "figures: ";

/// Runs as supervisor, or as the worker that the environment names.
pub fn run(sizes: Sizes) -> ExitCode {
    program().main("front", front(), async move |cx: Context| measure(cx, sizes).await).run()
}

/// The name of the main worker that only asks once.
pub const STARTER: &str = "starter";

/// Runs until the first answer.
pub fn start() -> ExitCode {
    program().main(STARTER, front(), first_answer).run()
}

/// The budget is so large, and the pause so short, that only the restart itself is measured.
fn program() -> Program {
    let echo = Worker::new("echo", Sandbox::sealed())
        .serve(EchoRef::serve(Echoing::default))
        .group("measured")
        .backoff(Duration::ZERO, Duration::ZERO);
    Program::new().group(Group::new("measured").budget(1_000, Duration::from_secs(1))).add(echo)
}

/// The front kills the other worker, so it is not confined.
fn front() -> Sandbox {
    Sandbox::none().privileged().user("root").grant("echo")
}

async fn first_answer(cx: Context) -> Result<(), ActorError> {
    let echo: EchoRef = cx.peer("echo")?;
    echo.echo(Note::asking(0)).ask(PATIENCE).await?;
    println!("{MARK}");
    Ok(())
}

async fn measure(cx: Context, sizes: Sizes) -> Result<(), ActorError> {
    let echo: EchoRef = cx.peer("echo")?;
    echo.echo(Note::asking(0)).ask(PATIENCE).await?;
    let ask = asks(&echo, sizes.asks).await?;
    let pipelined_per_s = pipelined(&echo, sizes.pipelined).await?;
    let one_way_per_s = one_way(&echo, sizes.tells).await?;
    let restart_ms = Some(restarts(&echo, sizes.restarts).await?.p50());
    let figures = Figures {
        ask_p50_us: ask.p50(),
        ask_p99_us: ask.p99(),
        pipelined_per_s,
        one_way_per_s,
        restart_ms,
        cold_start_ms: 0.0,
    };
    println!("{MARK}{}", serde_json::to_string(&figures)?);
    Ok(())
}

async fn asks(echo: &EchoRef, count: u64) -> Result<Samples, ActorError> {
    let mut samples = Vec::with_capacity(count as usize);
    for number in 0..count {
        let start = Instant::now();
        let reply = echo.echo(Note::asking(number)).ask(PATIENCE).await?;
        samples.push(start.elapsed().as_secs_f64() * 1e6);
        assert_eq!(reply.number, number, "each reply belongs to its ask");
    }
    Ok(Samples::of(samples))
}

async fn pipelined(echo: &EchoRef, count: u64) -> Result<f64, ActorError> {
    let start = Instant::now();
    let askers = (0..PIPELINE).map(|asker| async move {
        for number in 0..count / PIPELINE {
            let note = Note::asking(asker * count + number);
            let reply = echo.echo(note.clone()).ask(PATIENCE).await?;
            assert_eq!(reply.number, note.number, "each reply belongs to its ask");
        }
        Ok::<_, ActorError>(())
    });
    futures::future::try_join_all(askers).await?;
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

async fn one_way(echo: &EchoRef, count: u64) -> Result<f64, ActorError> {
    let start = Instant::now();
    for number in 0..count {
        echo.tell(Note::telling(number)).tell().await?;
    }
    let told = echo.told().ask(PATIENCE).await?;
    assert_eq!(told, count, "every message was counted");
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Kills the worker and asks until its replacement answers.
async fn restarts(echo: &EchoRef, count: u32) -> Result<Samples, ActorError> {
    let mut samples = Vec::new();
    for _ in 0..count {
        let process = echo.process().ask(PATIENCE).await?;
        let start = Instant::now();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(process as i32)
                .ok_or_else(|| ActorError::message("no process"))?,
            rustix::process::Signal::KILL,
        )?;
        while echo.process().ask(PATIENCE).await.map_or(true, |now| now == process) {}
        samples.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Samples::of(samples))
}
