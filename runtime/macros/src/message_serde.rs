//! Which serde attributes a message may have.

use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Lit, Meta, Result, Type};

use crate::message::{nested, same};

/// The type that a message is converted to and from on its way.
pub(crate) struct Between {
    /// The type.
    pub(crate) ty: Type,
}

/// Attributes that concern names, bounds or texts, and so nothing that travels.
const PERMITTED: [&str; 9] = [
    "rename",
    "rename_all",
    "rename_all_fields",
    "alias",
    "bound",
    "deny_unknown_fields",
    "expecting",
    "transparent",
    "default",
];

/// Checks every serde attribute of the item and returns the type in between, if there is one.
pub(crate) fn check(input: &DeriveInput) -> Result<Option<Between>> {
    let inner: Vec<&Attribute> = match &input.data {
        Data::Struct(data) => data.fields.iter().flat_map(|field| &field.attrs).collect(),
        Data::Enum(data) => data
            .variants
            .iter()
            .flat_map(|variant| {
                variant.attrs.iter().chain(variant.fields.iter().flat_map(|field| &field.attrs))
            })
            .collect(),
        Data::Union(_) => Vec::new(),
    };
    for meta in metas(inner)? {
        check_permitted(&meta)?;
    }
    let mut conversions = Vec::new();
    for meta in metas(&input.attrs)? {
        let name = name_of(&meta);
        match name.as_str() {
            "from" | "try_from" | "into" => conversions.push((name, meta)),
            _ => check_permitted(&meta)?,
        }
    }
    between(&conversions)
}

/// Returns whether a value is made before any of its fields are read.
pub(crate) fn has_default(input: &DeriveInput) -> bool {
    metas(&input.attrs).is_ok_and(|metas| metas.iter().any(|meta| name_of(meta) == "default"))
}

fn metas<'a>(attributes: impl IntoIterator<Item = &'a Attribute>) -> Result<Vec<Meta>> {
    let mut metas = Vec::new();
    for attribute in attributes.into_iter().filter(|attribute| attribute.path().is_ident("serde")) {
        metas.extend(nested(attribute)?);
    }
    Ok(metas)
}

fn name_of(meta: &Meta) -> String {
    meta.path().get_ident().map(ToString::to_string).unwrap_or_default()
}

fn check_permitted(meta: &Meta) -> Result<()> {
    let name = name_of(meta);
    if PERMITTED.contains(&name.as_str()) {
        return Ok(());
    }
    let reason = match name.as_str() {
        "skip" | "skip_serializing" | "skip_deserializing" | "skip_serializing_if" => {
            "fields travel by position, so none can be left out; make it an `Option`"
        }
        "flatten" => "the bytes do not name fields; write the fields out, or keep the struct as one field",
        "untagged" | "tag" | "content" | "other" => {
            "the bytes do not describe themselves; leave the enum as it is"
        }
        "with" | "serialize_with" | "deserialize_with" | "getter" | "remote" => {
            "the schema could not see what it writes; wrap the type and declare it with `foreign_schema!`"
        }
        "crate" => "`#[message]` sets it; use `#[message(crate = path)]`",
        "borrow" => "a message owns what it carries",
        _ => "its effect on the wire is not known",
    };
    Err(Error::new(meta.span(), format!("`serde({name})` cannot stand in a message: {reason}")))
}

fn between(conversions: &[(String, Meta)]) -> Result<Option<Between>> {
    let (mut read, mut written) = (None, None);
    for (name, meta) in conversions {
        let ty = type_of(meta)?;
        if name == "into" { written = Some((ty, meta)) } else { read = Some((ty, meta)) }
    }
    match (read, written) {
        (None, None) => Ok(None),
        (Some((read, _)), Some((written, _))) if same(&read, &written) => Ok(Some(Between { ty: read })),
        (Some(_), Some((_, meta))) => {
            Err(Error::new(meta.span(), "a message is read from the same type that it is written as"))
        }
        (Some((_, meta)), None) => Err(Error::new(meta.span(), "`into` with the same type is missing")),
        (None, Some((_, meta))) => Err(Error::new(meta.span(), "`try_from` with the same type is missing")),
    }
}

fn type_of(meta: &Meta) -> Result<Type> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
    {
        return text.parse();
    }
    Err(Error::new(meta.span(), "expected a type in quotes"))
}
