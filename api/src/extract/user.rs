//! Who is asking.

use std::ops::Deref;

use axum::{extract::FromRequestParts, http::request::Parts};
use operational::users::User;

use crate::{
    identity::{self, Visitor},
    problem::{ADMIN_ONLY, NOT_SIGNED_IN, Problem, SUSPENDED},
    state::AppState,
};

/// The person who is signed in; else 401 `not_signed_in`, or 403 `suspended`.
#[derive(Debug, Clone)]
pub struct CurrentUser(pub User);

/// An admin who is signed in; else as [`CurrentUser`], or 403 `admin_only`.
#[derive(Debug, Clone)]
pub struct AdminUser(pub User);

/// The person who is signed in, if anybody is. Never refuses for want of one.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<User>);

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl Deref for AdminUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match identity::visitor(parts, state).await? {
            Visitor::Known(user) => Ok(Self(*user)),
            Visitor::Suspended => Err(SUSPENDED.into()),
            Visitor::Anonymous => Err(NOT_SIGNED_IN.into()),
        }
    }
}

impl FromRequestParts<AppState> for AdminUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let CurrentUser(user) = CurrentUser::from_request_parts(parts, state).await?;
        if user.is_admin { Ok(Self(user)) } else { Err(ADMIN_ONLY.into()) }
    }
}

impl FromRequestParts<AppState> for MaybeUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(match identity::visitor(parts, state).await? {
            Visitor::Known(user) => Some(*user),
            Visitor::Suspended | Visitor::Anonymous => None,
        }))
    }
}
