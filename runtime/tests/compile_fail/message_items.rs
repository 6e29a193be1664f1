use bailiwick::message;
use serde::Serialize;

#[message]
#[derive(Clone, Serialize)]
struct Twice {
    field: u8,
}

#[message]
struct Borrows<'a> {
    text: &'a str,
}

#[message]
union Either {
    a: u8,
    b: i8,
}

#[message(version = 2)]
struct Unknown;

#[message]
fn not_a_type() {}

fn main() {}
