//! Modules that never come to run, and plugins that do not fit: the sentence that the user reads.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use expect_test::{Expect, expect};

use super::{
    engine, evil, evil_bytes, evil_module, fit_as, fit_connected, limits, overwritten, schema,
};
use crate::module::compile::Compiler;
use crate::module::engine::PluginEngine;
use sluicegate_model::module::PluginKind::{self, Aggregate, Filter, Map};

fn is_refused(module: &[u8], text: &Expect) {
    let error = engine().load("evil", module, &limits()).unwrap_err();
    text.assert_eq(&error.to_string());
}

/// A core module with these sections: (id, content).
pub(super) fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in sections {
        bytes.push(*id);
        leb(&mut bytes, content.len());
        bytes.extend_from_slice(content);
    }
    bytes
}

pub(super) fn leb(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

/// `(type (func))`
pub(super) const ONE_TYPE: (u8, &[u8]) = (1, &[1, 0x60, 0, 0]);

#[test]
fn text_is_no_module() {
    is_refused(
        b"fn main() {}",
        &expect![
            "plugin `evil`: this is not a WebAssembly module; upload the .wasm file of `cargo build --release --target wasm32-unknown-unknown`"
        ],
    );
    is_refused(
        b"",
        &expect![
            "plugin `evil`: this is not a WebAssembly module; upload the .wasm file of `cargo build --release --target wasm32-unknown-unknown`"
        ],
    );
}

#[test]
fn a_module_that_is_cut_off_is_refused() {
    let whole = module(&[ONE_TYPE]);
    is_refused(
        &whole[..whole.len() - 1],
        &expect![
            "plugin `evil`: the module is not valid WebAssembly 2.0: unexpected end-of-file (at offset 0xa)"
        ],
    );
}

#[test]
fn a_module_that_is_too_large_is_refused() {
    let mut large = evil_module();
    large.resize((10 << 20) + 1, 0);
    is_refused(
        &large,
        &expect![
            "plugin `evil`: the module has 10485761 bytes, at most 10485760 are taken; build it with --release"
        ],
    );
}

#[test]
fn a_foreign_import_is_named() {
    let mut import = vec![1, 22];
    import.extend_from_slice(b"wasi_snapshot_preview1");
    import.push(8);
    import.extend_from_slice(b"fd_write");
    import.extend_from_slice(&[0, 0]);
    is_refused(
        &module(&[ONE_TYPE, (2, &import)]),
        &expect![
            "plugin `evil`: the module imports `wasi_snapshot_preview1#fd_write`, which no plugin gets: plugins have `log` and `count` of the host and nothing else, no WASI, no clock, no files; build for wasm32-unknown-unknown, without such crates"
        ],
    );
    let newer = overwritten(evil_module(), "plugin/host@0.1.3", "plugin/host@0.9.0");
    is_refused(
        &newer,
        &expect![
            "plugin `evil`: the module imports `sluicegate:plugin/host@0.9.0#log`, this host speaks sluicegate:plugin@0.1.3: build the plugin with the sluicegate-sdk of the host's release"
        ],
    );
}

#[test]
fn a_module_of_an_older_version_of_the_contract_works_as_ever() {
    for module in [evil_bytes(Filter), component(Map)] {
        let older = overwritten(module, "@0.1.3", "@0.1.0");
        let loaded = engine().load("older", &older, &limits()).unwrap();
        let kind = loaded.description.kind;
        assert_eq!(loaded.description, evil(kind).description);
    }
}

#[test]
fn a_module_without_the_contract_is_told_how_to_get_it() {
    is_refused(
        &module(&[]),
        &expect![
            "plugin `evil`: the module is not a plugin: it does not export `lifecycle` of sluicegate:plugin@0.1.3 and its worlds `filter`, `map`, `aggregate` and `process`; write it with sluicegate-sdk and its `export!`"
        ],
    );
}

#[test]
fn a_missing_export_is_named() {
    let name = "sluicegate:plugin/filter-rows@0.1.3#filter";
    let other = "sluicegate:plugin/filter-rows@0.1.3#fulter";
    is_refused(
        &overwritten(evil_module(), name, other),
        &expect![
            "plugin `evil`: the module cannot be made a component: failed to decode world from module: module was not valid: failed to find export of interface `sluicegate:plugin/filter-rows@0.1.3` function `filter`"
        ],
    );
}

#[test]
fn a_ready_component_is_as_good_as_a_module() {
    let component = component(Map);
    let loaded = engine().load("evil", &component, &limits()).unwrap();
    assert_eq!(loaded.description, evil(Map).description);

    let foreign = "sluicegate:plugin/host@0.1.3";
    is_refused(
        &overwritten(component.clone(), foreign, "sluicegate:pluging/hos@0.1.3"),
        &expect![
            "plugin `evil`: the module imports `sluicegate:pluging/hos@0.1.3`, which no plugin gets: plugins have `log` and `count` of the host and nothing else, no WASI, no clock, no files; build for wasm32-unknown-unknown, without such crates"
        ],
    );
    let missing = overwritten(component, "plugin/map-rows@0.1.3", "plugin/mop-rows@0.1.3");
    is_refused(
        &missing,
        &expect![
            "plugin `evil`: the plugin says that it is of the world `map`, and does not export its interface `map-rows` of sluicegate:plugin@0.1.3"
        ],
    );
}

#[test]
fn compiled_modules_are_kept_in_a_folder_that_is_nobody_elses() {
    use std::os::unix::fs::PermissionsExt;

    let parent = tempfile::tempdir().unwrap();
    let cache = parent.path().join("compiled");
    std::fs::create_dir(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let engine = PluginEngine::new(Some(cache.clone()), Compiler::Here).unwrap();
    engine.load("evil", &evil_module(), &limits()).unwrap();
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(cache.join("modules").is_dir());

    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = PluginEngine::new(Some(file), Compiler::Here).err().unwrap().to_string();
    assert!(error.contains("it must be writable, and nobody else's"), "{error}");
}

/// The evil plugin as its tool chain might have made it.
pub(super) fn component(kind: PluginKind) -> Vec<u8> {
    let encoder = wit_component::ComponentEncoder::default().module(&evil_bytes(kind));
    encoder.and_then(|mut encoder| encoder.encode()).unwrap()
}

#[test]
fn functions_locals_and_features_have_limits() {
    let mut many = Vec::new();
    leb(&mut many, 20_001);
    many.resize(many.len() + 20_001, 0);
    is_refused(
        &module(&[ONE_TYPE, (3, &many)]),
        &expect!["plugin `evil`: the module has 20001 functions, at most 20000 are taken"],
    );
    // One function with 3,000 locals of type i32.
    let code = [1, 6, 1, 0xb8, 0x17, 0x7f, 0x0b, 0x0b];
    is_refused(
        &module(&[ONE_TYPE, (3, &[1, 0]), (10, &code[..])]),
        &expect!["plugin `evil`: the module has 3000 locals in a function, at most 2000 are taken"],
    );
    // A memory of 64 bits, and one that is shared.
    is_refused(
        &module(&[(5, &[1, 4, 1])]),
        &expect![
            "plugin `evil`: the module is not valid WebAssembly 2.0: memory64 must be enabled for 64-bit memories (at offset 0xb)"
        ],
    );
    is_refused(
        &module(&[(5, &[1, 3, 1, 1])]),
        &expect![
            "plugin `evil`: the module is not valid WebAssembly 2.0: threads must be enabled for shared memories (at offset 0xb)"
        ],
    );
}

#[test]
fn a_description_must_make_sense() {
    let says = |word: &str, text: &Expect| {
        let bytes = overwritten(evil_module(), "evil-kind:aggregate", &format!("evil-kind:{word}"));
        is_refused(&bytes, text);
    };
    says(
        "same-name",
        &expect![
            "plugin `evil`: its description makes no sense: two output columns are named `hash`"
        ],
    );
    says(
        "nameless.",
        &expect![
            "plugin `evil`: its description makes no sense: the name of an output column has 1 to 256 bytes, `` has 0"
        ],
    );
    says(
        "control..",
        &expect![[
            r#"plugin `evil`: its description makes no sense: the output column `hash\n` has control characters in its name"#
        ]],
    );
    says(
        "scaleless",
        &expect![
            "plugin `evil`: its description makes no sense: the output column `m` is a decimal without a scale"
        ],
    );
    says(
        "digits...",
        &expect![
            "plugin `evil`: its description makes no sense: the output column `hash` is decimal(39,2): the precision is 1 to 38, the scale at most the precision"
        ],
    );
    says(
        "barren...",
        &expect![
            "plugin `evil`: its description makes no sense: an aggregate has at least one output column"
        ],
    );
    says(
        "keeper...",
        &expect!["plugin `evil`: its description makes no sense: only a map keeps other columns"],
    );
    says(
        "circular.",
        &expect![
            "plugin `evil`: its description makes no sense: it migrates from its own state version 2"
        ],
    );
    says(
        "stateful.",
        &expect![
            "plugin `evil`: its description makes no sense: only an aggregate or a process plugin has state"
        ],
    );
}

fn does_not_fit(kind: PluginKind, input: &SchemaRef, config: &[(&str, &str)], text: &Expect) {
    let error = fit_as(kind, config, evil(Aggregate), input).unwrap_err();
    text.assert_eq(&error.to_string());
}

/// The plugin's columns, with one changed.
fn with(changed: Field) -> SchemaRef {
    let schema = schema();
    let fields = schema.fields().iter().map(|field| {
        if field.name() == changed.name() { Arc::new(changed.clone()) } else { Arc::clone(field) }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[test]
fn what_does_not_fit_is_named_with_the_fix() {
    does_not_fit(
        Filter,
        &schema(),
        &[],
        &expect![[
            r#"stage `stage`: plugin `evil` is of kind aggregate, the stage of kind filter; name another plugin, or make the stage `kind = "aggregate"`"#
        ]],
    );
    let few = Arc::new(schema().project(&[1, 2]).unwrap());
    does_not_fit(
        Aggregate,
        &few,
        &[],
        &expect![
            "stage `stage`: plugin `evil` wants the column `b` (bool), which its rows lack: they have `i`, `f`; declare it under [schema], name another one (`columns = { b = \"…\" }` in the stage), or rename the field in the plugin"
        ],
    );
    let text = with(Field::new("i", DataType::Utf8, false));
    does_not_fit(
        Aggregate,
        &text,
        &[],
        &expect![
            "stage `stage`: plugin `evil` reads the column `i` as int64, its rows have it as string; change its type under [schema], or in the plugin"
        ],
    );
    let nullable = with(Field::new("i", DataType::Int64, true));
    does_not_fit(
        Aggregate,
        &nullable,
        &[],
        &expect![
            "stage `stage`: plugin `evil` takes no nulls in the column `i`, which is nullable; make it an `Option` in the plugin, or remove `nullable = true` under [schema]"
        ],
    );
    does_not_fit(
        Aggregate,
        &schema(),
        &[("decimal-scale:m", "3")],
        &expect![
            "stage `stage`: plugin `evil` gets `decimal-scale:m` from the host; remove it from the stage's `config`"
        ],
    );
}

#[test]
fn a_stage_connects_inputs_with_columns_of_other_names() {
    let mut fields: Vec<_> = schema().fields().iter().map(Arc::clone).collect();
    fields.push(Arc::new(Field::new("count", DataType::Int64, false)));
    fields.push(Arc::new(Field::new("price", DataType::Decimal64(10, 4), true)));
    let rows = Arc::new(Schema::new(fields));
    let columns = [("i", "count"), ("m", "price")];
    let fitted = fit_connected(&columns, &rows).unwrap();
    assert_eq!(fitted.inputs, [0, 8, 2, 3, 4, 9, 6, 7]);
    let digits = [("decimal-precision:m", "10"), ("decimal-scale:m", "4")];
    assert_eq!(*fitted.plugin.config, digits.map(|(key, digits)| (key.into(), digits.into())));
    // What it makes has its own names: `m` is replaced, `price` stays.
    assert_eq!(fitted.output.field(5), &Field::new("m", DataType::Decimal64(18, 2), true));
    assert_eq!(fitted.output.field(9), rows.field(9));

    let says = |columns: &[(&str, &str)], text: &Expect| {
        let error = fit_connected(columns, &rows).unwrap_err();
        text.assert_eq(&error.to_string());
    };
    says(
        &[("i", "s")],
        &expect![
            "stage `stage`: plugin `evil` reads the column `s` for its input `i` as int64, its rows have it as string; change its type under [schema], or in the plugin"
        ],
    );
    says(
        &[("i", "cuont")],
        &expect![[
            r#"stage `stage`: plugin `evil` wants the column `cuont` for its input `i` (int64), which its rows lack: they have `b`, `i`, `f`, `t`, `d`, `m`, `s`, `x`, `count`, `price`; declare it under [schema], name another one (`columns = { i = "…" }` in the stage), or rename the field in the plugin"#
        ]],
    );
    says(
        &[("i", "price"), ("ii", "count")],
        &expect![
            "stage `stage`: plugin `evil` has no input `ii`, which `columns` of the stage connects with the column `count`: it has `b`, `i`, `f`, `t`, `d`, `m`, `s`, `x`"
        ],
    );
    says(
        &[("x", "count"), ("amount", "price")],
        &expect![
            "stage `stage`: plugin `evil` has no input `amount`, which `columns` of the stage connects with the column `price`: it has `b`, `i`, `f`, `t`, `d`, `m`, `s`, `x`"
        ],
    );
}

#[test]
fn a_plugin_that_fits_knows_its_columns_and_scales() {
    let mut fields: Vec<_> = schema().fields().iter().map(Arc::clone).collect();
    fields.insert(0, Arc::new(Field::new("other", DataType::Utf8, false)));
    fields[6] = Arc::new(Field::new("m", DataType::Decimal64(10, 4), true));
    let fitted = fit_as(Map, &[("z", "1")], evil(Map), &Arc::new(Schema::new(fields))).unwrap();
    assert_eq!(fitted.inputs, [1, 2, 3, 4, 5, 6, 7, 8]);
    let digits = [("decimal-precision:m", "10"), ("decimal-scale:m", "4")];
    let config = [digits[0], digits[1], ("z", "1")].map(|(key, it)| (key.into(), it.into()));
    assert_eq!(*fitted.plugin.config, config);
    let names: Vec<_> = fitted.output.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["other", "b", "i", "f", "t", "d", "m", "s", "x"]);
    assert_eq!(fitted.output.field(6).data_type(), &DataType::Decimal64(18, 2));
}
