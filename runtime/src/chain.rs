//! The asks that wait for one another, so that a cycle is found when it closes and not when it times out.

use std::sync::Arc;

use crate::name::ActorName;

/// One actor that waits, and those that wait for it. The newest stands first.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) actor: Waiting,
    pub(crate) before: Option<Arc<Chain>>,
}

/// An actor that waits for an answer. The incarnation does not matter: asks die with the one that made them.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// [`id_of`] its name: the same in every worker, and all that comes from another one.
    pub(crate) id: u64,
    /// The name, of actors in this process.
    pub(crate) name: Option<Arc<str>>,
}

impl Chain {
    /// Returns the names from `target` to the newest and back to `target`, if `target` is one of those that wait.
    pub(crate) fn cycle(&self, id: u64, target: impl FnOnce() -> ActorName) -> Option<Vec<String>> {
        let length = self.ids().iter().position(|waiting| *waiting == id)? + 1;
        let target = target().without_generation().to_string();
        let mut names = vec![target.clone()];
        let mut link = Some(self);
        for _ in 1..length {
            let Some(chain) = link else { break };
            let name =
                chain.actor.name.as_ref().map_or_else(|| "another worker".to_owned(), ToString::to_string);
            names.push(name);
            link = chain.before.as_deref();
        }
        names.push(target);
        names.reverse();
        Some(names)
    }

    /// Returns the ids of those that wait, the newest first.
    pub(crate) fn ids(&self) -> Vec<u64> {
        let mut ids = Vec::new();
        let mut link = Some(self);
        while let Some(chain) = link {
            ids.push(chain.actor.id);
            link = chain.before.as_deref();
        }
        ids
    }

    /// Makes the chain of an ask that came over a link: ids in the order of the asks, the oldest first.
    pub(crate) fn from_ids(ids: impl IntoIterator<Item = u64>) -> Option<Arc<Self>> {
        ids.into_iter()
            .fold(None, |before, id| Some(Arc::new(Self { actor: Waiting { id, name: None }, before })))
    }
}

/// Returns the id of an actor: a hash of `worker[.instance]/path` that is the same in every process (FNV-1a).
///
/// Two names with one id would make an ask fail that could succeed; by chance that happens to nobody.
pub(crate) fn id_of(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(names: &[&str]) -> Arc<Chain> {
        let waiting = |name: &&str| Waiting { id: id_of(name), name: Some(Arc::from(*name)) };
        names.iter().fold(None, |before, n| Some(Arc::new(Chain { actor: waiting(n), before }))).unwrap()
    }

    fn cycle(chain: &Chain, target: &str) -> Option<Vec<String>> {
        chain.cycle(id_of(target), || target.parse().unwrap())
    }

    #[test]
    fn a_cycle_is_named_from_the_actor_asked_again_to_itself() {
        let chain = chain(&["x/x", "a/a", "b/b"]);
        assert_eq!(cycle(&chain, "a/a").unwrap(), ["a/a", "b/b", "a/a"]);
        assert_eq!(cycle(&chain, "b/b").unwrap(), ["b/b", "b/b"]);
        assert_eq!(cycle(&chain, "c/c"), None);
    }

    #[test]
    fn a_chain_from_a_link_keeps_its_order() {
        let chain = Chain::from_ids([1, 2, 3]).unwrap();
        assert_eq!(chain.ids(), [3, 2, 1]);
        assert!(Chain::from_ids([]).is_none());
    }
}
