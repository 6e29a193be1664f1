//! Whether the workers can be started in an order in which each has what it comes after.

use bailiwick_core::tree::{Config, ConfigError, Tree};

use super::Diagnostic;
use crate::roster::Roster;
use crate::spec::{System, Worker};

/// The longest chain of workers each of which needs, wants or comes after the next.
pub const MAX_DEPTH: usize = 32;

/// A worker's place in the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    /// How many workers are below it, and the first of them on the longest way down.
    Done {
        depth: usize,
        next: Option<usize>,
    },
}

/// Finds cycles and chains that are too long.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut walk = Walk { system, marks: vec![Mark::New; system.workers.len()], found: Vec::new() };
    for index in 0..system.workers.len() {
        walk.visit(index, &mut Vec::new());
    }
    if walk.found.is_empty() {
        walk.found.extend(serial_cycle(system));
    }
    walk.found
}

/// Returns the machine that would run a system, with one process of each worker, so that a child's number is its
/// worker's; `None` if a name leads nowhere.
pub(super) fn machine(system: &System) -> Option<Result<Tree, ConfigError>> {
    let mut one_each = system.clone();
    for worker in &mut one_each.workers {
        (worker.instances, worker.max_children) = (1, None);
    }
    let roster = Roster::new(&one_each).ok()?;
    Some(Tree::new(roster.config(&one_each, &Config::default()).ok()?))
}

struct Walk<'s> {
    system: &'s System,
    marks: Vec<Mark>,
    found: Vec<Diagnostic>,
}

/// Returns the names that a worker comes after, with the key under which each stands.
fn precedents(worker: &Worker) -> impl Iterator<Item = (String, &str)> {
    let lists = [("needs", &worker.needs), ("wants", &worker.wants), ("after", &worker.after)];
    lists.into_iter().flat_map(move |(key, names)| {
        let named = names.iter().enumerate();
        named.map(move |(at, name)| (format!("worker.{}.{key}[{at}]", worker.name), name.as_str()))
    })
}

impl Walk<'_> {
    /// Returns how long the chain below a worker is. Each worker is walked into once.
    fn visit(&mut self, index: usize, chain: &mut Vec<usize>) -> usize {
        match self.marks[index] {
            Mark::Done { depth, .. } => return depth,
            Mark::Open => {
                self.cycle(index, chain);
                return 0;
            }
            Mark::New => {}
        }
        chain.push(index);
        self.marks[index] = Mark::Open;
        let (mut depth, mut next) = (0, None);
        let workers = &self.system.workers;
        for (key, name) in precedents(&workers[index]) {
            let Some(below) = workers.iter().position(|worker| worker.name == name) else { continue };
            if below == index {
                continue;
            }
            let length = 1 + self.visit(below, chain);
            if length == MAX_DEPTH + 1 {
                self.too_long(index, below, key);
            }
            if length > depth {
                (depth, next) = (length, Some(below));
            }
        }
        chain.pop();
        self.marks[index] = Mark::Done { depth, next };
        depth
    }

    fn cycle(&mut self, index: usize, chain: &[usize]) {
        let start = chain.iter().position(|&open| open == index).unwrap_or(0);
        let help = "none of them could ever start; break the circle";
        self.found.push(circle(self.system, &chain[start..]).help(help));
    }

    fn too_long(&mut self, index: usize, below: usize, key: String) {
        let mut chain = vec![index];
        let mut next = Some(below);
        while let Some(at) = next {
            chain.push(at);
            next = match self.marks[at] {
                Mark::Done { next, .. } => next,
                Mark::New | Mark::Open => None,
            };
        }
        let title = format!(
            "worker `{}` stands on a chain of more than {MAX_DEPTH} workers: {}",
            self.system.workers[index].name,
            path(&self.system.workers, &chain)
        );
        let error = Diagnostic::error(title).at_key(key, "one too many");
        self.found.push(error.help("let workers that do not depend on each other start side by side"));
    }
}

/// Finds a circle that is closed by groups which start their members one after the other.
fn serial_cycle(system: &System) -> Option<Diagnostic> {
    let Err(ConfigError::Cycle(children)) = machine(system)? else { return None };
    let members: Vec<usize> = children.iter().map(|child| usize::from(child.0)).collect();
    let help = "a group that starts its members one after the other does so in the order of the manifest; \
                move a worker in it, or put it into another group";
    Some(circle(system, &members).help(help))
}

/// Says that each of these workers comes after the next, and the last after the first, and why.
fn circle(system: &System, members: &[usize]) -> Diagnostic {
    let round: Vec<usize> = members.iter().chain(members.first()).copied().collect();
    let path = path(&system.workers, &round);
    let mut error = Diagnostic::error(format!("workers wait for each other in a circle: {path}"));
    for pair in round.windows(2).rev() {
        let (worker, next) = (&system.workers[pair[0]], &system.workers[pair[1]]);
        let written = precedents(worker).find(|(_, name)| *name == next.name);
        let place = written.map_or_else(|| serial(system, worker, next), |(key, _)| key);
        error = error.at_key(place, format!("`{}` waits for `{}`", worker.name, next.name));
    }
    error
}

/// Returns the strategy of the innermost group around both workers, which is what puts one after the other.
fn serial(system: &System, one: &Worker, other: &Worker) -> String {
    let common =
        system.around(one).find(|group| system.around(other).any(|around| around.name == group.name));
    match common.map_or("", |group| group.name.as_str()) {
        "" => "supervisor.strategy".to_owned(),
        name => format!("group.{name}.strategy"),
    }
}

fn path(workers: &[Worker], chain: &[usize]) -> String {
    let names: Vec<&str> = chain.iter().map(|index| workers[*index].name.as_str()).collect();
    names.join(" -> ")
}
