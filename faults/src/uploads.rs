//! Somebody who keeps documents and photos with a piece, sends some and takes some away; and the cleanup of files that
//! nothing names. Afterwards every file that is named is there and whole, and once the cleanup has had its days, no
//! other is.

use crate::checks::Acknowledged;
use crate::client::{Address, Person};
use crate::generator::{Answer, File, Request};
use crate::load::Tally;
use anyhow::{Context, ensure};
use image::{ImageFormat, Rgb, RgbImage};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{Rng, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use uuid::Uuid;

/// How many files are kept at most.
const MOST: usize = 12;
/// How long it rests between two, in milliseconds.
const REST: std::ops::Range<u64> = 20..80;
/// How long it is waited before the cleanup is asked for once more.
const CLEANED_EVERY: Duration = Duration::from_millis(250);
/// How long one cleanup may take.
const CLEANED_WITHIN: Duration = Duration::from_secs(60);
/// After so many cleanups, with days in between, nothing may be left over: one notes what is not named any more, the
/// next deletes it.
const CLEANUPS: u32 = 3;
const CLEANUP: &str = "/api/admin/jobs/scan_cleanup/run";
/// Every key that something names.
const NAMED: &str = "SELECT unnest(blob_keys) FROM photos UNION SELECT unnest(blob_keys) FROM figure_photos \
     UNION SELECT unnest(blob_keys) FROM scans UNION SELECT storage_key FROM documents \
     UNION SELECT blob_key FROM renders WHERE blob_key IS NOT NULL";

/// A file that was sent and not taken away.
struct Kept {
    path: String,
    /// What it must come back as; nothing of a photo, which is encoded anew.
    content: Option<Vec<u8>>,
}

/// Whoever keeps them.
pub struct Uploads {
    person: Person,
    piece: Uuid,
    rng: StdRng,
    tally: Arc<Tally>,
    kept: BTreeMap<Uuid, Kept>,
    sent: u64,
}

/// The same, for everybody who has to take turns with them.
pub type Keeper = Arc<Mutex<Uploads>>;

impl Uploads {
    /// Makes the account, the figure, the piece, and a scan of it that stays.
    ///
    /// # Errors
    /// When that is refused.
    pub async fn open(addresses: &[Address], seed: u64, tally: &Arc<Tally>) -> anyhow::Result<Self> {
        let mut uploads = Self {
            person: Person::register(addresses, "keeper").await?,
            piece: Uuid::nil(),
            rng: StdRng::seed_from_u64(seed),
            tally: tally.clone(),
            kept: BTreeMap::new(),
            sent: 0,
        };
        let body = json!({"name": "Kept", "figure_type": "other"});
        let figure = uploads.send(Method::POST, "/api/figures".to_owned(), Some(body), None).await?;
        let body = json!({"figure_id": figure.body["id"]});
        let piece = uploads.send(Method::POST, "/api/me/owned".to_owned(), Some(body), None).await?;
        uploads.piece = id_of(&piece.body).context("a piece without id")?;
        let frame = File { field: "frame", name: "frame.png", content: picture(&mut uploads.rng)? };
        let scans = format!("/api/me/owned/{}/scans", uploads.piece);
        uploads.send(Method::POST, scans, None, Some(frame)).await?;
        Ok(uploads)
    }

    async fn send(
        &mut self,
        method: Method,
        path: String,
        body: Option<Value>,
        file: Option<File>,
    ) -> anyhow::Result<Answer> {
        self.sent += 1;
        let key = format!("keeper-{}", self.sent);
        let mut request = Request::plain("file", method, path, Value::Null, &key);
        (request.body, request.file) = (body, file);
        let answer = self.person.deliver(&request, &mut || None).await?.answer;
        let (method, path) = (&request.method, &request.path);
        ensure!(answer.is_accepted(), "{method} {path}: {} {}", answer.status, answer.body);
        let (actor, kind, status, position) = (self.person.id, request.kind, answer.status, answer.position);
        self.tally.heard(Some(Acknowledged { actor, key, kind, status, position }));
        Ok(answer)
    }

    /// Sends a file or takes one away.
    async fn step(&mut self) -> anyhow::Result<()> {
        let away = self.kept.len() >= MOST || self.rng.random_ratio(1, 3);
        let chosen = self.kept.keys().choose(&mut self.rng).copied().filter(|_| away);
        if let Some(id) = chosen
            && let Some(kept) = self.kept.remove(&id)
        {
            self.send(Method::DELETE, kept.path, None, None).await?;
            return Ok(());
        }
        let (place, name, content) = match self.rng.random_ratio(1, 4) {
            true => ("photos", "photo.png", picture(&mut self.rng)?),
            false => ("documents", "receipt.pdf", document(&mut self.rng)),
        };
        let file = File { field: "file", name, content: content.clone() };
        let content = (place == "documents").then_some(content);
        let list = format!("/api/me/owned/{}/{place}", self.piece);
        let answer = self.send(Method::POST, list, None, Some(file)).await?;
        let items = answer.body["items"].as_array().map_or(&[][..], Vec::as_slice);
        let mut new = items.iter().filter_map(id_of).filter(|id| !self.kept.contains_key(id));
        let (id, more) = (new.next().context("a file without id")?, new.next());
        ensure!(more.is_none(), "one file was sent, and several came of it: {}", answer.body);
        self.kept.insert(id, Kept { path: format!("/api/{place}/{id}"), content });
        Ok(())
    }

    /// Looks whether all that was kept is shown and whole, and nothing else is shown.
    async fn look(&self) -> anyhow::Result<Vec<String>> {
        let mut complaints = Vec::new();
        for (id, kept) in &self.kept {
            match (self.person.file(&kept.path).await, &kept.content) {
                (Err(error), _) => complaints.push(format!("the file {id} cannot be read: {error:#}")),
                (Ok(found), Some(sent)) if found != *sent => {
                    complaints.push(format!("the file {id} is not what was sent"));
                }
                (Ok(found), _) if found.is_empty() => complaints.push(format!("the file {id} is empty")),
                (Ok(_), _) => {}
            }
        }
        let mut shown = BTreeSet::new();
        for place in ["photos", "documents"] {
            let page = self.person.get(&format!("/api/me/owned/{}/{place}", self.piece)).await?;
            shown.extend(page.body["items"].as_array().into_iter().flatten().filter_map(id_of));
        }
        let told: BTreeSet<Uuid> = self.kept.keys().copied().collect();
        if shown != told {
            complaints.push(format!("the keeper was told of the files {told:?} and is shown {shown:?}"));
        }
        Ok(complaints)
    }

    /// Looks whether what was told is there, lets days pass and the cleanup run, and looks whether just that is left:
    /// in the table of files, and in the folder.
    ///
    /// # Errors
    /// When something cannot be looked at.
    pub async fn check(&self, admin: &Person, pool: &PgPool, files: &Path) -> anyhow::Result<Vec<String>> {
        let mut complaints = self.look().await?;
        for _ in 0..CLEANUPS {
            let_days_pass(pool).await?;
            complaints.extend(clean(admin, pool).await?);
        }
        complaints.extend(self.look().await?.into_iter().map(|one| format!("after the cleanup: {one}")));
        let named: BTreeSet<String> = sqlx::query_scalar(NAMED).fetch_all(pool).await?.into_iter().collect();
        let known: Vec<String> = sqlx::query_scalar("SELECT key FROM blobs").fetch_all(pool).await?;
        let known: BTreeSet<String> = known.into_iter().collect();
        let mut stored = BTreeSet::new();
        list(&files.join("blobs"), &mut stored)?;
        for (what, found) in [("known", known), ("stored", stored)] {
            let dangling: Vec<_> = named.difference(&found).collect();
            let left: Vec<_> = found.difference(&named).collect();
            if !dangling.is_empty() || !left.is_empty() {
                complaints
                    .push(format!("named and not {what}: {dangling:?}; {what} and not named: {left:?}"));
            }
        }
        ensure!(named.len() >= self.kept.len(), "the names of files are somewhere else");
        Ok(complaints)
    }
}

/// Sends files and takes them away until told to stop.
///
/// # Errors
/// When a request gets no answer, or none that it should.
pub async fn keep_sending(uploads: Keeper, tally: Arc<Tally>) -> anyhow::Result<()> {
    let mut rest = StdRng::seed_from_u64(uploads.lock().await.rng.random());
    while !tally.is_over() {
        uploads.lock().await.step().await?;
        tokio::time::sleep(Duration::from_millis(rest.random_range(REST))).await;
    }
    Ok(())
}

/// Lets days pass and has the cleanup run, again and again.
pub async fn keep_cleaning(uploads: Keeper, admin: Person, pool: PgPool) {
    loop {
        // No upload takes days, so none may be under way.
        let between = uploads.lock().await;
        let passed = let_days_pass(&pool).await;
        drop(between);
        if passed.is_ok() {
            admin.nudge(CLEANUP).await;
        }
        tokio::time::sleep(CLEANED_EVERY).await;
    }
}

async fn let_days_pass(pool: &PgPool) -> sqlx::Result<()> {
    let sql = "UPDATE blobs SET leased_until = leased_until - interval '2 days', \
               unnamed_since = unnamed_since - interval '2 days', \
               condemned_at = condemned_at - interval '2 days'";
    sqlx::query(sql).execute(pool).await.map(drop)
}

/// Runs the cleanup once, to its end.
async fn clean(admin: &Person, pool: &PgPool) -> anyhow::Result<Vec<String>> {
    let begun = Instant::now();
    let before: i64 = sqlx::query_scalar(
        "SELECT coalesce(extract(epoch FROM max(started_at)) * 1000000, 0)::bigint FROM server_job_runs \
         WHERE job_name = 'scan_cleanup'",
    )
    .fetch_one(pool)
    .await?;
    loop {
        ensure!(begun.elapsed() < CLEANED_WITHIN, "the cleanup does not come to an end");
        let latest: Option<(i64, String, Option<Value>, Option<String>)> = sqlx::query_as(
            "SELECT (extract(epoch FROM started_at) * 1000000)::bigint, state, result, error_message \
             FROM server_job_runs WHERE job_name = 'scan_cleanup' ORDER BY started_at DESC LIMIT 1",
        )
        .fetch_optional(pool)
        .await?;
        match latest {
            Some((at, state, ..)) if at > before && state == "running" => {}
            Some((at, state, result, error)) if at > before => {
                let result = result.unwrap_or_default();
                let clean = result["missing"] == 0 && result["unknown"] == 0;
                let complaint = format!("the cleanup {state}: {error:?} {result}");
                return Ok(if state == "succeeded" && clean { Vec::new() } else { vec![complaint] });
            }
            _ => admin.nudge(CLEANUP).await,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The names of all files below a folder, but for those of writes that were cut off, which the cleanup takes away when
/// they are a day old.
fn list(folder: &Path, into: &mut BTreeSet<String>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), into)?,
            false if name.contains('#') => {}
            false => {
                into.insert(name);
            }
        }
    }
    Ok(())
}

fn document(rng: &mut StdRng) -> Vec<u8> {
    let mut content = b"%PDF-1.7\n".to_vec();
    content.extend((0..rng.random_range(100..60_000)).map(|_| rng.random_range(b' '..b'~')));
    content
}

fn picture(rng: &mut StdRng) -> anyhow::Result<Vec<u8>> {
    let pixels = RgbImage::from_fn(12, 12, |_, _| Rgb(rng.random()));
    let mut content = Cursor::new(Vec::new());
    pixels.write_to(&mut content, ImageFormat::Png)?;
    Ok(content.into_inner())
}

fn id_of(value: &Value) -> Option<Uuid> {
    value["id"].as_str()?.parse().ok()
}
