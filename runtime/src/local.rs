//! Actors without a supervisor: everything in this process, on this thread, values moved.

use std::sync::Arc;

use crate::context::Context;
use crate::executor::{Executor, Role};
use crate::node::{Node, Nowhere};

/// Runs `main` in this process, with an executor for the actors that it spawns, and returns what it returns.
///
/// For tests, scripts and a debugger. The actors are stopped when `main` has ended.
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
/// let said = bailiwick::local(async |mut cx| {
///     let greeter = cx.spawn(GreeterRef::serve(|| Polite)).unwrap();
///     greeter.greet("Ann".into()).ask(Duration::from_secs(1)).await
/// });
/// assert_eq!(said.as_deref(), Ok("good day, Ann"));
/// ```
///
/// # Panics
/// If `main` panics, if it is called from within an async runtime, or if the system has no event queue for the
/// executor.
pub fn local<T>(main: impl AsyncFnOnce(Context) -> T) -> T {
    let executor =
        Executor::new(Role::Shared).expect("a process that may run actors may have an event queue");
    executor.block_on(async {
        let node = Node::new("local", None, Arc::new(Nowhere));
        node.run_main(main).await
    })
}
