//! A worker with two instances, asked as one.

use std::time::Duration;

use bailiwick_wire::bootstrap;
use bailiwick_wire::reason::DownCause;

use super::desk::DeskRef;
use super::worlds::{Carried, NUMBER, Worker, block_on, desk, peer, slot};
use crate::prelude::*;

const SOON: Duration = Duration::from_secs(30);

/// A worker that asks, and two instances of one that answers.
struct Pool {
    left: Worker,
    rights: Vec<Worker>,
}

impl Pool {
    async fn new() -> Self {
        let imports = || vec![slot("desk", None)];
        let peers = [1, 2]
            .map(|instance| bootstrap::Peer { imports: imports(), ..peer(instance, "right", instance, 2) });
        let left = Worker::with_peers("left", &peers, Vec::new()).await;
        let mut rights = Vec::new();
        for number in [1, 2] {
            let own = bootstrap::Peer { exports: imports(), ..peer(NUMBER, "left", 1, 1) };
            let right = Worker::with_peers("right", &[own], vec![desk()]).await;
            let (ours, theirs) = Carried::Socket.ends();
            left.peers.linked(number, (1, false), ours, None).expect("the executor watches sockets");
            right.peers.linked(NUMBER, (1, false), theirs, None).expect("the executor watches sockets");
            rights.push(right);
        }
        Self { left, rights }
    }
}

fn run(test: impl AsyncFnOnce(&Pool, DeskRef)) {
    block_on(async {
        let pool = Pool::new().await;
        pool.left
            .node
            .run_main(async |cx| {
                let desk: DeskRef = cx.peer("right/desk").expect("the desk is granted");
                for number in [1, 2] {
                    let one = desk.instance(number).expect("there are two");
                    assert_eq!(one.add(0).ask(SOON).await, Ok(1));
                }
                test(&pool, desk).await;
            })
            .await;
    });
}

async fn lengths(desk: &DeskRef) -> [usize; 2] {
    let mut lengths = [0; 2];
    for (length, number) in lengths.iter_mut().zip(1..) {
        *length = desk.instance(number).unwrap().list().ask(SOON).await.unwrap().len();
    }
    lengths
}

#[test]
fn asks_go_where_the_fewest_are_open() {
    run(async |_, desk| {
        let asks = (0..10).map(|number| desk.add(number).ask(SOON));
        futures::future::try_join_all(asks).await.unwrap();
        assert_eq!(lengths(&desk).await, [6, 6], "none was answered before the last was sent");
    });
}

#[test]
fn an_ask_that_came_back_unhandled_is_sent_to_the_other_instance() {
    run(async |pool, desk| {
        // The word that it drains is still on its way while both are chosen.
        pool.rights[0].peers.refuse();
        let asks = (0..2).map(|number| desk.add(number).ask(SOON));
        futures::future::try_join_all(asks).await.unwrap();
        assert_eq!(desk.instance(2).unwrap().list().ask(SOON).await.unwrap().len(), 3);
    });
}

#[test]
fn an_ask_that_waited_at_an_instance_that_dies_is_sent_to_the_other() {
    run(async |pool, desk| {
        let hang = || desk.instance(1).unwrap().hang().ask(Duration::from_secs(3600));
        let (hanging, asks) = (tokio::task::spawn_local(hang()), (0..4).map(|n| desk.add(n).ask(SOON)));
        let asks = tokio::task::spawn_local(futures::future::join_all(asks));
        while !pool.rights[0].peers.are_busy() {
            tokio::task::yield_now().await;
        }
        desk.instance(2).unwrap().list().ask(SOON).await.unwrap();
        assert!(!asks.is_finished(), "some wait behind what hangs");
        pool.rights[0].peers.vanish();
        pool.left.peers.died(1, 1, DownCause::Signalled(9));
        for answer in asks.await.unwrap() {
            answer.unwrap();
        }
        assert!(matches!(hanging.await.unwrap(), Err(AskError::Unknown(_))), "that one had begun");
        assert_eq!(desk.instance(2).unwrap().list().ask(SOON).await.unwrap().len(), 5);
    });
}

#[test]
fn an_instance_that_is_down_is_left_out_while_another_runs() {
    run(async |pool, desk| {
        pool.rights[0].peers.vanish();
        pool.left.peers.died(1, 1, DownCause::Signalled(9));
        tokio::task::yield_now().await;
        let asks = (0..10).map(|number| desk.add(number).ask(SOON));
        futures::future::try_join_all(asks).await.unwrap();
        assert_eq!(desk.instance(2).unwrap().list().ask(SOON).await.unwrap().len(), 11);
    });
}

#[test]
fn a_place_that_nobody_has_is_left_out_while_another_instance_begins() {
    block_on(async {
        let peers = [1, 2].map(|instance| bootstrap::Peer {
            imports: vec![slot("desk", None)],
            ..peer(instance, "right", instance, 2)
        });
        let left = Worker::with_peers("left", &peers, Vec::new()).await;
        let own = bootstrap::Peer { exports: vec![slot("desk", None)], ..peer(NUMBER, "left", 1, 1) };
        let right = Worker::with_peers("right", &[own], vec![desk()]).await;
        let (ours, theirs) = Carried::Socket.ends();
        left.peers.linked(2, (1, false), ours, None).expect("the executor watches sockets");
        left.node
            .run_main(async |cx| {
                let desk: DeskRef = cx.peer("right/desk").expect("the desk is granted");
                let asks = (0..4).map(|number| desk.add(number).ask(SOON));
                let joined = async {
                    tokio::task::yield_now().await;
                    right
                        .peers
                        .linked(NUMBER, (1, false), theirs, None)
                        .expect("the executor watches sockets");
                };
                let (answers, ()) = futures::future::join(futures::future::try_join_all(asks), joined).await;
                assert_eq!(answers, Ok(vec![1, 2, 3, 4]), "nobody waited for the other place");
            })
            .await;
    });
}

#[test]
fn the_same_key_goes_to_the_same_instance() {
    run(async |_, desk| {
        for _ in 0..5 {
            desk.by_key("cat.png").add(1).ask(SOON).await.unwrap();
        }
        let mut found = lengths(&desk).await;
        found.sort_unstable();
        assert_eq!(found, [1, 6]);
    });
}
