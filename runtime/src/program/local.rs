//! The same program without a supervisor: every worker's actors in this process, on this thread unless
//! it has more of them, links in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use bailiwick_supervisor::check::{self, Severity};
use bailiwick_supervisor::spec;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{Program, wiring};
use crate::args::Args;
use crate::error::ActorError;
use crate::executor::{Executor, Role};
use crate::executors::Executors;
use crate::name::ActorName;
use crate::neighbourhood::Neighbourhood;
use crate::node::{Node, SpawnError, Told};
use crate::outcome::Cause;
use crate::registry::{Main, Registry};
use crate::supervision::Supervision;

/// Why a program did not run in one process, or not to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LocalError {
    /// What the program declares cannot be.
    #[error("{}", faults.join("; "))]
    Faults {
        /// Everything that is wrong.
        faults: Vec<String>,
    },
    /// The system has no event queue for the executor.
    #[error("no executor could be made")]
    NoExecutor(#[source] std::io::Error),
    /// An actor did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// An actor failed more often than its budget allows. With a supervisor its worker would be restarted.
    #[error("{actor} gave up: {cause}")]
    GaveUp {
        /// The actor.
        actor: ActorName,
        /// Why it failed the last time.
        cause: Cause,
    },
}

/// The workers of a program, each a node of its own.
struct Workers {
    nodes: Vec<Node>,
    gave_up: UnboundedReceiver<(ActorName, Cause)>,
}

impl Program {
    /// Runs the whole program in this process, without a supervisor and without any sandbox, until its main function
    /// returns: for tests, scripts and a debugger. Grants hold as they do between processes; values move.
    ///
    /// ```
    /// use bailiwick::prelude::*;
    /// use std::time::Duration;
    ///
    /// #[protocol]
    /// pub trait Greeter {
    ///     async fn greet(&mut self, name: String) -> String;
    /// }
    ///
    /// struct Polite;
    ///
    /// impl Greeter for Polite {
    ///     async fn greet(&mut self, name: String) -> String {
    ///         format!("good day, {name}")
    ///     }
    /// }
    ///
    /// Program::new()
    ///     .worker("greeter", Sandbox::sealed(), GreeterRef::serve(|| Polite))
    ///     .main("front", Sandbox::sealed().grant("greeter"), async |cx: Context| {
    ///         let greeter: GreeterRef = cx.peer("greeter")?;
    ///         assert_eq!(greeter.greet("Ann".into()).ask(Duration::from_secs(1)).await?, "good day, Ann");
    ///         Ok(())
    ///     })
    ///     .run_local()
    ///     .unwrap();
    /// ```
    ///
    /// # Errors
    /// The main function's error, or a [`LocalError`].
    ///
    /// # Panics
    /// If it is called from within an async runtime.
    pub fn run_local(mut self) -> Result<(), ActorError> {
        let system = self.checked_system()?;
        let Some(main) = self.registry.take_main() else {
            return Err(
                faults(vec!["a program without a main function has no end of its own".to_owned()]).into()
            );
        };
        let executor = Executor::new(Role::Shared).map_err(LocalError::NoExecutor)?;
        executor.block_on(async {
            let (sender, gave_up) = unbounded_channel();
            let mut workers = Workers { nodes: Vec::new(), gave_up };
            let outcome = match workers.start(&system, &self.registry, sender).await {
                Ok(()) => workers.run_main(&system, main).await,
                Err(error) => Err(error.into()),
            };
            // Also those that had started before one that did not.
            for node in workers.nodes.into_iter().rev() {
                node.stop_within(PATIENCE).await;
                node.leave_threads().await;
            }
            outcome
        })
    }

    /// Checks what holds on any machine: nothing is confined here.
    fn checked_system(&self) -> Result<spec::System, LocalError> {
        let mut system = spec::System::default();
        for worker in &self.workers {
            system.workers.push(worker.to_spec("/".as_ref()));
            system.grants.extend(worker.grants());
        }
        system.groups = self.groups.iter().map(super::Group::to_spec).collect();
        let mut wrong = self.faults.clone();
        wrong.extend(wiring::faults(&system, &self.workers));
        let found = check::system(&system).into_iter().filter(|found| found.severity == Severity::Error);
        wrong.extend(found.map(|found| found.title));
        if wrong.is_empty() { Ok(system) } else { Err(faults(wrong)) }
    }
}

impl Workers {
    /// Starts the workers, those that others need first, otherwise in their order.
    async fn start(
        &mut self,
        system: &spec::System,
        registry: &Registry,
        gave_up: UnboundedSender<(ActorName, Cause)>,
    ) -> Result<(), LocalError> {
        let hood = Neighbourhood::new(system.grants.clone(), gave_up);
        for worker in in_order(&system.workers) {
            for instance in 1..=worker.instances {
                let number = (worker.instances > 1).then_some(instance);
                let mut node = Node::new(&worker.name, number, hood.host_of(&worker.name));
                let executors = Executors::start(worker.threads, None).await;
                node.run_on(executors.map_err(LocalError::NoExecutor)?);
                hood.add(&node.shared);
                let started = start_actors(&node, worker, registry).await;
                self.nodes.push(node);
                started?;
            }
        }
        Ok(())
    }

    async fn run_main(&mut self, system: &spec::System, main: Main) -> Result<(), ActorError> {
        let front = self.main_node(system).ok_or_else(|| faults(Vec::new()))?;
        tokio::select! {
            biased;
            Some((actor, cause)) = self.gave_up.recv() => Err(LocalError::GaveUp { actor, cause }.into()),
            returned = self.nodes[front].run_main(async |cx| main(cx).await) => returned,
        }
    }

    fn main_node(&self, system: &spec::System) -> Option<usize> {
        let main = system.workers.iter().find(|worker| worker.kind == spec::Kind::Main)?;
        self.nodes.iter().position(|node| node.shared.worker == main.name)
    }
}

async fn start_actors(node: &Node, worker: &spec::Worker, registry: &Registry) -> Result<(), LocalError> {
    node.shared.hosted.supervise(Supervision { terms: worker.actor_terms });
    for actor in &worker.actors {
        let hosted = registry.find(&actor.type_name);
        let hosted =
            hosted.ok_or_else(|| faults(vec![format!("no actor is registered as `{}`", actor.type_name)]))?;
        let args = actor.args.as_ref().map(|args| Args::new(args.text.as_str(), args.line));
        node.host(hosted, Some(&actor.name), Told { args, ..Told::default() }).await?;
    }
    Ok(())
}

/// Returns the workers so that each comes after those that it needs. What needs itself is refused before.
fn in_order(workers: &[spec::Worker]) -> Vec<&spec::Worker> {
    let mut placed = BTreeSet::new();
    let mut order = Vec::new();
    let mut rest: Vec<&spec::Worker> = workers.iter().collect();
    while !rest.is_empty() {
        let at =
            rest.iter().position(|worker| worker.needs.iter().all(|need| placed.contains(need.as_str())));
        let next = rest.remove(at.unwrap_or(0));
        placed.insert(next.name.as_str());
        order.push(next);
    }
    order
}

/// How long the workers may go on with what waits after the end of the main function.
const PATIENCE: Duration = Duration::from_secs(1);

fn faults(faults: Vec<String>) -> LocalError {
    LocalError::Faults { faults }
}
