//! A process that freezes while it holds the append lock.

use crate::board::{Board, Go};
use crate::commands::{Do, Things};
use crate::process::Process;
use crate::schedule::Ground;
use chrono::Utc;
use domain::ids::CommandId;
use domain::world::Circumstances;
use event_store::{Execution, Options};
use futures::FutureExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::time::Duration;
use tokio::sync::oneshot;
use uuid::Uuid;

fn how(things: &Things, actor: usize) -> Execution {
    Execution::new(Circumstances {
        actor: Some(things.actors[actor]),
        is_admin: false,
        now: Utc::now(),
        command_id: CommandId(Uuid::now_v7()),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_freezes_with_the_append_lock_stops_the_others_for_seconds_only_and_loses_nothing() {
    let ground = Ground::new().await;
    let things = Things::new(0, &mut StdRng::seed_from_u64(0));
    let [frozen_owner, owner] = things.owners;
    for point in ["append.locked", "append.before_commit"] {
        let board = Board::default();
        board.hold_at(vec![point]);
        let frozen = Process::start(0, &board, ground.db.options(), Options::default()).await;
        let (answer, mut answered) = oneshot::channel();
        let (command, ours) = (Do::CreateCabinet { owner: frozen_owner, name: "Shelf" }, how(&things, 0));
        frozen.run(0, move |store| {
            async move {
                let _ = answer.send(store.execute(&command, &ours).await.map(|d| d.events));
            }
            .boxed()
        });
        let standing = async {
            while board.parked().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), standing).await.expect("it never came to the point");

        let (command, theirs) = (Do::CreateCabinet { owner, name: "Case" }, how(&things, 1));
        let done = tokio::time::timeout(Duration::from_secs(60), ground.store.execute(&command, &theirs));
        let others = done.await.expect("the others wait for ever").unwrap();
        assert!(answered.try_recv().is_err(), "{point}: it was not frozen");

        // It wakes up, and believes that it holds the lock.
        for (id, _) in board.parked() {
            board.go(id, Go::On);
        }
        board.let_all_go();
        let woken = tokio::time::timeout(Duration::from_secs(60), answered).await.expect("it never wakes");
        let woken = woken.unwrap().unwrap();
        assert!(woken[0].position > others.position, "{point}");
        let log = ground
            .store
            .read_after(domain::stream::Position(others.events[0].position.0 - 1), 10)
            .await
            .unwrap();
        let log: Vec<_> = log.into_iter().map(Result::unwrap).collect();
        assert_eq!(log, [others.events, woken].concat(), "{point}");
        for (owner, name, actor) in [(frozen_owner, "Shelf", 0), (owner, "Case", 1)] {
            let delete = Do::DeleteCabinet { owner, name };
            ground.store.execute(&delete, &how(&things, actor)).await.unwrap();
        }
        frozen.kill().await;
    }
}
