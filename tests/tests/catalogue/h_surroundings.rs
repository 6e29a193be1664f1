//! H. Containers, time, standard streams, terminals.
