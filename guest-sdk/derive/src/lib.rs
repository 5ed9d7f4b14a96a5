//! The derive macros of `sluicegate-sdk`. They are re-exported and documented there.

mod row;
mod state;
mod fields;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Reads the struct out of the columns of a batch. See the trait of the same name.
#[proc_macro_derive(Row, attributes(column))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input), row::row)
}

/// Writes the struct into columns. See the trait of the same name.
#[proc_macro_derive(OutputRow, attributes(column))]
pub fn derive_output_row(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input), row::output_row)
}

/// Makes a type that serde writes and reads the state of an aggregate, in the `postcard` encoding.
#[proc_macro_derive(State, attributes(layout))]
pub fn derive_state(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input), state::state)
}

/// Makes a struct of numbers the state of an aggregate, each field at a fixed place, little-endian.
#[proc_macro_derive(PlainState)]
pub fn derive_plain_state(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input), state::plain_state)
}

/// The fingerprint of a type that is part of a state.
#[proc_macro_derive(Layout, attributes(layout))]
pub fn derive_layout(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input), state::layout)
}

fn derive(
    input: DeriveInput,
    expand: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    expand(&input).unwrap_or_else(Error::into_compile_error).into()
}
