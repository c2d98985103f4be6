//! API keys: `Authorization: Bearer fl_…` speaks for a person, within the key's scopes.
//!
//! It is decided before the handler runs what the key may do there; a handler meets the key's owner as if they were
//! signed in. An admin is one to a handler only when the key is allowed what admins do.

use std::{num::NonZeroU32, time::Duration};

use axum::{
    body::Body,
    extract::{MatchedPath, State},
    http::{HeaderMap, HeaderValue, Method, Request, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use operational::api_keys::{self, Scope};
use uuid::Uuid;

use super::{
    limiter::Limiter,
    scopes::{self, Access},
};
use crate::{
    identity::Visitor,
    problem::{
        INVALID_API_KEY, INVALID_HEADER, KEY_NOT_ALLOWED, Problem, SCOPE_MISSING, SUSPENDED,
        TOO_MANY_REQUESTS,
    },
    state::AppState,
};

/// How many requests a key has at once.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(199);
/// How long until one of them comes back.
pub const REPLENISHED_EVERY: Duration = Duration::from_millis(100);

/// Counts requests per key.
pub struct KeyUses(Limiter<Uuid>);

impl KeyUses {
    /// Counts requests, or lets everything pass when limiting is off.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self(Limiter::new(enabled, BURST, REPLENISHED_EVERY, TOO_MANY_REQUESTS))
    }
}

/// What whoever asks may do: everything that the person may, or what a key is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Option<Vec<Scope>>);

impl Grants {
    /// Refuses a key without this scope. For routes where it depends on the body what is needed.
    ///
    /// # Errors
    /// 403 `scope_missing`.
    pub fn need(&self, scope: Scope) -> Result<(), Problem> {
        match &self.0 {
            Some(scopes) if !scopes.contains(&scope) => Err(missing(scope)),
            _ => Ok(()),
        }
    }
}

fn missing(scope: Scope) -> Problem {
    Problem::from(SCOPE_MISSING)
        .detail(format!(
            "the API key lacks the scope {scope}; make one that has it, at POST /api/me/api-keys"
        ))
        .extra("scope", scope.as_str())
}

/// What is offered as a bearer token, if anything is.
fn offered(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return match headers.contains_key(header::AUTHORIZATION) {
            true => Err(Problem::from(INVALID_HEADER)
                .detail("Authorization may be given once")
                .field("Authorization")),
            false => Ok(None),
        };
    };
    let text = value.to_str().unwrap_or_default();
    Ok(text
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim()))
}

fn invalid() -> Problem {
    Problem::from(INVALID_API_KEY)
        .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
}

/// Middleware: a request with a key is its owner's where the key's scopes suffice, and refused elsewhere.
pub async fn admit(State(state): State<AppState>, mut request: Request<Body>, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    match admitted(&state, request.method(), route, request.headers()).await {
        Ok(None) => {}
        Ok(Some((visitor, grants))) => {
            request.extensions_mut().insert(visitor);
            request.extensions_mut().insert(grants);
        }
        Err(problem) => return problem.into_response(),
    }
    next.run(request).await
}

async fn admitted(
    state: &AppState,
    method: &Method,
    route: Option<MatchedPath>,
    headers: &HeaderMap,
) -> Result<Option<(Visitor, Grants)>, Problem> {
    let Some(secret) = offered(headers)? else { return Ok(None) };
    let Some(route) = route else { return Ok(None) };
    // The token for collectors of metrics is none of ours; its route knows it.
    if route.as_str() == "/metrics" && !secret.starts_with(api_keys::PREFIX) {
        return Ok(None);
    }
    let access = scopes::needed(method, route.as_str());
    if access == Some(Access::Public) {
        return Ok(Some((Visitor::Anonymous, Grants(Some(Vec::new())))));
    }
    let key = match secret.strip_prefix(api_keys::PREFIX) {
        Some(_) => api_keys::offered(&state.pool, secret).await?.ok_or_else(invalid)?,
        None => return Err(invalid()),
    };
    state.key_uses.0.take(&key.id)?;
    if key.user.suspended_at.is_some() {
        return Err(SUSPENDED.into());
    }
    let Some(Access::Scopes(needed)) = access else { return Err(KEY_NOT_ALLOWED.into()) };
    if let Some(lacking) = needed.iter().find(|scope| !key.scopes.contains(scope)) {
        return Err(missing(*lacking));
    }
    let mut user = key.user;
    user.is_admin &= key.scopes.contains(&Scope::Admin);
    Ok(Some((Visitor::Known(Box::new(user)), Grants(Some(key.scopes)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Option<String>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        offered(&headers).map(|token| token.map(str::to_owned)).map_err(|problem| problem.code())
    }

    #[test]
    fn a_bearer_token_is_taken_and_other_schemes_are_not() {
        assert_eq!(of(&["Bearer fl_x"]), Ok(Some("fl_x".to_owned())));
        assert_eq!(of(&["bearer  fl_x "]), Ok(Some("fl_x".to_owned())));
        assert_eq!(of(&["Basic YTpi"]), Ok(None));
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["Bearer a", "Bearer b"]), Err("invalid_header"));
    }

    #[test]
    fn a_person_is_granted_everything_and_a_key_its_scopes() {
        assert!(Grants::default().need(Scope::CollectionDelete).is_ok());
        let key = Grants(Some(vec![Scope::CollectionWrite]));
        assert!(key.need(Scope::CollectionWrite).is_ok());
        assert_eq!(key.need(Scope::CollectionDelete).unwrap_err().code(), "scope_missing");
    }
}
