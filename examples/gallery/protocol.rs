//! What the gallery's workers say to each other.

use std::fs::File;
use std::io;

use bailiwick::prelude::*;
use thiserror::Error;

use crate::name::PictureName;
use crate::shrink::{BadPicture, FILE_BYTES_MAX, Thumb};

/// The one folder, for workers that have none.
#[protocol]
pub(crate) trait Files {
    /// Lists one page of the pictures, counted from 0.
    async fn list(&mut self, page: u32) -> Result<Listing, FolderError>;
    /// Opens a picture to be read.
    async fn open(&mut self, name: PictureName) -> Result<Opened, FolderError>;
    /// Makes an empty file without a name, to be written to and given back to `publish`.
    async fn scratch(&mut self) -> Result<Fd<File>, FolderError>;
    /// Copies what `upload` holds to the picture `name`.
    async fn publish(&mut self, name: PictureName, upload: Fd<File>) -> Result<Published, FolderError>;
}

/// Makes pictures smaller.
#[protocol]
pub(crate) trait Thumbs {
    /// Writes `picture`, at most `width` pixels wide, to `out`.
    async fn shrink(&mut self, picture: Fd<File>, out: Fd<File>, width: u16) -> Result<Thumb, BadPicture>;
}

/// One page of the pictures, sorted by name.
#[message]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) pictures: Vec<Listed>,
    /// All pictures of the folder.
    pub(crate) total: u64,
    /// Whether pictures can be added.
    pub(crate) uploads: bool,
}

/// One picture of a page.
#[message]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: PictureName,
    pub(crate) bytes: u64,
}

/// A picture that was opened.
#[message]
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: Fd<File>,
    pub(crate) facts: Facts,
}

/// What tells a picture's content from another one, without looking into it.
#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified_ns: u64,
    pub(crate) inode: u64,
}

/// Whether a name was there before.
#[message]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    Created,
    Replaced,
}

/// Why the folder did not do what was asked.
#[message]
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum FolderError {
    #[error("there is no such picture")]
    NotFound,
    #[error("it is closed to the user whom the gallery runs as: see its owner and mode")]
    Closed,
    #[error(
        "this gallery takes no uploads. Whoever runs it can allow them: give the folder to a user that is not root \
         (chown -R USER FOLDER), and in a manifest grant it with `read_write_paths`"
    )]
    ReadOnly,
    #[error("the file system is full")]
    Full,
    #[error("the upload has {bytes} bytes, the limit is {FILE_BYTES_MAX}")]
    TooLong { bytes: u64 },
    #[error("the upload's content is not of the kind that its name announces")]
    OtherContent,
    #[error("the folder answers: {}", io::Error::from_raw_os_error(*.errno))]
    System { errno: i32 },
}

/// What is asked of an actor that does its work when it starts: nothing.
#[protocol]
pub(crate) trait Silent {}
