//! The keys of the admin worker.

use super::Key;

pub(super) const KEYS: &[Key] = &[
    ("tcp", "none", "\"127.0.0.1:9464\"", "Where it listens. This or `unix` must be given."),
    ("unix", "none", "\"/run/shop/admin.sock\"", "The socket at which it listens instead."),
    (
        "expose",
        "`false`",
        "true",
        "Whether others than this machine may be served: without it `tcp` has to be a loopback address, and a browser that was led there by another name is refused. Whoever reaches the address then reads all of it.",
    ),
    (
        "may",
        "`[]`",
        "[\"restart\"]",
        "What it may order, as `may` of a worker; what only looks it may ask anyhow.",
    ),
    ("memory_max", "`\"128M\"`", "\"64M\"", "As `memory_max` of a sandbox."),
    (
        "exec",
        "`bailiwick` beside the supervisor",
        "\"/usr/bin/bailiwick\"",
        "The executable of the command line, of the same version.",
    ),
];
