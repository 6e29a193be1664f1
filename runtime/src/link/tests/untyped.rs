//! Methods that the sender knows by what it was told: as strict as those that it was built with, but no reason to close a link.

use std::time::Duration;

use bailiwick_wire::Limits;
use bailiwick_wire::codec::{self, EncodeError};
use bailiwick_wire::schema::ProtocolSchema;

use super::desk::DeskRef;
use super::worlds::run;
use crate::prelude::*;
use crate::untyped::{Arguments, learnt};

const SOON: Duration = Duration::from_secs(30);

/// One number, as the arguments of `add`.
struct Number(u32);

impl Arguments for Number {
    fn write(&self, limits: &Limits, out: &mut Vec<u8>) -> Result<(), Box<EncodeError>> {
        codec::encode(&(self.0,), limits, out)
    }
}

/// Returns what the desk would say of a method of its own.
fn told(name: &str) -> &'static ProtocolSchema {
    let (_, method) = DeskRef::schema().method(name).expect("it has that");
    learnt("Desk", name, &method.shape, method.has_priority)
}

fn number(bytes: &[u8]) -> u64 {
    codec::decode(bytes, &Limits::LINK).expect("it is a number")
}

#[test]
fn a_method_that_was_told_of_is_asked_by_its_bytes_and_in_the_next_life_too() {
    run(Some(&["add"]), async |both, cx| {
        let add = cx.peers().method("right/desk", told("add")).expect("it is granted");
        assert_eq!(add.ask(Number(7), SOON).await.as_deref().map(number), Ok(1));
        add.tell(Number(8)).await.expect("there is room");
        assert_eq!(add.ask(Number(9), SOON).await.as_deref().map(number), Ok(3));
        both.kill_right().await;
        both.link();
        assert_eq!(add.ask(Number(7), SOON).await.as_deref().map(number), Ok(1));
    });
}

#[test]
fn a_method_that_is_not_granted_or_that_nobody_has_is_not_delivered() {
    run(Some(&["list"]), async |_, cx| {
        let nobodys = learnt("Desk", "subtract", "subtract(number: u32) -> u64\n", false);
        for schema in [told("add"), nobodys] {
            let method = cx.peers().method("right/desk", schema).expect("something of it is granted");
            let asked = method.ask(Number(7), SOON).await;
            assert_eq!(asked, Err(AskError::NotDelivered(NotDelivered::NotGranted)), "{schema:?}");
        }
    });
}

#[test]
fn a_method_of_another_shape_is_refused_and_the_link_is_not_also_not_the_next() {
    run(None, async |both, cx| {
        let desk: DeskRef = cx.peer("right/desk").expect("it is granted");
        let wrong = learnt("Desk", "add", "add(number: u64) -> u64\n", false);
        let method = cx.peers().method("right/desk", wrong).expect("it is granted");
        for _ in 0..2 {
            let asked = method.ask(Number(7), SOON).await;
            let Err(AskError::NotDelivered(NotDelivered::SchemaMismatch { detail })) = asked else {
                panic!("{asked:?}")
            };
            assert!(detail.contains("u32") && detail.contains("u64"), "{detail}");
            assert_eq!(desk.list().ask(SOON).await, Ok(vec![]), "the link is open");
            both.kill_right().await;
            both.link();
        }
    });
}
