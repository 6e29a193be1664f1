//! The fields of a control record, read back in the order in which the supervisor wrote them.

use std::time::Duration;

use crate::control::{Cause, NAME_BYTES, RECORD_BYTES, RecordError, name_from};
use crate::spec::Digest;

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
