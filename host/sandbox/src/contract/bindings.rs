//! Rust types and calls of the contract, made from `guest-sdk/wit/plugin.wit`; nothing else.
//!
//! One world with every interface, so that the kinds share one set of types. No component has to fit it: an
//! instance takes the exports of its kind one interface at a time. Parameters are borrowed, or each call would copy all
//! columns once more; results are owned, because wasmtime frees the guest's memory before it returns.

wasmtime::component::bindgen!({
    inline: "
        package sluicegate:host;

        world every-kind {
            import sluicegate:plugin/host@0.1.3;
            export sluicegate:plugin/lifecycle@0.1.3;
            export sluicegate:plugin/filter-rows@0.1.3;
            export sluicegate:plugin/filter-coded-rows@0.1.3;
            export sluicegate:plugin/map-rows@0.1.3;
            export sluicegate:plugin/aggregate-rows@0.1.3;
            export sluicegate:plugin/process-rows@0.1.3;
        }
    ",
    path: "../../guest-sdk/wit",
    world: "sluicegate:host/every-kind",
    ownership: Borrowing { duplicate_if_necessary: true },
});
