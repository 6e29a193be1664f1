//! Whether the workers can be started in an order in which each has what it needs.

use super::Diagnostic;
use crate::spec::{System, Worker};

/// The longest chain of workers each of which needs the next.
pub const MAX_DEPTH: usize = 32;

/// A worker's place in the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Done { depth: usize },
}

/// Finds cycles and chains that are too long.
pub(super) fn check(system: &System) -> Vec<Diagnostic> {
    let mut walk =
        Walk { workers: &system.workers, marks: vec![Mark::New; system.workers.len()], found: Vec::new() };
    for index in 0..system.workers.len() {
        walk.visit(index, &mut Vec::new());
    }
    walk.found
}

struct Walk<'s> {
    workers: &'s [Worker],
    marks: Vec<Mark>,
    found: Vec<Diagnostic>,
}

impl Walk<'_> {
    /// Returns how long the chain below a worker is. Each worker is walked into once.
    fn visit(&mut self, index: usize, chain: &mut Vec<usize>) -> usize {
        match self.marks[index] {
            Mark::Done { depth } => return depth,
            Mark::Open => {
                self.cycle(index, chain);
                return 0;
            }
            Mark::New => {}
        }
        chain.push(index);
        self.marks[index] = Mark::Open;
        let mut depth = 0;
        for (position, need) in self.workers[index].needs.iter().enumerate() {
            let Some(below) = self.workers.iter().position(|worker| worker.name == *need) else { continue };
            if below == index {
                continue;
            }
            let below = 1 + self.visit(below, chain);
            if below == MAX_DEPTH + 1 {
                self.too_long(index, position);
            }
            depth = depth.max(below);
        }
        chain.pop();
        self.marks[index] = Mark::Done { depth };
        depth
    }

    fn cycle(&mut self, index: usize, chain: &[usize]) {
        let start = chain.iter().position(|&open| open == index).unwrap_or(0);
        let mut path: Vec<&str> = chain[start..].iter().map(|&i| self.workers[i].name.as_str()).collect();
        path.push(&self.workers[index].name);
        let mut error =
            Diagnostic::error(format!("workers need each other in a circle: {}", path.join(" -> ")));
        for pair in chain[start..].iter().rev() {
            let worker = &self.workers[*pair];
            let next = path[1 + chain[start..].iter().position(|i| i == pair).unwrap_or(0)];
            let place = worker.needs.iter().position(|need| need == next).unwrap_or(0);
            error = error.at_key(
                format!("worker.{}.needs[{place}]", worker.name),
                format!("`{}` waits for `{next}`", worker.name),
            );
        }
        self.found.push(error.help("none of them could ever start; remove one of these needs"));
    }

    fn too_long(&mut self, index: usize, position: usize) {
        let worker = &self.workers[index].name;
        let title = format!("worker `{worker}` stands on a chain of more than {MAX_DEPTH} needs");
        let key = format!("worker.{worker}.needs[{position}]");
        let error = Diagnostic::error(title).at_key(key, "one too many");
        self.found.push(error.help("let workers that do not depend on each other start side by side"));
    }
}
