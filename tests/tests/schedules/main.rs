//! Random schedules over real processes: kills, stops, orders, reloads and rolling replacements at random times, and what
//! must hold at any time and in the end, whatever came: no orphan, no duplicate, no zombie, no descriptor that leaks, no
//! wrong state, and of two lives of a worker exactly one that is in service.
//!
//! `SCHEDULES=500 cargo test -p bailiwick-tests --test schedules` runs so many of each shape; a failure names its
//! seed, and `SCHEDULE_SEED=…` runs that one alone.

mod schedule;
mod shape;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use bailiwick_tests::harness::wanted;
use schedule::Schedule;
use shape::Shape;
use world::World;

/// Takes its time to be ready, so that a life that rises beside another is met on its way.
const SLOW: &str = "ready_after_ms = 10, ";

/// Schedules of each shape in every run of the tests.
const USUAL: u64 = 6;

/// Runs schedules over workers of this shape.
fn run(shape: Shape) {
    let seeds = match wanted("SCHEDULE_SEED") {
        Some(seed) => seed..=seed,
        // Others in every run: what holds for any schedule is not shown by the same few.
        None => {
            let first = fastrand::u64(..u64::MAX / 2);
            first..=first + wanted("SCHEDULES").unwrap_or(USUAL) - 1
        }
    };
    println!("seeds {seeds:?}");
    for seed in seeds {
        let schedule = Schedule::drawn(seed);
        let ran = catch_unwind(AssertUnwindSafe(|| World::start(shape).live_through(&schedule)));
        if let Err(panic) = ran {
            eprintln!("SCHEDULE_SEED={seed} shows it again: {schedule:#?}");
            resume_unwind(panic);
        }
    }
}

#[test]
fn workers_that_depend_on_each_other() {
    let text =
        "[group.g]\nBUDGET\n[worker.a]\nTERMS\n[worker.b]\nneeds = [\"a\"]\nTERMS\n[worker.c]\nTERMS\n";
    run(Shape { text, knobs: SLOW, needs: true, asked: Some("a"), ..Shape::PLAIN });
}

#[test]
fn workers_that_have_descendants() {
    if bailiwick_tests::harness::needs_root("only root can end all that these workers start") {
        return;
    }
    let text = "[group.g]\nBUDGET\n\
        [worker.a]\nsandbox.preset = \"exec\"\nTERMS\n\
        [worker.b]\nsandbox.preset = \"exec\"\nTERMS\n\
        [worker.c]\nsandbox.preset = \"exec\"\nTERMS\n";
    run(Shape { text, knobs: "grandchildren = 1, ", ..Shape::PLAIN });
}

#[test]
fn workers_that_start_one_after_the_other() {
    let text = "[group.g]\nBUDGET\nstrategy = \"rest_for_one\"\n\
        [worker.a]\nTERMS\n[worker.b]\nTERMS\n[worker.c]\nTERMS\n";
    run(Shape { text, knobs: SLOW, asked: Some("c"), ..Shape::PLAIN });
}

#[test]
fn groups_in_groups_that_start_again_as_a_whole() {
    // The inner group escalates with its first failure.
    let text = "[group.all]\nBUDGET\nstrategy = \"one_for_all\"\n\
        [group.g]\ngroup = \"all\"\nmax_restarts = 0\nstrategy = \"rest_for_one\"\non_exhausted = \"escalate\"\n\
        [worker.a]\nOUTER\n[worker.b]\nTERMS\n[worker.c]\nTERMS\n";
    run(Shape { text, ..Shape::PLAIN });
}

#[test]
fn workers_with_a_process_that_waits_behind_each() {
    let text = "[group.g]\nBUDGET\n[worker.a]\nspares = 1\nTERMS\n\
        [worker.b]\nspares = 1\nneeds = [\"a\"]\nTERMS\n[worker.c]\nspares = 1\nTERMS\n";
    run(Shape { text, needs: true, spares: true, asked: Some("a"), ..Shape::PLAIN });
}

#[test]
fn instances_of_a_pool_whose_lives_end_as_planned() {
    let text = "[group.g]\nBUDGET\nstrategy = \"pool\"\n\
        [worker.a]\ninstances = 3\nmax_children = 3\nmax_messages = 4\nspares = 1\nTERMS\n";
    let members = ["a.1", "a.2", "a.3"];
    run(Shape { members, text, spares: true, disposable: true, asked: Some("a"), ..Shape::PLAIN });
}
