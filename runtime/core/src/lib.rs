//! The pure state machines of Bailiwick: links, credit, pending asks, a child's life, groups, budget, backoff.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

pub mod allowance;
pub mod asks;
pub mod backoff;
pub mod berth;
pub mod budget;
pub mod child;
pub mod core_pattern;
pub mod credit;
pub mod ends;
pub mod exit;
pub mod hearing;
pub mod lending;
pub mod link;
pub mod moves;
pub mod pace;
pub mod precedence;
pub mod ration;
pub mod reopening;
pub mod ring;
pub mod shelf;
pub mod siblings;
pub mod time;
pub mod token;
pub mod tree;
mod verdict;
pub mod words;
