//! Benchmarks: Bailiwick beside floors and peers of the same run.
//!
//! `cargo run --release -- compare` measures every system that is built in, in rounds that take turns, and prints tables
//! with ratios (`--features peers` builds the peers in; `compare --help` says what can be chosen). `page` writes
//! `docs/results.md` and draws its pictures from what `compare --save` kept. `many` has 200 workers, `gallery` asks the
//! gallery for thumbnails, `cost` says what isolation costs, and `overload` what a flooded actor costs the one beside it.
//! Compare only within one run: the machine sets the times.

mod compare;
mod cost;
mod folder;
mod gallery;
mod lives;
mod many;
mod overload;
mod page;
mod protocol;
mod within;
mod workload;

use std::process::ExitCode;

use compare::columns::ours;

fn main() -> ExitCode {
    if bailiwick::Program::is_worker() {
        // A worker's first argument is its name.
        let name = std::env::args().next().unwrap_or_default();
        return match name.split('.').next() {
            Some(many::NAME) => many::run(None),
            Some(name) if cost::is_ours(name) => cost::run(),
            Some(name) if overload::is_ours(name) => overload::run(),
            Some(ours::FRONT | ours::ECHO) => ours::work(),
            other => panic!("no worker is called {other:?}"),
        };
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (role, rest) =
        arguments.split_first().map_or(("compare", &[][..]), |(role, rest)| (role.as_str(), rest));
    match role {
        "compare" => return compare::run(rest),
        "page" => return page::run(rest),
        "measure" => compare::measure(rest),
        "answer" => compare::answer(rest),
        "many" => many::print(),
        "gallery" => gallery::print(),
        "cost" => cost::print(),
        "overload" => overload::print(),
        overload::ROLE => return overload::run(),
        "cost-system" => return cost::run(),
        "ours-many" => return many::run(rest.first().map(String::as_str)),
        "floor-many" => many::floor(),
        other => {
            eprintln!("{other} is unknown: compare, page, many, gallery, cost, overload");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
