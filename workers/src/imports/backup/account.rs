//! What a backup says of the account itself: its settings, when and how its owner is told of things, and where their
//! manga shelf is.

use super::read::{At, BadBackup, bad};
use super::{Mode, Request, RestoreError};
use crate::imports::ImportError;
use domain::stream::Version;
use operational::manga_links::{self, Slug, Unlinkable};
use operational::manga_servers::{self, Origin, Refused, Status};
use operational::notification_channels::Channel;
use operational::notification_settings::{self, Settings};
use operational::notification_subscriptions::{self, Route};
use operational::notifications::Kind;
use operational::users::{self, ProfileChange, UserError};
use projections::backup::format::{Backup, BackupNotifications};
use serde::Serialize;
use sqlx::PgPool;

/// What became of the link to a manga shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkBack {
    /// It is made. A server that nobody here knew is proposed, and the link sleeps until it is approved.
    Linked,
    /// The account has a link, which stays.
    Kept,
    /// The server was revoked here.
    Revoked,
    /// Its address is none that may be asked here.
    NotAllowed,
    /// It is not on the list here, and too many proposals of this person wait.
    TooManyProposals,
}

impl LinkBack {
    /// Its name over HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Kept => "kept",
            Self::Revoked => "revoked",
            Self::NotAllowed => "not_allowed",
            Self::TooManyProposals => "too_many_proposals",
        }
    }
}

/// What the file says of the account, as far as it is to be taken.
pub(super) struct Account {
    profile: Option<ProfileChange>,
    told: Option<(Settings, Vec<Route>)>,
    link: Option<(Origin, Slug)>,
}

impl Account {
    /// Reads it. Settings are for accounts that never held anything: those of version none.
    pub(super) fn of(backup: &Backup, home: Version) -> Result<Self, BadBackup> {
        let mut account = Self { profile: profile(backup)?, told: None, link: None };
        if let Some(told) = &backup.notifications {
            account.told = Some(notifications(told)?);
        }
        if let Some(link) = &backup.manga_link {
            let at = At("manga_link".to_owned());
            account.link = Some((at.read("base_url", &link.base_url)?, at.read("slug", &link.slug)?));
        }
        if home != Version::NONE {
            (account.profile, account.told) = (None, None);
        }
        Ok(account)
    }

    pub(super) const fn has_settings(&self) -> bool {
        self.profile.is_some()
    }

    /// Gives the account what the file says; what became of the link.
    pub(super) async fn take(
        self,
        pool: &PgPool,
        request: &Request<'_>,
    ) -> Result<Option<LinkBack>, RestoreError> {
        if request.mode == Mode::Append {
            if let Some(change) = &self.profile {
                take_profile(pool, request, change).await?;
            }
            if let Some((settings, routes)) = self.told {
                let mut tx = pool.begin().await.map_err(ImportError::from)?;
                let noted = notification_settings::set(&mut *tx, request.user, settings).await;
                noted.map_err(ImportError::from)?;
                let merged = notification_subscriptions::merge(&mut tx, request.user, &routes).await;
                merged.map_err(ImportError::from)?;
                tx.commit().await.map_err(ImportError::from)?;
            }
        }
        match self.link {
            Some((origin, slug)) => Ok(Some(link_back(pool, request, &origin, &slug).await?)),
            None => Ok(None),
        }
    }
}

fn profile(backup: &Backup) -> Result<Option<ProfileChange>, BadBackup> {
    let Some(told) = &backup.settings else { return Ok(None) };
    let at = At("settings".to_owned());
    Ok(Some(ProfileChange {
        nsfw_visibility: Some(at.read("nsfw_visibility", &told.nsfw_visibility)?),
        preferred_currency: Some(at.maybe("preferred_currency", told.preferred_currency.as_ref())?),
        public_profile_show_nsfw: Some(told.public_profile_show_nsfw),
        public_profile_show_value: Some(told.public_profile_show_value),
        time_zone: Some(at.read("time_zone", &told.time_zone)?),
        ..ProfileChange::default()
    }))
}

fn notifications(told: &BackupNotifications) -> Result<(Settings, Vec<Route>), BadBackup> {
    let at = At("notifications".to_owned());
    if told.quiet_from.is_some() != told.quiet_until.is_some()
        || told.quiet_from.is_some() && told.quiet_from == told.quiet_until
    {
        let wrong = "quiet hours have a beginning and an end, at different times";
        return Err(bad(at.field("quiet_until"), wrong));
    }
    let settings =
        Settings { quiet_from: told.quiet_from, quiet_until: told.quiet_until, digest_at: told.digest_at };
    let mut routes = Vec::new();
    for (event, channels) in &told.routing {
        let kind: Kind = at.read(&format!("routing.{event}"), event)?;
        for channel in channels {
            let channel: Channel = at.read(&format!("routing.{event}"), channel)?;
            if channel != Channel::InApp {
                routes.push(Route { kind, channel, enabled: true });
            }
        }
    }
    Ok((settings, routes))
}

async fn take_profile(
    pool: &PgPool,
    request: &Request<'_>,
    change: &ProfileChange,
) -> Result<(), RestoreError> {
    match users::update_profile(pool, request.passwords, request.user, change).await {
        Ok(_) => Ok(()),
        Err(UserError::Database(error)) => Err(ImportError::from(error).into()),
        Err(other) => Err(bad("settings", other).into()),
    }
}

async fn link_back(
    pool: &PgPool,
    request: &Request<'_>,
    origin: &Origin,
    slug: &Slug,
) -> Result<LinkBack, ImportError> {
    if manga_links::of(pool, request.user).await?.is_some() {
        return Ok(LinkBack::Kept);
    }
    let known = manga_servers::by_origin(pool, origin).await?;
    if known.is_none() && request.manga.check(origin.url()).is_err() {
        return Ok(LinkBack::NotAllowed);
    }
    if request.mode == Mode::DryRun {
        let revoked = known.is_some_and(|server| server.status == Status::Revoked);
        return Ok(if revoked { LinkBack::Revoked } else { LinkBack::Linked });
    }
    let server_id = match known {
        Some(server) => server.id,
        None => match manga_servers::propose(pool, origin, request.user).await {
            Ok(server) => server.id,
            Err(Refused::Known(server)) => server.id,
            Err(Refused::TooMany) => return Ok(LinkBack::TooManyProposals),
            Err(Refused::Database(error)) => return Err(error.into()),
            // Nobody is left whose link it could be.
            Err(Refused::NotFound | Refused::Linked(_)) => return Ok(LinkBack::Kept),
        },
    };
    match manga_links::set(pool, request.user, server_id, slug).await {
        Ok(_) => Ok(LinkBack::Linked),
        Err(Unlinkable::Revoked(_)) => Ok(LinkBack::Revoked),
        // It was taken off the list at this very moment.
        Err(Unlinkable::NotFound) => Ok(LinkBack::Revoked),
        Err(Unlinkable::Database(error)) => Err(error.into()),
    }
}
