//! What a schedule goes through: three instances of workers, and the manifest that they are from.

use std::collections::BTreeMap;

/// Restarts without end and nearly without pause, so that much happens in little time.
const TERMS: &str = "exec = \"tw\"\ngroup = \"g\"\nbackoff = { base = \"1ms\", cap = \"5ms\" }\n\
    drain_timeout = \"1s\"\nstop_timeout = \"HOTms\"\nenvironment = { TW_HOME = \"FOLDER\", TURN = \"ANEW\" }\n\
    actor.life = { type = \"Life\", args = { KNOBSafter_ms = TOLD } }\n";
const BUDGET: &str = "max_restarts = 10000\nperiod = \"60s\"";

/// A worker beside those of the schedule that asks one of them who it is, one ask after the other, once it was started.
pub(crate) const ASKER: &str = "asker";
const ASKING: &str = "[worker.asker]\nexec = \"tw\"\nstart = \"on_demand\"\ndrain_timeout = \"0s\"\n\
    actor.flight = { type = \"Pilot\", args = { target = \"ASKED\", who = 1, pause_ms = 3 } }\n\
    [[grant]]\nfrom = \"asker\"\nto = \"ASKED\"\n";

/// Three instances, and the manifest that they are from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The titles of the instances.
    pub(crate) members: [&'static str; 3],
    /// The manifest; `BUDGET`, `TERMS` and `OUTER` in it stand for what all shapes have in common.
    pub(crate) text: &'static str,
    /// What the actors do.
    pub(crate) knobs: &'static str,
    /// The second member needs the first.
    pub(crate) needs: bool,
    /// Behind each life there is a process that waits to be the next.
    pub(crate) spares: bool,
    /// Lives end as planned, of which nothing is said.
    pub(crate) disposable: bool,
    /// The worker that is asked who it is.
    pub(crate) asked: Option<&'static str>,
}

/// What a reload changes of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// What holds at once.
    Hot,
    /// What its actors are told.
    Told,
    /// What takes another process.
    Anew,
}

/// How often the terms of each worker were changed, and in what.
pub(crate) type Turns = BTreeMap<(&'static str, Change), u32>;

impl Shape {
    /// Three workers of their own without anything particular.
    pub(crate) const PLAIN: Self = Self {
        members: ["a", "b", "c"],
        text: "[group.g]\nBUDGET\n[worker.a]\nTERMS\n[worker.b]\nTERMS\n[worker.c]\nTERMS\n",
        knobs: "",
        needs: false,
        spares: false,
        disposable: false,
        asked: None,
    };

    /// The worker of which a member is an instance.
    pub(crate) fn worker(&self, member: usize) -> &'static str {
        let title = self.members[member];
        title.split_once('.').map_or(title, |(worker, _)| worker)
    }

    /// The manifest after so many changes.
    pub(crate) fn manifest(&self, turns: &Turns) -> String {
        let outer = TERMS.replace("group = \"g\"", "group = \"all\"");
        let text = self.text.replace("BUDGET", BUDGET).replace("OUTER", &outer).replace("TERMS", TERMS);
        let mut tables = text.split("[worker.");
        let mut manifest = tables.next().unwrap_or_default().replace("KNOBS", self.knobs);
        for table in tables {
            let name = table.split_once(']').map_or("", |(name, _)| name);
            let turn = |change| {
                let is_it = |(at, _): &(&(&str, Change), &u32)| at.0 == name && at.1 == change;
                turns.iter().find(is_it).map_or(0, |(_, turn)| *turn)
            };
            let table = table
                .replace("KNOBS", self.knobs)
                .replace("HOT", &(1000 + turn(Change::Hot)).to_string())
                .replace("TOLD", &turn(Change::Told).to_string())
                .replace("ANEW", &turn(Change::Anew).to_string());
            manifest.push_str("[worker.");
            manifest.push_str(&table);
        }
        manifest + &self.asked.map(|asked| ASKING.replace("ASKED", asked)).unwrap_or_default()
    }
}
