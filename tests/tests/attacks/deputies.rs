//! The scene with three more whom evil may ask: one who says back what it is told, and two who hold a folder, of whom one
//! is careful.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bailiwick_supervisor::control::State;
use bailiwick_tests::harness::Supervised;
use tempfile::TempDir;

use crate::support::{Mode, Scene};

/// A folder with a file in it, another file beside the folder, and links that lead there.
pub(crate) struct Shelf {
    _place: TempDir,
    root: PathBuf,
}

/// What stands in the file that is for everybody, and in the one that is for nobody.
pub(crate) const OPEN: &[u8] = b"for everybody";
pub(crate) const SECRET: &[u8] = b"for nobody";

impl Shelf {
    pub(crate) fn new() -> Self {
        let place = Supervised::folder(env!("CARGO_BIN_EXE_tw"));
        let root = place.path().canonicalize().expect("it is there");
        let folder = root.join("shelf");
        fs::create_dir(&folder).expect("a folder");
        for (path, text) in [(folder.join("open"), OPEN), (root.join("secret"), SECRET)] {
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("it is ours");
        }
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("it is ours");
        std::os::unix::fs::symlink("../secret", folder.join("link")).expect("a link");
        std::os::unix::fs::symlink("..", folder.join("up")).expect("a link");
        Self { _place: place, root }
    }

    /// The path of the file that is for nobody.
    pub(crate) fn secret(&self) -> PathBuf {
        self.root.join("secret")
    }

    /// The workers, and what evil may ask of them.
    pub(crate) fn deputies(&self) -> String {
        DEPUTIES.replace("ROOT", &self.root.display().to_string())
    }
}

/// Both may read the whole place, and are to hand out the folder in it only.
const DEPUTIES: &str = r#"
[worker.careful]
exec = "tw"
privileged = true
sandbox.read_only_paths = ["ROOT"]
actor.warden = { type = "Careful", args = { folder = "ROOT/shelf" } }
[worker.careless]
exec = "tw"
sandbox.read_only_paths = ["ROOT"]
backoff = { first = "0s", base = "1ms", cap = "1ms" }
actor.dupe = { type = "Careless", args = { folder = "ROOT/shelf" } }
[[grant]]
from = "evil"
to = "careful"
[[grant]]
from = "evil"
to = "careless"
"#;

/// One who says back what it is told.
pub(crate) const PARROT: &str = r#"
[worker.parrot]
exec = "tw"
privileged = true
actor.parrot = { type = "Parrot" }
[[grant]]
from = "evil"
to = "parrot"
"#;

impl Scene {
    /// The scene with the careful one and the careless one.
    pub(crate) fn with_deputies(mode: Mode, shelf: &Shelf) -> Self {
        let scene = Self::with(mode, "", &shelf.deputies(), &[]);
        scene.wait_for_life("careful", 1);
        scene.wait_for_life("careless", 1);
        scene
    }

    /// The scene with the one who says back what it is told.
    pub(crate) fn with_parrot(mode: Mode, keys: &str) -> Self {
        let scene = Self::with(mode, keys, PARROT, &[]);
        scene.wait_for_life("parrot", 1);
        scene
    }

    /// Asserts that a worker has noticed nothing.
    #[track_caller]
    pub(crate) fn assert_first_life(&self, worker: &str) {
        let row = self.worker(worker);
        assert_eq!((row.generation, row.state), (1, State::Ready), "{worker}: {}", self.journal());
    }
}
