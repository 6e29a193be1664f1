use bailiwick::message;

struct NotAMessage;

#[message]
struct Holds {
    fine: u8,
    field: NotAMessage,
}

fn main() {}
