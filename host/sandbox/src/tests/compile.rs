//! The compiler in a process of its own: its limits, who waits for whom, and what is kept.
//!
//! The child of these tests is the test binary itself, which runs [`the_compilers_process`] and nothing else.

use std::sync::mpsc::sync_channel;
use std::thread;

use expect_test::{Expect, expect};

use super::load::{ONE_TYPE, component, leb, module};
use super::{SHORT, evil, evil_bytes, limits};
use crate::module::compile::child::{self, ChildCompiler, CompileLimits};
use crate::module::compile::{Compiler, Patience};
use crate::module::engine::PluginEngine;
use crate::module::problem::LoadProblem;
use sluicegate_model::module::PluginKind::{Filter, Map};

/// As the test binary knows it.
const CHILD: &str = "tests::compile::the_compilers_process";
/// More than any of the modules here would take, on any machine.
const AGES: u64 = 100_000;

/// Not a test of its own: what the others start, by its name.
#[test]
fn the_compilers_process() {
    if std::env::args().nth(1).as_deref() == Some(CHILD) {
        let code = child::serve_host();
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

fn engine_with(limits: CompileLimits) -> PluginEngine {
    let arguments = [CHILD, "--exact", "--nocapture"].map(str::to_owned).to_vec();
    let child = ChildCompiler::of(std::env::current_exe().unwrap(), arguments, limits);
    PluginEngine::new(None, Compiler::Child(child)).unwrap()
}

/// A plugin with functions beside it that take a compiler long: `loops` in one another, and `locals` that each of them
/// carries round.
fn laborious(functions: usize, locals: usize, loops: usize) -> Vec<u8> {
    let mut body = vec![1];
    leb(&mut body, locals);
    body.push(0x7f);
    body.extend([0x03, 0x40].repeat(loops));
    for local in 0..locals {
        // local.get, i32.const 1, i32.add, local.set
        body.push(0x20);
        leb(&mut body, local);
        body.extend([0x41, 1, 0x6a, 0x21]);
        leb(&mut body, local);
    }
    for label in 0..loops {
        // local.get 0, br_if
        body.extend([0x20, 0, 0x0d]);
        leb(&mut body, label);
    }
    body.extend([0x0b].repeat(loops + 1));
    let (mut types, mut code) = (Vec::new(), Vec::new());
    leb(&mut types, functions);
    leb(&mut code, functions);
    // All of the first type.
    types.resize(types.len() + functions, 0);
    for _ in 0..functions {
        leb(&mut code, body.len());
        code.extend_from_slice(&body);
    }
    let module = module(&[ONE_TYPE, (3, &types), (10, &code)]);
    let mut plugin = component(Filter);
    // A core module that nobody instantiates is compiled all the same.
    plugin.push(1);
    leb(&mut plugin, module.len());
    plugin.extend_from_slice(&module);
    plugin
}

fn says(problem: &LoadProblem, text: &Expect) {
    text.assert_eq(&problem.to_string());
}

#[test]
fn a_child_makes_what_the_host_would_make() {
    let engine = engine_with(CompileLimits { seconds: AGES, ..CompileLimits::default() });
    let loaded = engine.load("evil", &evil_bytes(Map), &limits()).unwrap();
    assert_eq!(loaded.description, evil(Map).description);
    let refused = engine.load("evil", &module(&[ONE_TYPE]), &limits()).unwrap_err();
    says(
        &refused.problem,
        &expect![
            "the module is not a plugin: it does not export `lifecycle` of sluicegate:plugin@0.1.3 and its worlds `filter`, `map`, `aggregate` and `process`; write it with sluicegate-sdk and its `export!`"
        ],
    );
}

#[test]
fn what_takes_too_long_is_refused_with_a_sentence() {
    let engine = engine_with(CompileLimits { seconds: 1, ..CompileLimits::default() });
    let refused = engine.load("evil", &laborious(16, 1_500, 60), &limits()).unwrap_err();
    says(
        &refused.problem,
        &expect![
            "compiling the module takes more than 1 s of CPU time: split its largest functions, or build it with --release"
        ],
    );
}

/// A service manager ends all processes of a service, a system without memory the largest. The module is none the worse. The
/// signal goes to the group of the process, which is its own: Ctrl-C does not reach it.
#[test]
fn a_compiler_that_is_ended_from_outside_says_nothing_of_its_module() {
    // Not INT: who starts tests in the background has them ignore it.
    for signal in ["TERM", "KILL"] {
        let arguments = ["-c".to_owned(), format!("kill -{signal} -$$; exit 0")].to_vec();
        let limits = CompileLimits { seconds: AGES, bytes: 1 << 40 };
        let child = ChildCompiler::of("/bin/sh".into(), arguments, limits);
        let engine = PluginEngine::new(None, Compiler::Child(child)).unwrap();
        let refused = engine.load("evil", &evil_bytes(Filter), &super::limits()).unwrap_err();
        assert!(refused.may_pass(), "{signal}: {refused}");
    }
    let limits = CompileLimits { seconds: AGES, bytes: 1 << 40 };
    let child = ChildCompiler::of("/no/such/program".into(), Vec::new(), limits);
    let engine = PluginEngine::new(None, Compiler::Child(child)).unwrap();
    let refused = engine.load("evil", &evil_bytes(Filter), &super::limits()).unwrap_err();
    assert!(refused.may_pass(), "as of a system without processes or files to spare: {refused}");
}

#[test]
fn what_takes_too_much_memory_is_refused_with_a_sentence() {
    // More than the child itself has, and less than it needs for this.
    let engine = engine_with(CompileLimits { seconds: AGES, bytes: 256 << 20 });
    let refused = engine.load("evil", &laborious(1, 1_990, 60), &limits()).unwrap_err();
    says(
        &refused.problem,
        &expect![
            "compiling the module takes more than 256 MiB of memory: split its largest functions, or build it with --release"
        ],
    );
}

#[test]
fn nobody_waits_for_a_module_that_somebody_uploads() {
    let engine = engine_with(CompileLimits { seconds: AGES, bytes: 1 << 40 });
    let known = evil_bytes(Filter);
    engine.load("known", &known, &limits()).unwrap();
    let (patience, waiting) = Patience::of_request();
    let (ended, end) = sync_channel(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            let upload = laborious(16, 1_500, 60);
            let refused = engine.load_while("slow", &upload, &limits(), &patience).unwrap_err();
            ended.send(refused.problem).unwrap();
        });
        // A cached module, for a lane and for another request; and one that a lane is the first to want.
        engine.load("known", &known, &SHORT).unwrap();
        let (another, _waits) = Patience::of_request();
        engine.load_while("known", &known, &limits(), &another).unwrap();
        engine.load("new", &evil_bytes(Map), &limits()).unwrap();
        assert!(end.try_recv().is_err(), "the upload is still being compiled");
        // Its client goes away.
        drop(waiting);
        assert_eq!(end.recv().unwrap(), LoadProblem::Abandoned);
    });
}

