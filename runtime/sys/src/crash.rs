//! The last words of a process that the processor or somebody else ends by a signal.

use std::ffi::c_void;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::error::{Failed, failed};

/// Signals by which the processor says that code did what it cannot.
const CRASHES: [Signal; 4] = [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE];

/// Has this process say one line on standard error when it crashes, and then die of that very signal, so that whoever
/// waits for it sees which, and a core is written where one is wanted.
///
/// The Rust runtime's own handler lets a crash signal that another process sent pass without effect.
///
/// # Errors
/// Never; the kernel's reason otherwise.
pub fn report_crashes() -> Result<(), Failed> {
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESETHAND | SaFlags::SA_NODEFER | SaFlags::SA_ONSTACK;
    let action = SigAction::new(SigHandler::SigAction(crashed), flags, SigSet::empty());
    for signal in CRASHES {
        // SAFETY: the handler makes async-signal-safe calls only, on memory of its own stack.
        unsafe { sigaction(signal, &action) }.map_err(failed("sigaction"))?;
    }
    Ok(())
}

extern "C" fn crashed(signal: i32, info: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: the kernel gives a siginfo that lives as long as the handler.
    let info = unsafe { &*info };
    let sent = info.si_code <= 0;
    // SAFETY: the number of the sender, which holds of a signal that was sent; else these are bytes of an address.
    let sender = unsafe { info.si_pid() };
    // SAFETY: the address, which holds of a signal of the processor; else these are bytes of the sender's number.
    let address = unsafe { info.si_addr() } as usize;
    let mut line = Words { bytes: [0; 160], length: 0 };
    line.put(b"bailiwick | the supervisor crashes: signal ");
    line.number(signal.unsigned_abs().into(), 10);
    if sent {
        line.put(b", sent by process ");
        line.number(sender.unsigned_abs().into(), 10);
    } else {
        line.put(b" at address 0x");
        line.number(address as u64, 16);
    }
    line.put(b"; every worker is killed\n");
    // SAFETY: the bytes outlive the call; that nobody reads them hinders nothing.
    unsafe { libc::write(libc::STDERR_FILENO, line.bytes.as_ptr().cast(), line.length) };
    // SAFETY: its default meaning is back, and it is not blocked: this ends the process here.
    unsafe { libc::raise(signal) };
}

/// A line that is put together without allocating.
struct Words {
    bytes: [u8; 160],
    length: usize,
}

impl Words {
    fn put(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = *byte;
                self.length += 1;
            }
        }
    }

    fn number(&mut self, number: u64, base: u64) {
        let mut digits = [0; 20];
        let (mut at, mut rest) = (digits.len(), number);
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[(rest % base) as usize];
            rest /= base;
            if rest == 0 || at == 0 {
                break;
            }
        }
        self.put(&digits[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_its_base() {
        for (number, base, text) in
            [(0, 10, "0"), (11, 10, "11"), (0xdead, 16, "dead"), (u64::MAX, 10, "18446744073709551615")]
        {
            let mut words = Words { bytes: [0; 160], length: 0 };
            words.number(number, base);
            assert_eq!(&words.bytes[..words.length], text.as_bytes());
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let mut words = Words { bytes: [0; 160], length: 0 };
        words.put(&[b'x'; 1000]);
        assert_eq!(words.length, 160);
    }
}
