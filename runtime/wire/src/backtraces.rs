//! Where the threads of a worker stood when a signal ended it: text that its handler leaves on its
//! [slate](crate::slate), line by line.
//!
//! | line | meaning |
//! | --- | --- |
//! | `object N ID PATH` | the executable (0) and the libraries: build id in hexadecimal or `-`, and file |
//! | `signal S` | the signal that ended the worker: everything below was written because of it |
//! | `overflow` | the thread that the signal ended had used up its stack |
//! | `thread T NAME` | the stack of a thread follows, the innermost frame first |
//! | `N+OFFSET` | an address within an object, as its file counts, in hexadecimal |
//! | `?+ADDRESS` | an address in no object |
//! | `silent T` | a thread that did not tell |
//! | `end` | nothing is missing |
//!
//! What a worker wrote is hostile: a line that is none of these is passed over, and names and paths are for people.

use std::sync::atomic::AtomicU64;

use crate::slate::{LAST_WORDS_AT, text};

/// The most text there is.
pub const BACKTRACES_BYTES: usize = 16 << 10;
/// The most of each kind that is taken.
const MAX: usize = 1024;

/// Where the threads stood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backtraces {
    /// The executable and the libraries.
    pub objects: Vec<Object>,
    /// The signal; `None` if none has ended the worker.
    pub signal: Option<u8>,
    /// The thread that the signal ended had used up its stack.
    pub overflowed: bool,
    /// The threads, the one that the signal ended first.
    pub threads: Vec<Thread>,
    /// Threads that did not tell.
    pub silent: Vec<u32>,
    /// Nothing is missing.
    pub is_complete: bool,
}

/// An executable or a library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Its build id in hexadecimal; empty if it has none.
    pub build_id: String,
    /// Its file, as the worker knew it.
    pub path: String,
}

/// One thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its stack, the innermost first.
    pub frames: Vec<Frame>,
}

/// One call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The index of the object that holds it.
    pub object: Option<usize>,
    /// The address in the object's file; without an object, in memory.
    pub address: u64,
}

/// Returns the part of a slate that is for this text; `None` if it is no slate.
pub fn place(slate: &[AtomicU64]) -> Option<&[AtomicU64]> {
    let word = size_of::<AtomicU64>();
    slate.get(LAST_WORDS_AT / word..)?.get(..BACKTRACES_BYTES / word)
}

/// Returns the text, if a copy of that part holds any that a signal had written.
pub fn left(copy: &[u8]) -> Option<Vec<u8>> {
    let text = copy.split(|byte| *byte == 0).next()?;
    let is_signalled = text.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"signal "));
    is_signalled.then(|| text.to_vec())
}

impl Backtraces {
    /// Reads the text.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for line in text(bytes).lines() {
            // What cannot be read was not said.
            let _unknown = found.read(line);
        }
        found
    }

    fn read(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "object" if self.objects.len() < MAX => {
                let (id, path) = rest.split_once(' ')?.1.split_once(' ')?;
                let build_id = if id == "-" { String::new() } else { id.to_owned() };
                self.objects.push(Object { build_id, path: path.to_owned() });
            }
            "signal" => self.signal = rest.split(' ').next()?.parse().ok(),
            "thread" if self.threads.len() < MAX => {
                let (id, name) = rest.split_once(' ')?;
                self.threads.push(Thread { id: id.parse().ok()?, name: name.to_owned(), frames: Vec::new() });
            }
            "silent" if self.silent.len() < MAX => self.silent.push(rest.parse().ok()?),
            "overflow" => self.overflowed = true,
            "end" => self.is_complete = true,
            frame => {
                let (object, address) = frame.split_once('+')?;
                let address = u64::from_str_radix(address, 16).ok()?;
                let object = if object == "?" { None } else { Some(object.parse().ok()?) };
                self.threads.last_mut()?.frames.push(Frame { object, address });
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "object 0 ab12 /srv/my worker\nobject 1 - /lib/libc.so.6\nsignal 6\nthread 7 main\n0+1f\n1+a0\n\
        ?+7fff00\nthread 9 \nsilent 11\nend\n";

    #[test]
    fn what_was_left_is_read() {
        let copy = [TEXT.as_bytes(), &[0; 9], b"older"].concat();
        let bytes = left(&copy).unwrap();
        assert_eq!(bytes, TEXT.as_bytes());
        let found = Backtraces::from_bytes(&bytes);
        assert_eq!(found.objects[0], Object { build_id: "ab12".into(), path: "/srv/my worker".into() });
        assert_eq!(found.objects[1].build_id, "");
        assert_eq!((found.signal, found.is_complete, &found.silent[..]), (Some(6), true, &[11][..]));
        let frame = |object, address| Frame { object, address };
        assert_eq!(
            found.threads[0].frames,
            [frame(Some(0), 0x1f), frame(Some(1), 0xa0), frame(None, 0x7f_ff00)]
        );
        assert_eq!((found.threads[1].id, found.threads[1].name.as_str()), (9, ""));
        assert!(!found.overflowed && Backtraces::from_bytes(b"signal 11\noverflow\n").overflowed);
    }

    #[test]
    fn without_a_signal_nothing_was_left() {
        assert_eq!(left(b"object 0 - /srv/worker\nno signal 6\n\0"), None);
        assert_eq!(left(&[0; 100]), None);
        assert_eq!(left(&[]), None);
    }

    #[test]
    fn lines_that_are_none_are_passed_over() {
        let found =
            Backtraces::from_bytes(b"0+1\nthread x y\nthread 5 a\nzero+1\n0+\n0+xyz\n\xff\nsignal 1000\n0+2");
        assert_eq!(found.signal, None);
        assert_eq!(found.threads[0].frames, [Frame { object: Some(0), address: 2 }]);
        assert!(!found.is_complete);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(bytes in proptest::collection::vec(0_u8.., 0..512)) {
            let _ = left(&bytes);
            let _ = Backtraces::from_bytes(&bytes);
        }

        #[test]
        fn no_line_makes_the_reader_panic(lines in "((object|signal|thread|silent|end|0|\\?)[ +][0-9a-f/ ]{0,9}\n){0,9}") {
            let _ = Backtraces::from_bytes(lines.as_bytes());
        }
    }
}
