//! How control groups share memory, processors and disks between workers, beside the bounds on memory and tasks.
//!
//! The words are those of version 2. Version 1 has an equal for processors, disks and swap; for the others it has none,
//! and nothing that only looks like one is put in their place.

use crate::cgroup::{Cgroups, Version};

/// What a worker gets of what others want too; `None` leaves the kernel's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Bytes of memory above which it is slowed down.
    pub memory_high: Option<u64>,
    /// Bytes of memory that it keeps as long as others have any to spare.
    pub memory_low: Option<u64>,
    /// Bytes of memory that it keeps in any case.
    pub memory_min: Option<u64>,
    /// Bytes of swap.
    pub memory_swap_max: Option<u64>,
    /// Its part of the processors when they are all busy, 1 to 10,000; others have 100.
    pub cpu_weight: Option<u32>,
    /// Its processor time at most, in hundredths of one processor.
    pub cpu_quota: Option<u32>,
    /// Its part of the disks when they are busy, 1 to 10,000; others have 100.
    pub io_weight: Option<u32>,
    /// Whether all its processes end when the kernel kills one for want of memory.
    pub oom_kills_all: Option<bool>,
}

/// What a worker is like, as far as it matters which mechanism serves it.
#[derive(Clone, Copy, Debug)]
pub struct Whose {
    /// It has a bound on its memory.
    pub memory_is_bounded: bool,
    /// It has one process for ever.
    pub is_alone: bool,
}

/// A key that this machine cannot enforce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// The key.
    pub key: &'static str,
    /// What it needs.
    pub why: &'static str,
}

/// Files of a group with what is written to them.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// A resource that control groups share out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    Memory,
    Cpu,
    Io,
}

impl Controller {
    /// Returns its name where a group has to ask for it; that of memory is asked for in any case.
    pub(crate) fn to_ask_for(self) -> Option<&'static str> {
        match self {
            Self::Memory => None,
            Self::Cpu => Some("cpu"),
            Self::Io => Some("io"),
        }
    }
}

impl Shares {
    /// Returns these shares as far as the machine can enforce them, and what it cannot.
    pub fn met_by(mut self, cgroups: &Cgroups, whose: Whose) -> (Self, Vec<Unmet>) {
        let mut unmet = Vec::new();
        let by_version_2 = cgroups.memory() == Some(Version::V2);
        for (key, share) in [
            ("memory_high", &mut self.memory_high),
            ("memory_low", &mut self.memory_low),
            ("memory_min", &mut self.memory_min),
        ] {
            refuse_unless(by_version_2, key, MEMORY_V2, share, &mut unmet);
        }
        let (swap, why) = match cgroups.memory() {
            Some(Version::V2) => (true, ""),
            Some(Version::V1) if !cgroups.counts_swap() => (false, SWAP),
            Some(Version::V1) => (whose.memory_is_bounded, SWAP_V1),
            None => (false, MEMORY),
        };
        refuse_unless(swap, "memory_swap_max", why, &mut self.memory_swap_max, &mut unmet);
        let cpu = cgroups.cpu().is_some();
        refuse_unless(cpu, "cpu_weight", CPU, &mut self.cpu_weight, &mut unmet);
        refuse_unless(cpu, "cpu_quota", CPU, &mut self.cpu_quota, &mut unmet);
        refuse_unless(cgroups.io().is_some(), "io_weight", IO, &mut self.io_weight, &mut unmet);
        let together = by_version_2 || whose.is_alone || self.oom_kills_all != Some(true);
        refuse_unless(together, "oom_policy", MEMORY_V2, &mut self.oom_kills_all, &mut unmet);
        (self, unmet)
    }

