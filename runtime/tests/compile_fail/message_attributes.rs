use bailiwick::message;

#[message]
struct Skips {
    kept: u8,
    #[serde(skip)]
    left_out: u8,
}

#[message]
#[serde(untagged)]
enum Untagged {
    A(u8),
}

#[message]
struct Flattens {
    #[serde(flatten)]
    inner: Inner,
}

#[message]
struct Inner {
    #[serde(with = "somewhere")]
    field: u8,
}

#[message]
#[serde(try_from = "u8")]
struct HalfConverted(u8);

#[message]
struct Declares {
    #[message(foreign = "no version")]
    field: Inner,
    #[message(name = "x")]
    other: u8,
}

fn main() {}
