//! How much of something whoever runs the tests wants.

use std::env;

/// Returns the number in a variable of the environment, if it is set.
///
/// # Panics
/// If it is no number.
pub fn wanted(variable: &str) -> Option<u64> {
    env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}
