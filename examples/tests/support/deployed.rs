//! A shipped manifest under `bailiwick run`, with what a test changes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::program::Program;

/// Returns the command line tool, which stands beside the supervisor that it starts.
///
/// Both are the ones that the tests of the workspace are built with: of another selection of packages, what they are made of
/// would be compiled once more, with other features.
pub(crate) fn bailiwick() -> &'static Path {
    static LAID_OUT: LazyLock<PathBuf> = LazyLock::new(|| {
        let of_one_test = ["--workspace", "--test", "tidy", "--no-run"];
        let built =
            Command::new(env!("CARGO")).args(["test", "--quiet", "--locked"]).args(of_one_test).status();
        assert!(
            built.expect("cargo runs this test, so it is there").success(),
            "the command line tool does not build"
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for program in ["bailiwick", "bailiwickd"] {
            let built =
                Path::new(env!("CARGO_BIN_EXE_gallery")).with_file_name(format!("{program}-under-test"));
            let of_this_process = folder.join(format!("{program}.{}", std::process::id()));
            fs::hard_link(built, &of_this_process).expect("both are in the target folder");
            // At once, also where another test runs the former one; which does nothing if that is the same file already.
            fs::rename(&of_this_process, folder.join(program)).expect("the folder is ours");
            let _ = fs::remove_file(of_this_process);
        }
        folder.join("bailiwick")
    });
    &LAID_OUT
}

/// A running example. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub(crate) program: Program,
    place: TempDir,
}

impl Deployed {
    /// Runs the manifest `examples/NAME/NAME.toml` in a folder of its own, each of `changes` made, and waits until its workers
    /// `ready` are. A change that finds nothing to change is a mistake of the test.
    pub(crate) fn start(name: &str, changes: &[(&str, &str)], ready: &[&str]) -> Self {
        let place = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(place, name, changes, ready)
    }

    /// The same in a folder that has files already.
    pub(crate) fn start_in(place: TempDir, name: &str, changes: &[(&str, &str)], ready: &[&str]) -> Self {
        let bailiwick = bailiwick();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join(format!("{name}.toml"));
        let mut text = fs::read_to_string(shipped).expect("the manifest is shipped");
        let built = Path::new(env!("CARGO_BIN_EXE_gallery")).with_file_name(name).display().to_string();
        let built = [(&*format!("../../target/release/{name}"), &*built)];
        for (from, to) in built.iter().chain(changes) {
            assert!(text.contains(from), "{name}.toml has no `{from}` to change");
            text = text.replace(from, to);
        }
        let manifest = place.path().join(format!("{name}.toml"));
        fs::write(&manifest, text).expect("written");
        let mut command = Command::new(bailiwick);
        command.arg("run").arg(manifest).arg("--state-dir").arg(place.path().join("state"));
        let program = Program::start(command);
        for instance in ready {
            let of_it = format!("{instance}#1 is ready");
            program.journal().wait_for(0, |line| line.contains(&of_it).then_some(()));
        }
        Self { program, place }
    }

    /// Returns the path of a file beside the manifest.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Asks the supervisor on the command line.
    pub(crate) fn asked(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(bailiwick());
        command.args(arguments).arg("--state-dir").arg(self.path("state")).output().expect("it runs")
    }
}
