//! The worker that keeps what came of the lines. It has one folder, and parses nothing that a stranger wrote.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use bailiwick::prelude::*;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use crate::protocol::{Entry, Id, NotKept, Store};

/// The name of the file in the folder.
const FILE: &str = "lines.json";

/// What the manifest says to [`FileStore`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoreArgs {
    folder: PathBuf,
}

/// Keeps entries in a file, each a line of JSON.
#[derive(Debug)]
pub(crate) struct FileStore {
    args: StoreArgs,
    kept: Option<Kept>,
}

/// The file, and what stands in it: that makes it safe to put an entry again of which nobody knows whether it was kept.
#[derive(Debug)]
struct Kept {
    file: File,
    ids: HashSet<Id>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    id: Id,
    #[serde(flatten)]
    entry: Entry,
}

impl FileStore {
    pub(crate) fn new(args: StoreArgs) -> Self {
        Self { args, kept: None }
    }
}

impl Actor for FileStore {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let folder = cx.granted_dir(&self.args.folder)?;
        let how = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        let file = openat(&folder, FILE, how, Mode::S_IRUSR | Mode::S_IWUSR)?;
        self.kept = Some(Kept::read(file.into())?);
        Ok(())
    }
}

impl Store for FileStore {
    async fn put(&mut self, id: Id, entry: Entry) -> Result<(), NotKept> {
        let refused = |error: io::Error| NotKept { reason: error.to_string() };
        let kept = self.kept.as_mut().ok_or_else(|| refused(io::ErrorKind::NotConnected.into()))?;
        kept.put(id, entry).map_err(refused)
    }
}

impl Kept {
    fn read(mut file: File) -> io::Result<Self> {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A life that was killed may have left half a line. It was not answered for, so it comes again.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let ids = text[..whole].lines().map(|line| serde_json::from_str(line).map(|line: Line| line.id));
        Ok(Self { file, ids: ids.collect::<Result<_, _>>()? })
    }

    fn put(&mut self, id: Id, entry: Entry) -> io::Result<()> {
        if self.ids.contains(&id) {
            return Ok(());
        }
        let mut line = serde_json::to_vec(&Line { id, entry })?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.ids.insert(id);
        Ok(())
    }
}
