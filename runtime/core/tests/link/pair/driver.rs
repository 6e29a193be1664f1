//! What a driver does: it feeds its machine and carries out what the machine orders.

use bailiwick_core::credit::Grant;
use bailiwick_core::link::{Action, Closed, Event, Failure, Frame, Outcome};
use bailiwick_core::time::Instant;

use super::{Fate, LOST, Letter, Number, Pair, Who, short};

impl Pair {
    /// Gives `who` an event and does what follows. `number` is the message that the event is about.
    pub(crate) fn feed(&mut self, who: Who, event: Event, number: Option<Number>) -> Vec<Action> {
        let mut actions = Vec::new();
        let received = match &event {
            Event::Received(frame) => Some(frame.clone()),
            _ => None,
        };
        let link = &mut self.sides[who as usize].link;
        let shortly = short::handle(link, self.now, &event);
        link.handle(self.now, event, &mut actions);
        if let Some((other, others)) = shortly {
            assert_eq!((&other, &others), (&*link, &actions), "the short way ends elsewhere");
        }
        for action in &actions {
            self.perform(who, action, received.as_ref(), number);
        }
        let unsaid = &self.sides[who as usize].unwritten;
        assert!(unsaid.is_empty(), "{who:?} says nothing of the unwritten tells {unsaid:?}");
        actions
    }

    fn perform(&mut self, who: Who, action: &Action, received: Option<&Frame>, number: Option<Number>) {
        let side = &mut self.sides[who as usize];
        let fate = &mut self.fates[who as usize];
        match action {
            Action::Send(frame) => {
                assert!(side.connected, "{who:?} orders {frame:?} without a transport");
                side.out.push_back((frame.clone(), None));
                side.ordered += 1;
            }
            Action::Transmit { ticket, frame } => {
                assert!(side.connected, "{who:?} orders {frame:?} without a transport");
                let number = side.kept.remove(ticket).or(number).expect("a payload is kept or at hand");
                if let Frame::Rendezvous { .. } = frame {
                    side.meeting.insert(*ticket, number);
                }
                side.out.push_back((frame.clone(), Some(number)));
                side.ordered += 1;
            }
            Action::Keep { ticket } => {
                side.kept.insert(*ticket, number.expect("what is kept was just sent"));
            }
            Action::Undelivered { ticket, reason } => {
                let number = side.kept.remove(ticket).or(number).expect("a payload is kept or at hand");
                assert!(!self.fates[who as usize].started.contains(&number));
                self.fates[who as usize].undelivered.insert(number, *reason);
            }
            Action::Resolve { ticket, outcome } => {
                if let Some(number) = side.meeting.remove(ticket) {
                    return fate.meet(number, *outcome);
                }
                side.kept.remove(ticket);
                let number = side.asking.remove(ticket).expect("only what is asked ends, and once");
                if let Outcome::Failed(Failure::NotDelivered(_)) = outcome {
                    assert!(!fate.started.contains(&number), "{number} was started, and is {outcome:?}");
                }
                if *outcome == LOST {
                    assert!(fate.started.contains(&number), "{number} was not started, which the dead told");
                }
                assert_eq!(fate.ended.insert(number, *outcome), None, "an ask ended twice");
            }
            Action::DeadLetter { reason, .. } => {
                let number = number.expect("a message carries a number");
                self.fates[who.other() as usize].undelivered.insert(number, *reason);
            }
            Action::Deliver { export, asked, rendezvous, deadline, .. } => {
                assert!(side.connected, "delivered over a closed transport");
                let number = number.expect("a message carries a number");
                let size = match received {
                    Some(
                        Frame::Tell { size, .. } | Frame::Rendezvous { size, .. } | Frame::Ask { size, .. },
                    ) => *size,
                    other => panic!("{other:?} is not a message"),
                };
                let (export, asked, rendezvous, deadline) = (*export, *asked, *rendezvous, *deadline);
                self.deliver(who, Letter { export, size, number, asked, rendezvous, deadline });
            }
            Action::CancelHandler { asked } => {
                side.handlers.retain(|handler| handler != asked);
                side.streams.retain(|(handler, _)| handler != asked);
                for mailbox in &mut side.mailboxes {
                    for letter in mailbox.iter_mut().filter(|letter| letter.asked == Some(*asked)) {
                        // Nobody waits: it is to be dropped unhandled when its turn comes.
                        letter.deadline = Some(Instant::START);
                    }
                }
            }
            Action::Borrow { export, grant } => {
                let grant = if side.rendezvous { Grant::NONE } else { *grant };
                let event = Event::Lent { export: *export, grant };
                self.feed(who, event, None);
            }
            other => self.note(who, other),
        }
    }

