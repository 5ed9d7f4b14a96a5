//! An activation is refused with a reason before the lane hears of it, and answered when the lane says so.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::fixture::{Fixture, another, guest, sales};
use super::*;
use sluicegate_engine::lane::PlanError;

/// Plays a lane that makes every activation durable in epoch 8.
fn commit(mut commands: mpsc::Receiver<Command>) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Some(command) = commands.recv().await {
            let Command::Activate { stage, module, reply } = command;
            taken.push(format!("{stage}: {}", module.name));
            reply.send(Ok(Epoch(8))).unwrap();
        }
        taken
    })
}

async fn refused(
    fixture: &Fixture,
    stage: &str,
    module: &str,
    version: Option<VersionChoice>,
    why: Expect,
) {
    let error = fixture.handle.activate(stage, module, version.as_ref()).await.unwrap_err();
    why.assert_eq(&error.to_string());
}

#[tokio::test]
async fn a_module_that_fits_runs_from_the_epoch_that_pins_it() {
    let Fixture { handle, commands, modules, .. } = sales();
    let newer = another(&guest("valid-sale"));
    modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    let stored = modules.put("valid-sale", newer).await.unwrap();
    let lane = commit(commands);
    let activated = handle.activate("valid", "valid-sale", None).await.unwrap();
    let previous = handle.ports.stages.load()[0].plugin.digest;
    assert_eq!(activated, Activated { epoch: Epoch(8), digest: stored.digest, previous });
    assert_ne!(activated.digest, previous);
    drop(handle);
    assert_eq!(lane.await.unwrap(), ["valid: valid-sale"]);
}

#[tokio::test]
async fn an_older_version_can_be_chosen_by_number_or_digest() {
    let Fixture { handle, commands, modules, .. } = sales();
    let first = modules.put("valid-sale", another(&guest("valid-sale"))).await.unwrap();
    modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    let _lane = commit(commands);
    let prefix = first.digest.short();
    for choice in [VersionChoice::Number(1), VersionChoice::Digest(prefix)] {
        let activated = handle.activate("valid", "valid-sale", Some(&choice)).await.unwrap();
        assert_eq!(activated.digest, first.digest, "{choice}");
    }
}

#[tokio::test]
async fn what_runs_already_is_not_activated_again() {
    let Fixture { handle, mut commands, modules, .. } = sales();
    modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    let activated = handle.activate("valid", "valid-sale", None).await.unwrap();
    assert_eq!(activated.epoch, Epoch(7));
    assert_eq!(activated.digest, activated.previous);
    assert!(commands.try_recv().is_err(), "the lane was asked");
}

