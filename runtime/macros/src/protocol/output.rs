//! Writes the typed reference, the message enum, the schema and the dispatch.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{ItemTrait, Type, Visibility};

use super::Protocol;
use super::method::{Answer, Argument, Method};
use crate::message::same;

/// The names that the generated items share.
struct Names<'a> {
    vis: &'a Visibility,
    protocol: &'a Ident,
    reference: Ident,
    message: Ident,
}

/// Returns the trait and everything beside it.
pub(super) fn write(protocol: &Protocol) -> TokenStream {
    let Protocol { item, methods, is_untrusted } = protocol;
    let names = Names {
        vis: &item.vis,
        protocol: &item.ident,
        reference: format_ident!("{}Ref", item.ident.unraw(), span = item.ident.span()),
        message: format_ident!("{}Message", item.ident.unraw(), span = item.ident.span()),
    };
    let the_trait = the_trait(item);
    let portable = portable(methods);
    let checked = is_untrusted.then(|| checked(methods));
    let reference = reference(&names, methods);
    let message = message(&names, methods);
    let protocol = protocol_impl(&names, methods);
    let dispatch = dispatch(&names, methods);
    let travelling = travelling(&names);
    quote! { #the_trait #portable #checked #reference #message #protocol #travelling #dispatch }
}

fn the_trait(item: &ItemTrait) -> TokenStream {
    quote! {
        #[allow(async_fn_in_trait)]
        #item
    }
}

/// Asserts of each type that it can travel, at the place where it is written.
fn portable(methods: &[Method]) -> TokenStream {
    let types = methods.iter().flat_map(|method| {
        method.arguments.iter().map(|argument| &argument.ty).chain(std::iter::once(method.answer.travels()))
    });
    let checks = types.map(|ty| quote_spanned! { ty.span() => ::bailiwick::private::portable::<#ty>(); });
    quote! {
        const _: fn() = || { #(#checks)* };
    }
}

/// Asserts of each argument that it is checked or must be, at the place where it is written.
fn checked(methods: &[Method]) -> TokenStream {
    let types = methods.iter().flat_map(|method| &method.arguments).map(|argument| &argument.ty);
    let checks = types.map(|ty| quote_spanned! { ty.span() => ::bailiwick::private::checked::<#ty>(); });
    quote! {
        const _: fn() = || { #(#checks)* };
    }
}

fn reference(names: &Names<'_>, methods: &[Method]) -> TokenStream {
    let Names { vis, protocol, reference, message } = names;
    let doc = format!(
        "A reference to an actor that serves [`{protocol}`]: its methods make calls that are yet to be sent."
    );
    let calls = methods.iter().map(|method| {
        let Method { name, variant, docs, arguments, answer, .. } = method;
        let (fields, types) = fields(method);
        let reply = answer.call();
        let many = (arguments.len() > 5).then(|| quote! { #[allow(clippy::too_many_arguments)] });
        quote! {
            #(#docs)*
            #many
            pub fn #name(&self, #(#fields: #types),*) -> ::bailiwick::Call<#reply> {
                ::bailiwick::Call::new(self, #message::#variant { #(#fields),* })
            }
        }
    });
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug, PartialEq, Eq)]
        #vis struct #reference {
            address: ::bailiwick::Address,
        }

        #[allow(clippy::wrong_self_convention, clippy::should_implement_trait)]
        impl #reference {
            #(#calls)*
        }
    }
}

fn message(names: &Names<'_>, methods: &[Method]) -> TokenStream {
    let Names { vis, protocol, message, .. } = names;
    let doc = format!("The messages of [`{protocol}`].");
    let variants = methods.iter().map(|method| {
        let Method { variant, docs, .. } = method;
        let (fields, types) = fields(method);
        quote! { #(#docs)* #[allow(missing_docs)] #variant { #(#fields: #types),* } }
    });
    let debug = methods.iter().map(|method| {
        let (variant, text) = (&method.variant, method.name.unraw().to_string());
        quote! { Self::#variant { .. } => #text }
    });
    let name = protocol.unraw().to_string();
    let travelling = message_codec(names, methods);
    quote! {
        #[doc = #doc]
        #vis enum #message { #(#variants),* }

        #travelling

        /// Names the method; the arguments may be secrets.
        #[allow(unreachable_code, unused_variables)]
        impl ::core::fmt::Debug for #message {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let method: &str = match *self { #(#debug,)* };
                ::core::write!(f, "{}::{}", #name, method)
            }
        }
    }
}

/// A message travels as the index of its method and the tuple of its arguments.
fn message_codec(names: &Names<'_>, methods: &[Method]) -> TokenStream {
    let Names { protocol, message, .. } = names;
    let indices = methods.iter().enumerate().map(|(index, method)| {
        let (variant, index) = (&method.variant, index_literal(index));
        quote! { Self::#variant { .. } => #index }
    });
    let [limits, out] = ["limits", "out"].map(ours);
    let encode = methods.iter().map(|method| {
        let (variant, (fields, _)) = (&method.variant, fields(method));
        let values = method.arguments.iter().map(at_once);
        quote! { Self::#variant { #(ref #fields),* } => ::bailiwick::private::encode(&(#(#values,)*), #limits, #out) }
    });
    let decode = methods.iter().enumerate().map(|(index, method)| decoded(method, &index_literal(index)));
    let name = protocol.unraw().to_string();
    let priority = priority(methods);
    quote! {
        // A protocol without methods has no message to handle.
        #[allow(unused_variables)]
        impl ::bailiwick::ProtocolMessage for #message {
            fn method(&self) -> u16 {
                match *self { #(#indices,)* }
            }

            #priority

            fn encode(
                &self,
                #limits: &::bailiwick::private::Limits,
                #out: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<
                ::bailiwick::private::Outgoing,
                ::std::boxed::Box<::bailiwick::private::EncodeError>,
            > {
                match *self { #(#encode,)* }
            }

            fn decode(
                method: u16,
                payload: ::bailiwick::private::Payload<'_>,
            ) -> ::core::result::Result<Self, ::bailiwick::NotDelivered> {
                match method {
                    #(#decode)*
                    _ => ::core::result::Result::Err(::bailiwick::private::no_such_method(#name, method)),
                }
            }
        }
    }
}

/// Says which messages go before others; nothing, if none does.
fn priority(methods: &[Method]) -> Option<TokenStream> {
    let high: Vec<_> =
        methods.iter().filter(|method| method.has_priority).map(|method| &method.variant).collect();
    (!high.is_empty()).then(|| {
        quote! {
            fn priority(&self) -> ::bailiwick::private::Priority {
                #[allow(unreachable_patterns)]
                match *self {
                    #(Self::#high { .. })|* => ::bailiwick::private::Priority::High,
                    _ => ::bailiwick::private::Priority::Ordinary,
                }
            }
        }
    })
}

fn protocol_impl(names: &Names<'_>, methods: &[Method]) -> TokenStream {
    let Names { reference, message, protocol, .. } = names;
    let schema = super::schema::write(protocol, methods);
    quote! {
        impl ::bailiwick::Protocol for #reference {
            type Message = #message;

            fn schema() -> &'static ::bailiwick::private::ProtocolSchema {
                #schema
            }

            fn from_address(address: ::bailiwick::Address) -> Self {
                Self { address }
            }

            fn address(&self) -> &::bailiwick::Address {
                &self.address
            }
        }
    }
}

/// References travel in messages themselves.
fn travelling(names: &Names<'_>) -> TokenStream {
    let Names { reference, protocol, .. } = names;
    let name = protocol.unraw().to_string();
    quote! {
        impl ::bailiwick::private::serde::Serialize for #reference {
            fn serialize<S: ::bailiwick::private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                ::bailiwick::private::serialize(self, serializer)
            }
        }

        impl<'de> ::bailiwick::private::serde::Deserialize<'de> for #reference {
            fn deserialize<D: ::bailiwick::private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                ::bailiwick::private::deserialize(deserializer)
            }
        }

        impl ::bailiwick::private::schema::Schema for #reference {
            fn shape(
                _shapes: &mut ::bailiwick::private::schema::Shapes,
            ) -> ::bailiwick::private::schema::Shape {
                ::bailiwick::private::schema::Shape::address(#name)
            }
        }
    }
}

fn dispatch(names: &Names<'_>, methods: &[Method]) -> TokenStream {
    let Names { protocol, reference, message, .. } = names;
    let [actor, cx, reply] = ["actor", "cx", "reply"].map(ours);
    let arms = methods.iter().map(|method| {
        let Method { name, variant, is_async, takes_context, answer, .. } = method;
        let (fields, _) = fields(method);
        let context = takes_context.then(|| quote! { #cx, });
        let wait = is_async.then(|| quote! { .await });
        let send = match answer {
            Answer::Value(_) => quote! { #reply.send(answer) },
            Answer::Later(_) => quote! { #reply.later(answer) },
            Answer::Replies(_) => quote! { #reply.stream(answer, #cx) },
        };
        quote! {
            #message::#variant { #(#fields),* } => {
                let answer = <A as #protocol>::#name(#actor, #context #(#fields),*) #wait;
                #send
            }
        }
    });
    quote! {
        impl<A: #protocol> ::bailiwick::ServedBy<A> for #reference {
            #[allow(clippy::unit_arg, clippy::let_unit_value, unused_variables)]
            async fn dispatch(
                #actor: &mut A,
                message: #message,
                #cx: &mut ::bailiwick::Context,
                #reply: &::bailiwick::private::Reply,
            ) {
                match message { #(#arms)* }
            }
        }
    }
}

/// Reads the arguments of the method with this index.
fn decoded(method: &Method, index: &Literal) -> TokenStream {
    let (variant, (fields, _)) = (&method.variant, fields(method));
    let patterns = method.arguments.iter().map(at_once);
    let types = method.arguments.iter().map(|argument| match &argument.ty {
        ty if is_bytes(ty) => quote! { ::bailiwick::private::AtOnce<#ty> },
        ty => quote! { #ty },
    });
    quote! {
        #index => {
            let (#(#patterns,)*): (#(#types,)*) = ::bailiwick::private::decode(payload)?;
            ::core::result::Result::Ok(Self::#variant { #(#fields),* })
        }
    }
}

/// Names an argument where it is written or read. A vector of bytes is copied at once.
fn at_once(Argument { name, ty }: &Argument) -> TokenStream {
    if is_bytes(ty) {
        quote! { ::bailiwick::private::AtOnce(#name) }
    } else {
        quote! { #name }
    }
}

fn is_bytes(ty: &Type) -> bool {
    same(ty, &syn::parse_quote!(Vec<u8>))
}

fn fields(method: &Method) -> (Vec<&Ident>, Vec<&Type>) {
    method.arguments.iter().map(|argument| (&argument.name, &argument.ty)).unzip()
}

/// Names a variable of what is written here, so that an argument of the same name is another variable.
fn ours(name: &str) -> Ident {
    Ident::new(name, proc_macro2::Span::mixed_site())
}

fn index_literal(index: usize) -> Literal {
    // The number of methods is checked when the trait is read.
    Literal::u16_suffixed(u16::try_from(index).unwrap_or(u16::MAX))
}

impl Answer {
    /// The type that travels.
    fn travels(&self) -> &Type {
        match self {
            Self::Value(ty) | Self::Later(ty) | Self::Replies(ty) => ty,
        }
    }

    /// The type that a call answers with.
    fn call(&self) -> TokenStream {
        match self {
            Self::Value(ty) | Self::Later(ty) => quote! { #ty },
            Self::Replies(ty) => quote! { ::bailiwick::Replies<#ty> },
        }
    }
}
