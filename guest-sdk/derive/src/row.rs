//! `Row` and `OutputRow`: a struct read from columns, a struct written to columns.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Error, Lifetime, Result};

use crate::fields::{ColumnAttribute, Struct};

pub(crate) fn row(input: &DeriveInput) -> Result<TokenStream> {
    let input = Struct::of(input)?;
    let value = quote!(::sluicegate_sdk::column::Value);
    let specs = specs(&input, &value)?;
    let batch = batch_lifetime();
    let at = input.at(&batch);
    let (name, names, types, indexes) = (input.name, input.names(), input.types(), input.indexes());
    let (impl_generics, own_generics, _) = input.generics.split_for_impl();
    let columns = quote!(#(::sluicegate_sdk::row::column::<#types>(batch, scales, #indexes),)*);
    // A row without columns has no reader; `()` as the last line of a function is what clippy calls unneeded.
    let reader = if names.is_empty() { columns } else { quote!((#columns)) };
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::sluicegate_sdk::Row for #name #own_generics {
            type At<#batch> = #at;
            type Reader<#batch> = (#(<#types as #value>::Reader<#batch>,)*);
            const COLUMNS: &'static [::sluicegate_sdk::ColumnSpec] = &[#(#specs),*];

            #[inline]
            fn reader<#batch>(
                batch: &::sluicegate_sdk::Batch<#batch>,
                scales: &[u8],
            ) -> Self::Reader<#batch> {
                #reader
            }

            #[inline(always)]
            fn read<#batch>(reader: &Self::Reader<#batch>, row: usize) -> Self::At<#batch> {
                #name { #(#names: <#types as #value>::get(&reader.#indexes, row)),* }
            }
        }
    })
}

pub(crate) fn output_row(input: &DeriveInput) -> Result<TokenStream> {
    let input = Struct::of(input)?;
    let value = quote!(::sluicegate_sdk::output::OutputValue);
    let builder = quote!(::sluicegate_sdk::output::ColumnBuilder);
    if input.fields.is_empty() {
        return Err(Error::new(input.name.span(), "an output has at least one column"));
    }
    let specs = specs(&input, &value)?.into_iter().map(|spec| quote!(#spec.of_output()));
    let at = input.at(&batch_lifetime());
    let batch = batch_lifetime();
    let (name, names, types, indexes) = (input.name, input.names(), input.types(), input.indexes());
    let (impl_generics, own_generics, _) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::sluicegate_sdk::OutputRow for #name #own_generics {
            type At<#batch> = #at;
            type Builders = (#(<#types as #value>::Builder,)*);
            const COLUMNS: &'static [::sluicegate_sdk::ColumnSpec] = &[#(#specs),*];

            fn builders() -> Self::Builders {
                (#(#builder::new(&Self::COLUMNS[#indexes]),)*)
            }

            #[inline]
            fn push(row: Self::At<'_>, builders: &mut Self::Builders) {
                #(#value::append_to(row.#names, &mut builders.#indexes);)*
            }

            fn truncate(builders: &mut Self::Builders, rows: usize) {
                #(#builder::truncate(&mut builders.#indexes, rows);)*
            }

            fn finish(builders: Self::Builders) -> Vec<::sluicegate_sdk::OwnedColumn> {
                vec![#(#builder::finish(builders.#indexes)),*]
            }
        }
    })
}

/// A lifetime that no author uses, so that it never shadows the struct's own.
fn batch_lifetime() -> Lifetime {
    Lifetime::new("'__batch", Span::call_site())
}

/// A `ColumnSpec` for each field.
fn specs(input: &Struct<'_>, value: &TokenStream) -> Result<Vec<TokenStream>> {
    let mut seen = BTreeSet::new();
    let spec = |field| {
        let ColumnAttribute { name, digits } = ColumnAttribute::of(field)?;
        if name.is_empty() || !seen.insert(name.clone()) {
            let message = format!("there is one column `{name}` already");
            return Err(Error::new(field.name.span(), message));
        }
        let ty = field.ty;
        let digits = digits.map(|(precision, scale)| quote!(.with_digits(#precision, #scale)));
        Ok(quote! {
            ::sluicegate_sdk::ColumnSpec {
                name: #name,
                column_type: <#ty as #value>::TYPE #digits,
                nullable: <#ty as #value>::NULLABLE,
            }
            .of_field()
        })
    };
    input.fields.iter().map(spec).collect()
}
