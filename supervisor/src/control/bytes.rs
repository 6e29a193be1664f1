//! The fields of a control record as bytes. They are read back in the client.

use std::time::Duration;

use super::{Cause, RECORD_BYTES, name_field};
use crate::spec::Digest;

/// Writes fields one after the other; every record fits by construction, as a test shows.
pub(super) struct Writer {
    pub(super) bytes: [u8; RECORD_BYTES],
    pub(super) at: usize,
}

impl Writer {
    pub(super) fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.put(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    pub(super) fn name(&mut self, name: &str) {
        self.put(&name_field(name));
    }

    pub(super) fn digest(&mut self, value: Digest) {
        self.put(&value);
    }

    pub(super) fn duration(&mut self, value: Duration) {
        self.u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX));
    }

    pub(super) fn cause(&mut self, cause: Cause) {
        self.u32(cause.code());
    }

    /// Writes a byte that says whether the value is there, then the value.
    pub(super) fn optional<T>(&mut self, value: Option<T>, write: fn(&mut Self, T)) {
        self.u8(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }
}
