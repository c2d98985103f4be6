//! What an API key must be allowed on each route: all of it, in this one table.
//!
//! The OpenAPI document is written from it and the guard reads it, so what is documented is what holds. A route that
//! is not in it is closed to every key, and a test fails until it is.

use axum::http::Method;
use operational::api_keys::Scope::{
    self, Admin, CatalogueRead, CatalogueWrite, CollectionDelete, CollectionRead, CollectionWrite, StatsRead,
};

/// What it takes to call a route with an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody may call it; a key plays no part.
    Public,
    /// No key may call it, whatever its scopes: only a person with a session.
    InPerson,
    /// A key with all of these scopes.
    Scopes(&'static [Scope]),
}

/// What is needed below one address, by method.
struct Rule {
    /// The address; `{}` stands for any parameter.
    below: &'static str,
    read: Access,
    write: Access,
    delete: Access,
}

const fn all(below: &'static str, access: Access) -> Rule {
    Rule { below, read: access, write: access, delete: access }
}

const fn public(below: &'static str) -> Rule {
    all(below, Access::Public)
}

const fn in_person(below: &'static str) -> Rule {
    all(below, Access::InPerson)
}

const fn admin(below: &'static str) -> Rule {
    all(below, Access::Scopes(&[Admin]))
}

const fn admin_reads(below: &'static str) -> Rule {
    Rule { below, read: Access::Scopes(&[Admin]), write: Access::InPerson, delete: Access::InPerson }
}

const fn stats(below: &'static str) -> Rule {
    Rule { below, read: Access::Scopes(&[StatsRead]), write: Access::InPerson, delete: Access::InPerson }
}

const fn catalogue(below: &'static str) -> Rule {
    Rule {
        below,
        read: Access::Scopes(&[CatalogueRead]),
        write: Access::Scopes(&[CatalogueWrite]),
        delete: Access::Scopes(&[CatalogueWrite]),
    }
}

const fn collection(below: &'static str) -> Rule {
    Rule {
        below,
        read: Access::Scopes(&[CollectionRead]),
        write: Access::Scopes(&[CollectionWrite]),
        delete: Access::Scopes(&[CollectionDelete]),
    }
}

/// Every rule. The longest address that fits a route counts.
const RULES: &[Rule] = &[
    // Anybody
    public("/api/auth"),
    public("/api/health"),
    public("/api/docs"),
    public("/api/openapi.json"),
    public("/api/public"),
    public("/api/g"),
    public("/api/v"),
    public("/api/calendar"),
    // Workers outside send a token of their own.
    public("/api/render-worker"),
    // The catalogue
    catalogue("/api/figures"),
    catalogue("/api/figure-photos"),
    catalogue("/api/figure-types"),
    catalogue("/api/manufacturers"),
    catalogue("/api/series"),
    catalogue("/api/characters"),
    catalogue("/api/sculptors"),
    catalogue("/api/stores"),
    catalogue("/api/currencies"),
    catalogue("/api/fx"),
    catalogue("/api/manga"),
    catalogue("/api/external"),
    // One's own
    collection("/api/me/owned"),
    collection("/api/scans"),
    collection("/api/photos"),
    collection("/api/documents"),
    collection("/api/me/preorders"),
    collection("/api/me/wishlist"),
    collection("/api/me/locations"),
    collection("/api/me/activity"),
    collection("/api/me/timeline"),
    collection("/api/me/achievements"),
    collection("/api/me/notifications"),
    collection("/api/me/export"),
    collection("/api/me/manga-link"),
    collection("/api/me/crossings"),
    collection("/api/me/following"),
    collection("/api/me/followers"),
    collection("/api/u"),
    collection("/api/discover"),
    collection("/api/compare"),
    // What is unknown becomes part of the catalogue.
    Rule {
        below: "/api/me/wishlist/import",
        read: Access::Scopes(&[CollectionRead]),
        write: Access::Scopes(&[CollectionWrite, CatalogueWrite]),
        delete: Access::Scopes(&[CollectionDelete]),
    },
    all("/api/me/import", Access::Scopes(&[CollectionWrite, CatalogueWrite])),
    // What it all comes to
    stats("/api/me/cote"),
    stats("/api/me/stats"),
    stats("/api/me/stats.svg"),
    stats("/api/me/year-in-review"),
    stats("/api/me/preorders/forecast"),
    // The account, and what opens it or shows something of it to others
    Rule {
        below: "/api/me",
        read: Access::Scopes(&[CollectionRead]),
        write: Access::InPerson,
        delete: Access::InPerson,
    },
    in_person("/api/me/api-keys"),
    in_person("/api/me/sessions"),
    in_person("/api/me/identities"),
    in_person("/api/me/calendar"),
    in_person("/api/me/events"),
    in_person("/api/me/web-push"),
    in_person("/api/me/wishlist/share"),
    in_person("/api/me/locations/{}/share"),
    in_person("/api/me/notifications/channels"),
    in_person("/api/me/notifications/routing"),
    // Running the instance
    admin("/metrics"),
    admin("/api/admin"),
    // Whoever may do these could open any account with it.
    admin_reads("/api/admin/users"),
    admin_reads("/api/admin/notifications"),
    in_person("/api/admin/users/{}/password-reset"),
];

