//! Channels: the ways by which people are told. One file each, all of the same shape.
//!
//! A channel knows what an admin sets up for it, what a person gives as their destination, how both are shown without
//! their secrets, and how one message is sent. Queueing, trying again and routing are no business of a channel: see
//! `deliveries`.

mod apprise;
mod email;
mod fields;
mod in_app;
mod ntfy;
mod web_push;
mod webhook;
mod wording;

pub use fields::{Fault, Unfit};
pub use web_push::{KeyPair, check_subscription};
pub use wording::{digest, message, trial};

use crate::outbound::{AllowedNetworks, Glance, Limits, Lookup, Outbound, OutboundError, system_lookup};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use operational::notification_channels::{Channel, Destination, Setup};
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How much of an answer is looked at.
const GLANCED: usize = 1024;
/// How much of it is told.
const TOLD: usize = 200;

/// What somebody is told. Its JSON is the body of a webhook and what a browser gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// The same at every try, so that a receiver knows what it got before.
    pub id: Uuid,
    /// Of what: the name of an event, `digest`, or `test`.
    pub event_type: String,
    /// When it came about.
    pub occurred_at: DateTime<Utc>,
    /// One line.
    pub title: String,
    /// A sentence or a few.
    pub text: String,
    /// The facts.
    pub payload: Value,
}

/// Why something was not sent. What is said is for people: no addresses with secrets, no tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsent {
    /// It may go another time.
    Failed {
        /// What the other side said, or how it could not be reached.
        said: String,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The other side will not have it, now or later.
    Refused(String),
    /// Nobody is there any more.
    Gone(String),
}

impl Unsent {
    /// What was said.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::Failed { said, .. } | Self::Refused(said) | Self::Gone(said) => said,
        }
    }

    fn failed(said: impl Into<String>) -> Self {
        Self::Failed { said: said.into(), retry_after: None }
    }
}

impl From<OutboundError> for Unsent {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Scheme
            | OutboundError::Userinfo
            | OutboundError::Private(_)
            | OutboundError::Elsewhere(_)
            | OutboundError::Redirected(_) => Self::Refused(error.to_string()),
            OutboundError::Unresolved(_)
            | OutboundError::TooLarge(_)
            | OutboundError::TimedOut(_)
            | OutboundError::Connect(_)
            | OutboundError::Broken(_) => Self::failed(error.to_string()),
        }
    }
}

/// A way to tell somebody something.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Which.
    fn channel(&self) -> Channel;

    /// Reads what an admin gives. A secret that is left out stays as it was, unless it would go elsewhere.
    ///
    /// # Errors
    /// [`Unfit`] names the field at fault.
    fn set_up(&self, given: Map<String, Value>, before: &Setup) -> Result<(Value, Value), Unfit>;

    /// How the setup is shown to admins: without secrets.
    fn shown_setup(&self, setup: &Setup) -> Value;

    /// Reads what a person gives as their destination. A secret that is left out stays as it was, unless it would go
    /// elsewhere.
    ///
    /// # Errors
    /// [`Unfit`] names the field at fault.
    fn destination(
        &self,
        given: Map<String, Value>,
        before: Option<&Destination>,
    ) -> Result<Destination, Unfit>;

    /// How a destination is shown to its person: without secrets.
    fn shown_destination(&self, destination: &Destination) -> Value;

    /// Sends one message once; what the other side said.
    ///
    /// # Errors
    /// [`Unsent`].
    async fn send(&self, setup: &Setup, to: &Destination, message: &Message) -> Result<String, Unsent>;
}

/// What channels are made with.
#[derive(Clone)]
pub struct Options {
    /// Networks that the operator opened.
    pub allowed: AllowedNetworks,
    /// Where people reach this server; it stands in what is sent to push services.
    pub public_url: Option<String>,
    /// How long one request may take.
    pub limits: Limits,
    /// How names are looked up.
    pub lookup: Lookup,
}

impl Default for Options {
    fn default() -> Self {
        let limits =
            Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(15), bytes: GLANCED };
        Self { allowed: AllowedNetworks::default(), public_url: None, limits, lookup: system_lookup() }
    }
}

/// Every channel. A clone is the same.
#[derive(Clone)]
pub struct Channels {
    all: Arc<[Box<dyn Sender>]>,
    in_app: Arc<dyn Sender>,
    outbound: Outbound,
}

impl Channels {
    /// Makes them all.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: Options) -> Result<Self, reqwest::Error> {
        let Options { allowed, public_url, limits, lookup } = options;
        let outbound = Outbound::posting(allowed.clone(), limits, lookup)?;
        let all: Vec<Box<dyn Sender>> = vec![
            Box::new(email::Email),
            Box::new(ntfy::Ntfy { outbound: outbound.clone() }),
            Box::new(webhook::Webhook { outbound: outbound.clone() }),
            Box::new(apprise::Apprise { allowed, limits }),
            Box::new(web_push::WebPush { outbound: outbound.clone(), public_url }),
        ];
        Ok(Self { all: all.into(), in_app: Arc::new(in_app::InApp), outbound })
    }

    /// The channel of this name.
    #[must_use]
    pub fn get(&self, channel: Channel) -> &dyn Sender {
        self.all
            .iter()
            .map(AsRef::as_ref)
            .find(|one| one.channel() == channel)
            .unwrap_or(self.in_app.as_ref())
    }

    /// What every address that people type is asked through.
    #[must_use]
    pub const fn outbound(&self) -> &Outbound {
        &self.outbound
    }
}

/// What an answer over HTTP means for a message.
fn judged(glance: &Glance) -> Result<String, Unsent> {
    let Glance { status, retry_after, beginning } = glance;
    let said = told(*status, beginning);
    if status.is_success() {
        return Ok(said);
    }
    let later = status.is_server_error()
        || matches!(
            *status,
            StatusCode::REQUEST_TIMEOUT
                | StatusCode::CONFLICT
                | StatusCode::LOCKED
                | StatusCode::TOO_EARLY
                | StatusCode::TOO_MANY_REQUESTS
        );
    Err(if later { Unsent::Failed { said, retry_after: *retry_after } } else { Unsent::Refused(said) })
}

/// `410 Gone: no such topic`.
fn told(status: StatusCode, beginning: &str) -> String {
    let line: String = beginning
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|letter| !letter.is_control())
        .take(TOLD)
        .collect();
    if line.is_empty() { format!("it answered {status}") } else { format!("it answered {status}: {line}") }
}
