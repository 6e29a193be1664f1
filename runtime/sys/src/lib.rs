//! Bailiwick's only unsafe code: processes, sockets with descriptors, sandbox primitives, shared memory.
