//! What the operator should know of a worker: promises that this machine cannot keep, and grants that are void.

use super::machine::Machine;
use super::prepared::Prepared;
use crate::check::aspect::{Aspect, Missing};
use crate::check::floor::{self, Pillar};
use crate::control::MemoryMechanism;
use crate::spec::Worker;
use bailiwick_sys::tree::Tree;

impl Prepared {
    /// Returns what this machine does not give to the worker, floor apart.
    pub(super) fn find_missing(&self, worker: &Worker, machine: &Machine) -> Vec<Missing> {
        let extras = floor::extras_lacking(worker, machine).into_iter();
        let told = |pillar: &Pillar| format!("it could {}: {}", pillar.without, pillar.needs).into();
        let mut missing: Vec<_> =
            extras.map(|pillar| Missing { what: pillar.aspect, why: told(pillar) }).collect();
        let mut add = |what, why| missing.push(Missing { what, why });
        // Of who may start programs its floor says more.
        let is_alone = !worker.sandbox.starts_programs();
        if is_alone && self.memory_mechanism() == MemoryMechanism::AddressSpace {
            add(
                Aspect::Memory,
                "its limit bounds the address space, and it makes no memory beside that".into(),
            );
        }
        let places = self.granted.iter().chain([&self.directory]);
        for why in places.filter_map(|place| place.closed_to(self.account.identity())) {
            add(Aspect::Files, why.into());
        }
        if matches!(self.tree, Tree::Alone) && self.running_filter().is_none() {
            let why = "what it starts may outlive it: there is neither cgroup.kill nor a user of its own";
            add(Aspect::Descendants, why.into());
        }
        missing
    }
}
