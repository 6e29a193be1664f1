//! The same history through the tree of processes and through the machine of actors: the same orders, one by one.
//!
//! The tree has a group with the terms of the family in a root that never interferes. Its processes are ready, and gone,
//! as soon as the actors are; time stands still, so that no pause tells them apart.

use core::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::exit::{Exit, ExitCodes};
use bailiwick_core::siblings::{self, Decision, End, MemberId, MemberTerms, Siblings, Terms};
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{
    Action, Alert, AutoShutdown, ChildConfig, ChildId, Config, Event, GroupConfig, GroupId, Incarnation,
    OnExhausted, Restart, Strategy, Tree,
};
use proptest::prelude::*;

const NOW: Instant = Instant::from_nanos(1);

/// What a machine orders; what an end leads to beyond restarts ends the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Start(u16),
    Stop(u16),
    Escalate,
    Finish,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A member fails, or ends by itself, if it runs.
    Ends(u16, bool),
    /// Who was told something first does it, if anybody was: starts, fails to start, stops.
    Obeys { badly: bool },
}

fn terms() -> impl Strategy_<Value = Terms> {
    let strategy =
        prop_oneof![Just(Strategy::OneForOne), Just(Strategy::RestForOne), Just(Strategy::OneForAll),];
    let on_exhausted =
        prop_oneof![Just(OnExhausted::Escalate), Just(OnExhausted::Fail), Just(OnExhausted::CoolDown)];
    let auto = prop_oneof![
        Just(AutoShutdown::Never),
        Just(AutoShutdown::AnySignificant),
        Just(AutoShutdown::AllSignificant)
    ];
    (strategy, on_exhausted, auto, 0..6u32).prop_map(
        |(strategy, on_exhausted, auto_shutdown, max_restarts)| {
            let none = Duration::ZERO;
            let backoff = Backoff { first: none, base: none, cap: none, ..Backoff::default() };
            Terms { strategy, on_exhausted, auto_shutdown, max_restarts, backoff, ..Terms::default() }
        },
    )
}

fn member() -> impl Strategy_<Value = (Restart, bool)> {
    let restart = prop_oneof![
        2 => Just(Restart::Permanent),
        2 => Just(Restart::Transient),
        1 => Just(Restart::Temporary)
    ];
    (restart, any::<bool>())
}

fn step() -> impl Strategy_<Value = Step> {
    prop_oneof![
        2 => (0..4u16, any::<bool>()).prop_map(|(member, fails)| Step::Ends(member, fails)),
        5 => prop::bool::weighted(0.1).prop_map(|badly| Step::Obeys { badly }),
    ]
}

use proptest::strategy::Strategy as Strategy_;

/// Processes that do at once what they are told.
struct Processes {
    tree: Tree,
    orders: Vec<Order>,
}

impl Processes {
    fn new(terms: &Terms, members: &[MemberTerms]) -> Self {
        let child = |member: &MemberTerms| ChildConfig {
            group: GroupId(1),
            restart: member.restart,
            significant: member.significant,
            backoff: terms.backoff,
            drain_timeout: Duration::ZERO,
            stop_timeout: Duration::from_secs(10),
            no_restart_exit: ExitCodes::new(&[]),
            uncounted_exit: ExitCodes::new(&[]),
            ..ChildConfig::default()
        };
        let group = GroupConfig {
            parent: Some(GroupId(0)),
            strategy: terms.strategy,
            max_restarts: terms.max_restarts,
            period: terms.period,
            on_exhausted: terms.on_exhausted,
            auto_shutdown: terms.auto_shutdown,
            ..GroupConfig::default()
        };
        let children = members.iter().map(child).collect();
        let config = Config { groups: vec![GroupConfig::default(), group], children, ..Config::default() };
        let tree = Tree::new(config).expect("a family is a group");
        let mut processes = Self { tree, orders: Vec::new() };
        processes.tell(Event::Boot);
        processes
    }

    fn life(&self, member: u16) -> Incarnation {
        self.tree.child(ChildId(member)).expect("a child").incarnation()
    }

    fn tell(&mut self, event: Event) {
        let mut events = std::collections::VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut actions = Vec::new();
            self.tree.handle(NOW, event, &mut actions);
            for action in actions {
                match action {
                    Action::Spawn(of) => {
                        self.orders.push(Order::Start(of.child.0));
                        events.push_back(Event::Spawned(of));
                    }
                    Action::Terminate(of) => self.orders.push(Order::Stop(of.child.0)),
                    Action::Alert(Alert::Escalated { .. }) => self.orders.push(Order::Escalate),
                    Action::Alert(Alert::Finished(_)) => self.orders.push(Order::Finish),
                    _ => {}
                }
            }
            if events.is_empty() && self.tree.deadline() == Some(NOW) {
                events.push_back(Event::Tick);
            }
        }
    }

    fn ends(&mut self, member: u16, code: u8) {
        let of = self.life(member);
        self.tell(Event::Exited { of, exit: Exit::Code(code) });
        self.tell(Event::Emptied { of, chance: 0 });
    }
}

/// Actors that do at once what they are told.
struct Actors {
    siblings: Siblings,
    orders: Vec<Order>,
}

impl Actors {
    fn new(terms: &Terms, members: &[MemberTerms]) -> Self {
        let mut actors = Self { siblings: Siblings::new(*terms), orders: Vec::new() };
        for (number, member) in (0..).zip(members) {
            actors.tell(siblings::Event::Joined(MemberId(number), *member));
        }
        actors
    }

