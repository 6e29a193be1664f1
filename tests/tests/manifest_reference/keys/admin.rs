//! The keys of the admin worker.

use super::Key;

pub(super) const KEYS: &[Key] = &[
    ("tcp", "none", "\"127.0.0.1:9464\"", "Where it listens. This or `unix` must be given."),
    ("unix", "none", "\"/run/shop/admin.sock\"", "The socket at which it listens instead."),
    (
        "expose",
        "`false`",
        "true",
        "Whether others than this machine may be served: without it `tcp` has to be a loopback address, and a browser that was led there by another name is refused. Whoever reaches the address then reads all of it, but what workers print.",
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
        "A file with what those have to know who give orders over HTTP: 16 bytes or more, without counting whitespace at its end. It is handed over as `load_credential` hands secrets. Of `may`, `start`, `stop`, `restart` and `reset` are served; without a token none. Over TCP what workers printed is told to those alone who know it. See [the dashboard](dashboard.md).",
    ),
    (
        "log_dir",
        "none",
        "\"/var/log/shop\"",
        "A folder into which it writes what all workers print, as JSON lines: see [files](logs.md#files). It must be there and belong to a user other than root, as whom the admin worker then runs, or be empty.",
    ),
    ("log_bytes_max", "`\"16M\"`", "\"64M\"", "The most bytes of each of these files, from `1M` to `1G`."),
    ("log_files", "`8`", "4", "How many of them there may be, from 2 to 100; the oldest is removed."),
    ("memory_max", "`\"128M\"`", "\"64M\"", "As `memory_max` of a sandbox."),
    (
        "exec",
        "`bailiwick` beside the supervisor",
        "\"/usr/bin/bailiwick\"",
        "The executable of the command line, of the same version.",
    ),
];
