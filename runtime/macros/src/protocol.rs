//! Reads the trait, then writes what stands beside it.

mod method;
mod output;
mod schema;

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use syn::{Error, Generics, ItemTrait, Result, TraitItem};

use method::Method;

/// A trait that may be a protocol.
struct Protocol {
    item: ItemTrait,
    methods: Vec<Method>,
    /// Its arguments have to be of types that are checked, or must be.
    is_untrusted: bool,
}

/// Returns the trait and everything that goes with it.
pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let is_untrusted = match syn::parse2::<Option<Ident>>(attribute.clone()) {
        Ok(None) => false,
        Ok(Some(word)) if word == "untrusted" => true,
        Ok(Some(_)) | Err(_) => {
            let message = "`#[protocol]` takes no arguments but `untrusted`";
            return Err(Error::new_spanned(attribute, message));
        }
    };
    let item: ItemTrait = syn::parse2(item)?;
    let protocol = Protocol { is_untrusted, ..Protocol::read(item)? };
    Ok(output::write(&protocol))
}

impl Protocol {
    fn read(item: ItemTrait) -> Result<Self> {
        let mut errors = Errors::default();
        if let Err(error) = check_trait(&item) {
            errors.add(error);
        }
        let mut methods = Vec::new();
        for item in &item.items {
            match item {
                TraitItem::Fn(function) => match Method::read(function) {
                    Ok(method) => methods.push(method),
                    Err(error) => errors.add(error),
                },
                other => errors.add(Error::new_spanned(other, "a protocol has methods and nothing else")),
            }
        }
        check_names(&methods, &mut errors);
        if methods.len() > usize::from(u16::MAX) {
            errors.add(Error::new_spanned(&item.ident, "a protocol has at most 65535 methods"));
        }
        errors.finish()?;
        Ok(Self { item: plain(item), methods, is_untrusted: false })
    }
}

/// Returns the trait without what only this macro understands.
fn plain(mut item: ItemTrait) -> ItemTrait {
    for item in &mut item.items {
        if let TraitItem::Fn(function) = item {
            function.attrs.retain(|attribute| !method::is_own(attribute));
        }
    }
    item
}

fn check_trait(item: &ItemTrait) -> Result<()> {
    if let Some(token) = &item.unsafety {
        return Err(Error::new_spanned(
            token,
            "a protocol cannot be unsafe: its callers are other processes",
        ));
    }
    refuse_generics(&item.generics, "a protocol has no generic parameters: its messages have one shape")?;
    if let Some(bound) = item.supertraits.first() {
        return Err(Error::new_spanned(
            bound,
            "a protocol has no supertraits: a reference offers its own methods only",
        ));
    }
    Ok(())
}

fn refuse_generics(generics: &Generics, message: &str) -> Result<()> {
    if let Some(parameter) = generics.params.first() {
        return Err(Error::new_spanned(parameter, message));
    }
    match &generics.where_clause {
        Some(clause) => Err(Error::new_spanned(clause, message)),
        None => Ok(()),
    }
}

/// Two methods may differ by name and still share a variant of the message enum.
fn check_names(methods: &[Method], errors: &mut Errors) {
    let mut known = BTreeMap::new();
    for method in methods {
        if let Some(other) = known.insert(method.variant.to_string(), &method.name) {
            let message = if *other == method.name {
                format!("the method `{other}` is defined twice")
            } else {
                format!("`{}` and `{other}` both become the message `{}`", method.name, method.variant)
            };
            errors.add(Error::new(method.name.span(), message));
        }
    }
}

/// All errors of one trait, so that they are shown at once.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}
