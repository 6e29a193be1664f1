//! `#[protocol]`: from a trait to a typed reference, a message enum, a schema and the dispatch. `#[message]`: from a
//! struct or enum to something that travels.
#![forbid(unsafe_code)]

mod message;
mod message_serde;
mod protocol;

use proc_macro::TokenStream;

/// Makes a trait the contract between actors.
///
/// The trait stays as it is. Beside `trait Thumbs` there are then `ThumbsRef`, whose methods make inert calls, and
/// `ThumbsMessage`, an enum with one variant per method; every struct that implements `Thumbs` can be served by
/// `ThumbsRef::serve`.
///
/// A method takes `&mut self`, optionally `cx: &mut Context` right after it, and owned arguments; it may be `async`
/// or not. Returning `Later<T>` answers later, returning `Replies<T>` gives many answers.
///
/// `#[priority(high)]` on a method lets its messages go before those of other methods that wait for the same actor. They keep
/// their order among each other, and behind 16 of them that passed an ordinary message it is that one's turn.
///
/// `#[protocol(untrusted)]` is for what workers without a privilege send to one that has some: an argument is of a type that
/// is checked when it is decoded, or that the handler cannot use without a check.
#[proc_macro_attribute]
pub fn protocol(attribute: TokenStream, item: TokenStream) -> TokenStream {
    protocol::expand(attribute.into(), item.into()).unwrap_or_else(|error| error.to_compile_error()).into()
}

/// Makes a struct or an enum part of messages: serialisation and a structural schema.
///
/// Every field's type has a schema itself: `#[message]`, a type of the standard library, or one declared with
/// `foreign_schema!`. `#[message(name = "..")]` keeps the name in the schema when the type is renamed. On a field,
/// `#[message(foreign = "url::Url@2")]` stands for the schema of another crate's type: a name and a version of what
/// it serialises.
#[proc_macro_attribute]
pub fn message(arguments: TokenStream, item: TokenStream) -> TokenStream {
    message::expand(arguments.into(), item.into()).into()
}
