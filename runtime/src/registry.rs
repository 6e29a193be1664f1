//! What an executable can be: the actors that it has, by the names under which a manifest asks for them.

use futures::future::LocalBoxFuture;

use crate::context::Context;
use crate::error::ActorError;
use crate::hosted::Hosted;

/// The actors and the main function of one executable.
#[derive(Default)]
pub(crate) struct Registry {
    types: Vec<(String, Hosted)>,
    main: Option<Main>,
}

/// A main function with its type erased.
pub(crate) type Main = Box<dyn FnOnce(Context) -> LocalBoxFuture<'static, Result<(), ActorError>>>;

impl Registry {
    /// Adds an actor. Returns `false` if the name is taken.
    pub(crate) fn add(&mut self, type_name: &str, hosted: Hosted) -> bool {
        let is_new = self.find(type_name).is_none();
        self.types.push((type_name.to_owned(), hosted));
        is_new
    }

    /// Returns the actor that is registered under a name.
    pub(crate) fn find(&self, type_name: &str) -> Option<&Hosted> {
        self.types.iter().find(|(name, _)| name == type_name).map(|(_, hosted)| hosted)
    }

    /// Returns all names and actors.
    pub(crate) fn types(&self) -> impl Iterator<Item = (&str, &Hosted)> {
        self.types.iter().map(|(name, hosted)| (name.as_str(), hosted))
    }

    pub(crate) fn set_main(&mut self, main: Main) {
        self.main = Some(main);
    }

    pub(crate) fn take_main(&mut self) -> Option<Main> {
        self.main.take()
    }
}
