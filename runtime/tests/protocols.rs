//! `#[protocol]`: what it leaves as it is, what it writes beside it, and what it refuses.

#![allow(clippy::unwrap_used)] // What a test cannot go on without fails it.

use bailiwick::prelude::*;
use bailiwick::{ProtocolMessage, Served};

#[message]
#[derive(Debug, PartialEq)]
struct Size {
    width: u16,
    height: u16,
}

#[protocol]
trait Thumbs {
    /// Shrinks.
    async fn shrink(&mut self, cx: &mut Context, width: u16, names: Vec<String>) -> Result<Size, String>;
    async fn watch(&mut self, other: ThumbsRef) -> Replies<Size>;
    async fn later(&mut self) -> Later<u8>;
    fn r#type(&mut self);
}

#[test]
fn the_schema_has_the_methods_in_order_with_their_shapes_and_without_the_context() {
    let schema = ThumbsRef::schema();
    assert_eq!(schema.name, "Thumbs");
    let first_lines: Vec<_> = schema.methods.iter().map(|m| m.shape.lines().next().unwrap()).collect();
    assert_eq!(
        first_lines,
        [
            "shrink(width: u16, names: [str]) -> Result<Size, str>",
            "watch(other: Ref<Thumbs>) -> stream Size",
            "later() -> u8",
            "type() -> ()",
        ]
    );
    assert_eq!(schema.methods[1].arguments.most_addresses, 1);
}

#[test]
fn a_message_knows_its_method_and_keeps_its_arguments_to_itself() {
    let message = ThumbsMessage::Shrink { width: 3, names: vec!["secret".into()] };
    assert_eq!(message.method(), 0);
    assert_eq!(format!("{message:?}"), "Thumbs::shrink");
    assert_eq!(ThumbsMessage::Type {}.method(), 3);
}

/// The same as another protocol but for its priorities.
mod urgent {
    use bailiwick::prelude::*;

    use super::Size;

    #[protocol]
    pub(super) trait Thumbs {
        #[priority(high)]
        async fn shrink(&mut self, cx: &mut Context, width: u16, names: Vec<String>) -> Result<Size, String>;
        async fn watch(&mut self, other: ThumbsRef) -> Replies<Size>;
        #[priority(high)]
        async fn later(&mut self) -> Later<u8>;
        fn r#type(&mut self);
    }
}

#[test]
fn a_priority_is_no_part_of_the_shape() {
    let methods = [ThumbsRef::schema(), urgent::ThumbsRef::schema()].map(|schema| &schema.methods);
    let shapes = methods.map(|methods| methods.iter().map(|method| method.to_shape()).collect::<Vec<_>>());
    assert_eq!(shapes[0], shapes[1]);
    let priorities =
        methods.map(|methods| methods.iter().map(|method| method.has_priority).collect::<Vec<_>>());
    assert_eq!(priorities, [[false; 4], [true, false, true, false]]);
}

#[test]
fn a_reference_is_shared_between_threads_and_compares_by_its_actor() {
    fn shared<T: Send + Sync + Clone + Eq + std::fmt::Debug>() {}
    shared::<ThumbsRef>();
}

#[test]
fn a_declared_actor_can_move_to_the_thread_that_will_run_it() {
    fn movable<T: Send>() {}
    movable::<bailiwick::Hosted>();
    fn served<P, A: 'static, D, T>(_: &Served<P, A, D, T>)
    where
        Served<P, A, D, T>: Send,
    {
    }
    #[protocol]
    trait Tick {
        fn tick(&mut self);
    }
    struct Clock(std::rc::Rc<()>);
    impl Tick for Clock {
        fn tick(&mut self) {
            let _ = &self.0;
        }
    }
    served(&TickRef::serve(|| Clock(std::rc::Rc::default())));
}

#[test]
fn what_cannot_be_a_protocol_is_refused_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/protocol_*.rs");
}
