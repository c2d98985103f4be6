//! The machine's facts, without which a number means nothing.

use crate::ground::Ground;

/// What runs the benchmark.
pub async fn facts(ground: &Ground) -> anyhow::Result<Vec<(String, String)>> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |text: &str, head: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(head));
        found.map_or("unknown".to_owned(), |rest| rest.trim_start_matches([':', '\t', ' ']).trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut facts = vec![
        ("processor".to_owned(), format!("{}, {cores} cores", line(&read("/proc/cpuinfo"), "model name"))),
        ("memory".to_owned(), line(&read("/proc/meminfo"), "MemTotal")),
        ("kernel".to_owned(), read("/proc/sys/kernel/osrelease").trim().to_owned()),
    ];
    for setting in ["server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size"] {
        facts.push((format!("PostgreSQL {setting}"), ground.setting(setting).await?));
    }
    facts.push((
        "load before the run".to_owned(),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    ));
    facts.push(("date".to_owned(), chrono::Utc::now().format("%Y-%m-%d %H:%M UTC").to_string()));
    Ok(facts)
}
