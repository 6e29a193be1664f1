//! D. Start-up: readiness, order, what a worker is born with.
