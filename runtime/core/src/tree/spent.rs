//! Budgets that are spent: whose, by what the machine says, and what follows.

use super::{Action, Alert, Decision, GroupDecision, GroupId, OnExhausted, Tree};
use crate::exit::GivenUp;

impl Tree {
    /// Returns the group whose budget did not cover what this is about, and what follows from that; `None` if it was covered, or
    /// was said before. A child that cools down is said once, however often it fails until it is stable again.
    pub fn spent(&self, action: &Action) -> Option<(GroupId, OnExhausted)> {
        let group_of = |child| Some(self.terms(child)?.group);
        match action {
            Action::Alert(Alert::CoolingDown(child)) => Some((group_of(*child)?, OnExhausted::CoolDown)),
            Action::Alert(Alert::GroupEnded(end)) => {
                let follows = match end.decision {
                    GroupDecision::Restart => return None,
                    GroupDecision::CoolDown { .. } => OnExhausted::CoolDown,
                    GroupDecision::GiveUp => OnExhausted::Fail,
                    GroupDecision::Escalate(_) => OnExhausted::Escalate,
                };
                Some((self.config.groups.get(usize::from(end.group.0))?.parent?, follows))
            }
            Action::Record(record) => match record.decision {
                Decision::Escalate(group) => Some((group, OnExhausted::Escalate)),
                Decision::GiveUp(GivenUp::BudgetSpent) => {
                    Some((group_of(record.of.child)?, OnExhausted::Fail))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::*;
    use crate::exit::Exit;
    use crate::time::Instant;
    use crate::tree::{ChildConfig, Config, Event, GroupConfig};

    /// Returns what is said of budgets while the one child of an inner group fails again and again.
    fn said(outer: OnExhausted, inner: OnExhausted) -> Vec<(u16, OnExhausted)> {
        let group = |on_exhausted, parent| GroupConfig {
            max_restarts: 1,
            period: Duration::from_secs(3600),
            on_exhausted,
            parent,
            ..GroupConfig::default()
        };
        let groups = vec![group(outer, None), group(inner, Some(GroupId(0)))];
        let child = ChildConfig { group: GroupId(1), ..ChildConfig::default() };
        let mut tree = Tree::new(Config { groups, children: vec![child], ..Config::default() }).unwrap();
        let (mut found, mut now, mut events) = (Vec::new(), Instant::START, vec![Event::Boot]);
        for _ in 0..200 {
            let event = events.pop().unwrap_or(Event::Tick);
            now = if event == Event::Tick { tree.deadline().unwrap_or(now) } else { now };
            let mut actions = Vec::new();
            tree.handle(now, event, &mut actions);
            for action in &actions {
                found.extend(tree.spent(action).map(|(group, follows)| (group.0, follows)));
                if let Action::Spawn(of) = *action {
                    let exited = Event::Exited { of, exit: Exit::Code(1) };
                    events =
                        vec![Event::Emptied { of, chance: 0 }, exited, Event::Ready(of), Event::Spawned(of)];
                }
            }
        }
        found.truncate(4);
        found
    }

    /// Seen to fail with the group of the child instead of the one around its group.
    #[test]
    fn each_budget_is_named_when_it_is_spent_with_what_follows() {
        use OnExhausted::{CoolDown, Escalate, Fail};
        // The inner group starts once more, with a budget that is whole again, before the outer one's is spent.
        assert_eq!(said(Fail, Escalate), [(1, Escalate), (1, Escalate), (0, Fail)]);
        assert_eq!(said(Escalate, Escalate), [(1, Escalate), (1, Escalate), (0, Escalate)]);
        assert_eq!(said(CoolDown, Escalate)[..3], [(1, Escalate), (1, Escalate), (0, CoolDown)]);
        assert_eq!(said(CoolDown, Fail), [(1, Fail)]);
        assert_eq!(said(Fail, CoolDown), [(1, CoolDown)], "once, however often it fails after that");
    }
}