/// What it takes to call this route with a key; none for a route that no rule names. `/api/me` is itself only: what
/// is new below it has to be named.
#[must_use]
pub fn needed(method: &Method, route: &str) -> Option<Access> {
    let rule = RULES
        .iter()
        .filter(|rule| fits(rule.below, route) && (rule.below != "/api/me" || route == "/api/me"))
        .max_by_key(|rule| rule.below.split('/').count())?;
    Some(match *method {
        Method::DELETE => rule.delete,
        ref method if method.is_safe() => rule.read,
        _ => rule.write,
    })
}

fn fits(below: &str, route: &str) -> bool {
    let mut places = route.split('/');
    below.split('/').all(|wanted| match places.next() {
        Some(place) => place == wanted || (wanted == "{}" && place.starts_with('{')),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(method: Method, route: &str) -> Option<Access> {
        needed(&method, route)
    }

    #[test]
    fn the_longest_address_counts() {
        assert_eq!(scopes(Method::GET, "/api/me/owned/{id}"), Some(Access::Scopes(&[CollectionRead])));
        assert_eq!(scopes(Method::DELETE, "/api/me/owned/{id}"), Some(Access::Scopes(&[CollectionDelete])));
        assert_eq!(scopes(Method::GET, "/api/me/preorders/forecast"), Some(Access::Scopes(&[StatsRead])));
        assert_eq!(scopes(Method::POST, "/api/me/locations/{id}/share"), Some(Access::InPerson));
        assert_eq!(scopes(Method::POST, "/api/me/locations"), Some(Access::Scopes(&[CollectionWrite])));
        assert_eq!(scopes(Method::PATCH, "/api/admin/users/{user}"), Some(Access::InPerson));
        assert_eq!(scopes(Method::GET, "/api/admin/users"), Some(Access::Scopes(&[Admin])));
        assert_eq!(
            scopes(Method::PUT, "/api/admin/notifications/channels/{channel}"),
            Some(Access::InPerson)
        );
    }

    #[test]
    fn what_is_not_named_is_closed() {
        assert_eq!(scopes(Method::GET, "/api/me/secrets"), None);
        assert_eq!(scopes(Method::GET, "/api/me/ownedness"), None);
        assert_eq!(scopes(Method::GET, "/api"), None);
    }

    #[test]
    fn nothing_gives_a_key_power_over_what_opens_the_account() {
        for below in ["/api/me/api-keys", "/api/me/sessions", "/api/me/identities"] {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                assert_eq!(scopes(method, &format!("{below}/{{id}}")), Some(Access::InPerson), "{below}");
            }
        }
        assert_eq!(scopes(Method::PATCH, "/api/me"), Some(Access::InPerson));
        assert_eq!(scopes(Method::DELETE, "/api/me"), Some(Access::InPerson));
    }
}
