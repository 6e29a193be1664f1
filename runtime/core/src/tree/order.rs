//! The order of start and stop: levels of what needs what, and the manifest's order within a level.

use alloc::vec;
use alloc::vec::Vec;

use super::config::{ChildId, Config, ConfigError};

/// Children by level: a child stands one level above the highest that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    /// All children, lowest level first, in the manifest's order within a level.
    ascending: Vec<ChildId>,
    levels: Vec<u16>,
}

impl Order {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let count = config.children.len();
        let mut levels = vec![0u16; count];
        // A level is a longest path, so without a cycle it is settled after as many rounds as there are children.
        for _ in 0..=count {
            let mut settled = true;
            for (child, terms) in config.children.iter().enumerate() {
                for need in &terms.needs {
                    let level = levels[usize::from(need.0)].saturating_add(1);
                    if levels[child] < level {
                        levels[child] = level;
                        settled = false;
                    }
                }
            }
            if settled {
                let mut ascending: Vec<_> = (0..count).filter_map(child_id).collect();
                ascending.sort_by_key(|child| levels[usize::from(child.0)]);
                return Ok(Self { ascending, levels });
            }
        }
        Err(ConfigError::Cycle(cycle(config)))
    }

    pub(super) fn ascending(&self) -> impl DoubleEndedIterator<Item = ChildId> + '_ {
        self.ascending.iter().copied()
    }

    pub(super) fn level(&self, child: ChildId) -> u16 {
        self.levels.get(usize::from(child.0)).copied().unwrap_or(0)
    }
}

pub(super) fn child_id(index: usize) -> Option<ChildId> {
    u16::try_from(index).ok().map(ChildId)
}

/// Finds one cycle, by walking along needs that lead to one until a child comes up again.
fn cycle(config: &Config) -> Vec<ChildId> {
    // Whoever needs nothing that is left cannot be on a cycle; what remains all leads to one.
    let mut left: Vec<bool> = vec![true; config.children.len()];
    loop {
        let free = (0..left.len()).find(|child| {
            left[*child] && !config.children[*child].needs.iter().any(|n| left[usize::from(n.0)])
        });
        match free {
            Some(child) => left[child] = false,
            None => break,
        }
    }
    let mut path: Vec<ChildId> = Vec::new();
    let mut next = left.iter().position(|is_left| *is_left).and_then(child_id);
    while let Some(child) = next {
        if let Some(start) = path.iter().position(|seen| *seen == child) {
            return path.split_off(start);
        }
        path.push(child);
        next = config.children[usize::from(child.0)].needs.iter().copied().find(|n| left[usize::from(n.0)]);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::ChildConfig;

    fn config(needs: &[&[u16]]) -> Config {
        let child = |needs: &&[u16]| ChildConfig {
            needs: needs.iter().copied().map(ChildId).collect(),
            ..ChildConfig::default()
        };
        Config { children: needs.iter().map(child).collect(), ..Config::default() }
    }

    #[test]
    fn the_manifests_order_holds_within_a_level() {
        let order = Order::new(&config(&[&[3], &[], &[0], &[], &[1, 2]])).expect("no cycle");
        let ascending: Vec<_> = order.ascending().map(|child| child.0).collect();
        assert_eq!(ascending, [1, 3, 0, 2, 4]);
    }

    #[test]
    fn a_cycle_is_refused_with_its_path() {
        let refused = Order::new(&config(&[&[1], &[2], &[3], &[1], &[]]));
        assert_eq!(refused, Err(ConfigError::Cycle([ChildId(1), ChildId(2), ChildId(3)].into())));
        assert_eq!(Order::new(&config(&[&[0]])), Err(ConfigError::Cycle([ChildId(0)].into())));
    }

    #[test]
    fn a_long_chain_and_a_wide_level_have_an_order() {
        let chain: Vec<Vec<u16>> = (0..300u16).map(|n| n.checked_sub(1).into_iter().collect()).collect();
        let chain: Vec<&[u16]> = chain.iter().map(Vec::as_slice).collect();
        assert_eq!(Order::new(&config(&chain)).expect("no cycle").level(ChildId(299)), 299);
        let wide: Vec<&[u16]> = alloc::vec![&[]; 300];
        assert!(Order::new(&config(&wide)).expect("no cycle").ascending().map(|c| c.0).eq(0..300));
    }
}
