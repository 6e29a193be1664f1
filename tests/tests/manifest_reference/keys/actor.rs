//! What is said of an actor.

use super::{Key, REQUIRED};

pub(super) const KEYS: &[Key] = &[
    (
        "type",
        REQUIRED,
        "\"Shrinker\"",
        "The name under which the program registered it: `Program::register`.",
    ),
    (
        "args",
        "none",
        "{ root = \"/srv/www\" }",
        "Arguments for its factory: any TOML of at most 16 KiB, decoded by the worker into the type of `.with_args::<T>()`.",
    ),
    ("mailbox", "see below", "{ capacity = 64 }", "The queue in front of it."),
    (
        "restart",
        "what the program declares, else `transient`",
        "\"permanent\"",
        "When its end is answered by a new incarnation: `permanent` always; `transient` after a failure; `temporary` never.",
    ),
    (
        "significant",
        "`false`",
        "true",
        "Whether its end counts for `auto_shutdown`. It must not be `permanent`. The program may declare it as well.",
    ),
    (
        "handoff",
        "`false`",
        "true",
        "Whether tells that are unread when the worker is told to stop are left to its next life, which handles them first: see [what is left to the next life](delivery.md#what-is-left-to-the-next-life). Not beside `max_messages`. The program may declare it as well.",
    ),
];
