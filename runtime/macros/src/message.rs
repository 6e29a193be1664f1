//! `#[message]`: serialisation and a structural schema for a struct or an enum.
//!
//! Fields travel in order and without names, so a serde attribute that leaves fields out, adds some or
//! asks the bytes what comes next cannot work and is refused. Those that only concern names or bounds are
//! permitted and have no effect on the wire. `try_from`/`from` with `into` is permitted, since that is how
//! a type checks what it decodes; the schema is then that of the type in between.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, GenericParam, LitStr, Meta, Path, Result, Token, Type,
};

use crate::message_serde::{self, Between};

/// Expands `#[message]` on `item`. Errors become `compile_error!` at the place that they concern.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let input = match syn::parse2::<DeriveInput>(item.clone()) {
        Ok(input) => input,
        Err(error) => {
            let error = error.into_compile_error();
            return quote! { #item #error };
        }
    };
    arguments_of(arguments).and_then(|arguments| message(&arguments, input.clone())).unwrap_or_else(|error| {
        // The item stays, so that its users do not get a second error.
        let (error, item) = (error.into_compile_error(), without_serde(input));
        quote! { #item #error }
    })
}

/// Takes away the attributes that only the derives know, which an item that is refused does not get.
fn without_serde(mut input: DeriveInput) -> DeriveInput {
    let ours = |found: &Attribute| found.path().is_ident("serde") || found.path().is_ident("message");
    let keep = |attributes: &mut Vec<Attribute>| attributes.retain(|found| !ours(found));
    keep(&mut input.attrs);
    if let Data::Enum(data) = &mut input.data {
        data.variants.iter_mut().for_each(|variant| keep(&mut variant.attrs));
    }
    if let Ok(fields) = fields_mut(&mut input.data) {
        fields.into_iter().for_each(|field| keep(&mut field.attrs));
    }
    input
}

/// What stands in `#[message(..)]`.
struct Arguments {
    /// Where the runtime's crate is found.
    root: Path,
    /// The name in the schema, if it is not the type's.
    name: Option<LitStr>,
}

fn arguments_of(tokens: TokenStream) -> Result<Arguments> {
    let mut arguments = Arguments { root: syn::parse_quote!(::bailiwick), name: None };
    let parser = syn::meta::parser(|meta| {
        if meta.path.is_ident("crate") {
            arguments.root = meta.value()?.call(Path::parse_mod_style)?;
        } else if meta.path.is_ident("name") {
            arguments.name = Some(meta.value()?.parse()?);
        } else {
            return Err(meta.error("`#[message]` knows `name = \"..\"` and `crate = path`"));
        }
        Ok(())
    });
    syn::parse::Parser::parse2(parser, tokens)?;
    Ok(arguments)
}

fn message(arguments: &Arguments, mut input: DeriveInput) -> Result<TokenStream> {
    check_derives(&input.attrs)?;
    let between = message_serde::check(&input)?;
    if let Some(lifetime) = input.generics.lifetimes().next() {
        return Err(Error::new(
            lifetime.span(),
            "a message owns what it carries, so it has no lifetime parameters",
        ));
    }
    let private = private(&arguments.root);
    let schema = schema_impl(arguments, &input, between.as_ref())?;
    for field in fields_mut(&mut input.data)? {
        speed_up_bytes(&private, field);
        field.attrs.retain(|attribute| !attribute.path().is_ident("message"));
    }
    let serde = literal(quote!(#private::serde));
    let bound = quote!(#private::serde);
    // The schema comes first, since its error is the one that says what to do.
    Ok(quote! {
        #schema
        #[derive(#bound::Serialize, #bound::Deserialize)]
        #[serde(crate = #serde)]
        #input
    })
}

fn private(root: &Path) -> TokenStream {
    quote!(#root::private)
}

fn literal(path: TokenStream) -> LitStr {
    LitStr::new(&path.to_string().replace(' ', ""), Span::call_site())
}

/// Refuses a derive that `#[message]` already stands for, at the word.
fn check_derives(attributes: &[Attribute]) -> Result<()> {
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        for path in attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)? {
            let name = path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            if matches!(name.as_str(), "Serialize" | "Deserialize") {
                return Err(Error::new(path.span(), format!("`#[message]` already derives `{name}`")));
            }
        }
    }
    Ok(())
}

fn fields_mut(data: &mut Data) -> Result<Vec<&mut Field>> {
    Ok(match data {
        Data::Struct(data) => data.fields.iter_mut().collect(),
        Data::Enum(data) => data.variants.iter_mut().flat_map(|variant| variant.fields.iter_mut()).collect(),
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "a union cannot be a message: nothing says what it holds",
            ));
        }
    })
}

