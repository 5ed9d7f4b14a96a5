//! The contract's bindings: one module for each interface that plugins export.
//!
//! A world of the contract is `lifecycle` and one or two more interfaces, so a plugin exports from some of these modules;
//! wit-component joins what each embeds in the core module to the contract's world. (One module a world would
//! define the macros that export `lifecycle` once for each.)

pub mod lifecycle {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicegate:sdk;
            world lifecycle-part {
                import sluicegate:plugin/host@0.1.3;
                import sluicegate:plugin/columns@0.1.3;
                export sluicegate:plugin/lifecycle@0.1.3;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        generate_unused_types: true,
        generate_all,
    });
}

pub mod filter {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicegate:sdk;
            world filter-part {
                export sluicegate:plugin/filter-rows@0.1.3;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_filter",
        with: {
            "sluicegate:plugin/columns@0.1.3": crate::bindings::lifecycle::sluicegate::plugin::columns,
            "sluicegate:plugin/filter-rows@0.1.3": generate,
        },
    });
}

pub mod filter_coded {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicegate:sdk;
            world filter-coded-part {
                export sluicegate:plugin/filter-coded-rows@0.1.3;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_filter_coded",
        with: {
            "sluicegate:plugin/columns@0.1.3": crate::bindings::lifecycle::sluicegate::plugin::columns,
            "sluicegate:plugin/filter-coded-rows@0.1.3": generate,
        },
    });
}

pub mod map {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicegate:sdk;
            world map-part {
                export sluicegate:plugin/map-rows@0.1.3;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_map",
        with: {
            "sluicegate:plugin/columns@0.1.3": crate::bindings::lifecycle::sluicegate::plugin::columns,
            "sluicegate:plugin/map-rows@0.1.3": generate,
        },
    });
}

pub mod aggregate {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicegate:sdk;
            world aggregate-part {
                export sluicegate:plugin/aggregate-rows@0.1.3;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_aggregate",
        with: {
            "sluicegate:plugin/columns@0.1.3": crate::bindings::lifecycle::sluicegate::plugin::columns,
            "sluicegate:plugin/aggregate-rows@0.1.3": generate,
        },
    });
}

pub mod process {
    wit_bindgen::generate!({
        path: "wit",
        inline: "
            package sluicegate:sdk;
            world process-part {
                export sluicegate:plugin/process-rows@0.1.3;
            }
        ",
        pub_export_macro: true,
        export_macro_name: "export_process",
        with: {
            "sluicegate:plugin/columns@0.1.3": crate::bindings::lifecycle::sluicegate::plugin::columns,
            "sluicegate:plugin/process-rows@0.1.3": generate,
        },
    });
}
