//! The fields of a record as bytes, written and read back in the same order.

use std::time::Duration;

use super::{Cause, Digest, NAME_BYTES, RECORD_BYTES, RecordError, name_field, name_from};

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

    /// Writes a length in two bytes and so much text, of which what is longer than `most` is cut at a character.
    pub(super) fn text(&mut self, text: &str, most: usize) {
        let mut end = text.len().min(most);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.u16(end as u16);
        self.put(&text.as_bytes()[..end]);
    }

    /// Writes a byte that says whether the value is there, then the value.
    pub(super) fn optional<T>(&mut self, value: Option<T>, write: fn(&mut Self, T)) {
        self.u8(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Reads what was written field by field, from bytes whose number was checked before.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8; RECORD_BYTES],
    pub(super) at: usize,
}

impl Reader<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[self.at..self.at + N]);
        self.at += N;
        field
    }

    pub(super) fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }

    pub(super) fn name(&mut self) -> Result<String, RecordError> {
        name_from(&self.take::<NAME_BYTES>()).ok_or(RecordError::Name)
    }

    pub(super) fn text(&mut self, most: usize) -> Result<String, RecordError> {
        let length = usize::from(self.u16());
        let field = self.bytes.get(self.at..self.at + length).filter(|_| length <= most);
        let text = std::str::from_utf8(field.ok_or(RecordError::Name)?).map_err(|_| RecordError::Name)?;
        self.at += length;
        Ok(text.to_owned())
    }

    pub(super) fn duration(&mut self) -> Duration {
        Duration::from_millis(self.u64())
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Result<bool, RecordError> {
        self.one_of(&[false, true], field)
    }

    /// Reads a byte as an index into `all`.
    pub(super) fn one_of<T: Copy>(&mut self, all: &[T], field: &'static str) -> Result<T, RecordError> {
        let found = self.u8();
        let value = all.get(usize::from(found)).copied();
        value.ok_or(RecordError::Field { field, found: found.into() })
    }

    pub(super) fn optional<T>(
        &mut self,
        field: &'static str,
        read: fn(&mut Self) -> Result<T, RecordError>,
    ) -> Result<Option<T>, RecordError> {
        if self.flag(field)? { read(self).map(Some) } else { Ok(None) }
    }

    pub(super) fn digest(&mut self) -> Result<Digest, RecordError> {
        Ok(self.take())
    }

    pub(super) fn plain_u64(&mut self) -> Result<u64, RecordError> {
        Ok(self.u64())
    }

    pub(super) fn plain_duration(&mut self) -> Result<Duration, RecordError> {
        Ok(self.duration())
    }

    pub(super) fn cause(&mut self) -> Result<Cause, RecordError> {
        let code = self.u32();
        Cause::from_code(code).ok_or(RecordError::Field { field: "cause", found: code.into() })
    }
}
