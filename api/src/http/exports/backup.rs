//! The backup, a page at a time.

use chrono::{SubsecRound, Utc};
use operational::{manga_links, notification_settings, notification_subscriptions, users::User};
use projections::backup::{
    self,
    format::{BackupMangaLink, BackupNotifications, BackupPiece, BackupSettings, FORMAT, VERSION},
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{PAGE, Pieces, Reader, full, written};
use crate::problem::Problem;

/// Where the file stands.
enum At {
    Head,
    Figures(Option<Uuid>),
    Cabinets,
    Pieces(Option<Box<BackupPiece>>),
    Wishes(Option<Uuid>),
}

/// The file, a page at a time.
pub(super) fn pieces(reader: Reader) -> Pieces {
    written(At::Head, move |at| step(reader.clone(), at))
}

/// What somebody chose for their account. Whether they have a public page is not in it: a file that is brought back
/// must not publish anything.
fn settings(user: &User) -> BackupSettings {
    BackupSettings {
        nsfw_visibility: user.nsfw_visibility.as_str().to_owned(),
        preferred_currency: user.preferred_currency.map(|currency| currency.to_string()),
        public_profile_show_nsfw: user.public_profile_show_nsfw,
        public_profile_show_value: user.public_profile_show_value,
        time_zone: user.time_zone.to_string(),
    }
}

/// When and how they want to be told. Where to is left out: addresses and keys are secrets.
async fn notifications(reader: &Reader) -> Result<BackupNotifications, Problem> {
    let chosen = notification_settings::of_user(&reader.pool, reader.id()).await?;
    let mut told = BackupNotifications {
        quiet_from: chosen.quiet_from,
        quiet_until: chosen.quiet_until,
        digest_at: chosen.digest_at,
        ..BackupNotifications::default()
    };
    for (kind, channel) in notification_subscriptions::of_user(&reader.pool, reader.id()).await? {
        let channels = told.routing.entry(kind.as_str().to_owned()).or_default();
        channels.insert(channel.as_str().to_owned());
    }
    Ok(told)
}

async fn manga_link(reader: &Reader) -> Result<Option<BackupMangaLink>, Problem> {
    let link = manga_links::of(&reader.pool, reader.id()).await?;
    Ok(link.map(|link| BackupMangaLink { base_url: link.server.base_url, slug: link.slug.to_string() }))
}

/// Rows on lines of their own; the first of a list has no comma before it.
fn lines<T: Serialize>(rows: &[T], begins: bool) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        bytes.extend_from_slice(if begins && at == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut bytes, row).map_err(Problem::internal)?;
    }
    Ok(bytes)
}

async fn step(reader: Reader, at: At) -> Result<(Vec<u8>, Option<At>), Problem> {
    let (pool, user) = (&reader.pool, reader.id());
    match at {
        At::Head => {
            let exported_at = json!(Utc::now().trunc_subsecs(6));
            let (told, shelf) = (notifications(&reader).await?, manga_link(&reader).await?);
            let left_out = backup::left_out(pool, user).await?;
            let head = format!(
                "{{\"format\":{},\"version\":{VERSION},\"exported_at\":{exported_at},\n\"settings\":{},\n\
                 \"notifications\":{},\n\"manga_link\":{},\n\"left_out\":{},\n\"figures\":[",
                json!(FORMAT),
                json!(settings(&reader.user)),
                json!(told),
                json!(shelf),
                json!(left_out),
            );
            Ok((head.into_bytes(), Some(At::Figures(None))))
        }
        At::Figures(after) => {
            let rows = backup::figures(pool, user, after, PAGE).await?;
            let mut bytes = lines(&rows, after.is_none())?;
            let next = rows.last().filter(|_| full(&rows)).map(|last| At::Figures(Some(last.id)));
            if next.is_none() {
                bytes.extend_from_slice(b"],\n\"cabinets\":[");
            }
            Ok((bytes, Some(next.unwrap_or(At::Cabinets))))
        }
        At::Cabinets => {
            let mut bytes = lines(&backup::cabinets(pool, user).await?, true)?;
            bytes.extend_from_slice(b"],\n\"pieces\":[");
            Ok((bytes, Some(At::Pieces(None))))
        }
        At::Pieces(after) => {
            let mut rows = backup::pieces(pool, user, after.as_deref(), PAGE).await?;
            let mut bytes = lines(&rows, after.is_none())?;
            let next = if full(&rows) { rows.pop() } else { None };
            if next.is_none() {
                bytes.extend_from_slice(b"],\n\"wishes\":[");
            }
            Ok((bytes, Some(next.map_or(At::Wishes(None), |last| At::Pieces(Some(Box::new(last)))))))
        }
        At::Wishes(after) => {
            let rows = backup::wishes(pool, user, after, PAGE).await?;
            let mut bytes = lines(&rows, after.is_none())?;
            let next = rows.last().filter(|_| full(&rows)).map(|last| At::Wishes(Some(last.figure_id)));
            if next.is_none() {
                bytes.extend_from_slice(b"]}\n");
            }
            Ok((bytes, next))
        }
    }
}
