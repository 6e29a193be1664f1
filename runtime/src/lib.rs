//! Actors that span processes, each with exactly the privileges its manifest grants.
//!
//! The contract between two actors is a trait under [`protocol`]; an actor is a struct that implements it; a method
//! of the typed reference makes a [`Call`], which is inert until the caller says how to send it. Where the actor
//! lives, in this process or in another one, changes nothing for the caller.
//!
//! ```
//! use bailiwick::prelude::*;
//! use std::time::Duration;
//!
//! #[protocol]
//! pub trait Counter {
//!     /// Adds `amount` and returns the total.
//!     async fn add(&mut self, amount: u64) -> u64;
//! }
//!
//! #[derive(Default)]
//! struct Total(u64);
//!
//! impl Counter for Total {
//!     async fn add(&mut self, amount: u64) -> u64 {
//!         self.0 += amount;
//!         self.0
//!     }
//! }
//!
//! bailiwick::local(async |mut cx| -> Result<(), ActorError> {
//!     let counter: CounterRef = cx.spawn(CounterRef::serve(Total::default))?;
//!     counter.add(2).tell().await?;
//!     assert_eq!(counter.add(3).ask(Duration::from_secs(1)).await?, 5);
//!     Ok(())
//! })
//! .unwrap();
//! ```
#![forbid(unsafe_code)]

// What `#[protocol]` writes names this crate from outside; its own tests are inside.
#[allow(unused_extern_crates)]
extern crate self as bailiwick;

mod actor;
mod address;
mod args;
mod asked;
mod beat;
mod beneath;
mod blob;
mod call;
mod cell;
mod chain;
mod context;
mod credential;
mod dead_letters;
mod dropped;
mod envelope;
mod error;
mod escalation;
mod executor;
mod executors;
mod failures;
mod family;
mod fd;
mod granted;
mod hand;
mod handoff;
mod high;
mod hosted;
pub mod introspect;
mod last_words;
mod later;
mod life;
mod line;
mod link;
mod local;
pub mod log;
mod mailbox;
mod meeting;
mod name;
mod neighbourhood;
mod node;
mod outcome;
mod outlet;
mod panics;
mod payload;
mod pool;
pub mod prelude;
pub mod private;
#[doc(hidden)]
mod program;
mod progress;
mod protocol;
mod queue;
mod reference;
mod registry;
mod replies;
mod reply;
mod sample;
mod sandbox;
mod scope;
mod sent;
mod served;
mod signal;
mod slot;
mod store;
mod stream_slot;
mod supervision;
mod supervisor;
mod tally;
mod tap;
mod ticket;
mod trace;
mod turn;
mod untrusted;
#[doc(hidden)]
pub mod untyped;
mod worker;
mod workload;

pub use actor::{Actor, Reconfigured};
pub use address::Address;
pub use args::{Args, ArgsError};
pub use bailiwick_macros::{message, protocol};
/// What is asked of the supervisor, and what it answers: see [`Supervisor`].
pub use bailiwick_supervisor::control;
pub use bailiwick_supervisor::spec::May;
pub use beneath::{Folder, PathRefused, RelativePath};
pub use blob::{Blob, BlobWriter};
pub use call::Call;
pub use context::{Context, Timer, Watch};
pub use credential::Credential;
pub use dead_letters::DeadLetter;
pub use error::ActorError;
pub use fd::{Descriptor, Directory, Fd};
pub use hosted::Hosted;
pub use later::{Answer, Later};
pub use local::local;
pub use mailbox::{Mailbox, OnFull};
pub use name::{ActorName, NameError};
pub use node::{PeerError, SpawnError};
pub use outcome::{AskError, Cause, CloseCause, DownCause, NotDelivered, TellError, Unknown};
pub use payload::Portable;
pub use program::{Group, LocalError, Program, Worker};
pub use protocol::{Protocol, ProtocolMessage, ServedBy};
pub use replies::{Replies, ReplyStream};
pub use sandbox::{Grant, Sandbox};
pub use served::{Factory, FactoryArgs, Served};
pub use signal::Down;
pub use supervision::Supervision;
pub use supervisor::Supervisor;
pub use untrusted::{Checked, Untrusted, Valid, Validate};
