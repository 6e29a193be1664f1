//! Compiles what is C in the test workers: the hostile half of one (`src/fixture/evil.c` says why), and what stands between
//! another and the kernel (`src/fixture/mutant.c`).

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const EVIL: &str = "src/fixture/evil.c";
const MUTANT: &str = "src/fixture/mutant.c";

fn main() {
    println!("cargo:rerun-if-env-changed=CC");
    let out = env::var("OUT_DIR").expect("cargo says where");
    let library = Path::new(&out).join("libevil.a");
    let archiver = env::var("AR").unwrap_or("ar".to_owned());
    run(Command::new(archiver).arg("crs").arg(&library).arg(object(EVIL, &out)));
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=evil");
    println!("cargo:rustc-link-arg-bin=mutant={}", object(MUTANT, &out).display());
}

/// Compiles a source, and returns what has come of it.
fn object(source: &str, out: &str) -> PathBuf {
    println!("cargo:rerun-if-changed={source}");
    let name = Path::new(source).with_extension("o");
    let object = Path::new(out).join(name.file_name().expect("it has a name"));
    let flags = ["-std=gnu17", "-O1", "-g1", "-fPIC", "-pthread", "-Wall", "-Wextra", "-c", source, "-o"];
    run(Command::new(env::var("CC").unwrap_or("cc".to_owned())).args(flags).arg(&object));
    object
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
