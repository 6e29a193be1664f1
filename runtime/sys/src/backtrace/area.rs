//! Text in shared memory, written without anything that a broken process may not do.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use libc::{c_int, c_long};

/// Memory that is filled from its beginning; what does not fit is left out.
pub(super) struct Area {
    words: &'static [AtomicU64],
    written: AtomicUsize,
}

impl Area {
    /// Takes words that are all zero.
    pub(super) fn new(words: &'static [AtomicU64]) -> Self {
        Self { words, written: AtomicUsize::new(0) }
    }

    /// Appends a line as a whole, also beside others who do.
    pub(super) fn append(&self, line: &[u8]) {
        let at = self.written.fetch_add(line.len(), Ordering::Relaxed);
        // The last byte stays zero: the reader's end.
        if at.saturating_add(line.len()) >= size_of_val(self.words) {
            return;
        }
        for (at, byte) in (at..).zip(line) {
            let mut word = [0; size_of::<u64>()];
            word[at % size_of::<u64>()] = *byte;
            self.words[at / size_of::<u64>()].fetch_or(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
    }
}

/// A short line under way, on the stack.
pub(super) struct Line {
    bytes: [u8; 64],
    length: usize,
}

impl Line {
    pub(super) fn of(text: &str) -> Self {
        Self { bytes: [0; 64], length: 0 }.text(text)
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        text.bytes().for_each(|byte| self.push(byte));
        self
    }

    /// Adds a name that ends with a zero; what is not plain becomes a question mark.
    pub(super) fn name(mut self, name: &[u8]) -> Self {
        let plain = |byte: u8| if byte.is_ascii_graphic() || byte == b' ' { byte } else { b'?' };
        name.iter().take_while(|byte| **byte != 0).for_each(|byte| self.push(plain(*byte)));
        self
    }

    pub(super) fn number(mut self, number: u64, base: u64) -> Self {
        let (mut digits, mut first, mut rest) = ([0; 20], 20, number);
        while rest > 0 || first == 20 {
            first -= 1;
            digits[first] = b"0123456789abcdef"[(rest % base) as usize];
            rest /= base;
        }
        digits[first..].iter().for_each(|digit| self.push(*digit));
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }
}

/// Calls `each` with every number among the names in an open folder.
pub(super) fn for_each_number(folder: c_int, mut each: impl FnMut(c_int)) {
    // SAFETY: takes numbers and touches no memory.
    unsafe { libc::lseek(folder, 0, libc::SEEK_SET) };
    loop {
        let mut buffer = [0_u64; 64];
        let room = size_of_val(&buffer);
        // SAFETY: the kernel writes at most as many bytes as there is room for.
        let found = unsafe { libc::syscall(libc::SYS_getdents64, folder, buffer.as_mut_ptr(), room) };
        if found <= 0 {
            return;
        }
        entries(&buffer, found, &mut each);
    }
}

/// Reads what getdents64 wrote: two words, a length of two bytes, a kind, and a name with its end.
fn entries(buffer: &[u64; 64], found: c_long, each: &mut impl FnMut(c_int)) {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let byte = |at: usize| buffer.get(at / 8).map_or(0, |word| word.to_ne_bytes()[at % 8]);
    let mut at = 0;
    while at + NAME < usize::try_from(found).unwrap_or(0) {
        let (mut number, mut digit) = (0_i32, at + NAME);
        while byte(digit).is_ascii_digit() {
            number = number.wrapping_mul(10).wrapping_add(i32::from(byte(digit) - b'0'));
            digit += 1;
        }
        if number > 0 {
            each(number);
        }
        let length = u16::from_ne_bytes([byte(at + LENGTH), byte(at + LENGTH + 1)]);
        at += usize::from(length.max(1));
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn area(words: usize) -> (&'static [AtomicU64], Area) {
        let words: Vec<AtomicU64> = (0..words).map(|_| AtomicU64::new(0)).collect();
        let words: &'static [AtomicU64] = words.leak();
        (words, Area::new(words))
    }

    fn text(words: &[AtomicU64]) -> String {
        let bytes: Vec<u8> =
            words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        String::from_utf8(bytes).unwrap().trim_end_matches('\0').to_owned()
    }

    #[test]
    fn lines_are_appended_until_one_does_not_fit() {
        let (words, area) = area(3);
        area.append(Line::of("a").number(0, 10).text(" ").number(255, 16).text("\n").as_bytes());
        area.append(Line::of("thread ").name(b"x\ny\0z").as_bytes());
        assert_eq!(text(words), "a0 ff\nthread x?y");
        area.append(b"eightbyt");
        assert_eq!(text(words), "a0 ff\nthread x?y");
    }

    #[test]
    fn a_line_is_cut_and_a_number_is_whole() {
        let line = Line::of("").number(u64::MAX, 10);
        assert_eq!(line.as_bytes(), u64::MAX.to_string().as_bytes());
        assert_eq!(Line::of(&"x".repeat(100)).as_bytes().len(), 64);
    }

    #[test]
    fn the_threads_of_a_process_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=100 {
            std::fs::create_dir(folder.path().join(number.to_string())).unwrap();
        }
        std::fs::create_dir(folder.path().join("none")).unwrap();
        let open = std::fs::File::open(folder.path()).unwrap();
        for _ in 0..2 {
            let mut found = Vec::new();
            for_each_number(open.as_raw_fd(), |number| found.push(number));
            found.sort_unstable();
            assert_eq!(found, (1..=100).collect::<Vec<_>>());
        }
    }
}