/// Byte vectors are copied at once instead of element by element; the bytes on the wire are the same.
fn speed_up_bytes(private: &TokenStream, field: &mut Field) {
    if same(&field.ty, &syn::parse_quote!(Vec<u8>)) {
        let with = literal(quote!(#private::bytes));
        field.attrs.push(syn::parse_quote!(#[serde(with = #with)]));
    }
}

fn schema_impl(arguments: &Arguments, input: &DeriveInput, between: Option<&Between>) -> Result<TokenStream> {
    let schema = private(&arguments.root);
    let schema = quote!(#schema::schema);
    let ident = &input.ident;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => LitStr::new(&ident.unraw().to_string(), ident.span()),
    };
    let parameters = input.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(parameter) => {
            let ident = &parameter.ident;
            Some(quote!(<#ident as #schema::Schema>::shape(shapes)))
        }
        GenericParam::Const(parameter) => {
            let ident = &parameter.ident;
            Some(quote!(#schema::Shape::plain(&::std::string::ToString::to_string(&#ident))))
        }
        GenericParam::Lifetime(_) => None,
    });
    let parameters = quote!(::std::vec![#(#parameters),*]);
    let definition = match (&input.data, between) {
        (_, Some(between)) => {
            let shape = shape_of(&schema, &between.ty);
            quote!(structure::<Self>(#name, parameters, |shapes| #schema::Body::Tuple(::std::vec![#shape])))
        }
        (Data::Struct(data), None) => {
            let body = body_of(&schema, &data.fields)?;
            quote!(structure::<Self>(#name, parameters, |shapes| #body))
        }
        (Data::Enum(data), None) => {
            let variants = data.variants.iter().map(|variant| {
                let (name, body) = (variant.ident.unraw().to_string(), body_of(&schema, &variant.fields)?);
                Ok(quote!((#name, #body)))
            });
            let variants = variants.collect::<Result<Vec<_>>>()?;
            quote!(enumeration::<Self>(#name, parameters, |shapes| ::std::vec![#(#variants),*]))
        }
        (Data::Union(_), None) => fields_mut(&mut input.data.clone()).map(|_| TokenStream::new())?,
    };
    let fixed = fixed_of(&schema, input, between);
    let generics = bounded(&schema, input);
    let (generics, types, condition) = generics.split_for_impl();
    let types = types.to_token_stream();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #schema::Schema for #ident #types #condition {
            #fixed

            #[allow(unused_variables)]
            fn shape(shapes: &mut #schema::Shapes) -> #schema::Shape {
                let parameters = #parameters;
                shapes.#definition
            }
        }
    })
}

/// What every value of a struct takes, if each of its fields says so of its own.
fn fixed_of(schema: &TokenStream, input: &DeriveInput, between: Option<&Between>) -> Option<TokenStream> {
    let Data::Struct(data) = &input.data else { return None };
    let declared = |field: &Field| field.attrs.iter().any(|attribute| attribute.path().is_ident("message"));
    // Of what is foreign, or is converted, only the reader that counts knows what it fills; and what makes a default for each value is
    // not to do so twice.
    if between.is_some() || message_serde::has_default(input) || data.fields.iter().any(declared) {
        return None;
    }
    let fields = data.fields.iter().map(|Field { ty, .. }| {
        // At the span of the type, as its shape.
        quote_spanned!(ty.span()=> <#ty as #schema::Schema>::FIXED)
    });
    Some(quote! {
        const FIXED: ::std::option::Option<#schema::FixedSize> = #schema::FixedSize::row(&[#(#fields),*]);
    })
}

fn bounded(schema: &TokenStream, input: &DeriveInput) -> syn::Generics {
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(syn::parse_quote!(#schema::Schema));
    }
    generics
}

fn body_of(schema: &TokenStream, fields: &Fields) -> Result<TokenStream> {
    Ok(match fields {
        Fields::Unit => quote!(#schema::Body::Unit),
        Fields::Unnamed(fields) => {
            let shapes =
                fields.unnamed.iter().map(|field| field_shape(schema, field)).collect::<Result<Vec<_>>>()?;
            quote!(#schema::Body::Tuple(::std::vec![#(#shapes),*]))
        }
        Fields::Named(fields) => {
            let shapes = fields.named.iter().map(|field| {
                let name = field.ident.clone().unwrap_or_else(|| format_ident!("_")).unraw().to_string();
                let shape = field_shape(schema, field)?;
                Ok(quote!((#name, #shape)))
            });
            let shapes = shapes.collect::<Result<Vec<_>>>()?;
            quote!(#schema::Body::Record(::std::vec![#(#shapes),*]))
        }
    })
}

/// The shape of a field: its type's, or what `#[message(foreign = "name@version")]` declares it to be.
fn field_shape(schema: &TokenStream, field: &Field) -> Result<TokenStream> {
    let mut shape = shape_of(schema, &field.ty);
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("message")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("foreign") {
                return Err(meta.error("a field knows `foreign = \"name@version\"`"));
            }
            let declared: LitStr = meta.value()?.parse()?;
            if !is_declaration(&declared.value()) {
                return Err(Error::new(
                    declared.span(),
                    "expected a name and a version, as in `\"url::Url@2\"`",
                ));
            }
            shape = quote!(#schema::Shape::plain(#declared));
            Ok(())
        })?;
    }
    Ok(shape)
}

fn is_declaration(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-');
    text.split_once('@').is_some_and(|(name, version)| {
        !name.is_empty() && !version.is_empty() && name.chars().all(plain) && version.chars().all(plain)
    })
}

/// At the span of the type, so that a missing schema is shown there.
fn shape_of(schema: &TokenStream, ty: &Type) -> TokenStream {
    quote_spanned!(ty.span()=> <#ty as #schema::Schema>::shape(shapes))
}

/// Returns the nested metas of a list attribute such as `#[serde(..)]`.
pub(crate) fn nested(attribute: &Attribute) -> Result<Punctuated<Meta, Token![,]>> {
    attribute.parse_args_with(Punctuated::parse_terminated)
}

/// Returns whether two types are written alike.
pub(crate) fn same(one: &Type, other: &Type) -> bool {
    one.to_token_stream().to_string() == other.to_token_stream().to_string()
}
