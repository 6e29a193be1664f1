//! Methods that workers told of, each kept once for as long as this process lives: links refer to them.

use bailiwick::introspect::Described;
use bailiwick::untyped;
use bailiwick_wire::schema::ProtocolSchema;

use crate::form::Method;

/// How many methods one life learns, and of how much text: a worker that tells another story each time ends there.
const METHODS_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 4 << 20;

/// A method, as its worker told it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) schema: &'static ProtocolSchema,
    pub(crate) method: Method,
}

/// All that were told of.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    known: Vec<&'static Known>,
    bytes: usize,
}

impl Learnt {
    /// Returns the method that a worker describes.
    ///
    /// # Errors
    /// Its schema is not to be read, or too much was told already.
    pub(crate) fn learn(&mut self, name: &str, told: &Described) -> Result<&'static Known, String> {
        let is_it = |known: &&&'static Known| {
            let method = &known.schema.methods[0];
            known.schema.name == told.protocol
                && method.name == name
                && method.shape == told.shape
                && method.has_priority == told.has_priority
        };
        if let Some(known) = self.known.iter().find(is_it) {
            return Ok(known);
        }
        let method = Method::read(&told.shape).map_err(|error| error.to_string())?;
        if method.name != name {
            return Err("its worker describes another method than it was asked for".to_owned());
        }
        // What is made of the text takes a few times as much.
        let bytes = self.bytes + told.shape.len() + told.protocol.len() + name.len();
        if self.known.len() >= METHODS_MAX || bytes > TEXT_BYTES_MAX {
            let text = "this life of the admin worker was told of as many methods as it keeps: `bailiwick restart admin`";
            return Err(text.to_owned());
        }
        self.bytes = bytes;
        let schema = untyped::learnt(&told.protocol, name, &told.shape, told.has_priority);
        let known: &'static Known = Box::leak(Box::new(Known { schema, method }));
        self.known.push(known);
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(shape: &str) -> Described {
        Described { protocol: "Store".to_owned(), shape: shape.to_owned(), has_priority: false }
    }

    #[test]
    fn a_method_is_learnt_once_and_a_life_learns_so_much() {
        let mut learnt = Learnt::default();
        let first = learnt.learn("get", &told("get(key: str) -> u8\n")).expect("it is a schema");
        let again = learnt.learn("get", &told("get(key: str) -> u8\n")).expect("it is a schema");
        assert!(std::ptr::eq(first, again) && std::ptr::eq(first.schema, again.schema));
        let other = learnt.learn("get", &told("get(key: str) -> u16\n")).expect("it is a schema");
        assert!(!std::ptr::eq(first, other));
        assert!(learnt.learn("put", &told("get(key: str) -> u8\n")).is_err(), "of another name");
        for number in 0..METHODS_MAX - 2 {
            let shape = format!("m(a: A) -> u8\nstruct A {{ f{number}: u8 }}\n");
            learnt.learn("m", &told(&shape)).expect("there is room");
        }
        let error = learnt.learn("n", &told("n() -> u8\n")).expect_err("one too many");
        assert!(error.contains("restart admin"), "{error}");
        assert!(learnt.learn("get", &told("get(key: str) -> u8\n")).is_ok(), "it is known");
    }
}
