//! Several workers in one process: links in memory, values moved, grants as strict as between processes.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bailiwick_supervisor::check::nearest;
use bailiwick_supervisor::control::Request;
use bailiwick_supervisor::spec::Grant;
use bailiwick_wire::schema::ProtocolSchema;
use futures::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use crate::address::Address;
use crate::granted::Granted;
use crate::name::{ActorName, PeerName};
use crate::node::{Declared, Host, Nowhere, PeerError, Shared};
use crate::outcome::Cause;
use crate::pool::Pool;
use crate::supervisor::Answered;

/// The workers of one program that runs in one process.
pub(crate) struct Neighbourhood {
    grants: Vec<Grant>,
    workers: Mutex<Vec<Weak<Shared>>>,
    kept: Mutex<BTreeMap<String, OwnedFd>>,
    /// Told of every actor that gives up: without a supervisor nobody starts its worker anew.
    gave_up: UnboundedSender<(ActorName, Cause)>,
}

/// One worker's view of the neighbourhood.
pub(crate) struct Neighbour {
    hood: Arc<Neighbourhood>,
    worker: String,
}

impl Neighbourhood {
    pub(crate) fn new(grants: Vec<Grant>, gave_up: UnboundedSender<(ActorName, Cause)>) -> Arc<Self> {
        let (workers, kept) = (Mutex::default(), Mutex::default());
        Arc::new(Self { grants, workers, kept, gave_up })
    }

    /// Returns the surroundings of the worker with this name.
    pub(crate) fn host_of(self: &Arc<Self>, worker: &str) -> Arc<dyn Host> {
        Arc::new(Neighbour { hood: Arc::clone(self), worker: worker.to_owned() })
    }

    /// Makes the actors of a worker known to the others.
    pub(crate) fn add(&self, worker: &Arc<Shared>) {
        lock(&self.workers).push(Arc::downgrade(worker));
    }

    /// Returns the instances of a worker that run, in their order.
    fn instances(&self, worker: &str) -> Vec<Arc<Shared>> {
        lock(&self.workers)
            .iter()
            .filter_map(Weak::upgrade)
            .filter(|shared| shared.worker == worker)
            .collect()
    }
}

impl Neighbour {
    fn grants_to<'a>(&'a self, worker: &'a str) -> impl Iterator<Item = &'a Grant> {
        self.hood.grants.iter().filter(move |grant| grant.from == self.worker && grant.to_worker == worker)
    }

    fn unknown_worker(&self, name: &str) -> PeerError {
        let granted = self.hood.grants.iter().filter(|grant| grant.from == self.worker);
        let nearest = nearest(name, granted.map(|grant| grant.to_worker.as_str())).map(ToOwned::to_owned);
        PeerError::UnknownWorker { from: self.worker.clone(), name: name.to_owned(), nearest }
    }

    /// Returns the actor of one instance that is meant, if a grant reaches it.
    fn actor(
        &self,
        shared: &Shared,
        wanted: Option<&str>,
        protocol: &'static ProtocolSchema,
    ) -> Result<Declared, PeerError> {
        let worker = &shared.worker;
        let mut actors = shared.declared();
        actors.retain(|actor| {
            let path = Some(actor.cell.path());
            self.grants_to(worker).any(|grant| grant.to_actor.is_none() || grant.to_actor.as_deref() == path)
        });
        let serves = |actor: &Declared| actor.protocols.iter().any(|known| std::ptr::eq(*known, protocol));
        if let Some(name) = wanted {
            let names: Vec<&str> = actors.iter().map(|actor| actor.cell.path()).collect();
            let Some(at) = names.iter().position(|known| *known == name) else {
                let nearest = nearest(name, names.iter().copied()).map(ToOwned::to_owned);
                return Err(PeerError::UnknownActor {
                    worker: worker.clone(),
                    name: name.to_owned(),
                    nearest,
                });
            };
            let actor = actors.swap_remove(at);
            return if serves(&actor) {
                Ok(actor)
            } else {
                Err(not_served(&format!("{worker}/{name}"), protocol))
            };
        }
        actors.retain(serves);
        match actors.len() {
            0 => Err(not_served(worker, protocol)),
            1 => Ok(actors.swap_remove(0)),
            _ => Err(PeerError::Ambiguous {
                worker: worker.clone(),
                protocol: protocol.name.to_owned(),
                actors: actors.iter().map(|actor| actor.cell.path().to_owned()).collect(),
            }),
        }
    }

