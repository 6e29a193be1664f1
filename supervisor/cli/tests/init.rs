//! `init`: what it says, and when it writes nothing.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{bailiwick, folder, run, write};

/// What is written, in its order.
const FILES: [&str; 11] = [
    "Cargo.toml",
    "src/main.rs",
    "src/binder.rs",
    "src/front.rs",
    "src/sandbox.rs",
    "bailiwick.toml",
    "shop.service",
    "Dockerfile",
    ".dockerignore",
    ".gitignore",
    "README.md",
];

/// A clone of Bailiwick, as far as it is looked at, beside which projects are made.
fn beside_a_clone() -> (tempfile::TempDir, std::path::PathBuf) {
    let (keep, path) = folder();
    let path = path.join("projects");
    fs::create_dir_all(path.join("clone/runtime")).expect("the folder is ours");
    write(&path.join("clone/runtime/Cargo.toml"), "[package]\nname = \"bailiwick\"\n");
    (keep, path)
}

/// Returns everything below a folder, sorted.
fn all_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for path in
            fs::read_dir(&at).expect("it can be listed").map(|entry| entry.expect("it is listed").path())
        {
            found.push(path.strip_prefix(folder).expect("it is below").display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns what is said to be typed next, behind the step into the folder.
fn commands() -> Vec<String> {
    let own = env!("CARGO_BIN_EXE_bailiwick");
    vec![
        "cargo build --release".to_owned(),
        format!("{own} check bailiwick.toml"),
        format!("{own} run bailiwick.toml"),
        "curl http://127.0.0.1:8080/sandbox".to_owned(),
        format!("{own} stop --all"),
    ]
}

#[test]
fn it_says_what_it_wrote_and_what_to_type_next() {
    let (_keep, folder) = beside_a_clone();
    let (code, data, messages) = run(bailiwick(&folder).args(["init", "shop", "--path", "clone"]));
    let mut expected: String = FILES.iter().map(|file| format!("wrote shop/{file}\n")).collect();
    expected += &format!("it depends on the runtime in {}/clone\n\nnext:\n  cd shop\n", folder.display());
    for command in commands() {
        let remark =
            if command.ends_with("run bailiwick.toml") { "   # then in another terminal:" } else { "" };
        expected += &format!("  {command}{remark}\n");
    }
    assert_eq!((code, data, messages.as_str()), (0, expected, ""));
    let mut written = all_below(&folder.join("shop"));
    written.retain(|path| path != "src");
    let mut files = FILES.map(str::to_owned).to_vec();
    files.sort();
    assert_eq!(written, files);
    let cargo = fs::read_to_string(folder.join("shop/Cargo.toml")).expect("it was written");
    assert!(
        cargo.contains(&format!("bailiwick = {{ path = \"{}/clone/runtime\" }}", folder.display())),
        "{cargo}"
    );
}

#[test]
fn the_same_is_a_document() {
    let (_keep, folder) = beside_a_clone();
    fs::create_dir(folder.join("here")).expect("the folder is ours");
    let mut init = bailiwick(&folder.join("here"));
    let (code, data, messages) = run(init.args(["init", "--name", "shop", "--path", "../clone", "--json"]));
    let expected = json!({
        "schema_version": 1,
        "name": "shop",
        "folder": ".",
        "clone": folder.join("clone"),
        "files": FILES,
        "next": commands(),
    });
    assert_eq!((code, messages.as_str()), (0, ""));
    assert_eq!(serde_json::from_str::<Value>(&data).expect("it is one document"), expected);
}

#[test]
fn without_a_word_on_it_the_runtime_is_the_one_beside_this_command() {
    let (_keep, folder) = beside_a_clone();
    let (code, data, _) = run(bailiwick(&folder).args(["init", "shop", "--json"]));
    let document: Value = serde_json::from_str(&data).expect("it is one document");
    let clone =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is built from there");
    assert_eq!((code, &document["clone"]), (0, &json!(clone)));
    // A command that was taken elsewhere does not know.
    fs::copy(env!("CARGO_BIN_EXE_bailiwick"), folder.join("bailiwick")).expect("the folder is ours");
    let (code, data, messages) =
        run(Command::new(folder.join("bailiwick")).args(["init", "new"]).current_dir(&folder));
    assert_eq!((code, data.as_str()), (2, ""));
    let expected = "\
bailiwick: no clone of Bailiwick is known, and the runtime is not on crates.io yet
  say where a clone of Bailiwick is: --path CLONE
";
    assert_eq!(messages, expected);
    assert!(!folder.join("new").exists());
}

/// Seen to fail without the look at what the folder has.
#[test]
fn a_folder_that_is_not_empty_is_left_as_it_is() {
    let (_keep, folder) = beside_a_clone();
    fs::create_dir_all(folder.join("shop/src")).expect("the folder is ours");
    write(&folder.join("shop/.env"), "mine");
    let (code, data, messages) = run(bailiwick(&folder).args(["init", "shop", "--path", "clone"]));
    let expected = "\
bailiwick: shop is not empty, and nothing was written: it has .env, src
  name a folder that is not there yet, as `bailiwick init shop`, or an empty one
";
    assert_eq!((code, data.as_str(), messages.as_str()), (1, "", expected));
    assert_eq!(all_below(&folder.join("shop")), [".env", "src"]);
    let (code, data, messages) =
        run(bailiwick(&folder).args(["init", "shop/.env", "--name", "shop", "--path", "clone"]));
    assert_eq!((code, data.as_str()), (1, ""));
    assert!(messages.contains("shop/.env: Not a directory"), "{messages}");
}

#[test]
fn a_name_that_is_none_and_a_clone_that_is_none_are_refused_before_anything_is_written() {
    let (_keep, folder) = beside_a_clone();
    for (arguments, said, advice) in [
        (
            &["2nd"][..],
            "`2nd` is no name for a project: it begins with a digit",
            "for example: --name app-2nd",
        ),
        (
            &["my.shop"],
            "`my.shop` is no name for a project: expected lower-case",
            "for example: --name my-shop",
        ),
        (&["shop", "--name", "fn"], "`fn` is no name for a project: it is a word of Rust", "--name fn-app"),
        (&["shop", "--name", "x\n"], "`x\\n` is no name", "--name x"),
        (&["shop", "--path", "nowhere"], "nowhere is no clone of Bailiwick", "--path CLONE"),
    ] {
        let path = if arguments.contains(&"--path") { &[][..] } else { &["--path", "clone"] };
        let (code, data, messages) = run(bailiwick(&folder).arg("init").args(arguments).args(path));
        assert_eq!((code, data.as_str()), (2, ""), "{arguments:?}: {messages}");
        assert!(messages.contains(said) && messages.contains(advice), "{messages}");
    }
    assert_eq!(all_below(&folder), ["clone", "clone/runtime", "clone/runtime/Cargo.toml"]);
}

/// A file that may not grow stands for a disk that is full: either fails in the middle of a file. Seen to fail without the
/// removal.
#[test]
fn what_was_written_when_the_disk_is_full_is_removed_again() {
    let (_keep, folder) = beside_a_clone();
    let mut full = Command::new("sh");
    // Whoever ignores the signal gets an error.
    full.args([
        "-c",
        "trap '' XFSZ; ulimit -f 1; exec \"$0\" init new/shop --path clone",
        env!("CARGO_BIN_EXE_bailiwick"),
    ]);
    let (code, data, messages) = run(full.current_dir(&folder).stdin(Stdio::null()));
    assert_eq!((code, data.as_str()), (1, ""), "{messages}");
    let expected = "File too large (os error 27); what was written before was removed again\n";
    assert!(messages.starts_with("bailiwick: new/shop/src/") && messages.ends_with(expected), "{messages}");
    assert_eq!(all_below(&folder), ["clone", "clone/runtime", "clone/runtime/Cargo.toml"]);
}
