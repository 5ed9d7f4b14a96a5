//! `State`, `PlainState` and `Layout`: how a state becomes bytes, and the fingerprint of its layout.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Type};

use crate::fields::Struct;

pub(crate) fn state(input: &DeriveInput) -> Result<TokenStream> {
    let layout = layout(input)?;
    let name = &input.ident;
    Ok(quote! {
        #layout

        #[automatically_derived]
        impl ::sluicegate_sdk::State for #name {
            const PLAIN: bool = false;

            fn decode(bytes: &[u8]) -> Result<Self, String> {
                ::sluicegate_sdk::state::decode_serde(bytes)
            }

            fn encode(&self, out: &mut Vec<u8>) {
                ::sluicegate_sdk::state::encode_serde(self, out);
            }

            #[inline]
            fn snapshot(&self) -> Option<Self> {
                None
            }
        }
    })
}

pub(crate) fn plain_state(input: &DeriveInput) -> Result<TokenStream> {
    // Another word than serde's, so that changing the encoding changes the fingerprint.
    let layout = layout_as("plain", input)?;
    let input = Struct::of(input)?;
    let plain = quote!(::sluicegate_sdk::Plain);
    let (name, names, types) = (input.name, input.names(), input.types());
    let starts: Vec<_> = (0..types.len())
        .map(|field| {
            let before = &types[..field];
            quote!(0 #(+ <#before as #plain>::SIZE)*)
        })
        .collect();
    Ok(quote! {
        #layout

        #[automatically_derived]
        impl #plain for #name {
            const SIZE: usize = 0 #(+ <#types as #plain>::SIZE)*;

            #[inline]
            fn read(bytes: &[u8]) -> Self {
                let bytes = &bytes[..Self::SIZE];
                Self { #(#names: <#types as #plain>::read(&bytes[#starts..])),* }
            }

            #[inline]
            fn write(self, bytes: &mut [u8]) {
                let bytes = &mut bytes[..Self::SIZE];
                #(#plain::write(self.#names, &mut bytes[#starts..]);)*
            }
        }

        #[automatically_derived]
        impl ::sluicegate_sdk::State for #name {
            const PLAIN: bool = true;

            #[inline]
            fn decode(bytes: &[u8]) -> Result<Self, String> {
                ::sluicegate_sdk::state::decode_plain(bytes)
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                ::sluicegate_sdk::state::encode_plain(*self, out);
            }

            #[inline(always)]
            fn snapshot(&self) -> Option<Self> {
                Some(*self)
            }
        }
    })
}

pub(crate) fn layout(input: &DeriveInput) -> Result<TokenStream> {
    layout_as("struct", input)
}

fn layout_as(encoding: &str, input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        let message = "a state has no parameters: it owns its data";
        return Err(Error::new(input.generics.span(), message));
    }
    let parts = match &input.data {
        Data::Struct(data) => fields(encoding, &data.fields)?,
        Data::Enum(data) => {
            let variant = |variant: &syn::Variant| {
                fields(&variant.ident.unraw().to_string(), &variant.fields)
            };
            let variants = data.variants.iter().map(variant).collect::<Result<Vec<_>>>()?;
            let combine = quote!(::sluicegate_sdk::state::combine);
            quote!(::sluicegate_sdk::state::word("enum") #(, #combine(&[#variants]))*)
        }
        Data::Union(_) => return Err(Error::new(input.span(), "a union has no layout")),
    };
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::sluicegate_sdk::Layout for #name {
            const LAYOUT: u64 = ::sluicegate_sdk::state::combine(&[#parts]);
        }
    })
}

/// The fingerprints of a name, and of the names and types of the fields behind it.
fn fields(name: &str, fields: &Fields) -> Result<TokenStream> {
    let word = quote!(::sluicegate_sdk::state::word);
    let mut parts = quote!(#word(#name));
    for (index, field) in fields.iter().enumerate() {
        let name = match &field.ident {
            Some(name) => name.unraw().to_string(),
            None => index.to_string(),
        };
        let layout = match named_layout(field)? {
            Some(layout) => quote!(#word(#layout)),
            None => layout_of(&field.ty),
        };
        parts.extend(quote!(, #word(#name), #layout));
    }
    Ok(parts)
}

fn layout_of(ty: &Type) -> TokenStream {
    quote!(<#ty as ::sluicegate_sdk::Layout>::LAYOUT)
}

/// `#[layout("name-v1")]` on a field.
fn named_layout(field: &syn::Field) -> Result<Option<LitStr>> {
    let attribute = field.attrs.iter().find(|attribute| attribute.path().is_ident("layout"));
    attribute.map(|attribute| attribute.parse_args()).transpose()
}