    /// Returns what is written to the files of a group of version 2, by controller, where that shares anything out.
    pub(crate) fn of_version_2(&self, groups: &Cgroups) -> Vec<(Controller, Settings)> {
        let by = [
            (Controller::Memory, groups.memory()),
            (Controller::Cpu, groups.cpu()),
            (Controller::Io, groups.io()),
        ];
        let by = by.into_iter().filter(|(_, version)| *version == Some(Version::V2));
        let settings = by.map(|(controller, _)| (controller, self.settings(controller, Version::V2, None)));
        settings.filter(|(_, settings)| !settings.is_empty()).collect()
    }

    /// Returns what is written to the files of a group, with the bound on memory that stands there.
    pub(crate) fn settings(&self, controller: Controller, version: Version, memory: Option<u64>) -> Settings {
        let quota = self.cpu_quota.map(|percent| u64::from(percent) * (CPU_PERIOD_US / 100));
        let weight_v1 = |weight: u32| (weight.saturating_mul(1024) / 100).clamp(2, 262_144);
        let all = |bytes: u64| memory.unwrap_or(0).saturating_add(bytes);
        let settings = match (controller, version) {
            (Controller::Memory, Version::V2) => vec![
                ("memory.high", text(self.memory_high)),
                ("memory.low", text(self.memory_low)),
                ("memory.min", text(self.memory_min)),
                ("memory.swap.max", text(self.memory_swap_max)),
                ("memory.oom.group", text(self.oom_kills_all.map(u8::from))),
            ],
            // Memory and swap have one bound together.
            (Controller::Memory, Version::V1) => {
                vec![("memory.memsw.limit_in_bytes", text(self.memory_swap_max.map(all)))]
            }
            (Controller::Cpu, Version::V2) => vec![
                ("cpu.weight", text(self.cpu_weight)),
                ("cpu.max", quota.map(|quota| format!("{quota} {CPU_PERIOD_US}"))),
            ],
            (Controller::Cpu, Version::V1) => vec![
                ("cpu.shares", text(self.cpu_weight.map(weight_v1))),
                ("cpu.cfs_period_us", quota.map(|_| CPU_PERIOD_US.to_string())),
                ("cpu.cfs_quota_us", text(quota)),
            ],
            (Controller::Io, Version::V2) => vec![("io.weight", text(self.io_weight))],
            (Controller::Io, Version::V1) => vec![(IO_WEIGHT_V1, text(self.io_weight.map(bfq_weight)))],
        };
        settings.into_iter().filter_map(|(file, value)| Some((file, value?))).collect()
    }
}

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

/// Takes a share away that nothing would enforce.
fn refuse_unless<T>(
    met: bool,
    key: &'static str,
    why: &'static str,
    share: &mut Option<T>,
    unmet: &mut Vec<Unmet>,
) {
    if !met && share.take().is_some() {
        unmet.push(Unmet { key, why });
    }
}

/// Returns the weight of a scheduler that knows 1 to 1000, where others have 100 too.
fn bfq_weight(weight: u32) -> u32 {
    if weight <= 100 { weight.max(1) } else { (100 + (weight - 100) / 11).min(1000) }
}

/// The time in which a quota is used up and given anew.
const CPU_PERIOD_US: u64 = 100_000;
/// The file by which a group of version 1 has its part of the disks.
pub(crate) const IO_WEIGHT_V1: &str = "blkio.bfq.weight";

