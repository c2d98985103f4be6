//! One client alone: from sending a command until everything it changed can be read.

use crate::commands::{Contender, Ours, Plain, rates, wishing};
use crate::cpu::Cpu;
use crate::ground::Ground;
use crate::progress::Progress;
use crate::scenario::{Goal, Scenario, Section};

/// The scenario.
pub struct Lone;

const SEED: &str = "bench_lone";
const COPIES: [&str; 3] = ["bench_lone_plain", "bench_lone_ours", "bench_lone_beside"];

#[async_trait::async_trait]
impl Scenario for Lone {
    fn title(&self) -> &'static str {
        "One client, command to readable"
    }

    fn word(&self) -> &'static str {
        "lone"
    }

    async fn run(&self, ground: &Ground, progress: &Progress) -> anyhow::Result<Section> {
        let (rounds, count) = if ground.quick { (5, 100) } else { (15, 200) };
        progress.at("lone: writing everybody's wishes");
        let (wishes, users) = wishing(ground, SEED, 200, count * (rounds + 1)).await?;
        for name in COPIES {
            ground.database(name, Some(SEED)).await?;
        }
        let [plain, ours, beside] = COPIES;
        let contenders: Vec<Box<dyn Contender>> = vec![
            Box::new(Plain::open(ground, plain).await?),
            Box::new(Ours::open(ground, ours, &users).await?),
            Box::new(Ours::beside(ground, beside, &users).await?),
        ];
        ground.settle().await?;
        let mut cpu = Cpu::new(ground).await?;
        let measured = rates(&contenders, &[(1, count)], rounds, wishes, progress, &mut cpu).await?;
        drop(contenders);
        ground.drop(&COPIES).await?;
        ground.drop(&[SEED]).await?;
        let times: Vec<(&str, f64)> = measured
            .iter()
            .map(|one| (one.name, 1_000.0 / one.rates.first().copied().unwrap_or_default()))
            .collect();
        let [(_, plain), (_, ours), (_, beside)] = times.as_slice() else {
            anyhow::bail!("three were measured");
        };
        let rows = times.iter().map(|(name, time)| {
            vec![(*name).to_owned(), format!("{time:.2} ms"), format!("{:.2}", time / plain)]
        });
        Ok(Section {
            heads: ["one client", "time of a command", "× plain SQL"].map(str::to_owned).to_vec(),
            rows: rows.collect(),
            notes: vec![format!(
                "Medians of {rounds} interleaved rounds of {count} commands, until every read model holds them \
                 that answers are read from. The other process is the server itself, on the same database."
            )],
            goals: vec![
                Goal::at_most("one client: ours / plain SQL, time", ours / plain, 1.0, " ×"),
                Goal::at_most(
                    "one client: ours / plain SQL, time, with a separate projector",
                    beside / plain,
                    2.5,
                    " ×",
                ),
            ],
        })
    }
}
