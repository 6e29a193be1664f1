//! The columns, in the order of tables.

#[cfg(feature = "iceoryx2")]
mod iceoryx;
#[cfg(feature = "ipc-channel")]
mod ipc_channels;
#[cfg(feature = "kameo-remote")]
mod kameo_nodes;
pub mod ours;
#[cfg(feature = "ractor")]
mod ractor_nodes;
pub mod stream;
#[cfg(feature = "tarpc")]
mod tarpc_calls;

use super::column::Column;
use crate::within;

/// Returns all that this build has.
pub fn all() -> Vec<&'static dyn Column> {
    let mut columns: Vec<&'static dyn Column> = vec![
        &stream::BLOCKING,
        &stream::TOKIO,
        &stream::PACKETS,
        &ours::Ours::Sealed,
        &ours::Ours::Copied,
        &ours::Ours::Open,
        &ours::Ours::Ring,
        &ours::Ours::Polled,
        &ours::Ours::Within,
        &ours::Ours::Threads,
        #[cfg(feature = "ipc-channel")]
        &ipc_channels::IpcChannels,
        #[cfg(feature = "iceoryx2")]
        &iceoryx::Iceoryx::Polling,
        #[cfg(feature = "iceoryx2")]
        &iceoryx::Iceoryx::Events,
        #[cfg(feature = "tarpc")]
        &tarpc_calls::TarpcCalls,
        #[cfg(feature = "ractor")]
        &ractor_nodes::RactorNodes,
        #[cfg(feature = "kameo-remote")]
        &kameo_nodes::KameoNodes,
    ];
    columns.extend(within::columns());
    columns
}
