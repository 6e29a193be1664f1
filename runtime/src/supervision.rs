//! What a parent makes of the failures of its actors.

use std::time::Duration;

use bailiwick_core::backoff::Backoff;
pub(crate) use bailiwick_core::siblings::MemberTerms;
use bailiwick_core::siblings::Terms;
use bailiwick_core::tree::{AutoShutdown, OnExhausted, Restart, Strategy};
use bailiwick_wire::bootstrap;

/// How the children of an actor, or the actors of a worker, are supervised: whom a failure restarts, how many failures
/// are answered by a restart, and what follows when there are more.
///
/// Without a word it is `one_for_one` with five failures in thirty seconds; the sixth is a failure of the parent.
///
/// ```
/// use bailiwick::prelude::*;
/// use std::time::Duration;
///
/// #[protocol]
/// pub trait Part {
///     async fn work(&mut self);
/// }
///
/// # #[derive(Default)] struct Reader;
/// # impl Part for Reader { async fn work(&mut self) {} }
/// # #[derive(Default)] struct Index;
/// # impl Part for Index { async fn work(&mut self) {} }
/// struct Shelf;
///
/// # #[protocol] pub trait Shelving { async fn tidy(&mut self); }
/// # impl Shelving for Shelf { async fn tidy(&mut self) {} }
/// impl Actor for Shelf {
///     async fn started(&mut self, cx: &mut Context) -> Result<(), ActorError> {
///         // The index is made of what the reader reads: it starts after the reader, and anew with it.
///         cx.supervise(Supervision::rest_for_one().max_restarts(3, Duration::from_secs(10)));
///         cx.spawn(PartRef::serve(Reader::default).named("reader").permanent())?;
///         cx.spawn(PartRef::serve(Index::default).named("index"))?;
///         Ok(())
///     }
/// }
/// # bailiwick::local(async |mut cx| {
/// #     let shelf = cx.spawn(ShelvingRef::serve(|| Shelf).with_lifecycle()).unwrap();
/// #     shelf.tidy().ask(Duration::from_secs(1)).await.unwrap();
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it holds once it is given to `Context::supervise` or `Worker::supervise`"]
pub struct Supervision {
    pub(crate) terms: Terms,
}

impl Supervision {
    fn with(strategy: Strategy) -> Self {
        Self { terms: Terms { strategy, ..Terms::default() } }
    }

    /// A failure restarts the actor that failed, and nobody else.
    pub fn one_for_one() -> Self {
        Self::with(Strategy::OneForOne)
    }

    /// A failure restarts all: they are stopped in the reverse order of their start, and started in order.
    pub fn one_for_all() -> Self {
        Self::with(Strategy::OneForAll)
    }

    /// A failure restarts the actor that failed and those that were started after it.
    pub fn rest_for_one() -> Self {
        Self::with(Strategy::RestForOne)
    }

    /// As [`one_for_one`](Self::one_for_one), for children that come and go alike.
    pub fn pool() -> Self {
        Self::with(Strategy::Pool)
    }

    /// Answers up to `max_restarts` failures within `period` by a restart, of all actors taken together. The window
    /// slides; a failure that is exactly `period` old has left it.
    pub fn max_restarts(mut self, max_restarts: u32, period: Duration) -> Self {
        (self.terms.max_restarts, self.terms.period) = (max_restarts, period);
        self
    }

    /// Pauses like this before each restart of an actor: none before the first, `base` before the second in a row,
    /// doubled from one to the next, at most `cap`. Otherwise 100 ms, at most 30 s.
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.terms.backoff = Backoff { base, cap, ..self.terms.backoff };
        self
    }

    /// Starts an actor's count of failures in a row anew when it has run for this long; otherwise ten seconds.
    pub fn stable_after(mut self, period: Duration) -> Self {
        self.terms.stable_after = period;
        self
    }

    /// Gives the failed actor up when the budget is spent, and nobody else.
    pub fn or_fail(mut self) -> Self {
        self.terms.on_exhausted = OnExhausted::Fail;
        self
    }

    /// Makes the failed actor anew as rarely as its backoff allows when the budget is spent, for ever.
    pub fn or_cool_down(mut self) -> Self {
        self.terms.on_exhausted = OnExhausted::CoolDown;
        self
    }

    /// Fails the parent when the budget is spent. This is the default.
    pub fn or_escalate(mut self) -> Self {
        self.terms.on_exhausted = OnExhausted::Escalate;
        self
    }

    /// Ends the parent in order when the first significant actor has ended as it should.
    pub fn until_any_significant(mut self) -> Self {
        self.terms.auto_shutdown = AutoShutdown::AnySignificant;
        self
    }

    /// Ends the parent in order when the last significant actor has ended as it should.
    pub fn until_all_significant(mut self) -> Self {
        self.terms.auto_shutdown = AutoShutdown::AllSignificant;
        self
    }
}

/// Says in the words of declarations what the supervisor told.
impl From<&bootstrap::Supervision> for Supervision {
    fn from(told: &bootstrap::Supervision) -> Self {
        let ([first, base, cap], [factor_permille, jitter_permille]) = (told.pauses, told.permille);
        let terms = Terms {
            strategy: match told.strategy {
                bootstrap::Strategy::OneForOne => Strategy::OneForOne,
                bootstrap::Strategy::RestForOne => Strategy::RestForOne,
                bootstrap::Strategy::OneForAll => Strategy::OneForAll,
                bootstrap::Strategy::Pool => Strategy::Pool,
            },
            max_restarts: told.max_restarts,
            period: told.period,
            on_exhausted: match told.on_exhausted {
                bootstrap::OnExhausted::CoolDown => OnExhausted::CoolDown,
                bootstrap::OnExhausted::Fail => OnExhausted::Fail,
                bootstrap::OnExhausted::Escalate => OnExhausted::Escalate,
            },
            auto_shutdown: match told.auto_shutdown {
                bootstrap::AutoShutdown::Never => AutoShutdown::Never,
                bootstrap::AutoShutdown::AnySignificant => AutoShutdown::AnySignificant,
                bootstrap::AutoShutdown::AllSignificant => AutoShutdown::AllSignificant,
            },
            backoff: Backoff { first, base, factor_permille, cap, jitter_permille },
            stable_after: told.stable_after,
        };
        Self { terms }
    }
}

/// Says in the words of declarations when an actor is restarted.
pub(crate) fn restart(told: bootstrap::Restart) -> Restart {
    match told {
        bootstrap::Restart::Permanent => Restart::Permanent,
        bootstrap::Restart::Transient => Restart::Transient,
        bootstrap::Restart::Temporary => Restart::Temporary,
    }
}
