//! One method of a protocol: what of Rust's freedom a message can keep.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::visit::Visit;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Pat, PatType, PathArguments, Receiver, ReceiverKind, Result,
    ReturnType, Safety, Signature, TraitItemFn, Type,
};

/// A method as the generated code needs it.
pub(crate) struct Method {
    pub(crate) name: Ident,
    /// The method's name as a variant of the message enum.
    pub(crate) variant: Ident,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) is_async: bool,
    pub(crate) takes_context: bool,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) answer: Answer,
    /// Its messages go before ordinary ones.
    pub(crate) has_priority: bool,
}

/// An argument that travels.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
}

/// How a method answers.
pub(crate) enum Answer {
    /// With one value when it returns.
    Value(Type),
    /// With one value, perhaps after it has returned.
    Later(Type),
    /// With any number of values.
    Replies(Type),
}

impl Method {
    pub(crate) fn read(function: &TraitItemFn) -> Result<Self> {
        let signature = &function.sig;
        if let Some(body) = &function.default {
            return Err(Error::new_spanned(
                body,
                "a method of a protocol has no default body: it is a message",
            ));
        }
        check_signature(signature)?;
        let mut inputs = signature.inputs.iter();
        check_receiver(inputs.next(), signature)?;
        let mut arguments = Vec::new();
        let mut takes_context = false;
        for (index, input) in inputs.enumerate() {
            let FnArg::Typed(typed) = input else {
                return Err(Error::new_spanned(input, "`self` comes first"));
            };
            if is_context(&typed.ty) {
                if index != 0 {
                    return Err(Error::new_spanned(typed, "the context comes right after `&mut self`"));
                }
                takes_context = true;
            } else {
                arguments.push(Argument::read(typed)?);
            }
        }
        if arguments.len() > ARGUMENTS_MAX {
            let message = format!(
                "a method has at most {ARGUMENTS_MAX} arguments; put them into a `#[message]` struct"
            );
            return Err(Error::new_spanned(&signature.inputs, message));
        }
        let docs =
            function.attrs.iter().filter(|a| a.path().is_ident("doc") || a.path().is_ident("deprecated"));
        Ok(Self {
            name: signature.ident.clone(),
            variant: variant_of(&signature.ident),
            docs: docs.cloned().collect(),
            is_async: signature.asyncness.is_some(),
            takes_context,
            arguments,
            answer: Answer::read(&signature.output)?,
            has_priority: has_priority(&function.attrs)?,
        })
    }
}

impl Argument {
    fn read(typed: &PatType) -> Result<Self> {
        let name = match &*typed.pat {
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.mutability.is_none() && pat.subpat.is_none() => {
                pat.ident.clone()
            }
            other => {
                return Err(Error::new_spanned(
                    other,
                    "an argument has a plain name: it is a field of the message",
                ));
            }
        };
        check_owned(&typed.ty)?;
        Ok(Self { name, ty: (*typed.ty).clone() })
    }
}

impl Answer {
    fn read(output: &ReturnType) -> Result<Self> {
        let ty = match output {
            ReturnType::Default => return Ok(Self::Value(syn::parse_quote!(()))),
            ReturnType::Type(_, ty) => &**ty,
        };
        check_owned(ty)?;
        Ok(match wrapped(ty) {
            Some((wrapper, inner)) if wrapper == "Later" => Self::Later(inner),
            Some((wrapper, inner)) if wrapper == "Replies" => Self::Replies(inner),
            _ => Self::Value(ty.clone()),
        })
    }
}

/// Tells whether an attribute of a method is for `#[protocol]` alone.
pub(crate) fn is_own(attribute: &Attribute) -> bool {
    attribute.path().is_ident("priority")
}

/// Reads `#[priority(high)]`.
fn has_priority(attributes: &[Attribute]) -> Result<bool> {
    let mut own = attributes.iter().filter(|attribute| is_own(attribute));
    let Some(first) = own.next() else { return Ok(false) };
    if let Some(second) = own.next() {
        return Err(Error::new_spanned(second, "a method has one priority"));
    }
    match first.parse_args::<Ident>() {
        Ok(word) if word == "high" => Ok(true),
        Ok(_) | Err(_) => {
            let message = "the only priority is `#[priority(high)]`; a method without it is ordinary";
            Err(Error::new_spanned(first, message))
        }
    }
}

