//! What happens in words: members are letters in the order of start, each line is one event and what follows.

use core::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::siblings::{Action, Decision, End, Event, MemberId, MemberTerms, Siblings, Terms};
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{AutoShutdown, OnExhausted, Restart, Strategy};

/// A family whose members start and stop at once when they are told.
struct Family {
    siblings: Siblings,
    now: Instant,
    log: Vec<String>,
}

const TRANSIENT: MemberTerms = MemberTerms { restart: Restart::Transient, significant: false };
const TEMPORARY: MemberTerms = MemberTerms { restart: Restart::Temporary, significant: false };

fn letter(id: MemberId) -> char {
    char::from(b'`' + u8::try_from(id.0).expect("few members"))
}

fn id(letter: char) -> MemberId {
    MemberId(u64::from(u32::from(letter) - u32::from('`')))
}

impl Family {
    fn new(terms: Terms, members: &[MemberTerms]) -> Self {
        let mut family = Self { siblings: Siblings::new(terms), now: Instant::START, log: Vec::new() };
        for (number, member) in (1..).zip(members) {
            family.tell(Event::Joined(MemberId(number), *member));
        }
        family.log.clear();
        family
    }

    fn of(strategy: Strategy, count: usize) -> Self {
        Self::new(Terms { strategy, ..Terms::default() }, &vec![TRANSIENT; count])
    }

    /// Tells an event and carries out what is ordered. Returns what that was.
    fn tell(&mut self, event: Event) -> String {
        let from = self.log.len();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut actions = Vec::new();
            self.siblings.handle(self.now, event, &mut actions);
            for action in actions {
                let (text, answer) = match action {
                    Action::Begin(id) => (format!("begin {}", letter(id)), Some(Event::Started(id))),
                    Action::Halt(id) => (format!("halt {}", letter(id)), Some(halted(id))),
                    Action::Dismiss(id) => (format!("dismiss {}", letter(id)), Some(Event::Left(id))),
                    Action::Finish => ("finish".to_owned(), None),
                    Action::Decided(Decision::Rejoin) => continue,
                    Action::Decided(Decision::Restart { at, cools_down }) => {
                        let pause = at.since(self.now);
                        let how = if cools_down { "cools down" } else { "restart" };
                        (format!("{how} {pause:?}"), None)
                    }
                    Action::Decided(Decision::Done { kept }) => (format!("done kept={kept}"), None),
                    Action::Decided(Decision::GiveUp { kept }) => (format!("give up kept={kept}"), None),
                    Action::Decided(Decision::Escalate) => ("escalate".to_owned(), None),
                };
                self.log.push(text);
                events.extend(answer);
            }
        }
        self.log[from..].join(", ")
    }

    fn fails(&mut self, member: char) -> String {
        self.tell(Event::Ended { member: id(member), end: End::Failed, chance: 0 })
    }

    fn ends(&mut self, member: char) -> String {
        self.tell(Event::Ended { member: id(member), end: End::Clean, chance: 0 })
    }

    fn after_ms(&mut self, ms: u64) -> String {
        self.now += Duration::from_millis(ms);
        self.tell(Event::Tick)
    }
}

fn halted(member: MemberId) -> Event {
    Event::Ended { member, end: End::Halted, chance: 0 }
}

#[test]
fn one_for_one_restarts_only_the_failed_first_at_once_then_after_pauses() {
    let mut family = Family::of(Strategy::OneForOne, 3);
    assert_eq!(family.fails('b'), "restart 0ns, begin b");
    assert_eq!(family.fails('b'), "restart 100ms");
    assert_eq!(family.after_ms(99), "");
    assert_eq!(family.after_ms(1), "begin b");
    assert_eq!(family.fails('b'), "restart 200ms");
}

#[test]
fn one_for_all_halts_in_reverse_and_begins_in_order() {
    let mut family = Family::of(Strategy::OneForAll, 4);
    assert_eq!(family.fails('b'), "restart 0ns, halt d, halt c, halt a, begin a, begin b, begin c, begin d");
}

#[test]
fn rest_for_one_leaves_those_before_alone() {
    let mut family = Family::of(Strategy::RestForOne, 4);
    assert_eq!(family.fails('c'), "restart 0ns, halt d, begin c, begin d");
    assert_eq!(family.fails('d'), "restart 0ns, begin d");
}

#[test]
fn a_pause_of_the_failed_holds_all_whom_it_stops() {
    let mut family = Family::of(Strategy::RestForOne, 3);
    family.fails('b');
    assert_eq!(family.fails('b'), "restart 100ms, halt c");
    assert_eq!(family.fails('a'), "restart 0ns", "b and c pause, and so does whoever fails meanwhile");
    assert_eq!(family.after_ms(100), "begin a, begin b, begin c");
}

#[test]
fn a_temporary_bystander_is_dismissed_and_one_that_is_done_comes_back() {
    let members = [TRANSIENT, TEMPORARY, TRANSIENT, TRANSIENT];
    let mut family = Family::new(Terms { strategy: Strategy::OneForAll, ..Terms::default() }, &members);
    assert_eq!(family.ends('c'), "done kept=true");
    assert_eq!(family.fails('a'), "restart 0ns, halt d, dismiss b, begin a, begin c, begin d");
}

