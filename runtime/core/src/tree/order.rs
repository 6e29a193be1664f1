//! The order of start and stop: levels of who comes after whom, and the manifest's order within a level.
//!
//! Who comes after whom is what the configuration says by needs, wants and after, and what a serial group adds: each
//! of its members comes after the one before it. Members stand in the manifest's order unless one depends on another.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::config::{ChildId, Config, ConfigError, GroupId};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Order {
    /// All children, lowest level first, in the manifest's order within a level.
    ascending: Vec<ChildId>,
    levels: Vec<u16>,
    /// Per child, whom it comes after although it does not need them.
    after: Vec<Vec<ChildId>>,
    /// Per child, the groups around it, its own first and the root last.
    places: Vec<Vec<Place>>,
    /// Per child, how many places of its group are taken before its own; `None` for one that leaves.
    turns: Vec<Option<u16>>,
}

/// Where a child stands in one of the groups around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) group: GroupId,
    /// The rank of the member that is the child or holds it. Later members have higher ranks.
    pub(super) rank: u16,
}

/// What a group consists of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Child(ChildId),
    Group(GroupId),
}

impl Order {
    pub(super) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut before: Vec<Vec<ChildId>> =
            config.children.iter().map(|child| child.precedents().collect()).collect();
        let sorted = sort(config, &before)?;
        let places = places(config, &sorted);
        let mut after: Vec<Vec<ChildId>> = config
            .children
            .iter()
            .map(|child| child.wants.iter().chain(&child.after).copied().collect())
            .collect();
        for (former, latter) in serial_pairs(config, &places) {
            before[usize::from(latter.0)].push(former);
            after[usize::from(latter.0)].push(former);
        }
        let mut levels = vec![0u16; before.len()];
        for child in sort(config, &before)? {
            let below = before[usize::from(child.0)].iter().map(|former| levels[usize::from(former.0)]).max();
            levels[usize::from(child.0)] = below.map_or(0, |level| level.saturating_add(1));
        }
        let mut ascending = in_manifest_order(config);
        ascending.sort_by_key(|child| levels[usize::from(child.0)]);
        Ok(Self { ascending, levels, after, places, turns: turns(config) })
    }

    pub(super) fn ascending(&self) -> impl DoubleEndedIterator<Item = ChildId> + '_ {
        self.ascending.iter().copied()
    }

    pub(super) fn level(&self, child: ChildId) -> u16 {
        self.levels.get(usize::from(child.0)).copied().unwrap_or(0)
    }

    /// Returns the groups around a child, its own first and the root last.
    pub(super) fn places(&self, child: ChildId) -> &[Place] {
        self.places.get(usize::from(child.0)).map_or(&[], Vec::as_slice)
    }

    /// Returns how many places of its group are taken before that of a child; `None` for one that leaves.
    pub(super) fn turn(&self, child: ChildId) -> Option<u16> {
        self.turns.get(usize::from(child.0)).copied().flatten()
    }

    pub(super) fn after(&self, child: ChildId) -> &[ChildId] {
        self.after.get(usize::from(child.0)).map_or(&[], Vec::as_slice)
    }
}

pub(super) fn child_id(index: usize) -> Option<ChildId> {
    u16::try_from(index).ok().map(ChildId)
}

fn in_manifest_order(config: &Config) -> Vec<ChildId> {
    let mut children: Vec<_> = (0..config.children.len()).filter_map(child_id).collect();
    children.sort_by_key(|child| config.children[usize::from(child.0)].position);
    children
}

/// How far the walk has come with a child.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    Open,
    Placed,
}

/// Puts each child after those before it, and otherwise as early as the manifest says: whoever depends on a child that
/// stands late moves that child forward, not itself back.
fn sort(config: &Config, before: &[Vec<ChildId>]) -> Result<Vec<ChildId>, ConfigError> {
    let mut marks = vec![Mark::New; before.len()];
    let mut sorted = Vec::with_capacity(before.len());
    for start in in_manifest_order(config) {
        // A stack of our own: a chain may be longer than a thread's stack is deep.
        let mut path = vec![start];
        while let Some(child) = path.last().copied() {
            let index = usize::from(child.0);
            marks[index] = if marks[index] == Mark::New { Mark::Open } else { marks[index] };
            let next =
                before[index].iter().copied().find(|other| marks[usize::from(other.0)] != Mark::Placed);
            match next {
                Some(next) if marks[usize::from(next.0)] == Mark::Open => {
                    let start = path.iter().position(|seen| *seen == next).unwrap_or(0);
                    return Err(ConfigError::Cycle(path.split_off(start)));
                }
                Some(next) => path.push(next),
                None => {
                    path.pop();
                    if marks[index] != Mark::Placed {
                        marks[index] = Mark::Placed;
                        sorted.push(child);
                    }
                }
            }
        }
    }
    Ok(sorted)
}

/// Returns where each child stands in the groups around it; a group stands where its first child does.
fn places(config: &Config, sorted: &[ChildId]) -> Vec<Vec<Place>> {
    let mut places = vec![Vec::new(); config.children.len()];
    let mut ranks: BTreeMap<(GroupId, Member), u16> = BTreeMap::new();
    for (rank, child) in (0..=u16::MAX).zip(sorted) {
        let mut member = Member::Child(*child);
        let mut around = Some(config.children[usize::from(child.0)].group);
        while let Some(group) = around {
            let rank = *ranks.entry((group, member)).or_insert(rank);
            places[usize::from(child.0)].push(Place { group, rank });
            member = Member::Group(group);
            around = config.groups[usize::from(group.0)].parent;
        }
    }
    places
}

