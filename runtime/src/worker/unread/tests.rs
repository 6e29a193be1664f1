//! What one life leaves is what the next one finds, and nothing else is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bailiwick_wire::bootstrap::{Actor, Once, Peer, Slot, WhileDown};
use bailiwick_wire::handoff::Writer;
use bailiwick_wire::schema::Fingerprint;
use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio::task::spawn_local;

use super::*;
use crate::executor::{Executor, Role};
use crate::hosted::Hosted;
use crate::node::{Node, Nowhere, Stop, Told};
use crate::outcome::TellError;
use crate::prelude::*;

#[protocol]
trait Book {
    async fn enter(&mut self, number: u32);
    #[priority(high)]
    async fn urge(&mut self, number: u32);
    async fn file(&mut self, page: Fd<std::fs::File>);
}

/// Enters each number as soon as it may.
#[derive(Clone)]
struct Clerk {
    may: Arc<Semaphore>,
    entered: Arc<Mutex<Vec<u32>>>,
}

impl Clerk {
    fn new(may: usize) -> Self {
        Self { may: Arc::new(Semaphore::new(may)), entered: Arc::default() }
    }

    fn hosted(&self) -> Hosted {
        let clerk = self.clone();
        BookRef::serve(move || clerk.clone()).named("book").handoff().into()
    }

    fn entered(&self) -> Vec<u32> {
        self.entered.lock().unwrap().clone()
    }

    async fn note(&self, number: u32) {
        self.entered.lock().unwrap().push(number);
        self.may.acquire().await.unwrap().forget();
    }
}

impl Book for Clerk {
    async fn enter(&mut self, number: u32) {
        self.note(number).await;
    }
    async fn urge(&mut self, number: u32) {
        self.note(number).await;
    }
    async fn file(&mut self, _page: Fd<std::fs::File>) {
        self.note(0).await;
    }
}

fn office() -> Node {
    Node::new("office", None, Arc::new(Nowhere))
}

async fn host(node: &Node, hosted: &Hosted) -> BookRef {
    let address = node.host(hosted, Some("book"), Told::default()).await;
    BookRef::from_address(address.unwrap())
}

fn run<T>(test: impl Future<Output = T>) -> T {
    Executor::new(Role::Shared).unwrap().block_on(test)
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add("Clerk", Clerk::new(0).hosted());
    registry.add("Plain", BookRef::serve(|| Clerk::new(0)).into());
    registry
}

fn actor(name: &str, type_name: &str) -> Actor {
    let (name, type_name) = (name.to_owned(), type_name.to_owned());
    Actor {
        name,
        type_name,
        args: None,
        mailbox_messages: 8,
        mailbox_bytes: 1 << 20,
        on_full: Default::default(),
        restart: None,
        significant: false,
        handoff: false,
    }
}

/// The office, whose book the front may enter numbers into.
fn bootstrap() -> Bootstrap {
    let slot = Slot {
        actor: "book".into(),
        methods: Some(vec!["enter".into()]),
        fds_send: None,
        fds_receive: None,
        max_inflight: 1,
        rate: None,
        once: Once::No,
        used: Vec::new(),
        rendezvous: false,
    };
    let front = Peer {
        number: 1,
        worker: "front".into(),
        instance: 1,
        instances: 1,
        may_accuse: false,
        exports: vec![slot],
        imports: Vec::new(),
        limits: Limits { frame_bytes: 8, ..Limits::LINK },
        while_down: WhileDown::default(),
        on_demand: false,
        busy_poll_us: 0,
    };
    let actors = vec![actor("book", "Clerk"), actor("plain", "Plain")];
    Bootstrap { worker: "office".into(), actors, peers: vec![front], ..Bootstrap::default() }
}

fn fingerprint(method: &str) -> Fingerprint {
    BookRef::schema().method(method).unwrap().1.fingerprint
}

fn entry() -> Unread<'static> {
    let sender = Some("front");
    let fingerprint = fingerprint("enter");
    Unread { actor: "book", protocol: "Book", method: "enter", fingerprint, sender, payload: &[7, 0, 0, 0] }
}

