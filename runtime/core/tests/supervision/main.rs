//! The tree of children: random walks, exhaustive exploration, and golden transcripts of the scenarios that the
//! machine alone can show.

mod exploration;
mod observer;
mod steps;
mod transcripts;
mod walks;
