//! A declared actor with its types erased: what a worker hosts, as often as it is told to.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bailiwick_wire::schema::ProtocolSchema;
use tokio::sync::oneshot;

use crate::address::Address;
use crate::args::{Args, ArgsError};
use crate::cell::Cell;
use crate::executor::{Executor, Role};
use crate::executors::Executors;
use crate::family::Family;
use crate::life::{Life, Mortal};
use crate::mailbox::Mailbox;
use crate::node::{Shared, SpawnError};
use crate::served::{Dispatch, FactoryArgs, Served};
use crate::supervision::MemberTerms;
use crate::tally::short_name;

/// An actor that a worker can host: any [`Served`], without its types.
#[derive(Clone)]
#[must_use = "a declared actor does nothing until it is hosted"]
pub struct Hosted {
    pub(crate) name: Option<String>,
    pub(crate) mailbox: Option<Mailbox>,
    pub(crate) terms: MemberTerms,
    pub(crate) protocols: Vec<&'static ProtocolSchema>,
    /// Leaves what is unread to the next life of its worker.
    pub(crate) handoff: bool,
    blocking: bool,
    /// The type of the struct, without the path to it.
    pub(crate) type_name: &'static str,
    /// Starts the actor's task on the calling thread.
    launch: Arc<dyn Fn(Start, Place) + Send + Sync>,
    /// Decodes arguments, for the actor of this name, to nothing but an error.
    check_args: fn(&str, Option<&Args>) -> Result<(), ArgsError>,
}

/// What one start of an actor needs.
pub(crate) struct Start {
    pub(crate) cell: Arc<Cell>,
    pub(crate) args: Option<Args>,
    pub(crate) place: Mortal,
    pub(crate) born: Option<oneshot::Sender<()>>,
}

/// How the actor's task runs on the calling thread.
enum Place {
    /// Beside the other actors of the executor.
    Beside,
    /// Alone: the call returns when the actor has ended.
    Alone(Executor),
}

impl Hosted {
    /// Returns the actor's name: the declared one, else the name of its protocol in lower case.
    #[must_use]
    pub fn actor_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.default_name())
    }

    /// Returns what it serves.
    #[must_use]
    pub fn protocols(&self) -> &[&'static ProtocolSchema] {
        &self.protocols
    }

    /// Tries whether the factory could be given these arguments.
    pub(crate) fn check_args(&self, actor: &str, args: Option<&Args>) -> Result<(), ArgsError> {
        (self.check_args)(actor, args)
    }

    pub(crate) fn default_name(&self) -> String {
        self.protocols.first().map_or_else(|| "actor".to_owned(), |protocol| snake_case(protocol.name))
    }

    /// Starts the actor on this thread as a member of a family.
    pub(crate) fn spawn_into(
        &self,
        family: &Arc<Family>,
        node: &Arc<Shared>,
        args: Option<Args>,
    ) -> Result<Address, SpawnError> {
        let name = family.name(self.name.as_deref(), &self.default_name())?;
        let path = match family.parent() {
            Some(parent) => format!("{}/{name}", parent.path()),
            None => name,
        };
        let cell = Cell::new(Arc::clone(node), &path, self.type_name, self.mailbox.unwrap_or_default());
        self.start_in(family, &cell, args)?;
        Ok(Address::local(cell))
    }

    /// Starts the actor of a cell on this thread as a member of a family.
    pub(crate) fn start_in(
        &self,
        family: &Arc<Family>,
        cell: &Arc<Cell>,
        args: Option<Args>,
    ) -> Result<(), SpawnError> {
        let membership = family.join(cell, self.name.as_deref(), self.terms)?;
        let place = Mortal { cell: Arc::clone(cell), membership };
        self.start(Start { cell: Arc::clone(cell), args, place, born: None })
    }

    /// Starts the actor: on a thread of its own if it is blocking, else on the one of these whose turn it is.
    pub(crate) fn start_on(&self, executors: &Executors, start: Start) -> Result<(), SpawnError> {
        if self.blocking {
            return self.start(start);
        }
        let launch = Arc::clone(&self.launch);
        executors.run(move || launch(start, Place::Beside));
        Ok(())
    }

    /// Starts the actor: on a thread of its own if it is blocking, else on this one.
    pub(crate) fn start(&self, start: Start) -> Result<(), SpawnError> {
        let launch = Arc::clone(&self.launch);
        if self.blocking {
            let name = start.cell.path().to_owned();
            let cell = Arc::clone(&start.cell);
            let run = move || match Executor::new(Role::Own) {
                Ok(executor) => launch(start, Place::Alone(executor)),
                Err(error) => {
                    let cause = crate::Cause::Failed { error: error.to_string() };
                    start.cell.end(&cause);
                }
            };
            return match std::thread::Builder::new().name(name).spawn(run) {
                Ok(_) => Ok(()),
                Err(source) => Err(SpawnError::NoThread { actor: cell.path().to_owned(), source }),
            };
        }
        launch(start, Place::Beside);
        Ok(())
    }
}

impl<P, A: 'static, D: Dispatch<A>, T: FactoryArgs> From<Served<P, A, D, T>> for Hosted {
    fn from(served: Served<P, A, D, T>) -> Self {
        let mut protocols = Vec::new();
        D::protocols(&mut protocols);
        let Served { make, name, mailbox, lifecycle, terms, blocking, handoff, .. } = served;
        let launch = Arc::new(move |start: Start, place: Place| {
            let Start { args, place: family, born, .. } = start;
            let make = Arc::clone(&make);
            let dispatch = PhantomData::<fn() -> D>;
            let args = args.map(Box::new);
            let life = Life { make, lifecycle, args, place: family, draining: false, born, dispatch };
            let life = Box::new(life);
            match place {
                Place::Beside => {
                    tokio::task::spawn_local(life.run());
                }
                Place::Alone(executor) => executor.run(life.run()),
            }
        });
        let check_args = |actor: &str, args: Option<&Args>| T::decode(actor, args).map(drop);
        let type_name = short_name::<A>();
        Self { name, mailbox, terms, protocols, handoff, blocking, type_name, launch, check_args }
    }
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocols: Vec<_> = self.protocols.iter().map(|protocol| protocol.name).collect();
        f.debug_struct("Hosted")
            .field("name", &self.name)
            .field("protocols", &protocols)
            .finish_non_exhaustive()
    }
}

/// Returns `HttpFront` as `http_front`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
