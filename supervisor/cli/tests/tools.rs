//! What comes with the command line: its manual, its schema, its version, its scripts for shells.

mod support;

use std::fs;

use serde_json::Value;
use support::{bailiwick, folder, run, write};

#[test]
fn a_version_is_told_in_words_and_as_a_document() {
    let (_keep, folder) = folder();
    let (code, data, messages) = run(bailiwick(&folder).arg("version"));
    assert_eq!((code, messages.as_str()), (0, ""));
    let labels: Vec<_> = data.lines().skip(1).filter_map(|line| line.get(..12)).map(str::trim).collect();
    assert_eq!(labels, ["build id", "target", "profile", "compiler", "features", "protocols"]);
    let (code, data, messages) = run(bailiwick(&folder).args(["version", "--json"]));
    let document: Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!((code, messages.as_str(), &document["schema_version"]), (0, "", &1.into()));
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert!(document["protocols"]["control_record"].is_u64(), "{document}");
    let (_, short, _) = run(bailiwick(&folder).arg("--version"));
    assert_eq!(short, format!("bailiwick {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_manual_is_printed_as_it_is_written_where_nobody_looks_at_it() {
    let (_keep, folder) = folder();
    for (page, title) in [
        ("bailiwick", ".TH bailiwick 1 "),
        ("bailiwick.toml", ".TH bailiwick.toml 5 "),
        ("bailiwick-protocol", ".TH bailiwick-protocol 7 "),
    ] {
        let (code, data, messages) = run(bailiwick(&folder).args(["man", page]));
        assert_eq!((code, messages.as_str()), (0, ""));
        assert!(data.contains(title), "{}", &data[..200]);
        let (_, raw, _) = run(bailiwick(&folder).args(["man", "--raw", page]));
        assert_eq!(data, raw);
    }
}

#[test]
fn the_manual_is_written_where_packages_have_it() {
    let (_keep, folder) = folder();
    write(&folder.join("file"), "");
    let (code, data, messages) = run(bailiwick(&folder).args(["man", "--install", "share/man"]));
    let wrote = "\
wrote share/man/man1/bailiwick.1
wrote share/man/man5/bailiwick.toml.5
wrote share/man/man7/bailiwick-protocol.7
";
    assert_eq!((code, data.as_str(), messages.as_str()), (0, "", wrote));
    let (_, raw, _) = run(bailiwick(&folder).args(["man", "--raw"]));
    assert_eq!(fs::read_to_string(folder.join("share/man/man1/bailiwick.1")).expect("it was written"), raw);
    let (code, _, messages) = run(bailiwick(&folder).args(["man", "--install", "file"]));
    assert_eq!(code, 1);
    assert!(messages.contains("file/man1/bailiwick.1: "), "{messages}");
}

#[test]
fn the_schema_is_one_document() {
    let (_keep, folder) = folder();
    let (code, data, messages) = run(bailiwick(&folder).arg("schema"));
    let schema: Value = serde_json::from_str(&data).expect("it is one document");
    assert_eq!((code, messages.as_str()), (0, ""));
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert_eq!(schema["definitions"]["Worker"]["additionalProperties"], false);
}

#[test]
fn what_is_mistyped_is_answered_by_the_nearest() {
    let (_keep, folder) = folder();
    for (arguments, hint) in [
        (&["compltions", "bash"][..], "'completions'"),
        (&["completions", "bsh"], "'bash'"),
        (&["man", "bailiwick.tml"], "'bailiwick.toml'"),
        (&["man", "--instal", "x"], "'--install'"),
        (&["version", "--jsn"], "'--json'"),
        (&["run", "x.toml", "--log-format", "jsn"], "'json'"),
        (&["wait", "web", "--for", "stoped"], "'stopped'"),
        (&["man", "--raw", "--install", "x"], "cannot be used with"),
    ] {
        let (code, data, messages) = run(bailiwick(&folder).args(arguments));
        assert_eq!((code, data.as_str()), (2, ""), "{arguments:?}: {messages}");
        assert!(messages.contains(hint), "{messages}");
    }
}

#[test]
fn a_variable_that_somebody_exported_makes_no_command_a_question() {
    let (_keep, folder) = folder();
    let (code, data, _) = run(bailiwick(&folder).env("BAILIWICK_COMPLETE", "bash").arg("--version"));
    assert_eq!((code, data), (0, format!("bailiwick {}\n", env!("CARGO_PKG_VERSION"))));
    let line = ["--", "bailiwick", "sta"];
    let mut asked = bailiwick(&folder);
    asked.env("BAILIWICK_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "1").args(line);
    assert_eq!(run(&mut asked), (0, "status\nstart".to_owned(), String::new()));
    asked.env("BAILIWICK_COMPLETE", "no shell");
    assert_eq!(run(&mut asked), (1, String::new(), String::new()));
}
