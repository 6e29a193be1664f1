//! Types of which every value has as many bytes.

/// What can be said of the encoding of a type before any of it is read: every value has as many bytes, fills no memory but
/// its own, and carries nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedSize {
    /// How many bytes.
    pub bytes: usize,
    /// How many values lie inside one another, as [`Limits::depth`](crate::Limits) counts them, or more.
    pub depth: u16,
}

impl FixedSize {
    /// Returns the size of a value of so many bytes that holds no others.
    pub const fn plain(bytes: usize) -> Option<FixedSize> {
        Some(FixedSize { bytes, depth: 0 })
    }

    /// Returns the size of a row of fields, if each of them has one.
    pub const fn row(fields: &[Option<FixedSize>]) -> Option<FixedSize> {
        let mut whole = FixedSize { bytes: 0, depth: 0 };
        let mut at = 0;
        while at < fields.len() {
            let Some(field) = fields[at] else { return None };
            let Some(bytes) = whole.bytes.checked_add(field.bytes) else { return None };
            whole.bytes = bytes;
            if field.depth > whole.depth {
                whole.depth = field.depth;
            }
            at += 1;
        }
        whole.deeper()
    }

    /// Returns the size of `count` values of one type.
    pub const fn array(of: Option<FixedSize>, count: usize) -> Option<FixedSize> {
        let Some(of) = of else { return None };
        let Some(bytes) = of.bytes.checked_mul(count) else { return None };
        FixedSize { bytes, depth: of.depth }.deeper()
    }

    const fn deeper(self) -> Option<FixedSize> {
        let Some(depth) = self.depth.checked_add(1) else { return None };
        Some(FixedSize { bytes: self.bytes, depth })
    }
}