#[test]
fn what_a_function_carries_into_its_blocks_is_bounded_before_any_compiler_sees_it() {
    let engine = engine_with(CompileLimits { seconds: 0, bytes: 0 });
    let refused = |functions, locals, loops, text: &Expect| {
        let module = laborious(functions, locals, loops);
        says(&engine.load("evil", &module, &limits()).unwrap_err().problem, text);
    };
    refused(1, 1_500, 65, &expect!["the module has 65 loops in one another, at most 64 are taken"]);
    let many = engine.load("evil", &laborious(200, 1_500, 60), &limits()).unwrap_err().to_string();
    assert!(many.ends_with("values carried into blocks, at most 33554432 are taken"), "{many}");
    // 1,500 blocks behind one another, each of which finds as many locals.
    let mut body = vec![1];
    leb(&mut body, 1_500);
    body.push(0x7f);
    body.extend([0x02, 0x40, 0x0b].repeat(1_500));
    body.push(0x0b);
    let mut code = vec![1];
    leb(&mut code, body.len());
    code.extend_from_slice(&body);
    let module = module(&[ONE_TYPE, (3, &[1, 0]), (10, &code)]);
    let problem = engine.load("evil", &module, &limits()).unwrap_err().problem;
    says(
        &problem,
        &expect![
            "the module has 2098398 values carried into the blocks of a function, at most 2097152 are taken"
        ],
    );
}
