//! What workers say of their actors, as the admin worker tells it: their own word, twice removed.

use serde::{Deserialize, Serialize};

use super::{Admin, AdminError};

/// What all workers said that run and have actors.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Survey {
    pub(crate) workers: Vec<Told>,
}

/// What one instance said.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    pub(crate) worker: String,
    pub(crate) instance: u16,
    pub(crate) generation: u32,
    #[serde(flatten)]
    pub(crate) actors: Actors,
}

/// The actors of one instance.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Actors {
    /// Why there is nothing to be told; null if there is.
    pub(crate) silent_because: Option<String>,
    pub(crate) types: Vec<Type>,
    /// Also those that are not named.
    pub(crate) actors_total: u64,
    /// Those for which most waits, the fullest mailbox first.
    pub(crate) actors: Vec<Actor>,
    pub(crate) dead_letters: Vec<DeadLetters>,
}

/// All actors of one type.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Type {
    pub(crate) r#type: String,
    pub(crate) actors: u64,
    pub(crate) spawned: u64,
    pub(crate) stopped: u64,
    pub(crate) restarts: u64,
    pub(crate) failures: u64,
    pub(crate) handled: u64,
    pub(crate) waiting: u64,
    pub(crate) waiting_max: u64,
}

/// One actor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Actor {
    pub(crate) actor: String,
    pub(crate) r#type: String,
    pub(crate) generation: u32,
    pub(crate) waiting: u32,
    pub(crate) waiting_bytes: u64,
    /// How many messages its mailbox takes; null is any number.
    pub(crate) capacity: Option<u32>,
    pub(crate) handled: u64,
}

/// Messages that reached no handler.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct DeadLetters {
    pub(crate) reason: String,
    pub(crate) messages: u64,
}

impl Survey {
    /// Asks for it, with so many actors of each worker at most.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub(crate) fn of(admin: &Admin, fullest: u16) -> Result<Self, AdminError> {
        admin.get(&format!("/api/v1/actors?n={fullest}"))?.document()
    }

    /// Returns what an instance said.
    pub(crate) fn find(&self, worker: &str, instance: u16, generation: u32) -> Option<&Told> {
        let is_it = |told: &&Told| {
            (told.worker.as_str(), told.instance, told.generation) == (worker, instance, generation)
        };
        self.workers.iter().find(is_it)
    }
}