    /// Returns the address of an actor, narrowed to the methods that the grants name.
    fn address(&self, actor: Declared, protocol: &'static ProtocolSchema) -> Address {
        let grants = || {
            self.grants_to(&actor.cell.node.worker).filter(|grant| {
                grant.to_actor.is_none() || grant.to_actor.as_deref() == Some(actor.cell.path())
            })
        };
        if grants().any(|grant| grant.methods.is_none()) {
            return Address::local(actor.cell);
        }
        let granted = |name: &str| {
            grants().any(|grant| grant.methods.iter().flatten().any(|method| method.as_str() == name))
        };
        let methods = protocol.methods.iter().map(|method| granted(method.name)).collect();
        Address::peer(Arc::new(Granted::new(actor.cell, methods)))
    }
}

impl Host for Neighbour {
    fn peer(&self, name: &str, protocol: &'static ProtocolSchema) -> Result<Address, PeerError> {
        let wanted = PeerName::parse(name)?;
        let mut instances = self.hood.instances(wanted.worker);
        if instances.is_empty() || self.grants_to(wanted.worker).next().is_none() {
            return Err(self.unknown_worker(wanted.worker));
        }
        if let Some(number) = wanted.instance {
            instances.retain(|shared| shared.instance.unwrap_or(1) == number);
            if instances.is_empty() {
                let worker = wanted.worker.to_owned();
                return Err(PeerError::UnknownInstance { worker, instance: number });
            }
        }
        let mut members = Vec::new();
        for shared in &instances {
            let actor = self.actor(shared, wanted.actor, protocol)?;
            let path = actor.cell.path().to_owned();
            members.push((shared.instance.unwrap_or(1), path, self.address(actor, protocol)));
        }
        let path = members.first().map_or_else(String::new, |(_, path, _)| path.clone());
        let mut members: Vec<_> = members.into_iter().map(|(number, _, address)| (number, address)).collect();
        match members.len() {
            1 => Ok(members.swap_remove(0).1),
            _ => Pool::new(wanted.worker, &path, members)
                .map(Address::pool)
                .ok_or_else(|| self.unknown_worker(wanted.worker)),
        }
    }

    fn keep(&self, name: &str, fd: OwnedFd) -> io::Result<()> {
        lock(&self.hood.kept).insert(name.to_owned(), fd);
        Ok(())
    }

    fn kept(&self, name: &str) -> io::Result<OwnedFd> {
        match lock(&self.hood.kept).get(name) {
            Some(fd) => fd.try_clone(),
            None => Err(io::Error::new(io::ErrorKind::NotFound, format!("nothing is kept under `{name}`"))),
        }
    }

    fn ask(&self, request: Request) -> BoxFuture<'static, io::Result<Answered>> {
        Nowhere.ask(request)
    }

    /// Without a sandbox every directory that the process may open is as good as granted.
    fn granted_dir(&self, path: &Path) -> io::Result<OwnedFd> {
        std::fs::File::open(path).map(OwnedFd::from)
    }

    fn gave_up(&self, actor: &ActorName, cause: &Cause) {
        // After the end of the program nobody listens.
        let _ = self.hood.gave_up.send((actor.clone(), cause.clone()));
    }

    /// A worker that has done its work is gone; its program goes on.
    fn finished(&self) {}
}

fn not_served(name: &str, protocol: &'static ProtocolSchema) -> PeerError {
    PeerError::NotServed { name: name.to_owned(), protocol: protocol.name.to_owned() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
