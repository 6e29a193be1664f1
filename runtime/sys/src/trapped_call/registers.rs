//! The registers of a thread that made a system call, as the kernel saved them for the handler of a signal.

/// They are what the thread goes on with when the handler returns.
pub(super) struct Registers<'a>(&'a mut libc::ucontext_t);

impl<'a> Registers<'a> {
    pub(super) fn of(context: &'a mut libc::ucontext_t) -> Self {
        Self(context)
    }

    /// Returns the first two arguments of the call.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn arguments(&self) -> [u64; 2] {
        let registers = &self.0.uc_mcontext.gregs;
        [libc::REG_RDI, libc::REG_RSI].map(|register| registers[register as usize].cast_unsigned())
    }

    /// Has the call, which the kernel did not carry out, fail.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn fail(&mut self, errno: i32) {
        self.0.uc_mcontext.gregs[libc::REG_RAX as usize] = (-errno).into();
    }

    /// Returns the first two arguments of the call.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn arguments(&self) -> [u64; 2] {
        [self.0.uc_mcontext.regs[0], self.0.uc_mcontext.regs[1]]
    }

    /// Has the call, which the kernel did not carry out, fail.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn fail(&mut self, errno: i32) {
        self.0.uc_mcontext.regs[0] = i64::from(-errno).cast_unsigned();
    }

    /// Returns the first two arguments of the call.
    #[cfg(target_arch = "riscv64")]
    pub(super) fn arguments(&self) -> [u64; 2] {
        [self.0.uc_mcontext.__gregs[A0], self.0.uc_mcontext.__gregs[A0 + 1]]
    }

    /// Has the call, which the kernel did not carry out, fail.
    #[cfg(target_arch = "riscv64")]
    pub(super) fn fail(&mut self, errno: i32) {
        self.0.uc_mcontext.__gregs[A0] = i64::from(-errno).cast_unsigned();
    }
}

/// The register of the first argument and of the result.
#[cfg(target_arch = "riscv64")]
const A0: usize = 10;