#[tokio::test]
async fn what_is_not_there_or_does_not_fit_is_refused_with_the_reason() {
    let fixture = sales();
    for name in ["valid-sale", "revenue", "stats"] {
        fixture.modules.put(name, guest(name)).await.unwrap();
    }
    refused(
        &fixture,
        "valud",
        "valid-sale",
        None,
        expect![[r#"pipeline `sales` has no stage `valud`: it has `valid`, `revenue`"#]],
    )
    .await;
    refused(
        &fixture,
        "valid",
        "valid-sales",
        None,
        expect![[r#"there is no module `valid-sales` in memory://store; upload it with `sluicegate plugin push valid-sales FILE`"#]],
    )
    .await;
    refused(
        &fixture,
        "valid",
        "valid-sale",
        Some(VersionChoice::Number(2)),
        expect![[r#"module `valid-sale` has no version 2; its newest is 1"#]],
    )
    .await;
    refused(&fixture, "valid", "revenue", None, expect![[r#"stage `valid`: plugin `revenue` is of kind aggregate, the stage of kind filter; name another plugin, or make the stage `kind = "aggregate"`"#]]).await;
    refused(&fixture, "revenue", "stats", None, expect![[r#"module `stats` cannot take over stage `revenue`: plugin `stats` makes other columns than the one that runs: `count` (int64) instead of `revenue` (decimal(18,2)); tables and later stages depend on them, so give it a new pipeline"#]]).await;
    let Fixture { mut commands, .. } = fixture;
    assert!(commands.try_recv().is_err(), "the lane was asked");
}

#[tokio::test]
async fn a_pipeline_that_does_not_run_is_not_asked() {
    let fixture = sales();
    fixture.modules.put("valid-sale", guest("valid-sale")).await.unwrap();
    fixture.publish(|status| status.phase = Phase::Finished);
    refused(
        &fixture,
        "valid",
        "valid-sale",
        None,
        expect![[r#"pipeline `sales` is finished: there is nothing to activate a module in"#]],
    )
    .await;
    fixture.publish(|status| {
        status.phase = Phase::BackingOff;
        status.problem = Some("topic `sales` is not there".to_owned());
    });
    refused(
        &fixture,
        "valid",
        "valid-sale",
        None,
        expect![[r#"pipeline `sales` is backing off (topic `sales` is not there): try again when it runs"#]],
    )
    .await;
}

#[tokio::test]
async fn the_lanes_refusal_and_its_end_are_answers() {
    let mut fixture = sales();
    fixture.modules.put("valid-sale", another(&guest("valid-sale"))).await.unwrap();
    let mut commands = std::mem::replace(&mut fixture.commands, mpsc::channel(1).1);
    let lane = tokio::spawn(async move {
        let Some(Command::Activate { reply, .. }) = commands.recv().await else { panic!() };
        let gone = PlanError::NoModule("price".to_owned());
        reply.send(Err(Refusal::Unfit(gone))).unwrap();
        let Some(Command::Activate { .. }) = commands.recv().await else { panic!() };
    });
    refused(
        &fixture,
        "valid",
        "valid-sale",
        None,
        expect![[
            r#"module `valid-sale` cannot take over stage `valid`: stage `price` has no module"#
        ]],
    )
    .await;
    refused(
        &fixture,
        "valid",
        "valid-sale",
        None,
        expect![[r#"the lane of pipeline `sales` ended before the activation was durable: look at its status when it runs again, and activate again if the module is not there"#]],
    )
    .await;
    lane.await.unwrap();
}

#[tokio::test]
async fn until_an_activation_is_decided_there_is_no_second_even_if_nobody_waits_for_it() {
    let mut fixture = sales();
    Arc::get_mut(&mut fixture.handle).unwrap().activation_wait = Duration::from_millis(20);
    fixture.publish(|status| status.problem = Some("store `data` is full".to_owned()));
    fixture.modules.put("valid-sale", another(&guest("valid-sale"))).await.unwrap();
    refused(&fixture, "valid", "valid-sale", None, expect![[r#"pipeline `sales` has taken the activation, but its record is not durable after 0 s (store `data` is full): it takes effect when the store takes the record; the status of the pipeline shows it"#]]).await;
    refused(&fixture, "valid", "valid-sale", None, expect![[r#"another activation of pipeline `sales` is under way: try again when it has been answered"#]]).await;
    let Some(Command::Activate { reply, .. }) = fixture.commands.recv().await else { panic!() };
    // Whoever waited has gone.
    let _ = reply.send(Ok(Epoch(8)));
    while fixture.handle.activating.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

/// What was judged beforehand is what the activation says; and a module is fetched once for each thing that it may follow.
#[tokio::test]
async fn a_judgement_is_the_word_of_the_activation() {
    let mut fixture = sales();
    for name in ["valid-sale", "premium-sale", "revenue", "revenue-wide", "stats"] {
        fixture.modules.put(name, guest(name)).await.unwrap();
    }
    let handle = Arc::clone(&fixture.handle);
    let lane = commit(std::mem::replace(&mut fixture.commands, mpsc::channel(1).1));
    let mut lines = String::new();
    for stage in handle.stages() {
        for name in ["valid-sale", "premium-sale", "revenue", "revenue-wide", "stats"] {
            let chosen = fixture.modules.resolve(name, None).await.unwrap();
            let fetch = fixture.modules.get(&chosen.digest);
            let judged = handle.fitness(stage, &chosen, fetch).await.unwrap();
            let never = async { panic!("fetched again") };
            assert_eq!(handle.fitness(stage, &chosen, never).await.unwrap(), judged);
            let activated = handle.activate(&stage.id, name, None).await;
            let word = match (judged, activated) {
                (Fitness::Refused { reason }, Err(refusal)) => {
                    assert_eq!(reason, refusal.to_string());
                    "refused".to_owned()
                }
                (Fitness::Refused { reason }, Ok(_)) => panic!("{name} runs: {reason}"),
                (fitness, Ok(activated)) => {
                    let is_same = activated.digest == activated.previous;
                    assert_eq!(fitness == Fitness::Runs, is_same, "{name}");
                    format!("{fitness:?}")
                }
                (fitness, Err(refusal)) => panic!("{name} {fitness:?}: {refusal}"),
            };
            lines.push_str(&format!("{} {name}: {word}\n", stage.id));
        }
    }
    expect![[r#"
        valid valid-sale: Runs
        valid premium-sale: Fits
        valid revenue: refused
        valid revenue-wide: refused
        valid stats: refused
        revenue valid-sale: refused
        revenue premium-sale: refused
        revenue revenue: Runs
        revenue revenue-wide: Migrates { from: 1 }
        revenue stats: refused
    "#]]
    .assert_eq(&lines);
    drop((handle, fixture));
    assert_eq!(lane.await.unwrap().len(), 2);
}

#[tokio::test]
async fn where_nothing_can_be_activated_nothing_is_judged_and_that_is_not_remembered() {
    let fixture = sales();
    let chosen = fixture.modules.put("premium-sale", guest("premium-sale")).await.unwrap();
    let stage = fixture.handle.stages().next().unwrap().clone();
    let judge =
        async || fixture.handle.fitness(&stage, &chosen, fixture.modules.get(&chosen.digest)).await;
    fixture.publish(|status| status.phase = Phase::Finished);
    let finished = judge().await.unwrap();
    let Fitness::Refused { reason } = finished else { panic!("{finished:?}") };
    expect!["pipeline `sales` is finished: there is nothing to activate a module in"]
        .assert_eq(&reason);
    fixture.publish(|status| status.phase = Phase::Running);
    assert_eq!(judge().await.unwrap(), Fitness::Fits);
    // What the store cannot bring is no refusal of the module.
    let other = fixture.modules.put("valid-sale", another(&guest("valid-sale"))).await.unwrap();
    let gone = ModuleDigest([7; 32]);
    let failed = fixture.handle.fitness(&stage, &other, fixture.modules.get(&gone)).await;
    assert!(matches!(failed, Err(ModuleStoreError::Store { .. })), "{failed:?}");
}
