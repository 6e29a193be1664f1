//! What is declared of a worker that runs, asked for by its name alone.

use std::path::Path;

use bailiwick_supervisor::control::{Outcome, Verb};
use bailiwick_tests::run;

use crate::support::{Cli, Told, plain, worker};

/// Tells of a worker of the running system, in another folder than that of its manifest.
fn told(cli: &Cli, arguments: &[&str]) -> Told {
    let mut command = cli.command(&[], arguments);
    command.current_dir("/");
    Cli::tell(command)
}

/// Whether a document says that it tells of what runs, and of which manifest.
fn is_what_runs(cli: &Cli, verb: &str, manifest: &Path) -> Option<bool> {
    let told = told(cli, &[verb, "a", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&told.data).expect("it is one document");
    assert_eq!(document["manifest"].as_str(), manifest.to_str());
    document["is_what_runs"].as_bool()
}

/// Seen to fail without the path of the manifest in the status; the comparison of its digest.
#[test]
fn who_runs_is_explained_by_name_and_it_is_said_aloud_if_the_file_is_no_longer_what_runs() {
    let first = [worker("a", "sandbox.limit_nofile = 300", ""), plain("b")].concat();
    let mut supervised = run!(&first);
    supervised.wait_for_life("a", 1);
    let (cli, path) = (Cli::of(&supervised), supervised.path().join("app.toml"));
    let manifest = path.to_str().expect("it is text");
    for verb in ["explain", "blast"] {
        let named = cli.run(&[verb, manifest, "a"]);
        for name in ["a", "a.1"] {
            let alone = told(&cli, &[verb, name]);
            assert_eq!((alone.code, alone.messages.as_str()), (0, ""), "{verb} {name}");
            assert_eq!(alone.data, named.data, "{verb} {name}");
        }
        assert_eq!(is_what_runs(&cli, verb, &path), Some(true));
        let unknown = told(&cli, &[verb, "aa"]);
        assert_eq!((unknown.code, unknown.data.as_str()), (4, ""), "{}", unknown.messages);
        let both = told(&cli, &[verb, manifest, "a", "--state-dir", "/"]);
        assert_eq!((both.code, both.data.as_str()), (2, ""), "{}", both.messages);
    }
    let second = first.replace("300", "400");
    supervised.rewrite(&second);
    for verb in ["explain", "blast"] {
        let changed = told(&cli, &[verb, "a"]);
        let says = format!("{manifest} has changed since system app took it up");
        assert!(changed.code == 0 && changed.messages.starts_with(&says), "{}", changed.messages);
        assert_eq!(changed.data, cli.run(&[verb, manifest, "a"]).data);
        assert_eq!(is_what_runs(&cli, verb, &path), Some(false));
    }
    supervised.rewrite("nonsense");
    let refused = told(&cli, &["explain", "a"]);
    assert_eq!((refused.code, refused.data.as_str()), (8, ""));
    let says = format!("system app runs what {manifest} held before\n");
    assert!(refused.messages.starts_with(&says), "{}", refused.messages);
    assert_eq!(
        supervised.reload(Verb::Reload(bailiwick_supervisor::control::ReloadMode::Widening), &second).1,
        Outcome::Done
    );
    let taken = told(&cli, &["explain", "a"]);
    assert_eq!((taken.code, taken.messages.as_str()), (0, ""));
    assert!(taken.data.contains("400"), "{}", taken.data);
    supervised.stop();
}
