//! The actors that the tests talk to.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use crate::prelude::*;

#[protocol]
pub(crate) trait Desk {
    /// Adds a number to a list and answers with its length.
    async fn add(&mut self, number: u32) -> usize;
    /// Answers with the list.
    async fn list(&mut self) -> Vec<u32>;
    /// Never answers; while it waits the desk takes nothing else.
    async fn hang(&mut self) -> u32;
    /// Answers how many hanging handlers were dropped.
    async fn dropped(&mut self) -> u32;
    async fn panic(&mut self) -> u32;
    async fn contents(&mut self, file: Fd<File>) -> String;
    async fn open(&mut self, path: String) -> Fd<File>;
    async fn reverse(&mut self, bytes: Vec<u8>) -> Vec<u8>;
    async fn length(&mut self, blob: Blob) -> usize;
    async fn keep(&mut self, blob: Blob);
    /// Gives back the oldest blobs that it keeps, as many as go with one message.
    async fn kept(&mut self) -> Vec<Blob>;
    async fn count_to(&mut self, last: u32) -> Replies<u32>;
    /// Asks the desk that is passed to it to add a number.
    async fn relay(&mut self, to: DeskRef, number: u32) -> Result<usize, String>;
    /// Asks a desk that never answers, with more time than there is left.
    async fn relay_hang(&mut self, to: DeskRef) -> Result<u32, String>;
    async fn stop(&mut self, cx: &mut Context);
    /// Asks the desk of another worker to relay to this one.
    async fn round_trip(&mut self, cx: &mut Context, peer: String) -> Result<usize, String>;
    /// Adds a number to the list, before others.
    #[priority(high)]
    async fn add_first(&mut self, number: u32);
}

#[protocol]
pub(crate) trait Bell {
    async fn ring(&mut self) -> u32;
}

/// A desk, and how often a handler of it was dropped before its end.
#[derive(Default)]
pub(crate) struct Clerk {
    list: Vec<u32>,
    blobs: Vec<Blob>,
    dropped: std::rc::Rc<std::cell::Cell<u32>>,
}

struct Hanging(std::rc::Rc<std::cell::Cell<u32>>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Desk for Clerk {
    async fn add(&mut self, number: u32) -> usize {
        self.list.push(number);
        self.list.len()
    }

    async fn list(&mut self) -> Vec<u32> {
        self.list.clone()
    }

    async fn hang(&mut self) -> u32 {
        let _hanging = Hanging(self.dropped.clone());
        std::future::pending().await
    }

    async fn dropped(&mut self) -> u32 {
        self.dropped.get()
    }

    async fn panic(&mut self) -> u32 {
        panic!("as asked");
    }

    async fn contents(&mut self, file: Fd<File>) -> String {
        let mut text = String::new();
        let mut file: File = file.into();
        file.read_to_string(&mut text).expect("the file is readable");
        text
    }

    async fn open(&mut self, path: String) -> Fd<File> {
        File::open(path).expect("the path is there").into()
    }

    async fn reverse(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.reverse();
        bytes
    }

    async fn length(&mut self, blob: Blob) -> usize {
        blob.len()
    }

    async fn keep(&mut self, blob: Blob) {
        self.blobs.push(blob);
    }

    async fn kept(&mut self) -> Vec<Blob> {
        let count = self.blobs.len().min(16);
        self.blobs.drain(..count).collect()
    }

    async fn count_to(&mut self, last: u32) -> Replies<u32> {
        Replies::from_stream(futures::stream::iter(1..=last))
    }

    async fn relay(&mut self, to: DeskRef, number: u32) -> Result<usize, String> {
        to.add(number).ask(Duration::from_secs(5)).await.map_err(|error| error.to_string())
    }

    async fn relay_hang(&mut self, to: DeskRef) -> Result<u32, String> {
        to.hang().ask(Duration::from_secs(3600)).await.map_err(|error| error.to_string())
    }

    async fn stop(&mut self, cx: &mut Context) {
        cx.stop();
    }

    async fn round_trip(&mut self, cx: &mut Context, peer: String) -> Result<usize, String> {
        let peer: DeskRef = cx.peer(&peer).map_err(|error| error.to_string())?;
        let me: DeskRef = cx.me();
        let relayed = peer.relay(me, 1).ask(Duration::from_secs(5)).await;
        relayed.map_err(|error| error.to_string())?
    }

    async fn add_first(&mut self, number: u32) {
        self.list.push(number);
    }
}

/// Rings, whatever happens elsewhere.
#[derive(Default)]
pub(crate) struct Ringer(u32);

impl Bell for Ringer {
    async fn ring(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}
