//! What a person sets up beside the collection: rows that are written in place and are no part of the log.

use super::words::ZONES;
use super::{Answer, Draft, Effect, Generator, Request, id_of};
use rand::Rng;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// For how long a try that its sender gave up may still be carried out, and more.
const LATE: Duration = Duration::from_secs(60);

/// An account, as far as the answers told.
#[derive(Debug, Default)]
pub struct Account {
    /// Its time zone.
    pub zone: Setting<String>,
    /// Whether the wishlist is shared by a link.
    pub shared: Setting<bool>,
    /// Keys that were made and not revoked. There may be others, whose making went unanswered.
    pub keys: BTreeSet<Uuid>,
    /// How many notifications were marked as read, at least.
    pub read: u64,
    /// How many writes were answered with an acceptance.
    pub accepted: u32,
}

/// Something that the last write decides. A write that was sent more than once may come about once more, later than
/// one that followed it.
#[derive(Debug)]
pub struct Setting<T> {
    told: Option<T>,
    late: Vec<(T, Instant)>,
}

impl<T> Default for Setting<T> {
    fn default() -> Self {
        Self { told: None, late: Vec::new() }
    }
}

impl<T: Clone + PartialEq> Setting<T> {
    /// It was set to this, by a request that was sent so many times. What was late long before can come no more.
    pub fn set(&mut self, value: T, sent: u32) {
        self.late.retain(|(_, since)| since.elapsed() < LATE);
        if sent > 1 {
            self.late.push((value.clone(), Instant::now()));
        }
        self.told = Some(value);
    }

    /// Whether it may be this now; anything, as long as nothing was told.
    #[must_use]
    pub fn may_be(&self, shown: &T) -> bool {
        let late = || self.late.iter().any(|(value, _)| value == shown);
        self.told.as_ref().is_none_or(|told| told == shown) || late()
    }

    /// What was told last.
    #[must_use]
    pub const fn told(&self) -> Option<&T> {
        self.told.as_ref()
    }
}

impl Generator {
    pub(super) fn account(&mut self) -> Draft {
        match self.rng.random_range(0..10) {
            0..4 => {
                let zone = self.word(ZONES);
                let body = json!({"time_zone": zone});
                Some(("zone", Method::PATCH, "/api/me".into(), Some(body), Effect::Zone(zone)))
            }
            4 => {
                let body = json!({"name": format!("script {}", self.sent)});
                Some(("make key", Method::POST, "/api/me/api-keys".into(), Some(body), Effect::Key))
            }
            5 => {
                let keys: Vec<Uuid> = self.model.account.keys.iter().copied().collect();
                let id = self.pick(&keys)?;
                Some((
                    "revoke key",
                    Method::DELETE,
                    format!("/api/me/api-keys/{id}"),
                    None,
                    Effect::KeyGone(id),
                ))
            }
            6..9 => {
                let shared = self.model.account.shared.told() != Some(&true);
                let method = if shared { Method::POST } else { Method::DELETE };
                Some(("share", method, "/api/me/wishlist/share".into(), None, Effect::Shared(shared)))
            }
            _ => Some((
                "read all",
                Method::POST,
                "/api/me/notifications/read-all".into(),
                None,
                Effect::ReadAll,
            )),
        }
    }

    /// Takes note of the answer to a request that is no part of the log, and that was sent so many times.
    pub fn learn_in_place(&mut self, request: &Request, answer: &Answer, sent: u32) {
        let account = &mut self.model.account;
        // Of two tries the second finds nothing left to do.
        let again =
            sent > 1 || matches!(request.effect, Effect::Shared(false) if account.shared.may_be(&false));
        let done = answer.is_accepted() || (again && answer.status == 404);
        if !done {
            return;
        }
        account.accepted += 1;
        match &request.effect {
            Effect::Zone(zone) => account.zone.set((*zone).to_owned(), sent),
            Effect::Shared(shared) => account.shared.set(*shared, sent),
            Effect::Key => account.keys.extend(id_of(&answer.body)),
            Effect::KeyGone(id) => drop(account.keys.remove(id)),
            Effect::ReadAll => account.read += answer.body["read"].as_u64().unwrap_or_default(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_what_was_told_last_or_what_may_still_come() {
        let mut zone = Setting::default();
        assert!(zone.may_be(&"Asia/Tokyo"));
        zone.set("Asia/Tokyo", 1);
        zone.set("Europe/Paris", 1);
        assert!(zone.may_be(&"Europe/Paris") && !zone.may_be(&"Asia/Tokyo"));
        zone.set("Asia/Tokyo", 2);
        zone.set("UTC", 1);
        assert!(zone.may_be(&"UTC") && zone.may_be(&"Asia/Tokyo") && !zone.may_be(&"Europe/Paris"));
    }
}
