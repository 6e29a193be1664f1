//! What a project may be called: what cargo takes for a crate, the compiler does not warn of, and a manifest takes for a
//! system.

use bailiwick_supervisor::manifest;

/// Words that no crate can be called by.
const WORDS_OF_RUST: &str = "abstract as async await become box break const continue crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static struct \
    super trait true try type typeof unsafe unsized use virtual where while yield";
/// Crates that Rust comes with.
const CRATES_OF_RUST: [&str; 6] = ["alloc", "core", "proc-macro", "proc_macro", "std", "test"];
/// What cargo calls folders of its own, where programs lie.
const FOLDERS_OF_CARGO: [&str; 4] = ["build", "deps", "examples", "incremental"];
/// What the skeleton depends on, and what it is run by.
const DEPENDENCIES: [&str; 3] = ["bailiwick", "bailiwickd", "tokio"];

/// Returns what is wrong with a name.
pub(super) fn flaw(name: &str) -> Option<&'static str> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let is_among = |names: &[&str]| names.contains(&name);
    if name.is_empty() {
        Some("it is empty")
    } else if name.starts_with(|c: char| c.is_ascii_digit()) {
        Some("it begins with a digit")
    } else if !name.split(['-', '_']).all(plain) {
        Some("expected lower-case letters and digits, in words with one `-` or `_` between them")
    } else if !manifest::is_name(name) {
        Some("it is longer than 63 letters")
    } else if WORDS_OF_RUST.split_whitespace().any(|word| word == name) {
        Some("it is a word of Rust")
    } else if is_among(&CRATES_OF_RUST) {
        Some("a crate that Rust comes with is called so")
    } else if is_among(&FOLDERS_OF_CARGO) {
        Some("cargo calls a folder so where programs lie")
    } else if is_among(&DEPENDENCIES) {
        Some("a crate that it depends on is called so")
    } else {
        None
    }
}

/// Returns a name that is like another one, and is one.
pub(super) fn instead(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut new = words.collect::<Vec<_>>().join("-");
    if new.is_empty() || new.starts_with(|c: char| c.is_ascii_digit()) {
        new = format!("app-{new}");
    }
    new.truncate(LONGEST);
    let new = new.trim_end_matches('-');
    if flaw(new).is_none() { new.to_owned() } else { format!("{new}-app") }
}

/// The longest name that is suggested; with `-app` behind it, it is one still.
const LONGEST: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_or_a_manifest_would_refuse_is_refused_with_another_one() {
        for (name, other) in [
            ("", "app"),
            ("2nd", "app-2nd"),
            ("Shop", "shop"),
            ("my shop", "my-shop"),
            ("my.shop", "my-shop"),
            ("my--shop", "my-shop"),
            ("-shop-", "shop"),
            ("täglich", "t-glich"),
            ("日本", "app"),
            ("fn", "fn-app"),
            ("Self", "self-app"),
            ("test", "test-app"),
            ("proc_macro", "proc-macro-app"),
            ("deps", "deps-app"),
            ("tokio", "tokio-app"),
            ("x\n\u{1b}[31m", "x-31m"),
            (&"x".repeat(64), &"x".repeat(40)),
        ] {
            assert!(flaw(name).is_some(), "{name:?}");
            assert_eq!(instead(name), other, "{name:?}");
            assert_eq!(flaw(other), None, "{other}");
        }
        for good in ["shop", "a", "my-shop_2", "x1", &"x".repeat(63)] {
            assert_eq!(flaw(good), None, "{good}");
        }
    }
}
