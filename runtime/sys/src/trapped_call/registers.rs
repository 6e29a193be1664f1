//! The registers of a thread that made a system call, as the kernel saved them for the handler of a signal.

/// They are what the thread goes on with when the handler returns.
pub(super) struct Registers<'a>(&'a mut libc::ucontext_t);

impl<'a> Registers<'a> {
    pub(super) fn of(context: &'a mut libc::ucontext_t) -> Self {
        Self(context)
    }

    /// Returns the arguments of the call.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn arguments(&self) -> [u64; 6] {
        let registers = &self.0.uc_mcontext.gregs;
        [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX, libc::REG_R10, libc::REG_R8, libc::REG_R9]
            .map(|register| registers[register as usize].cast_unsigned())
    }

    /// Has the call, which the kernel did not carry out, return this.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn answer(&mut self, result: i64) {
        self.0.uc_mcontext.gregs[libc::REG_RAX as usize] = result;
    }

    /// Returns the arguments of the call.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn arguments(&self) -> [u64; 6] {
        std::array::from_fn(|at| self.0.uc_mcontext.regs[at])
    }

    /// Has the call, which the kernel did not carry out, return this.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn answer(&mut self, result: i64) {
        self.0.uc_mcontext.regs[0] = result.cast_unsigned();
    }

    /// Returns the arguments of the call.
    #[cfg(target_arch = "riscv64")]
    pub(super) fn arguments(&self) -> [u64; 6] {
        std::array::from_fn(|at| self.0.uc_mcontext.__gregs[A0 + at])
    }

    /// Has the call, which the kernel did not carry out, return this.
    #[cfg(target_arch = "riscv64")]
    pub(super) fn answer(&mut self, result: i64) {
        self.0.uc_mcontext.__gregs[A0] = result.cast_unsigned();
    }
}

/// The register of the first argument and of the result.
#[cfg(target_arch = "riscv64")]
const A0: usize = 10;
