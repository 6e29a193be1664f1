//! What a program that is written as actors needs: `use bailiwick::prelude::*;`.

pub use crate::actor::{Actor, Reconfigured};
pub use crate::address::Address;
pub use crate::args::Args;
pub use crate::beneath::{Folder, RelativePath};
pub use crate::blob::Blob;
pub use crate::call::Call;
pub use crate::context::{Context, Timer, Watch};
pub use crate::error::ActorError;
pub use crate::fd::{Directory, Fd};
pub use crate::later::{Answer, Later};
pub use crate::mailbox::{Mailbox, OnFull};
pub use crate::outcome::{AskError, Cause, NotDelivered, TellError, Unknown};
pub use crate::program::Program;
pub use crate::protocol::Protocol;
pub use crate::replies::{Replies, ReplyStream};
pub use crate::sandbox::Sandbox;
pub use crate::signal::Down;
pub use crate::supervision::Supervision;
pub use crate::untrusted::{Untrusted, Valid, Validate};
pub use bailiwick_macros::{message, protocol};
