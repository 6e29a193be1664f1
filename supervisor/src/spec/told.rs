//! What a worker is told of its actors and its peers, in the words of its first packet.

use bailiwick_wire::bootstrap::{self, Slot};

use super::{
    Actor, AutoShutdown, Grant, Kind, OnExhausted, Once, RestartType, Start, Strategy, System, Worker,
};

impl Grant {
    /// Returns what it opens: one actor, or every actor that the receiver declares.
    pub(crate) fn slots(&self, system: &System) -> Vec<Slot> {
        let to = system.workers.iter().filter(|worker| worker.name == self.to_worker);
        let actors: Vec<&Actor> = to.flat_map(|worker| &worker.actors).collect();
        let slot = |name: &str| Slot {
            actor: name.to_owned(),
            methods: self.methods.clone(),
            fds_send: self.fds_send.clone(),
            fds_receive: self.fds_receive.clone(),
            max_inflight: self.max_inflight,
            rate: self.rate.map(|rate| (rate.messages, rate.period)),
            once: match self.once {
                Once::No => bootstrap::Once::No,
                Once::PerLife => bootstrap::Once::PerLife,
                Once::Ever => bootstrap::Once::Ever,
            },
            used: Vec::new(),
            rendezvous: actors.iter().any(|actor| actor.name == name && actor.mailbox.capacity == 0),
        };
        match &self.to_actor {
            Some(actor) => vec![slot(actor)],
            None => actors.iter().map(|actor| slot(&actor.name)).collect(),
        }
    }
}

impl From<&Actor> for bootstrap::Actor {
    fn from(actor: &Actor) -> Self {
        Self {
            name: actor.name.clone(),
            type_name: actor.type_name.clone(),
            args: actor.args.as_ref().map(|args| (args.text.clone(), args.line)),
            mailbox_messages: actor.mailbox.capacity,
            mailbox_bytes: actor.mailbox.capacity_bytes,
            on_full: actor.mailbox.on_full,
            restart: actor.restart.map(|restart| match restart {
                RestartType::Permanent => bootstrap::Restart::Permanent,
                RestartType::Transient => bootstrap::Restart::Transient,
                RestartType::Temporary => bootstrap::Restart::Temporary,
            }),
            significant: actor.significant,
            handoff: actor.handoff,
        }
    }
}

impl Worker {
    /// Returns what a life of it is told at its start, as far as that is declared: not of peers and not of its sandbox.
    pub(crate) fn bootstrap(&self, instance: u16, generation: u32) -> bootstrap::Bootstrap {
        bootstrap::Bootstrap {
            worker: self.name.clone(),
            instance,
            instances: self.places(),
            generation,
            work: match self.kind {
                Kind::Resident => bootstrap::Work::Resident,
                Kind::Oneshot => bootstrap::Work::Oneshot,
                Kind::Main => bootstrap::Work::Main,
            },
            actors: self.actors.iter().map(Into::into).collect(),
            supervision: self.supervision(),
            max_messages: self.max_messages,
            threads: self.threads,
            idle_stop_ms: u64::try_from(self.idle_stop.as_millis()).unwrap_or(u64::MAX),
            ..bootstrap::Bootstrap::default()
        }
    }

    /// Returns what it makes of the failures of its actors.
    fn supervision(&self) -> bootstrap::Supervision {
        let (terms, backoff) = (&self.actor_terms, self.actor_terms.backoff);
        bootstrap::Supervision {
            strategy: match terms.strategy {
                Strategy::OneForOne => bootstrap::Strategy::OneForOne,
                Strategy::RestForOne => bootstrap::Strategy::RestForOne,
                Strategy::OneForAll => bootstrap::Strategy::OneForAll,
                Strategy::Pool => bootstrap::Strategy::Pool,
            },
            max_restarts: terms.max_restarts,
            period: terms.period,
            on_exhausted: match terms.on_exhausted {
                OnExhausted::CoolDown => bootstrap::OnExhausted::CoolDown,
                OnExhausted::Fail => bootstrap::OnExhausted::Fail,
                OnExhausted::Escalate => bootstrap::OnExhausted::Escalate,
            },
            auto_shutdown: match terms.auto_shutdown {
                AutoShutdown::Never => bootstrap::AutoShutdown::Never,
                AutoShutdown::AnySignificant => bootstrap::AutoShutdown::AnySignificant,
                AutoShutdown::AllSignificant => bootstrap::AutoShutdown::AllSignificant,
            },
            pauses: [backoff.first, backoff.base, backoff.cap],
            permille: [backoff.factor_permille, backoff.jitter_permille],
            stable_after: terms.stable_after,
        }
    }

    /// Returns what another worker is told of one instance, but for what is between the two.
    pub(crate) fn as_peer(&self, number: u16, instance: u16, told: &Worker) -> bootstrap::Peer {
        bootstrap::Peer {
            number,
            worker: self.name.clone(),
            instance,
            instances: self.places(),
            may_accuse: false,
            exports: Vec::new(),
            imports: Vec::new(),
            limits: self.channel,
            while_down: bootstrap::WhileDown {
                messages: self.while_down.messages,
                bytes: self.while_down.bytes,
            },
            on_demand: self.start == Start::OnDemand,
            busy_poll_us: told.busy_poll_us(),
        }
    }
}
