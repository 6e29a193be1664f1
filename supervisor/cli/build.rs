//! Tells the command line what it is built for and by what, for `version`.

use std::env;
use std::process::Command;

/// How the variable of a cargo feature begins.
const FEATURE: &str = "CARGO_FEATURE_";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    tell("TARGET", &env::var("TARGET").expect("cargo says for what"));
    tell("PROFILE", &env::var("PROFILE").expect("cargo says how"));
    let mut features: Vec<String> = env::vars()
        .filter_map(|(name, _)| Some(name.strip_prefix(FEATURE)?.to_lowercase().replace('_', "-")))
        .collect();
    features.sort();
    tell("FEATURES", &features.join(","));
    let told = Command::new(env::var("RUSTC").expect("cargo says by what")).arg("--version").output();
    let told = told.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
    tell("COMPILER", &told.unwrap_or_default());
}

fn tell(name: &str, value: &str) {
    println!("cargo::rustc-env=BAILIWICK_{name}={value}");
}
