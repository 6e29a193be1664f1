//! Writes the schema of a protocol: names and shapes of arguments and replies.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use super::method::{Answer, Method};

/// Returns the body of `schema()`: the schema is made once, when it is first needed.
pub(super) fn write(protocol: &Ident, methods: &[Method]) -> TokenStream {
    let name = protocol.unraw().to_string();
    let methods = methods.iter().map(|method| {
        let name = method.name.unraw().to_string();
        let arguments = method.arguments.iter().map(|argument| {
            let (name, ty) = (argument.name.unraw().to_string(), &argument.ty);
            quote! { .argument::<#ty>(#name) }
        });
        let reply = match &method.answer {
            Answer::Value(ty) | Answer::Later(ty) => quote! { .reply::<#ty>() },
            Answer::Replies(ty) => quote! { .replies::<#ty>() },
        };
        let priority = method.has_priority.then(|| quote! { .with_priority() });
        quote! { ::bailiwick::private::MethodSchema::build(#name) #(#arguments)* #priority #reply }
    });
    quote! {
        static SCHEMA: ::bailiwick::private::LazyLock<::bailiwick::private::ProtocolSchema> =
            ::bailiwick::private::LazyLock::new(|| ::bailiwick::private::ProtocolSchema {
                name: #name,
                methods: ::std::vec![#(#methods),*],
                is_learnt: false,
            });
        &SCHEMA
    }
}