    /// Notes what is not about a single message.
    fn note(&mut self, who: Who, action: &Action) {
        let side = &mut self.sides[who as usize];
        let fate = &mut self.fates[who as usize];
        match action {
            Action::Close { reason } => {
                assert!(
                    !matches!(reason, Closed::Violation(_)),
                    "an honest peer was found at fault: {reason:?}"
                );
                side.connected = matches!(reason, Closed::Replaced);
                let unwritten = side.out.drain(..).filter_map(|(frame, number)| match frame {
                    Frame::Tell { .. } => number,
                    _ => None,
                });
                side.unwritten.extend(unwritten);
            }
            Action::TellLost { reason, .. } => {
                let number = side.unwritten.pop_front().expect("only what was not written is lost");
                fate.undelivered.insert(number, *reason);
            }
            Action::TellsUnknown { tells } => fate.unknown += tells,
            Action::ActorDown { watch, .. } => {
                assert!(side.watching.remove(watch), "a watch was answered twice");
            }
            Action::Down { generation, .. } => {
                assert!(!side.connected, "down before the transport was closed");
                assert!(!side.downs.contains(generation), "down came twice");
                side.downs.push(*generation);
            }
            Action::Opened => side.opened += 1,
            Action::Drained => side.drained = true,
            Action::MoreItems { asked, items } => {
                if let Some((_, left)) = side.streams.iter_mut().find(|(handler, _)| handler == asked) {
                    *left += items;
                }
            }
            Action::HandBack { ticket, import } => {
                let number = side.kept.remove(ticket).expect("only what is kept is handed back");
                let is_ask = side.asking.remove(ticket).is_some();
                side.handed_back.push((*import, number, is_ask));
            }
            Action::HandWatchBack { watch, import } => side.watches_back.push((*import, *watch)),
            Action::Accuse { fault } => panic!("an honest peer was accused of {fault:?}"),
            Action::AskAnew { fault } => panic!("an honest peer broke the protocol: {fault:?}"),
            Action::Refused { refusal, .. } => {
                assert!(self.refuses, "equal schemas were refused: {refusal:?}")
            }
            Action::Send(_)
            | Action::Transmit { .. }
            | Action::Keep { .. }
            | Action::Undelivered { .. }
            | Action::Resolve { .. }
            | Action::Deliver { .. }
            | Action::DeadLetter { .. }
            | Action::CancelHandler { .. }
            | Action::Borrow { .. } => unreachable!("done above"),
            Action::StreamOpened { .. }
            | Action::DeliverItem { .. }
            | Action::GiveBack { .. }
            | Action::Watched { .. }
            | Action::Unwatched { .. }
            | Action::ExportGone { .. }
            | Action::Used { .. }
            | Action::HeardOut
            | Action::PeerDrains => {}
        }
    }

    fn deliver(&mut self, who: Who, letter: Letter) {
        let slot = letter.export.target.slot;
        let newest = self.newest.insert((who, slot, self.priority(letter.number)), letter.number);
        assert!(newest < Some(letter.number), "message {} came after {newest:?}", letter.number);
        self.sides[who as usize].mailboxes[slot as usize].push_back(letter);
    }
}

impl Fate {
    /// Notes how a tell to a rendezvous ended: with what is true of it.
    fn meet(&mut self, number: Number, outcome: Outcome) {
        match outcome {
            Outcome::Replied => assert!(self.started.contains(&number), "{number} is taken, and is not"),
            Outcome::Failed(Failure::NotDelivered(reason)) => {
                assert!(!self.started.contains(&number), "{number} was taken, and is {reason:?}");
                self.undelivered.insert(number, reason);
            }
            Outcome::Failed(Failure::Unknown(_)) => {
                assert_ne!(outcome, LOST, "the dead told whether {number} was taken");
            }
            Outcome::Ended => panic!("{number} is no stream"),
        }
        assert_eq!(self.met.insert(number, outcome), None, "{number} ended twice");
    }
}
