//! The models, and what must hold at every step, for whoever makes up the steps: chance, or a fuzzer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bailiwick_core::asks::{Asks, Queue, Standing, Ticket};
use bailiwick_core::backoff::Backoff;
use bailiwick_core::budget::Budget;
use bailiwick_core::credit::{Allowance, Grant, Ledger, Size};
use bailiwick_core::reopening::{Action, Event, Reopenings};
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{ChildId, Incarnation};

/// Something that a sender does with its table of sends. Numbers choose among what is pending.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    Claim { deadline: Option<u8>, queued: bool },
    End(u16),
    ForgetDeadline(u16),
    Pop,
}

/// Every send ends exactly once, in order of its queue, and its deadline is known until then.
pub(crate) fn asks(steps: impl IntoIterator<Item = Ask>) {
    let (mut asks, mut queue) = (Asks::default(), Queue::default());
    let (mut pending, mut list) = (BTreeMap::new(), VecDeque::new());
    let mut ended = BTreeSet::new();
    let nth = |pending: &BTreeMap<Ticket, Option<Instant>>, n: u16| {
        pending.keys().nth(usize::from(n) % pending.len().max(1)).copied()
    };
    for step in steps {
        match step {
            Ask::Claim { deadline, queued } => {
                let ticket = asks.vacant().expect("so many steps do not fill the table");
                assert_eq!(asks.standing(ticket), Standing::NeverIssued);
                assert!(!ended.contains(&ticket), "a ticket comes again");
                let deadline = deadline.map(|nanos| Instant::from_nanos(nanos.into()));
                assert!(asks.claim(ticket, (), deadline));
                assert!(!asks.claim(ticket, (), deadline), "claimed twice");
                pending.insert(ticket, deadline);
                if queued {
                    asks.enqueue(&mut queue, ticket);
                    list.push_back(ticket);
                }
            }
            Ask::End(n) => {
                let Some(ticket) = nth(&pending, n) else { continue };
                assert_eq!(asks.unqueue(&mut queue, ticket), list.contains(&ticket));
                list.retain(|other| *other != ticket);
                assert!(asks.end(ticket).is_some());
                assert!(asks.end(ticket).is_none(), "ended twice");
                pending.remove(&ticket);
                ended.insert(ticket);
            }
            Ask::ForgetDeadline(n) => {
                let Some(ticket) = nth(&pending, n) else { continue };
                asks.forget_deadline(ticket);
                pending.insert(ticket, None);
            }
            Ask::Pop => {
                assert_eq!(asks.first(&queue), list.front().copied());
                if let Some(first) = list.pop_front() {
                    assert!(asks.unqueue(&mut queue, first));
                }
            }
        }
        assert_eq!(asks.deadline(), pending.values().flatten().min().copied());
        let known: BTreeSet<_> = asks.iter().map(|(ticket, _)| ticket).collect();
        assert!(known.iter().eq(pending.keys()), "{known:?}, expected {pending:?}");
        assert!(ended.iter().all(|ticket| asks.standing(*ticket) == Standing::Ended));
    }
}

/// Something that happens between a sender and a mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spend {
    Send(Size),
    Arrive,
    Take,
    /// What was given back or lent reaches the sender.
    Learn,
    Lend(Grant),
}

/// The sender never has more than was lent, the receiver never finds it overspent, and nothing is lost: once
/// everything is taken and told, the sender may send again, also all descriptors at once.
pub(crate) fn credit(first: Grant, steps: impl IntoIterator<Item = Spend>) {
    let mut ledger = Ledger::new(first);
    let mut allowance = Allowance::default();
    allowance.add(first);
    let (mut way, mut mailbox, mut news) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
    let mut lent = u64::from(first.messages);
    let mut returned = 0u64;
    let mut step = |step: Spend| {
        match step {
            Spend::Send(size) => {
                let admitted = allowance.admits(size);
                assert_eq!(allowance.spend(size), admitted);
                if admitted {
                    way.push_back(size);
                }
            }
            Spend::Arrive => {
                if let Some(size) = way.pop_front() {
                    assert!(ledger.receive(size), "an honest sender overspends");
                    mailbox.push_back(size);
                }
            }
            Spend::Take => {
                if let Some(size) = mailbox.pop_front() {
                    returned += 1;
                    if let Some(grant) = ledger.take(size) {
                        returned -= u64::from(grant.messages);
                        news.push_back(grant);
                    }
                }
            }
            Spend::Learn => news.pop_front().into_iter().for_each(|grant| allowance.add(grant)),
            Spend::Lend(grant) => {
                if ledger.wish().is_some() {
                    ledger.lend(grant);
                    lent += u64::from(grant.messages);
                    news.push_back(grant);
                }
            }
        }
        let told: u64 = news.iter().map(|grant: &Grant| u64::from(grant.messages)).sum();
        let out = allowance.messages() + way.len() as u64 + mailbox.len() as u64 + returned + told;
        assert_eq!(out, lent, "credit was made or lost");
        assert_eq!(ledger.queued() as usize, mailbox.len());
        (way.len() + mailbox.len() + news.len(), allowance)
    };
    for next in steps {
        step(next);
    }
    let mut left = step(Spend::Learn);
    while left.0 > 0 {
        for next in [Spend::Arrive, Spend::Take, Spend::Learn] {
            left = step(next);
        }
    }
    let starved = !left.1.admits(Size { bytes: 0, fds: first.fds });
    assert!(!starved || first.messages == 0 || first.bytes == 0, "the sender starves");
}

