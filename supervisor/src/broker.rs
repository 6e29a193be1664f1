//! What the links carry: for every two instances of which one may send to the other, what either may reach at the other.
//!
//! Who is linked at present is told by [`Ends`]; the loop makes the socket pairs.

use bailiwick_core::ends::Ends;
use bailiwick_wire::bootstrap::Terms;

use crate::roster::Roster;
use crate::spec::System;

/// The links that grants ask for, and which of their ends live.
pub type Broker = Ends<Terms>;

/// Lays out every link that `system` grants.
pub fn lay_out(system: &System, roster: &Roster) -> Broker {
    let mut broker = Broker::new(roster.places().map(|child| roster.is_privileged(child)));
    for grant in &system.grants {
        let slots = grant.slots(system);
        for from in roster.instances_of(&grant.from) {
            for to in roster.instances_of(&grant.to_worker).filter(|to| *to != from) {
                let limits = roster.seat(from).worker.channel.common(roster.seat(to).worker.channel);
                broker.terms(from, to).imports.extend(slots.iter().cloned());
                broker.terms(to, from).exports.extend(slots.iter().cloned());
                (broker.terms(from, to).limits, broker.terms(to, from).limits) = (limits, limits);
            }
        }
    }
    broker
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bailiwick_core::tree::{ChildId, Incarnation};
    use bailiwick_wire::bootstrap::Slot;

    use super::*;
    use crate::spec::{Actor, Exec, Grant, Mailbox, Worker};

    const FRONT: ChildId = ChildId(0);
    const ONE: ChildId = ChildId(1);
    const TWO: ChildId = ChildId(2);
    const PRIV: ChildId = ChildId(3);

    fn worker(name: &str, instances: u16, actors: &[&str]) -> Worker {
        let actor = |name: &&str| Actor {
            name: (*name).into(),
            type_name: (*name).into(),
            args: None,
            mailbox: Mailbox::default(),
            restart: None,
            significant: false,
            handoff: false,
        };
        Worker { instances, actors: actors.iter().map(actor).collect(), ..Worker::new(name, Exec::Own) }
    }

    fn grant(from: &str, to: &str, actor: Option<&str>) -> Grant {
        Grant::new(from, to, actor.map(str::to_owned))
    }

    /// `front` may send to two `shrinker`s and to `priv`; `priv` may send to `front`.
    fn broker() -> Broker {
        let privileged = Worker { privileged: true, ..worker("priv", 1, &["keys"]) };
        let system = System {
            workers: vec![
                worker("front", 1, &["web"]),
                worker("shrinker", 2, &["thumbs", "stats"]),
                privileged,
            ],
            grants: vec![
                grant("front", "shrinker", None),
                grant("front", "priv", Some("keys")),
                grant("priv", "front", Some("web")),
            ],
            ..System::default()
        };
        let roster = Roster::new(&system).unwrap();
        lay_out(&system, &roster)
    }

    fn of(child: ChildId, generation: u32) -> Incarnation {
        Incarnation { child, generation }
    }

    fn actors(slots: &[Slot]) -> Vec<&str> {
        slots.iter().map(|slot| slot.actor.as_str()).collect()
    }

    #[test]
    fn a_grant_opens_slots_that_both_ends_number_alike() {
        let broker = broker();
        let front: BTreeMap<_, _> = broker.peers(FRONT).collect();
        assert_eq!(front.keys().copied().collect::<Vec<_>>(), [ONE, TWO, PRIV]);
        assert_eq!(actors(&front[&ONE].imports), ["thumbs", "stats"]);
        assert_eq!(actors(&front[&PRIV].exports), ["web"]);
        let two: BTreeMap<_, _> = broker.peers(TWO).collect();
        assert_eq!(two.len(), 1, "siblings have no link");
        assert_eq!(two[&FRONT].exports, front[&TWO].imports);
        assert!(two[&FRONT].imports.is_empty(), "nobody may send back");
        let may_send = |child, peer| broker.between(child, peer).is_some_and(Terms::may_send);
        assert!(may_send(FRONT, ONE) && !may_send(ONE, FRONT) && !may_send(ONE, TWO));
    }

    #[test]
    fn of_two_ends_the_tighter_limits_hold_both_ways() {
        let mut system = System {
            workers: vec![worker("front", 1, &["web"]), worker("back", 1, &["thumbs"])],
            grants: vec![grant("front", "back", None)],
            ..System::default()
        };
        (system.workers[0].channel.depth, system.workers[1].channel.elements) = (7, 70);
        let roster = Roster::new(&system).unwrap();
        let broker = lay_out(&system, &roster);
        for (child, peer) in [(FRONT, ONE), (ONE, FRONT)] {
            let limits = broker.between(child, peer).unwrap().limits;
            assert_eq!((limits.depth, limits.elements, limits.frame_bytes), (7, 70, 1 << 20));
        }
    }

    #[test]
    fn a_link_is_made_when_both_ends_live_and_ends_with_either() {
        let mut broker = broker();
        assert_eq!(broker.up(of(ONE, 1)), []);
        assert_eq!(broker.up(of(FRONT, 1)), [of(ONE, 1)]);
        assert_eq!(broker.links(FRONT), 1);
        assert_eq!(broker.down(of(ONE, 1)), [of(FRONT, 1)]);
        assert_eq!(broker.down(of(ONE, 1)), [], "a death is told once");
        assert_eq!(broker.links(FRONT), 0);
        assert_eq!(broker.up(of(ONE, 2)), [of(FRONT, 1)]);
    }

    #[test]
    fn only_the_more_privileged_end_of_a_living_link_may_accuse() {
        let mut broker = broker();
        for (child, generation) in [(FRONT, 3), (ONE, 1), (PRIV, 1)] {
            broker.up(of(child, generation));
        }
        assert!(broker.is_guilty(PRIV, of(FRONT, 3)));
        for (accuser, accused, why_not) in [
            (PRIV, of(FRONT, 2), "a life that is over"),
            (PRIV, of(ONE, 1), "no link"),
            (FRONT, of(PRIV, 1), "upwards"),
            (FRONT, of(ONE, 1), "between equals"),
            (PRIV, of(PRIV, 1), "itself"),
            (PRIV, of(ChildId(99), 1), "nobody"),
        ] {
            assert!(!broker.is_guilty(accuser, accused), "{why_not}");
        }
        broker.down(of(FRONT, 3));
        assert!(!broker.is_guilty(PRIV, of(FRONT, 3)), "the dead");
    }
}
