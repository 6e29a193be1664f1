//! System call filters: a compiled program, its bytes for the way to another process, and its installation.
//!
//! What filters are made from is a [`policy`], line by line ([`mod@line`]), with what a manifest changes ([`wish`]); what makes
//! them is [`stages`].

pub mod line;
#[cfg(test)]
mod oracle;
pub mod overseer;
pub mod policy;
mod program;
pub mod stages;
#[cfg(test)]
mod trials;
pub mod wish;

use crate::error::{Errno, Failed, check};

/// One instruction of a filter, laid out as the kernel reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// Instructions skipped if the comparison holds.
    pub jt: u8,
    /// Instructions skipped if it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// A compiled filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    program: Vec<Instruction>,
}

/// Why bytes or instructions are not a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A filter has at least one instruction and at most what the kernel takes.
    #[error("a filter of {found} instructions, it must be 1 to {MAX_INSTRUCTIONS}")]
    Length {
        /// How many there are.
        found: usize,
    },
    /// The bytes end within an instruction.
    #[error("{found} bytes of filter, it must be a multiple of {INSTRUCTION_BYTES}")]
    Torn {
        /// How many bytes there are.
        found: usize,
    },
}

impl Filter {
    /// Takes a compiled program.
    ///
    /// # Errors
    /// When it is empty or longer than the kernel takes. Whether it is valid only the kernel says.
    pub fn new(program: Vec<Instruction>) -> Result<Self, FilterError> {
        match program.len() {
            1..=MAX_INSTRUCTIONS => Ok(Self { program }),
            found => Err(FilterError::Length { found }),
        }
    }

    /// Returns the program as bytes, little endian: 2 code, 1 jt, 1 jf, 4 k for each instruction.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.program.len() * INSTRUCTION_BYTES);
        for instruction in &self.program {
            bytes.extend(instruction.code.to_le_bytes());
            bytes.extend([instruction.jt, instruction.jf]);
            bytes.extend(instruction.k.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the length is not that of a filter.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FilterError> {
        let (instructions, rest) = bytes.as_chunks::<INSTRUCTION_BYTES>();
        if !rest.is_empty() {
            return Err(FilterError::Torn { found: bytes.len() });
        }
        let read = |&[a, b, jt, jf, c, d, e, f]: &[u8; INSTRUCTION_BYTES]| Instruction {
            code: u16::from_le_bytes([a, b]),
            jt,
            jf,
            k: u32::from_le_bytes([c, d, e, f]),
        };
        Self::new(instructions.iter().map(read).collect())
    }

    /// Returns what the filter says to a call, as the kernel would: `data` is the number, the architecture, the address, and
    /// the arguments, in halves. What is none of the instructions that are compiled here is taken for deadly.
    pub fn answer(&self, data: &[u32; 16]) -> u32 {
        self.run(data).0
    }

    /// Returns how many instructions it takes to the answer.
    #[cfg(test)]
    fn steps(&self, data: &[u32; 16]) -> usize {
        self.run(data).1
    }

    fn run(&self, data: &[u32; 16]) -> (u32, usize) {
        let (mut a, mut at, mut steps) = (0_u32, 0_usize, 0_usize);
        while let Some(&Instruction { code, jt, jf, k }) = self.program.get(at) {
            (at, steps) = (at + 1, steps + 1);
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            match code {
                0x20 => a = data.get(k as usize / 4).copied().unwrap_or_default(),
                0x54 => a &= k,
                0x05 => at += k as usize,
                0x15 => at += jump(a == k),
                0x25 => at += jump(a > k),
                0x35 => at += jump(a >= k),
                0x06 => return (k, steps),
                _ => break,
            }
        }
        (libc::SECCOMP_RET_KILL_PROCESS, steps)
    }

    /// Puts the filter on the calling thread for ever. Async-signal-safe.
    ///
    /// # Errors
    /// EACCES without no_new_privs or CAP_SYS_ADMIN; EINVAL when the program is invalid.
    pub fn install(&self) -> Result<(), Failed> {
        self.install_with(0)
    }

    /// Puts the filter on every thread of the process for ever.
    ///
    /// # Errors
    /// As [`Self::install`]; ESRCH when a thread could not be brought in line, and then none has the filter.
    pub fn install_on_all_threads(&self) -> Result<(), Failed> {
        self.install_with(ON_ALL_THREADS.into())
    }

    fn install_with(&self, flags: libc::c_ulong) -> Result<(), Failed> {
        let program = libc::sock_fprog {
            len: self.program.len() as libc::c_ushort,
            // The kernel only reads; the field is mutable for other users of the type.
            filter: self.program.as_ptr().cast::<libc::sock_filter>().cast_mut(),
        };
        // SAFETY: `program` points to `len` instructions with the layout of sock_filter, alive during the call.
        let result = unsafe {
            libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
        };
        check("seccomp", result).map(drop)
    }
}

/// Returns whether the kernel takes filters that kill the whole process.
pub fn is_available() -> bool {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: the action is a u32 that outlives the call, which is what this operation reads.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    check("seccomp", result).is_ok()
}

/// Returns whether the calling thread is under a filter.
pub fn is_filtered() -> bool {
    // SAFETY: PR_GET_SECCOMP takes nothing and touches no memory of ours.
    let mode = unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) };
    // Under a filter that forbids the question there is certainly a filter.
    mode == 2 || (mode < 0 && Errno::last() == Errno::EPERM)
}

/// Instructions that the kernel takes in one filter.
pub const MAX_INSTRUCTIONS: usize = 4096;
const INSTRUCTION_BYTES: usize = 8;
/// How the second stage is entered, and the only way that the first allows.
pub(crate) const ON_ALL_THREADS: u32 =
    (libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH) as u32;
const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOW: Instruction = Instruction { code: 0x06, jt: 0, jf: 0, k: libc::SECCOMP_RET_ALLOW };

    #[test]
    fn a_filter_survives_the_way_as_bytes() {
        let filter =
            Filter::new(vec![Instruction { code: 0x15, jt: 1, jf: 2, k: 0x0102_0304 }, ALLOW]).unwrap();
        assert_eq!(Filter::from_bytes(&filter.to_bytes()), Ok(filter));
    }

    #[test]
    fn empty_torn_and_endless_filters_are_refused() {
        assert_eq!(Filter::from_bytes(&[]), Err(FilterError::Length { found: 0 }));
        assert_eq!(Filter::from_bytes(&[0; 9]), Err(FilterError::Torn { found: 9 }));
        assert!(Filter::new(vec![ALLOW; MAX_INSTRUCTIONS]).is_ok());
        assert_eq!(
            Filter::new(vec![ALLOW; MAX_INSTRUCTIONS + 1]),
            Err(FilterError::Length { found: MAX_INSTRUCTIONS + 1 })
        );
    }
}
