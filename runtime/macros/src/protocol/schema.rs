//! Writes the schema of a protocol: names and shapes of arguments and replies.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use super::method::Method;

pub(super) fn write(protocol: &Ident, methods: &[Method]) -> TokenStream {
    let name = protocol.unraw().to_string();
    let methods = methods.iter().map(|method| {
        let name = method.name.unraw().to_string();
        quote! { ::bailiwick::private::MethodSchema { name: #name } }
    });
    quote! {
        static SCHEMA: ::bailiwick::private::LazyLock<::bailiwick::private::ProtocolSchema> =
            ::bailiwick::private::LazyLock::new(|| ::bailiwick::private::ProtocolSchema {
                name: #name,
                methods: ::std::vec![#(#methods),*],
            });
        &SCHEMA
    }
}