#[test]
fn restart_types_decide_as_they_do_for_processes() {
    let permanent = MemberTerms { restart: Restart::Permanent, significant: false };
    let mut family = Family::new(Terms::default(), &[permanent, TRANSIENT, TEMPORARY, TEMPORARY]);
    assert_eq!(family.ends('a'), "restart 0ns, begin a");
    assert_eq!(family.ends('b'), "done kept=false");
    assert_eq!(family.ends('c'), "done kept=false");
    assert_eq!(family.fails('d'), "done kept=false");
}

#[test]
fn the_sixth_failure_in_thirty_seconds_is_the_parents() {
    let mut family = Family::of(Strategy::OneForOne, 2);
    for _ in 0..5 {
        assert!(family.fails('a').starts_with("restart"));
        family.after_ms(2000);
    }
    assert_eq!(family.fails('a'), "escalate");
    assert_eq!(family.fails('a'), "", "it is gone");
}

#[test]
fn a_failure_exactly_one_period_old_has_left_the_window() {
    let terms = Terms { max_restarts: 1, period: Duration::from_secs(1), ..Terms::default() };
    let mut family = Family::new(terms, &[TRANSIENT, TRANSIENT]);
    assert!(family.fails('a').starts_with("restart"));
    family.after_ms(1000);
    assert!(family.fails('b').starts_with("restart"));
    family.after_ms(999);
    assert_eq!(family.fails('a'), "escalate");
}

#[test]
fn a_spent_budget_gives_up_or_cools_down_if_told_so() {
    let backoff = Backoff { cap: Duration::from_secs(3), jitter_permille: 0, ..Backoff::default() };
    let spent = |on_exhausted, strategy| {
        let terms = Terms { max_restarts: 0, on_exhausted, strategy, backoff, ..Terms::default() };
        Family::new(terms, &[TRANSIENT, TRANSIENT])
    };
    assert_eq!(spent(OnExhausted::Fail, Strategy::OneForOne).fails('a'), "give up kept=false");
    assert_eq!(spent(OnExhausted::Fail, Strategy::OneForAll).fails('a'), "give up kept=true");
    let mut family = spent(OnExhausted::CoolDown, Strategy::OneForOne);
    assert_eq!(family.fails('a'), "cools down 3s");
    assert_eq!(family.after_ms(3000), "begin a");
}

#[test]
fn a_long_life_starts_the_row_of_failures_anew() {
    let mut family = Family::of(Strategy::OneForOne, 1);
    family.fails('a');
    family.fails('a');
    family.after_ms(100);
    family.after_ms(10_000);
    assert_eq!(family.fails('a'), "restart 0ns, begin a");
}

/// Seen to fail when a start is not noted, so that a life counts from the end of the pause before it.
#[test]
fn a_life_is_as_long_as_it_ran_however_late_it_began() {
    let mut family = Family::of(Strategy::OneForOne, 1);
    family.after_ms(20_000);
    assert_eq!(family.fails('a'), "restart 0ns, begin a");
    assert_eq!(family.after_ms(9_999), "");
    assert_eq!(family.fails('a'), "restart 100ms");
    assert_eq!(family.after_ms(5_000), "begin a");
    assert_eq!(family.after_ms(9_999), "");
    assert_eq!(family.fails('a'), "restart 200ms");
    assert_eq!(family.after_ms(200), "begin a");
    assert_eq!(family.after_ms(10_000), "");
    assert_eq!(family.fails('a'), "restart 0ns, begin a");
}

#[test]
fn significant_members_end_the_parent_when_any_or_all_are_done() {
    let significant = MemberTerms { significant: true, ..TRANSIENT };
    let with = |auto_shutdown| {
        Family::new(Terms { auto_shutdown, ..Terms::default() }, &[significant, significant, TRANSIENT])
    };
    let mut any = with(AutoShutdown::AnySignificant);
    assert_eq!(any.ends('c'), "done kept=false");
    assert_eq!(any.ends('b'), "done kept=false, finish");
    let mut all = with(AutoShutdown::AllSignificant);
    assert_eq!(all.ends('a'), "done kept=false");
    assert_eq!(all.fails('b'), "restart 0ns, begin b");
    assert_eq!(all.ends('b'), "done kept=false, finish");
}

#[test]
fn a_closed_family_restarts_only_who_failed_and_tells_its_parent_nothing() {
    let terms = Terms { strategy: Strategy::OneForAll, max_restarts: 1, ..Terms::default() };
    let mut family = Family::new(terms, &[TRANSIENT, TRANSIENT]);
    family.tell(Event::Closed);
    assert_eq!(family.fails('a'), "restart 0ns, begin a");
    assert_eq!(family.fails('a'), "give up kept=false");
}

#[test]
fn other_terms_hold_from_then_on_and_release_who_is_held() {
    let mut siblings = Siblings::new(Terms { strategy: Strategy::RestForOne, ..Terms::default() });
    let mut actions = Vec::new();
    for number in 1..=3 {
        siblings.handle(Instant::START, Event::Joined(MemberId(number), TRANSIENT), &mut actions);
    }
    assert_eq!(actions, [Action::Begin(MemberId(1))], "the rest waits for the first");
    actions.clear();
    siblings.handle(Instant::START, Event::Changed(Terms::default()), &mut actions);
    assert_eq!(actions, [Action::Begin(MemberId(2)), Action::Begin(MemberId(3))]);
}