/// Returns when the place of each child is taken in its group. One that came later may stand at a lower index, where
/// somebody else has left.
fn turns(config: &Config) -> Vec<Option<u16>> {
    let mut turns = vec![None; config.children.len()];
    let mut taken = vec![0u16; config.groups.len()];
    for child in in_manifest_order(config) {
        let terms = &config.children[usize::from(child.0)];
        let taken = &mut taken[usize::from(terms.group.0)];
        if !terms.leaving {
            turns[usize::from(child.0)] = Some(*taken);
            *taken = taken.saturating_add(1);
        }
    }
    turns
}

/// Returns who comes after whom because their group is serial.
fn serial_pairs(config: &Config, places: &[Vec<Place>]) -> Vec<(ChildId, ChildId)> {
    let mut members: BTreeMap<GroupId, BTreeMap<u16, Vec<ChildId>>> = BTreeMap::new();
    for (index, around) in places.iter().enumerate() {
        let serial = |place: &&Place| config.groups[usize::from(place.group.0)].strategy.is_serial();
        for place in around.iter().filter(serial) {
            let children = members.entry(place.group).or_default().entry(place.rank).or_default();
            children.extend(child_id(index));
        }
    }
    let mut pairs = Vec::new();
    for ranks in members.values() {
        for (former, latter) in ranks.values().zip(ranks.values().skip(1)) {
            pairs.extend(latter.iter().flat_map(|late| former.iter().map(|early| (*early, *late))));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{ChildConfig, GroupConfig, Strategy};

    fn needing(needs: &[u16]) -> ChildConfig {
        ChildConfig { needs: needs.iter().copied().map(ChildId).collect(), ..ChildConfig::default() }
    }

    fn config(needs: &[&[u16]]) -> Config {
        Config { children: needs.iter().map(|needs| needing(needs)).collect(), ..Config::default() }
    }

    fn ascending(config: &Config) -> Vec<u16> {
        Order::new(config).expect("no cycle").ascending().map(|child| child.0).collect()
    }

    fn serial(parent: Option<GroupId>) -> GroupConfig {
        GroupConfig { parent, strategy: Strategy::RestForOne, ..GroupConfig::default() }
    }

    #[test]
    fn the_manifests_order_holds_within_a_level() {
        assert_eq!(ascending(&config(&[&[3], &[], &[0], &[], &[1, 2]])), [1, 3, 0, 2, 4]);
    }

    #[test]
    fn positions_decide_among_equals() {
        let mut config = config(&[&[], &[], &[]]);
        config.children[0].position = 2;
        config.children[2].position = 1;
        assert_eq!(ascending(&config), [1, 2, 0]);
    }

    #[test]
    fn wants_and_after_order_like_needs() {
        let mut config = config(&[&[], &[], &[]]);
        config.children[0].wants = [ChildId(1)].into();
        config.children[1].after = [ChildId(2)].into();
        assert_eq!(ascending(&config), [2, 1, 0]);
        let order = Order::new(&config).expect("no cycle");
        assert_eq!(order.after(ChildId(0)), [ChildId(1)]);
    }

    #[test]
    fn a_cycle_is_refused_with_its_path() {
        let refused = Order::new(&config(&[&[1], &[2], &[3], &[1], &[]]));
        assert_eq!(refused, Err(ConfigError::Cycle([ChildId(1), ChildId(2), ChildId(3)].into())));
        assert_eq!(Order::new(&config(&[&[0]])), Err(ConfigError::Cycle([ChildId(0)].into())));
    }

    #[test]
    fn a_serial_group_is_a_chain_in_the_manifests_order_unless_a_member_depends_on_a_later_one() {
        let mut chain = config(&[&[], &[], &[]]);
        chain.groups = [serial(None)].into();
        assert_eq!(Order::new(&chain).expect("no cycle").level(ChildId(2)), 2);
        chain.children[0] = needing(&[2]);
        assert_eq!(ascending(&chain), [2, 0, 1]);
    }

    #[test]
    fn a_need_outside_of_a_serial_group_does_not_move_its_members() {
        let mut outside = config(&[&[3], &[], &[], &[]]);
        outside.groups.push(serial(Some(GroupId(0))));
        outside.children[..3].iter_mut().for_each(|child| child.group = GroupId(1));
        assert_eq!(ascending(&outside), [3, 0, 1, 2]);
    }

    #[test]
    fn a_group_stands_where_its_first_child_does() {
        let mut nested = config(&[&[], &[], &[], &[]]);
        let inner = GroupConfig { parent: Some(GroupId(0)), ..GroupConfig::default() };
        nested.groups = [serial(None), inner].into();
        nested.children[1].group = GroupId(1);
        nested.children[3].group = GroupId(1);
        let order = Order::new(&nested).expect("no cycle");
        assert_eq!([0, 1, 2, 3].map(|child| order.level(ChildId(child))), [0, 1, 2, 1]);
    }

    #[test]
    fn groups_whose_children_depend_on_each_other_both_ways_have_no_order() {
        let mut tangled = config(&[&[], &[0], &[1]]);
        let inner = GroupConfig { parent: Some(GroupId(0)), ..GroupConfig::default() };
        tangled.groups = [serial(None), inner].into();
        tangled.children[0].group = GroupId(1);
        tangled.children[2].group = GroupId(1);
        assert!(matches!(Order::new(&tangled), Err(ConfigError::Cycle(_))));
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
