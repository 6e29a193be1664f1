//! What stands in the list: workers that are wanted in the order that is wanted, under their groups where the order is the
//! manifest's.

use std::collections::{BTreeMap, BTreeSet};

use super::Sort;
use super::sample::Worker;
use crate::status::title;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A group, with how many workers are in it and below it, and how many of them are well.
    Group { path: String, depth: usize, is_folded: bool, well: usize, workers: usize },
    /// A worker, by its number among all of them.
    Worker { at: usize, depth: usize },
}

/// Whom a line is about, whatever else changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Group(String),
    Worker(String, u16),
}

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    pub(super) sort: Sort,
    pub(super) is_reversed: bool,
    /// How many workers at most.
    pub(super) most: Option<usize>,
    /// What the name, the state or the groups of a worker hold.
    pub(super) filter: String,
    /// Paths of groups whose members are not shown.
    pub(super) folded: BTreeSet<String>,
    /// Workers whose instances are one row.
    pub(super) together: BTreeSet<String>,
}

#[derive(Default)]
struct Group<'a> {
    workers: Vec<usize>,
    groups: BTreeMap<&'a str, Group<'a>>,
}

impl Wish {
    /// Returns the workers that are wanted, in their order.
    pub(super) fn chosen(&self, workers: &[Worker]) -> Vec<usize> {
        let mut chosen: Vec<usize> = (0..workers.len()).filter(|at| self.means(&workers[*at])).collect();
        chosen.sort_by(|one, other| self.sort.compare(&workers[*one], &workers[*other]));
        if self.is_reversed {
            chosen.reverse();
        }
        chosen.truncate(self.most.unwrap_or(usize::MAX));
        chosen
    }

    /// Returns the lines of the list.
    pub(super) fn lines(&self, workers: &[Worker]) -> Vec<Line> {
        let chosen = self.chosen(workers);
        if self.sort != Sort::Manifest {
            return chosen.into_iter().map(|at| Line::Worker { at, depth: 0 }).collect();
        }
        let mut root = Group::default();
        for at in chosen {
            let path = workers[at].row.group.split('/').filter(|name| !name.is_empty());
            let group = path.fold(&mut root, |group, name| group.groups.entry(name).or_default());
            group.workers.push(at);
        }
        let mut lines = Vec::new();
        self.write(&root, "", 0, workers, &mut lines);
        lines
    }

    fn write(&self, group: &Group<'_>, path: &str, depth: usize, workers: &[Worker], lines: &mut Vec<Line>) {
        lines.extend(group.workers.iter().map(|at| Line::Worker { at: *at, depth }));
        for (name, inner) in &group.groups {
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}/{name}") };
            // Whoever looks for somebody wants to see whom there is.
            let is_folded = self.filter.is_empty() && self.folded.contains(&path);
            let (well, count) = inner.count(workers);
            lines.push(Line::Group { path: path.clone(), depth, is_folded, well, workers: count });
            if !is_folded {
                self.write(inner, &path, depth + 1, workers, lines);
            }
        }
    }

    fn means(&self, worker: &Worker) -> bool {
        let row = &worker.row;
        let text = format!("{} {} {}", title(row), row.state.word(), row.group).to_lowercase();
        text.contains(&self.filter.to_lowercase())
    }
}

impl Group<'_> {
    fn count(&self, workers: &[Worker]) -> (usize, usize) {
        let counts = self.workers.iter().map(|at| workers[*at].count());
        let own = counts.fold((0, 0), |sum, [well, all]| (sum.0 + well, sum.1 + all));
        self.groups
            .values()
            .map(|group| group.count(workers))
            .fold(own, |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
}

impl Line {
    /// Returns whom it is about.
    pub(super) fn id(&self, workers: &[Worker]) -> Option<Id> {
        match self {
            Self::Group { path, .. } => Some(Id::Group(path.clone())),
            Self::Worker { at, .. } => {
                workers.get(*at).map(|worker| Id::Worker(worker.row.name.clone(), worker.row.instance))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial;
    use super::*;

    fn shown(wish: &Wish) -> Vec<String> {
        let workers = trial::workers();
        let text = |line: &Line| match line {
            Line::Group { path, depth, is_folded, well, workers } => {
                let sign = if *is_folded { "+" } else { "-" };
                format!("{}{sign}{path} {well}/{workers}", " ".repeat(*depth))
            }
            Line::Worker { at, depth } => format!("{}{}", " ".repeat(*depth), title(&workers[*at].row)),
        };
        wish.lines(&workers).iter().map(text).collect()
    }

    #[test]
    fn in_the_order_of_the_manifest_workers_stand_under_their_groups() {
        let expected = ["binder", "web.1", "web.2", "-back 1/2", " cache", " -back/store 0/1", "  db"]
            .map(str::to_owned);
        assert_eq!(shown(&Wish::default()), expected);
        let folded = |path: &str| Wish { folded: [path.to_owned()].into(), ..Wish::default() };
        assert_eq!(shown(&folded("back"))[3..], ["+back 1/2"]);
        assert_eq!(shown(&folded("back/store"))[3..], ["-back 1/2", " cache", " +back/store 0/1"]);
    }

    #[test]
    fn in_any_other_order_there_are_no_groups() {
        let wish = Wish { sort: Sort::Name, ..Wish::default() };
        assert_eq!(shown(&wish), ["binder", "cache", "db", "web.1", "web.2"]);
        let wish = Wish { is_reversed: true, most: Some(2), ..wish };
        assert_eq!(shown(&wish), ["web.2", "web.1"]);
    }

    #[test]
    fn what_is_looked_for_is_found_by_name_state_and_group_also_where_it_is_folded() {
        let of = |filter: &str| {
            let folded = ["back".to_owned()].into();
            shown(&Wish { filter: filter.into(), folded, ..Wish::default() })
        };
        assert_eq!(of("WEB"), ["web.1", "web.2"]);
        assert_eq!(of("backoff"), ["web.2"]);
        assert_eq!(of("store"), ["-back 0/1", " -back/store 0/1", "  db"]);
        assert_eq!(of("nobody"), [""; 0]);
    }
}
