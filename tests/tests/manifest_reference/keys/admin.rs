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
        "What it may order, as `may` of a worker; what only looks it may ask anyhow. Over HTTP it takes orders with `token` alone.",
    ),
    (
        "token",
        "none",
        "\"/etc/shop/admin.token\"",
        "A file with what those have to know who give orders over HTTP: 16 bytes or more, without counting whitespace at its end. It is handed over as `load_credential` hands secrets. Of `may`, `start`, `stop`, `restart` and `reset` are served; without a token none, and with it what workers printed is shown to those alone who know it. See [the dashboard](dashboard.md).",
    ),
    ("memory_max", "`\"128M\"`", "\"64M\"", "As `memory_max` of a sandbox."),
    (
        "exec",
        "`bailiwick` beside the supervisor",
        "\"/usr/bin/bailiwick\"",
        "The executable of the command line, of the same version.",
    ),
];
