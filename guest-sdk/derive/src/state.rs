//! `State`, `PlainState` and `Layout`: how a state becomes bytes, and the fingerprint of its layout.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, LitStr, Result, Type};

use crate::fields::Struct;

/// What serde attributes may say of a state: nothing that changes its bytes. `postcard` writes values without names, in
/// the order of the fields, so names are free.
const HARMLESS: [&str; 13] = [
    "alias",
    "borrow",
    "bound",
    "crate",
    "default",
    "deny_unknown_fields",
    "deserialize_with",
    "expecting",
    "rename",
    "rename_all",
    "rename_all_fields",
    "other",
    "transparent",
];

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
    // A plain state is not written by serde.
    let by_serde = encoding != "plain";
    if by_serde {
        check_serde(&input.attrs)?;
    }
    let parts = match &input.data {
        Data::Struct(data) => fields(encoding, &data.fields, by_serde)?,
        Data::Enum(data) => {
            let variant = |variant: &syn::Variant| {
                if by_serde {
                    check_serde(&variant.attrs)?;
                }
                fields(&variant.ident.unraw().to_string(), &variant.fields, by_serde)
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
fn fields(name: &str, fields: &Fields, by_serde: bool) -> Result<TokenStream> {
    let word = quote!(::sluicegate_sdk::state::word);
    let mut parts = quote!(#word(#name));
    for (index, field) in fields.iter().enumerate() {
        let name = match &field.ident {
            Some(name) => name.unraw().to_string(),
            None => index.to_string(),
        };
        let layout = match named_layout(field)? {
            Some(layout) => quote!(#word(#layout)),
            None => {
                if by_serde {
                    check_serde(&field.attrs)?;
                }
                layout_of(&field.ty)
            }
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

/// Refuses what changes the bytes behind the fingerprint's back: two modules with one fingerprint would misread each
/// other's states.
fn check_serde(attributes: &[Attribute]) -> Result<()> {
    let serde = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    for attribute in serde {
        attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if !HARMLESS.contains(&name.as_str()) {
                return Err(meta.error(format!(
                    "`#[serde({name})]` changes the bytes of a state, and its fingerprint would not see it: \
                     name the layout by hand with `#[layout(\"NAME-v1\")]` on the field, or write a type of your \
                     own for it"
                )));
            }
            // What may follow: `= value`, or a list.
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                let list;
                syn::parenthesized!(list in meta.input);
                list.parse::<TokenStream>()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn serde_attributes_that_change_the_bytes_are_refused() {
        let on_field = |attribute: Attribute| -> DeriveInput {
            parse_quote! { struct Seen { count: i64, #attribute ids: Vec<u8> } }
        };
        let on_type = |attribute: Attribute| -> DeriveInput {
            parse_quote! { #attribute struct Seen { count: i64 } }
        };
        let on_variant = |attribute: Attribute| -> DeriveInput {
            parse_quote! { enum Seen { #attribute Once, Often(i64) } }
        };
        let refused: [DeriveInput; 9] = [
            on_field(parse_quote!(#[serde(with = "as_text")])),
            on_field(parse_quote!(#[serde(default, skip)])),
            on_field(parse_quote!(#[serde(rename(serialize = "a"), flatten)])),
            on_field(parse_quote!(#[serde(serialize_with = "as_text")])),
            on_field(parse_quote!(#[serde(skip_serializing_if = "Vec::is_empty")])),
            on_type(parse_quote!(#[serde(into = "Other", from = "Other")])),
            on_type(parse_quote!(#[serde(untagged)])),
            on_variant(parse_quote!(#[serde(skip)])),
            on_variant(parse_quote!(#[serde(with = "as_text")])),
        ];
        for input in refused {
            for expand in [state, layout] {
                let error = expand(&input).unwrap_err().to_string();
                assert!(error.contains("changes the bytes of a state"), "{error}");
                assert!(error.contains("#[layout("), "{error}");
            }
        }
    }

    #[test]
    fn others_are_taken_and_a_layout_named_by_hand_takes_all() {
        let taken: [DeriveInput; 3] = [
            parse_quote! {
                #[serde(rename_all = "snake_case", bound(serialize = "", deserialize = ""))]
                struct Seen { #[serde(deserialize_with = "at_once", alias = "old")] ids: Vec<u8> }
            },
            parse_quote! { struct Seen { #[layout("ids-v1")] #[serde(with = "as_text")] ids: Ids } },
            parse_quote! { #[serde(crate = "sdk::serde")] enum Seen { #[default] #[serde(rename = "x")] Once } },
        ];
        for input in taken {
            state(&input).unwrap();
        }
        let plain: DeriveInput = parse_quote! { struct Sum { #[serde(skip)] sum: i64 } };
        plain_state(&plain).unwrap();
    }
}
