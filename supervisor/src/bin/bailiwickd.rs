//! The supervisor to deploy.
fn main() {}
