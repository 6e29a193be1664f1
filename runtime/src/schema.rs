//! Stand-in until the wire crate has landed.
#![allow(missing_docs, unreachable_pub)]
#[derive(Debug)]
pub struct ProtocolSchema {
    pub name: &'static str,
    pub methods: Vec<MethodSchema>,
}
#[derive(Debug)]
pub struct MethodSchema {
    pub name: &'static str,
}
pub trait Schema {}
impl<T> Schema for T {}
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceContext {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    pub flags: u8,
}
#[derive(Debug, Default)]
pub struct Incoming {}
#[derive(Debug, Default)]
pub struct Outgoing {}