const MEMORY: &str = "there is no control group for memory";
const MEMORY_V2: &str = "there is no control group of version 2 for memory";
const SWAP: &str = "the control groups of this kernel do not count swap";
const SWAP_V1: &str = "control groups of version 1 bound swap only together with `memory_max`";
const CPU: &str = "there is no control group for processors";
const IO: &str = "there is no control group for disks that knows weights";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Shares = Shares {
        memory_high: Some(5),
        memory_low: Some(4),
        memory_min: Some(3),
        memory_swap_max: Some(2),
        cpu_weight: Some(50),
        cpu_quota: Some(150),
        io_weight: Some(200),
        oom_kills_all: Some(true),
    };
    const FORKING: Whose = Whose { memory_is_bounded: true, is_alone: false };

    fn version_2() -> Cgroups {
        let v2_controllers = ["memory", "pids", "cpu", "io"].map(str::to_owned).into();
        Cgroups { v2: Some("/groups".into()), v2_controllers, ..Cgroups::default() }
    }

    fn keys(unmet: &[Unmet]) -> Vec<&'static str> {
        unmet.iter().map(|unmet| unmet.key).collect()
    }

    #[test]
    fn version_2_meets_everything() {
        assert_eq!(ALL.met_by(&version_2(), FORKING), (ALL, vec![]));
    }

    #[test]
    fn without_control_groups_nothing_is_met_and_nothing_is_left_to_be_set() {
        let (met, unmet) = ALL.met_by(&Cgroups::default(), FORKING);
        assert_eq!(met, Shares::default());
        assert_eq!(
            keys(&unmet),
            [
                "memory_high",
                "memory_low",
                "memory_min",
                "memory_swap_max",
                "cpu_weight",
                "cpu_quota",
                "io_weight",
                "oom_policy"
            ]
        );
        assert_eq!(Shares::default().met_by(&Cgroups::default(), FORKING).1, []);
    }

    #[test]
    fn who_is_alone_dies_whole_and_who_may_die_in_part_needs_nothing() {
        let kill = |kills| Shares { oom_kills_all: Some(kills), ..Shares::default() };
        let met = |shares: Shares, is_alone| {
            shares.met_by(&Cgroups::default(), Whose { is_alone, ..FORKING }).1.is_empty()
        };
        assert!(met(kill(true), true) && met(kill(false), false));
        assert!(!met(kill(true), false));
    }

    #[test]
    fn version_1_shares_out_processors_and_bounds_swap_beside_memory() {
        let folder = tempfile::tempdir().unwrap();
        let cgroups = Cgroups {
            v1_memory: Some(folder.path().to_owned()),
            v1_cpu: Some("/cpu".into()),
            ..Cgroups::default()
        };
        let lost = |whose| keys(&ALL.met_by(&cgroups, whose).1);
        assert!(lost(FORKING).contains(&"memory_swap_max"), "swap is not counted");
        std::fs::write(folder.path().join("memory.memsw.limit_in_bytes"), "").unwrap();
        assert_eq!(lost(FORKING), ["memory_high", "memory_low", "memory_min", "io_weight", "oom_policy"]);
        assert!(lost(Whose { memory_is_bounded: false, ..FORKING }).contains(&"memory_swap_max"));
    }

    #[test]
    fn each_version_is_told_in_its_own_words() {
        let told = |controller, version| {
            let settings = ALL.settings(controller, version, Some(100));
            settings.iter().map(|(file, value)| format!("{file} {value}")).collect::<Vec<_>>()
        };
        let memory =
            ["memory.high 5", "memory.low 4", "memory.min 3", "memory.swap.max 2", "memory.oom.group 1"];
        assert_eq!(told(Controller::Memory, Version::V2), memory);
        assert_eq!(told(Controller::Memory, Version::V1), ["memory.memsw.limit_in_bytes 102"]);
        assert_eq!(told(Controller::Cpu, Version::V2), ["cpu.weight 50", "cpu.max 150000 100000"]);
        let cpu = ["cpu.shares 512", "cpu.cfs_period_us 100000", "cpu.cfs_quota_us 150000"];
        assert_eq!(told(Controller::Cpu, Version::V1), cpu);
        assert_eq!(told(Controller::Io, Version::V2), ["io.weight 200"]);
        assert_eq!(told(Controller::Io, Version::V1), ["blkio.bfq.weight 109"]);
    }

    #[test]
    fn weights_keep_their_order_between_the_scales() {
        let weights: Vec<u32> = [1, 50, 100, 101, 500, 5000, 10_000].map(bfq_weight).into();
        assert!(weights.is_sorted(), "{weights:?}");
        assert_eq!((weights[0], weights[2], weights[6]), (1, 100, 1000));
    }
}