fn left(messages: &[Unread<'_>]) -> OwnedFd {
    let mut writer = Writer::default();
    messages.iter().for_each(|unread| assert!(writer.add(unread)));
    memory::seal_for_one(&writer.into_bytes()).unwrap()
}

/// What becomes of one message.
fn judged(unread: &Unread<'_>) -> Result<u32, NotDelivered> {
    envelope(unread, &bootstrap(), &registry()).map(|envelope| envelope.bytes)
}

/// Tells an actor of this node the numbers up to four, and waits until it has the first of them in hand.
async fn told_four(node: &Node, clerk: &Clerk) -> BookRef {
    let book = host(node, &clerk.hosted()).await;
    for number in 1..=4 {
        book.enter(number).tell().await.unwrap();
    }
    while clerk.entered().is_empty() {
        tokio::task::yield_now().await;
    }
    book
}

/// Seen to fail with what is inherited put in behind what comes.
#[test]
fn what_one_life_has_not_begun_with_the_next_handles_first_and_in_order() {
    run(async {
        let (first, node) = (Clerk::new(0), office());
        told_four(&node, &first).await.urge(5).tell().await.unwrap();
        node.shared.handoff.open();
        node.stop(Stop::Now).await;
        let (writer, lost) = node.shared.handoff.take();
        assert_eq!((writer.messages(), lost.len(), node.shared.dead_letters.total()), (4, 0, 0));

        let (second, node) = (Clerk::new(10), office());
        inherit(memory::seal_for_one(&writer.into_bytes()).unwrap(), &bootstrap(), &registry(), &node.shared);
        let book = host(&node, &second.hosted()).await;
        book.enter(6).ask(Duration::from_secs(30)).await.unwrap();
        let entered = [first.entered(), second.entered()].concat();
        assert_eq!(entered.len(), 6, "{entered:?}");
        let mut ordinary = entered.clone();
        ordinary.retain(|number| *number != 5);
        assert_eq!(ordinary, [1, 2, 3, 4, 6]);
    });
}

#[test]
fn an_ask_a_descriptor_and_who_stands_in_line_are_not_left() {
    run(async {
        let clerk = Clerk::new(0);
        let hosted: Hosted = {
            let clerk = clerk.clone();
            let book = BookRef::serve(move || clerk.clone()).mailbox(Mailbox::bounded(4));
            book.handoff().into()
        };
        let node = office();
        let book = host(&node, &hosted).await;
        book.enter(1).tell().await.unwrap();
        while clerk.entered().is_empty() {
            tokio::task::yield_now().await;
        }
        let page = std::fs::File::open("/dev/null").unwrap();
        book.file(page.into()).tell().await.unwrap();
        book.enter(2).tell().await.unwrap();
        let asking = book.clone();
        let asked = spawn_local(async move { asking.enter(3).ask(Duration::from_secs(30)).await });
        tokio::task::yield_now().await;
        book.enter(4).tell().await.unwrap();
        let waiting = book.clone();
        let in_line = spawn_local(async move { waiting.enter(5).tell().await });
        tokio::task::yield_now().await;
        assert_eq!(book.enter(6).try_tell(), Err(NotDelivered::Full));
        node.shared.handoff.open();
        node.stop(Stop::Now).await;
        assert!(matches!(asked.await.unwrap(), Err(AskError::NotDelivered(_))));
        assert!(matches!(in_line.await.unwrap(), Err(TellError::NotDelivered(_))));
        let (writer, _) = node.shared.handoff.take();
        let bytes = writer.into_bytes();
        let numbers: Vec<_> = handoff::read(&bytes).unwrap().map(|unread| unread.payload[0]).collect();
        assert_eq!(numbers, [2, 4]);
    });
}

#[test]
fn what_no_life_comes_for_is_dead_letters_as_ever() {
    run(async {
        let clerk = Clerk::new(0);
        let node = office();
        told_four(&node, &clerk).await;
        node.stop(Stop::Now).await;
        let (writer, lost) = node.shared.handoff.take();
        assert_eq!((writer.messages(), lost.len(), node.shared.dead_letters.total()), (0, 0, 3));
    });
}

/// Behind what is newer it would be handled late.
#[test]
fn what_an_actor_left_while_its_worker_started_is_lost_when_that_goes_on() {
    run(async {
        let clerk = Clerk::new(0);
        let node = office();
        node.shared.handoff.open();
        told_four(&node, &clerk).await;
        node.stop(Stop::Now).await;
        assert_eq!(node.shared.dead_letters.total(), 0, "it may be that this worker ends");
        leave_nothing(&node.shared);
        let (writer, lost) = node.shared.handoff.take();
        assert_eq!((writer.messages(), lost.len(), node.shared.dead_letters.total()), (0, 0, 3));
    });
}

#[test]
fn what_is_for_an_actor_that_was_never_there_is_left_again_while_that_may_be() {
    for may_be in [true, false] {
        let node = office();
        inherit(left(&[entry(), entry()]), &bootstrap(), &registry(), &node.shared);
        if may_be {
            node.shared.handoff.open();
        }
        let (writer, lost) = node.shared.handoff.take();
        assert_eq!((writer.messages(), lost.len()), if may_be { (2, 0) } else { (0, 2) });
        if may_be {
            assert_eq!(handoff::read(&writer.into_bytes()).unwrap().collect::<Vec<_>>(), [entry(), entry()]);
        }
    }
}

/// Seen to fail without emptying the memory.
#[test]
fn what_one_life_has_taken_no_other_takes() {
    let memory = left(&[entry()]);
    let taken = || {
        let node = office();
        inherit(memory.try_clone().unwrap(), &bootstrap(), &registry(), &node.shared);
        node.shared.handoff.inherit("book").len()
    };
    assert_eq!([taken(), taken()], [1, 0]);
}

/// Seen to fail without the look at grants; at fingerprints; at who hands off.
#[test]
fn a_message_is_taken_over_as_long_as_it_is_granted_and_means_the_same() {
    let urge = Unread { method: "urge", fingerprint: fingerprint("urge"), ..entry() };
    assert_eq!(judged(&entry()), Ok(4));
    assert_eq!(judged(&urge), Err(NotDelivered::NotGranted));
    assert_eq!(judged(&Unread { sender: None, ..urge }), Ok(4), "no grant is needed within a worker");
    assert_eq!(judged(&Unread { sender: Some("stranger"), ..entry() }), Err(NotDelivered::NotGranted));
    assert_eq!(judged(&Unread { actor: "nobody", ..entry() }), Err(NotDelivered::NoSuchActor));
    assert_eq!(judged(&Unread { actor: "plain", sender: None, ..entry() }), Err(NotDelivered::NotGranted));
    let other = Unread { protocol: "Ledger", ..entry() };
    assert!(matches!(judged(&other), Err(NotDelivered::NotServed { .. })));
    for other in [Unread { method: "erase", ..entry() }, Unread { fingerprint: urge.fingerprint, ..entry() }]
    {
        assert!(matches!(judged(&other), Err(NotDelivered::SchemaMismatch { .. })), "{other:?}");
    }
    assert_eq!(judged(&Unread { payload: &[0; 8], ..entry() }), Ok(8));
    let long = judged(&Unread { payload: &[0; 9], ..entry() });
    assert!(matches!(long, Err(NotDelivered::TooLarge { found: 9, max: 8, .. })), "{long:?}");
}

#[test]
fn who_is_to_see_few_messages_takes_nothing_over() {
    let few = Bootstrap { max_messages: 1, ..bootstrap() };
    assert!(hands_off(&bootstrap(), &registry()) && !hands_off(&few, &registry()));
    let node = office();
    inherit(left(&[entry()]), &few, &registry(), &node.shared);
    assert!(node.shared.handoff.inherit("book").is_empty());
}

#[test]
fn the_actor_does_not_mind_what_does_not_decode() {
    run(async {
        let (clerk, node) = (Clerk::new(10), office());
        let broken = Unread { payload: &[0xff; 8], ..entry() };
        inherit(left(&[broken, entry()]), &bootstrap(), &registry(), &node.shared);
        let book = host(&node, &clerk.hosted()).await;
        book.enter(8).ask(Duration::from_secs(30)).await.unwrap();
        assert_eq!(clerk.entered(), [7, 8]);
        assert_eq!(node.shared.dead_letters.counts().get("undecodable"), Some(&1));
    });
}

proptest! {
    /// Behind a message of ours are bytes of anybody's: they are more messages that are whole, or nothing is one.
    ///
    /// Seen to fail with a message that is believed before all are read.
    #[test]
    fn of_hostile_bytes_all_is_believed_or_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut ours = Writer::default();
        prop_assert!(ours.add(&entry()));
        let is_whole = bytes.is_empty() || handoff::read(&[&b"BWHAND\0\x01"[..], &bytes].concat()).is_ok();
        let is_too_short = (1..28).contains(&bytes.len());
        let left = memory::seal_for_one(&[ours.into_bytes(), bytes].concat()).unwrap();
        let node = office();
        inherit(left, &bootstrap(), &registry(), &node.shared);
        let taken = node.shared.handoff.inherit("book").len();
        prop_assert_eq!(taken, usize::from(is_whole && !is_too_short));
    }
}