/// A budget agrees with counting every failure in its window. The one that is charged counts even where the window is
/// nothing.
pub(crate) fn budget(max: u32, period: Duration, gaps: impl IntoIterator<Item = Duration>) {
    let mut budget = Budget::new(max, period);
    let (mut all, mut now) = (Vec::new(), Instant::START);
    for gap in gaps {
        now += gap;
        let inside = |all: &[Instant]| all.iter().filter(|at| now.since(**at) < period).count();
        assert_eq!(budget.left(now) as usize, (max as usize).saturating_sub(inside(&all)));
        assert_eq!(budget.charge(now), inside(&all) < max as usize);
        all.push(now);
    }
}

/// A pause is never longer than the cap, never shorter than chance may make it, and grows with the failures.
pub(crate) fn backoff(backoff: Backoff, failures: u32, chance: u32) {
    let (longest, pause) = (backoff.longest(failures), backoff.pause(failures, chance));
    assert!(pause <= longest && longest <= backoff.cap);
    // A division beforehand keeps the longest Duration in range; it rounds by less than a microsecond.
    let kept = u128::from(1000 - backoff.jitter_permille.min(1000));
    assert!(pause.as_nanos() >= longest.as_nanos() / 1000 * kept);
    if failures >= 2 && backoff.factor_permille >= 1000 {
        assert!(backoff.longest(failures.saturating_add(1)) >= longest, "a pause shrinks");
    }
}

/// Something that happens to links that are closed for violations. Numbers choose ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reopen {
    Asked { by: u8, peer: u8, chance: u32 },
    Ended(u8),
    Pass(Duration),
    ToDeadline,
}

/// No link is made for the dead, none unasked, and none sooner after a request than the announced pause.
pub(crate) fn reopening(steps: impl IntoIterator<Item = Reopen>) {
    let mut links = Reopenings::default();
    let mut now = Instant::START;
    let mut generations = [1; ENDS];
    let mut due: BTreeMap<_, Instant> = BTreeMap::new();
    let end = |generations: &[u32; ENDS], n: u8| {
        let child = usize::from(n) % ENDS;
        Incarnation { child: ChildId(child as u16), generation: generations[child] }
    };
    for step in steps {
        let event = match step {
            Reopen::Asked { by, peer, chance } => {
                let (by, peer) = (end(&generations, by), end(&generations, peer));
                if by.child == peer.child {
                    continue;
                }
                Event::Asked { by, peer, chance }
            }
            Reopen::Ended(n) => {
                let of = end(&generations, n);
                generations[usize::from(of.child.0)] += 1;
                due.retain(|(one, other), _| *one != of && *other != of);
                Event::Ended(of)
            }
            Reopen::Pass(by) => {
                now += by;
                Event::Tick
            }
            Reopen::ToDeadline => {
                now = links.deadline().map_or(now, |deadline| deadline.max(now));
                Event::Tick
            }
        };
        let mut actions = Vec::new();
        links.handle(now, event, &mut actions);
        for action in actions {
            match action {
                Action::Announce { by, peer, pause, times } => {
                    assert!(times > 0 && !pause.is_zero());
                    let before = due.insert((by.min(peer), by.max(peer)), now + pause);
                    assert_eq!(before, None, "announced twice");
                }
                Action::Make(one, other) => {
                    let due = due.remove(&(one, other)).expect("only what was announced, and of the living");
                    assert!(due <= now, "sooner than announced");
                }
            }
        }
        assert_eq!(links.deadline(), due.values().min().copied());
    }
}

const ENDS: usize = 4;