    fn tell(&mut self, event: siblings::Event) {
        let mut actions = Vec::new();
        self.siblings.handle(NOW, event, &mut actions);
        let number = |id: MemberId| u16::try_from(id.0).expect("few members");
        for action in actions {
            self.orders.extend(match action {
                siblings::Action::Begin(id) => Some(Order::Start(number(id))),
                siblings::Action::Halt(id) => Some(Order::Stop(number(id))),
                siblings::Action::Dismiss(id) => {
                    // Of who never began there is no process to stop.
                    let began = self.orders.contains(&Order::Start(number(id)));
                    began.then(|| Order::Stop(number(id)))
                }
                siblings::Action::Finish => Some(Order::Finish),
                siblings::Action::Decided(Decision::Escalate) => Some(Order::Escalate),
                siblings::Action::Decided(_) => None,
            });
        }
    }

    fn ends(&mut self, member: u16, end: End) {
        self.tell(siblings::Event::Ended { member: MemberId(member.into()), end, chance: 0 });
    }
}

/// Returns the orders up to the one that leaves everything to the parent.
fn told(orders: &[Order]) -> &[Order] {
    let last = orders.iter().position(|order| matches!(order, Order::Escalate | Order::Finish));
    last.map_or(orders, |last| &orders[..=last])
}

/// Runs a history through both. Returns how many orders were compared.
fn compare(terms: &Terms, members: &[MemberTerms], steps: &[Step]) -> Result<usize, TestCaseError> {
    let (mut processes, mut actors) = (Processes::new(terms, members), Actors::new(terms, members));
    let mut running = vec![false; members.len()];
    let mut obeyed = 0;
    for step in steps {
        prop_assert_eq!(told(&processes.orders), told(&actors.orders));
        if processes.orders.iter().any(|order| matches!(order, Order::Escalate | Order::Finish)) {
            break;
        }
        match *step {
            Step::Ends(member, fails) if running.get(usize::from(member)) == Some(&true) => {
                // Who was told to stop and did not yet is not told apart from who did.
                if actors.orders[obeyed..].contains(&Order::Stop(member)) {
                    continue;
                }
                running[usize::from(member)] = false;
                processes.ends(member, u8::from(fails));
                actors.ends(member, if fails { End::Failed } else { End::Clean });
            }
            Step::Ends(..) => {}
            Step::Obeys { badly } => {
                let Some(order) = actors.orders.get(obeyed).copied() else { continue };
                obeyed += 1;
                match order {
                    Order::Start(member) if badly => {
                        // It may have been told to stop before it had started.
                        let stops =
                            actors.orders[obeyed..].iter().position(|next| *next == Order::Stop(member));
                        if stops.is_some() {
                            running[usize::from(member)] = true;
                            continue;
                        }
                        processes.ends(member, 1);
                        actors.ends(member, End::Failed);
                    }
                    Order::Start(member) => {
                        running[usize::from(member)] = true;
                        let of = processes.life(member);
                        processes.tell(Event::Ready(of));
                        actors.tell(siblings::Event::Started(MemberId(member.into())));
                    }
                    Order::Stop(member) if running[usize::from(member)] => {
                        running[usize::from(member)] = false;
                        processes.ends(member, 0);
                        actors.ends(member, End::Halted);
                    }
                    Order::Stop(_) | Order::Escalate | Order::Finish => {}
                }
            }
        }
    }
    prop_assert_eq!(told(&processes.orders), told(&actors.orders));
    Ok(actors.orders.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn actors_are_restarted_as_processes_are(
        terms in terms(),
        members in prop::collection::vec(member(), 1..5),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let members: Vec<_> = members.into_iter().map(|(restart, wanted)| MemberTerms {
            restart,
            significant: wanted
                && restart != Restart::Permanent
                && terms.auto_shutdown != AutoShutdown::Never,
        }).collect();
        compare(&terms, &members, &steps)?;
    }
}

#[test]
fn the_comparison_compares_something() {
    let terms = Terms { strategy: Strategy::OneForAll, ..Terms::default() };
    let obeys = Step::Obeys { badly: false };
    let mut steps = vec![obeys; 3];
    steps.push(Step::Ends(1, true));
    steps.extend(vec![obeys; 5]);
    let none = Duration::ZERO;
    let backoff = Backoff { first: none, base: none, cap: none, ..Backoff::default() };
    let members = [MemberTerms::default(); 3];
    let compared = compare(&Terms { backoff, ..terms }, &members, &steps).expect("they are equal");
    assert_eq!(compared, 8);
}

/// Its siblings stop, and it is to come back with them, so that the family has not done its work yet.
#[test]
fn who_has_done_its_work_and_is_to_come_back_keeps_the_family_going() {
    let (obeys, ends) = (Step::Obeys { badly: false }, |member| Step::Ends(member, false));
    let steps = [obeys, obeys, obeys, ends(2), ends(1), ends(0)];
    let none = Duration::ZERO;
    let terms = Terms {
        strategy: Strategy::RestForOne,
        auto_shutdown: AutoShutdown::AllSignificant,
        backoff: Backoff { first: none, base: none, cap: none, ..Backoff::default() },
        ..Terms::default()
    };
    let members = [
        (Restart::Temporary, true),
        (Restart::Permanent, false),
        (Restart::Transient, true),
        (Restart::Permanent, false),
    ];
    let members = members.map(|(restart, significant)| MemberTerms { restart, significant });
    let compared = compare(&terms, &members, &steps).expect("they are equal");
    assert_eq!(compared, 5, "nothing finishes");
}
