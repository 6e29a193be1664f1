//! Our side: the machine in a world in which every process does at once what it is told.

use std::collections::VecDeque;
use std::time::Duration;

use bailiwick_core::backoff::Backoff;
use bailiwick_core::exit::{Exit, ExitCodes};
use bailiwick_core::time::Instant;
use bailiwick_core::tree::{
    Action, ChildConfig, ChildId, Config, Event, GroupConfig, GroupId, Incarnation, OnExhausted, Tree, Verb,
};

use crate::history::{Group, History, Member, Step};

/// Returns what ours did, a line for each step; the first is the start, the last the ordered stop.
pub(crate) fn run(history: &History) -> Vec<String> {
    let mut world = World::new(&history.group);
    world.tell(Event::Boot);
    let mut lines = vec![world.line()];
    for step in &history.steps {
        world.take(*step);
        lines.push(world.line());
    }
    if !world.has_left {
        world.tell(Event::ShutDown);
    }
    lines.push(world.line());
    lines
}

struct World {
    tree: Tree,
    now: Instant,
    names: Vec<char>,
    /// Starts that will fail.
    fails: Vec<u32>,
    running: Vec<Option<Incarnation>>,
    said: Vec<String>,
    events: VecDeque<Event>,
    has_left: bool,
}

impl World {
    fn new(group: &Group) -> Self {
        let mut config = Config { groups: Vec::new(), ..Config::default() };
        let mut names = Vec::new();
        add_group(&mut config, &mut names, group, None);
        let count = names.len();
        Self {
            tree: Tree::new(config).expect("the histories are of valid groups"),
            now: Instant::START,
            names,
            fails: vec![0; count],
            running: vec![None; count],
            said: Vec::new(),
            events: VecDeque::new(),
            has_left: false,
        }
    }

    /// Takes what was done since the last call, as one line.
    fn line(&mut self) -> String {
        if self.has_left {
            self.said.push("gone".to_owned());
        }
        std::mem::take(&mut self.said).join(" ")
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Crash(name) => self.end(name, Exit::Signal(11)),
            Step::Leave(name) => self.end(name, Exit::Code(0)),
            Step::Stop(name) => self.tell(Event::Operator { verb: Verb::Stop, child: self.id(name) }),
            Step::Start(name) => self.tell(Event::Operator { verb: Verb::Start, child: self.id(name) }),
            Step::Fail(name, times) => {
                let at = usize::from(self.id(name).0);
                self.fails[at] = times;
            }
            Step::Wait(ms) => {
                self.now += Duration::from_millis(ms);
                self.tell(Event::Tick);
            }
        }
    }

    fn id(&self, name: char) -> ChildId {
        let at = self.names.iter().position(|known| *known == name).expect("the history names children");
        ChildId(u16::try_from(at).expect("few children"))
    }

    fn end(&mut self, name: char, exit: Exit) {
        let at = usize::from(self.id(name).0);
        if let Some(of) = self.running[at].take() {
            self.tell(Event::Exited { of, exit });
        }
    }

    /// Tells the machine, does what it orders, and so on until it is content.
    fn tell(&mut self, event: Event) {
        self.events.push_back(event);
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None if self.tree.deadline().is_some_and(|at| at <= self.now) => Event::Tick,
                None => return,
            };
            let mut actions = Vec::new();
            self.tree.handle(self.now, event, &mut actions);
            for action in actions {
                self.perform(action);
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn(of) => self.spawn(of),
            Action::Drain(of) => self.events.push_back(Event::Drained(of)),
            Action::Terminate(of) => {
                let at = usize::from(of.child.0);
                if self.running[at].take().is_some() {
                    self.said.push(format!("-{}", self.names[at]));
                    self.events.push_back(Event::Exited { of, exit: Exit::Code(0) });
                }
            }
            Action::KillTree(of) => self.events.push_back(Event::Emptied { of, chance: 0 }),
            Action::Leave(_) => self.has_left = true,
            Action::Abort(_) | Action::Look(_) | Action::Reload(_) => {
                unreachable!("nobody hangs and nothing is reloaded")
            }
            // OTP knows no spares, and no rolling replacement of a process.
            Action::Prepare(_) | Action::Admit(_) | Action::Rise(_) | Action::Succeed { .. } => {}
            Action::Announce { .. } | Action::Record(_) | Action::Alert(_) => {}
        }
    }

    fn spawn(&mut self, of: Incarnation) {
        let at = usize::from(of.child.0);
        if self.fails[at] > 0 {
            self.fails[at] -= 1;
            self.said.push(format!("~{}", self.names[at]));
            self.events.push_back(Event::SpawnFailed { of, step: 0, errno: 2, chance: 0 });
        } else {
            self.said.push(format!("+{}", self.names[at]));
            self.running[at] = Some(of);
            self.events.extend([Event::Spawned(of), Event::Ready(of)]);
        }
    }
}

/// Adds a group, and everything in it, on OTP's terms: no pause, and a spent budget ends it.
fn add_group(config: &mut Config, names: &mut Vec<char>, group: &Group, parent: Option<GroupId>) {
    let id = GroupId(u16::try_from(config.groups.len()).expect("few groups"));
    config.groups.push(GroupConfig {
        parent,
        strategy: group.strategy,
        max_restarts: group.max_restarts,
        period: Duration::from_secs(group.period_s),
        on_exhausted: OnExhausted::Escalate,
        auto_shutdown: group.auto_shutdown,
        ..GroupConfig::default()
    });
    let at_once =
        Backoff { first: Duration::ZERO, base: Duration::ZERO, cap: Duration::ZERO, ..Backoff::default() };
    for member in &group.members {
        match member {
            Member::Child { name, restart, significant } => {
                names.push(*name);
                config.children.push(ChildConfig {
                    group: id,
                    restart: *restart,
                    significant: *significant,
                    backoff: at_once,
                    position: u16::try_from(config.children.len()).expect("few children"),
                    // OTP has one end that is as it should be, and no exit codes.
                    no_restart_exit: ExitCodes::new(&[]),
                    uncounted_exit: ExitCodes::new(&[]),
                    ..ChildConfig::default()
                });
            }
            Member::Group(_, inner) => add_group(config, names, inner, Some(id)),
        }
    }
}
