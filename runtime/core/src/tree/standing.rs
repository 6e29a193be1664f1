//! How everything stands, in few words: for whoever started the supervisor.

use super::{ChildId, Tree};
use crate::child::{Child, State};

/// How a tree stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Children that are ready, or done.
    pub ready: usize,
    /// Children that are to be.
    pub of: usize,
    /// An essential child is neither, or the first attempt of another is not over. What waits in a pause, or for
    /// somebody who does, does not count: it may never come, and must not hold up those who are there.
    pub is_starting: bool,
    /// A child takes up what has changed.
    pub is_reloading: bool,
}

impl Tree {
    /// Returns how everything stands.
    pub fn standing(&self) -> Standing {
        let mut standing = Standing { ready: 0, of: 0, is_starting: false, is_reloading: false };
        for (at, (child, terms)) in (0..).zip(self.children.iter().zip(&self.config.children)) {
            if !self.is_member(ChildId(at)) || child.is_removed() {
                continue;
            }
            let is_up = child.is_ready() || child.state() == State::Done;
            standing.of += 1;
            standing.ready += usize::from(is_up);
            standing.is_starting |= is_on_its_way(child) || (terms.is_essential() && !is_up);
            standing.is_reloading |= matches!(child.state(), State::Reloading { .. });
        }
        standing
    }

    /// Returns whether every child that is to be is ready, or done. What starts on demand is as good as ready.
    pub fn is_up(&self) -> bool {
        let is_up = |child: &Child| child.is_ready() || child.is_removed() || child.state() == State::Done;
        let mut children = (0..).map(ChildId).zip(&self.children);
        children.all(|(id, child)| is_up(child) || !self.is_member(id) || self.waits_for_demand(id))
    }
}

/// Whether its first life is not ready yet and may still become so by itself.
const fn is_on_its_way(child: &Child) -> bool {
    child.incarnation().generation <= 1
        && matches!(child.state(), State::Spawning { .. } | State::Starting { .. })
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::exit::Exit;
    use crate::time::Instant;
    use crate::tree::{ChildConfig, Config, Event, Incarnation};

    #[test]
    fn what_fails_at_first_holds_up_nobody_unless_it_is_essential() {
        for essential in [false, true] {
            let fails = ChildConfig { essential, ..ChildConfig::default() };
            let waits = ChildConfig { needs: vec![ChildId(0)], ..ChildConfig::default() };
            let config = Config { children: vec![fails, waits, ChildConfig::default()], ..Config::default() };
            let mut tree = Tree::new(config).unwrap();
            let life = |child| Incarnation { child: ChildId(child), generation: 1 };
            let mut tell = |event| {
                tree.handle(Instant::START, event, &mut Vec::new());
                let Standing { ready, of, is_starting, is_reloading } = tree.standing();
                assert!(of == 3 && !is_reloading);
                (ready, is_starting)
            };
            assert_eq!(tell(Event::Boot), (0, true));
            assert_eq!(tell(Event::Spawned(life(0))), (0, true));
            assert_eq!(tell(Event::Spawned(life(2))), (0, true));
            assert_eq!(tell(Event::Ready(life(2))), (1, true));
            tell(Event::Ready(life(0)));
            tell(Event::Exited { of: life(0), exit: Exit::Code(1) });
            tell(Event::Emptied { of: life(0), chance: 0 });
            let second = Incarnation { generation: 2, ..life(0) };
            tell(Event::Exited { of: life(1), exit: Exit::Code(1) });
            tell(Event::Emptied { of: life(1), chance: 0 });
            assert_eq!(tell(Event::Spawned(second)), (1, essential));
        }
    }
}
