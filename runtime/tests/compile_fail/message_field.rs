use bailiwick::message;

#[derive(serde::Serialize, serde::Deserialize)]
struct NotAMessage;

#[message]
struct Holds {
    fine: u8,
    field: NotAMessage,
}

fn main() {}
