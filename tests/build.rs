//! Compiles the hostile half of the test worker, which is C: why, `src/fixture/evil.c` says.

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "src/fixture/evil.c";

fn main() {
    println!("cargo:rerun-if-changed={SOURCE}");
    let out = env::var("OUT_DIR").expect("cargo says where");
    let object = Path::new(&out).join("evil.o");
    let library = Path::new(&out).join("libevil.a");
    let flags = ["-std=gnu17", "-O1", "-g1", "-fPIC", "-pthread", "-Wall", "-Wextra", "-c", SOURCE, "-o"];
    run(Command::new(env::var("CC").unwrap_or("cc".to_owned())).args(flags).arg(&object));
    let archiver = env::var("AR").unwrap_or("ar".to_owned());
    run(Command::new(archiver).arg("crs").arg(&library).arg(&object));
    println!("cargo:rustc-link-search=native={out}");
    println!("cargo:rustc-link-lib=static=evil");
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
