//! The worker that has the folder, and nothing else.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use bailiwick::prelude::*;
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::draw;
use crate::folder::Folder;
use crate::name::PictureName;
use crate::protocol::{Files, FolderError, Listing, Opened, Published};

/// What the manifest says to [`FilesActor`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilesArgs {
    /// The folder, as the sandbox grants it.
    pub(crate) folder: PathBuf,
    /// Draw pictures into it before the first message.
    #[serde(default)]
    pub(crate) draw: bool,
}

/// Hands out what is in the folder.
#[derive(Debug)]
pub(crate) struct FilesActor {
    args: FilesArgs,
    /// Open from the start on.
    folder: Option<Folder>,
}

impl FilesActor {
    pub(crate) fn new(args: FilesArgs) -> Self {
        Self { args, folder: None }
    }

    fn folder(&mut self) -> Result<&mut Folder, FolderError> {
        self.folder.as_mut().ok_or(FolderError::System { errno: Errno::ENODEV as i32 })
    }
}

impl Actor for FilesActor {
    async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
        let mut folder = Folder::new(cx.granted_dir(&self.args.folder)?);
        if self.args.draw {
            draw_missing(&mut folder)?;
        }
        self.folder = Some(folder);
        Ok(())
    }
}

fn draw_missing(folder: &mut Folder) -> Result<(), ActorError> {
    for text in draw::names() {
        let name = PictureName::parse(text)?;
        if folder.open(&name).is_err() {
            let mut file = folder.scratch()?;
            file.write_all(&draw::draw(text)?)?;
            folder.publish(&name, file)?;
        }
    }
    Ok(())
}

impl Files for FilesActor {
    async fn list(&mut self, page: u32) -> Result<Listing, FolderError> {
        self.folder()?.page(page)
    }

    async fn open(&mut self, name: PictureName) -> Result<Opened, FolderError> {
        let (file, facts) = self.folder()?.open(&name)?;
        Ok(Opened { file: file.into(), facts })
    }

    async fn scratch(&mut self) -> Result<Fd<File>, FolderError> {
        self.folder()?.scratch().map(Fd::from)
    }

    async fn publish(&mut self, name: PictureName, upload: Fd<File>) -> Result<Published, FolderError> {
        self.folder()?.publish(&name, upload.into())
    }
}
