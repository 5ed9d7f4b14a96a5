//! The plugins themselves, as modules of this program: a dependency on their crates, which are made for dynamic
//! libraries, would keep link-time optimisation from everything that they share with the host.
#![expect(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "public in their crates; their unit tests run there and not here"
)]

#[path = "../../plugins/revenue/src/lib.rs"]
pub(crate) mod revenue;
#[path = "../../plugins/split-basket/src/lib.rs"]
pub(crate) mod split_basket;
#[path = "../../plugins/valid-sale/src/lib.rs"]
pub(crate) mod valid_sale;
