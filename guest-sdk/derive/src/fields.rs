//! What the macros need of a struct: its named fields, its one lifetime, the attributes on a field.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Field, Fields, Generics, Index, Lifetime, LitInt, LitStr, Result,
    Type,
};

/// A struct with named fields.
pub(crate) struct Struct<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) fields: Vec<Named<'a>>,
}

/// A field.
pub(crate) struct Named<'a> {
    pub(crate) name: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) field: &'a Field,
}

impl<'a> Struct<'a> {
    pub(crate) fn of(input: &'a DeriveInput) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(input.span(), "this derive takes a struct"));
        };
        let Fields::Named(fields) = &data.fields else {
            return Err(Error::new(input.span(), "this derive takes a struct with named fields"));
        };
        let named = |field: &'a Field| {
            let name = field.ident.as_ref().expect("fields of this struct have names");
            Named { name, ty: &field.ty, field }
        };
        let generics = &input.generics;
        if generics.type_params().next().is_some() || generics.const_params().next().is_some() {
            return Err(Error::new(generics.span(), "this derive takes no type parameters"));
        }
        if generics.lifetimes().count() > 1 {
            return Err(Error::new(generics.span(), "one lifetime serves all fields: `<'a>`"));
        }
        Ok(Self { name: &input.ident, generics, fields: fields.named.iter().map(named).collect() })
    }

    /// The struct, borrowing for `lifetime` if it borrows.
    pub(crate) fn at(&self, lifetime: &Lifetime) -> TokenStream {
        let name = self.name;
        let borrows = self.generics.lifetimes().next().is_some();
        if borrows { quote!(#name<#lifetime>) } else { quote!(#name) }
    }

    pub(crate) fn names(&self) -> Vec<&Ident> {
        self.fields.iter().map(|field| field.name).collect()
    }

    pub(crate) fn types(&self) -> Vec<&Type> {
        self.fields.iter().map(|field| field.ty).collect()
    }

    /// The fields as indexes of a tuple.
    pub(crate) fn indexes(&self) -> Vec<Index> {
        (0..self.fields.len()).map(Index::from).collect()
    }
}

/// `#[column(name = "…", decimal(18, 2))]` on a field.
pub(crate) struct ColumnAttribute {
    pub(crate) name: String,
    pub(crate) digits: Option<(LitInt, LitInt)>,
}

impl ColumnAttribute {
    pub(crate) fn of(named: &Named<'_>) -> Result<Self> {
        let mut this = Self { name: named.name.unraw().to_string(), digits: None };
        for attribute in named.field.attrs.iter().filter(|a| a.path().is_ident("column")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    this.name = meta.value()?.parse::<LitStr>()?.value();
                    return Ok(());
                }
                if meta.path.is_ident("decimal") {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    let precision = content.parse()?;
                    content.parse::<syn::Token![,]>()?;
                    this.digits = Some((precision, content.parse()?));
                    return Ok(());
                }
                Err(meta.error("`name = \"…\"` or `decimal(PRECISION, SCALE)`"))
            })?;
        }
        Ok(this)
    }
}