fn check_signature(signature: &Signature) -> Result<()> {
    if let Some(token) = &signature.constness {
        return Err(Error::new_spanned(token, "a message cannot be handled at compile time"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        return Err(Error::new_spanned(
            token,
            "a method of a protocol cannot be unsafe: its callers are other processes",
        ));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(abi, "a method of a protocol has no foreign calling convention"));
    }
    if let Some(variadic) = &signature.variadic {
        return Err(Error::new_spanned(variadic, "a message has a fixed number of arguments"));
    }
    super::refuse_generics(
        &signature.generics,
        "a method of a protocol has no generic parameters: a message has one shape",
    )
}

fn check_receiver(first: Option<&FnArg>, signature: &Signature) -> Result<()> {
    let wrong = |span: &dyn quote::ToTokens| {
        Err(Error::new_spanned(
            span,
            "a method of a protocol takes `&mut self`: an actor handles one message at a time",
        ))
    };
    match first {
        None => wrong(&signature.ident),
        Some(FnArg::Typed(typed)) => wrong(typed),
        Some(FnArg::Receiver(receiver)) => {
            if is_mut_self(receiver) {
                Ok(())
            } else {
                wrong(receiver)
            }
        }
    }
}

fn is_mut_self(receiver: &Receiver) -> bool {
    matches!(&receiver.kind, ReceiverKind::Reference(_, None, Some(_)))
}

/// Returns whether a type is `&mut Context`, by whatever path.
fn is_context(ty: &Type) -> bool {
    let Type::Reference(reference) = ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    reference.mutability.is_some() && path.path.segments.last().is_some_and(|last| last.ident == "Context")
}

/// Returns the name of a generic wrapper and its only argument: `Later<T>` as `Later` and `T`.
fn wrapped(ty: &Type) -> Option<(&Ident, Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) if arguments.args.len() == 1 => Some((&last.ident, inner.clone())),
        _ => None,
    }
}

/// A message owns what it carries and has one shape.
fn check_owned(ty: &Type) -> Result<()> {
    let mut unowned = Unowned(None);
    unowned.visit_type(ty);
    unowned.0.map_or(Ok(()), Err)
}

/// The first part of a type that cannot be part of a message.
struct Unowned(Option<Error>);

impl Unowned {
    fn refuse(&mut self, part: &impl quote::ToTokens, message: &str) {
        if self.0.is_none() {
            self.0 = Some(Error::new_spanned(part, message));
        }
    }
}

impl<'ast> Visit<'ast> for Unowned {
    fn visit_type(&mut self, ty: &'ast Type) {
        match ty {
            Type::Reference(_) => {
                self.refuse(ty, "a message owns its values: a reference cannot leave the process")
            }
            Type::ImplTrait(_) => {
                self.refuse(ty, "a message has one shape: name the type instead of `impl Trait`")
            }
            Type::TraitObject(_) => self.refuse(ty, "a message has one shape: a trait object has none"),
            Type::Ptr(_) => self.refuse(ty, "a message owns its values: a pointer cannot leave the process"),
            Type::FnPtr(_) => self.refuse(ty, "a function cannot leave the process"),
            Type::Infer(_) => self.refuse(ty, "a message has one shape: name the type"),
            Type::Path(path) if path.path.segments.first().is_some_and(|first| first.ident == "Self") => {
                self.refuse(ty, "a message does not depend on the actor: name the type instead of `Self`");
            }
            _ => syn::visit::visit_type(self, ty),
        }
    }
}

/// Returns `shrink_all` as `ShrinkAll`.
fn variant_of(name: &Ident) -> Ident {
    let mut camel = String::new();
    for word in name.unraw().to_string().split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.extend(letters);
    }
    // `Self` is the one upper-case word that cannot name a variant.
    if camel == "Self" || camel.is_empty() || camel.starts_with(|c: char| c.is_ascii_digit()) {
        camel.insert(0, '_');
    }
    Ident::new(&camel, name.span())
}

/// What a tuple can encode at once, with room to spare.
const ARGUMENTS_MAX: usize = 12;
