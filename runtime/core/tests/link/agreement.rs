//! What a side names of what it will use, and when.

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Action, Config, Event, Frame, Hello, ImportId, Method, MethodName, VERSION};
use bailiwick_core::time::Instant;

use crate::pair::{Pair, SCHEMA, Who};

#[test]
fn what_was_learnt_of_the_peer_is_named_once_the_link_is_open() {
    let mut pair = Pair::new(Config::default(), 1, Grant { messages: 2, bytes: 100, fds: 0 });
    pair.open();
    let link = &mut pair.side_mut(Who::Left).link;
    let learnt = Method { fingerprint: [8; 16], ..SCHEMA };
    let named = |actions: &[Action]| {
        let uses = actions.iter().filter_map(|action| match action {
            Action::Send(Frame::Uses { uses, .. }) => Some(uses.clone()),
            _ => None,
        });
        uses.flatten().filter(|method| *method == learnt).count()
    };
    let mut feed = |event| {
        let mut actions = Vec::new();
        link.handle(Instant::START, event, &mut actions);
        named(&actions)
    };
    let uses = vec![learnt];
    assert_eq!(feed(Event::Uses { import: ImportId(0), uses, learnt: true }), 1, "the link is open");
    assert_eq!(feed(Event::Linked { generation: 2 }), 0, "it would refuse the link");
    let other = vec![Method { name: MethodName(9), ..learnt }];
    assert_eq!(feed(Event::Uses { import: ImportId(0), uses: other, learnt: true }), 0);
    let hello = Hello { version: VERSION, limits: Config::default().limits };
    assert_eq!(feed(Event::Received(Frame::Hello(hello))), 0);
    assert_eq!(feed(Event::Received(Frame::HelloAck)), 1);
}
