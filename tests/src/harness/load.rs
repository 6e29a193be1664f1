//! Both cores busy: loops that run beside a test and end with it.

use std::process::{Child, Command, Stdio};
use std::thread;

/// One busy process for each core, a little less urgent than what is tested.
#[derive(Debug)]
pub struct Load {
    loops: Vec<Child>,
}

impl Load {
    /// Starts the loops; `executable` loops until its standard input ends, so none outlives the test.
    pub fn start(executable: &str) -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        let busy = || {
            let mut command = Command::new("nice");
            command.args(["-n", "5", executable, "spin"]).stdin(Stdio::piped());
            command.spawn().expect("nice is part of every system")
        };
        Self { loops: (0..cores).map(|_| busy()).collect() }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.loops {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
