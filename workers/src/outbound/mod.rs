//! Requests to the world outside, through one guard.
//!
//! Whatever address somebody typed: only http and https, only the public internet, and the connection goes to the very
//! address that was checked. Redirects lead to the same host or nowhere. Proxies of the environment are passed over, or
//! they would connect where the guard does not look. An operator may open networks of their own, or name one base
//! address that need not be public; then that origin alone can be asked.

mod address;
mod allowed;
mod resolver;

pub use address::is_public;
pub use allowed::{AllowedNetworks, NotNetworks};
pub use resolver::{Lookup, system_lookup};

use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Request, StatusCode, redirect};
use resolver::{Checked, Reach};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use url::{Host, Origin, Url};

/// How often one request may be sent elsewhere.
const MOST_REDIRECTS: usize = 5;
/// How long the body of an answer is waited for when only its beginning is wanted.
const GLANCED_FOR: Duration = Duration::from_secs(2);
/// What the world outside is told of who asks.
const AGENT: &str = concat!("figure-ledger/", env!("CARGO_PKG_VERSION"));

/// How long and how large an answer may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the answer is there, all of it.
    pub whole: Duration,
    /// Of the body.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(20), bytes: 1 << 20 }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Neither http nor https, or no host.
    #[error("only http and https addresses can be asked")]
    Scheme,
    /// A name or a password before the host.
    #[error("an address with a user or a password in it is not asked")]
    Userinfo,
    /// An address of this machine or of somebody's own network.
    #[error("{0} is not on the public internet, so it is not asked")]
    Private(String),
    /// Another origin than the one that the operator named.
    #[error("{0} is not at the address that was configured, so it is not asked")]
    Elsewhere(String),
    /// The name leads nowhere.
    #[error("{0} cannot be found")]
    Unresolved(String),
    /// Sent to another host, another port, or too often.
    #[error("it redirects to {0}, which is not followed")]
    Redirected(String),
    /// The body is larger than it may be.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("no answer in {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// Nobody listens there.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke off, or what came is no HTTP.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

/// An answer, all of it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// What it says it is, without parameters.
    pub content_type: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The beginning of an answer.
#[derive(Debug, Clone)]
pub struct Glance {
    /// Its status.
    pub status: StatusCode,
    /// How long to wait before asking again, if it says so in seconds.
    pub retry_after: Option<Duration>,
    /// What came of the body until enough was seen.
    pub beginning: String,
}

/// What asks the world outside.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: Client,
    only: Option<Origin>,
    reach: Reach,
    limits: Limits,
}

impl Outbound {
    /// Asks whatever is on the public internet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn public(limits: Limits) -> Result<Self, reqwest::Error> {
        Self::guarded(AllowedNetworks::default(), limits)
    }

    /// Asks whatever is on the public internet or in networks that the operator opened.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn guarded(allowed: AllowedNetworks, limits: Limits) -> Result<Self, reqwest::Error> {
        Self::looking_up(allowed, limits, system_lookup())
    }

    /// The same with another way to look names up.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn looking_up(
        allowed: AllowedNetworks,
        limits: Limits,
        lookup: Lookup,
    ) -> Result<Self, reqwest::Error> {
        Self::new(None, Reach::Public(allowed), limits, lookup, same_host)
    }

    /// The same for what is sent rather than asked for: a redirect that would turn it into a question is not followed.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn posting(allowed: AllowedNetworks, limits: Limits, lookup: Lookup) -> Result<Self, reqwest::Error> {
        Self::new(None, Reach::Public(allowed), limits, lookup, same_host_and_method)
    }

    /// Asks the origin of an address that the operator configured, wherever it is, and nothing else.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn only(base: &Url, limits: Limits) -> Result<Self, reqwest::Error> {
        Self::new(Some(base.origin()), Reach::Anywhere, limits, system_lookup(), same_host)
    }

    fn new(
        only: Option<Origin>,
        reach: Reach,
        limits: Limits,
        lookup: Lookup,
        redirects: fn(redirect::Attempt<'_>) -> redirect::Action,
    ) -> Result<Self, reqwest::Error> {
        let resolver = Checked { reach: reach.clone(), lookup };
        let client = Client::builder()
            .no_proxy()
            .dns_resolver(Arc::new(resolver))
            .redirect(redirect::Policy::custom(redirects))
            .referer(false)
            .connect_timeout(limits.connect)
            .timeout(limits.whole)
            .build()?;
        Ok(Self { client, only, reach, limits })
    }

    /// Whether an address may be asked at all, as far as can be told without looking its name up.
    ///
    /// # Errors
    /// `Scheme`, `Private` or `Elsewhere`.
    pub fn check(&self, url: &Url) -> Result<(), OutboundError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OutboundError::Scheme);
        }
        let address = match url.host() {
            None => return Err(OutboundError::Scheme),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
        };
        match &self.only {
            Some(only) if url.origin() != *only => Err(OutboundError::Elsewhere(shown(url))),
            Some(_) => Ok(()),
            None if has_user(url) => Err(OutboundError::Userinfo),
            None if address.is_some_and(|address| !self.reach.covers(address)) => {
                Err(OutboundError::Private(shown(url)))
            }
            None => Ok(()),
        }
    }

    /// Sends a request and looks at the beginning of the answer only: at most so many bytes of its body, and no
    /// longer than a moment. What comes after is never read, however much it is.
    ///
    /// # Errors
    /// [`OutboundError`]; an answer with whatever status is none.
    pub async fn glance(&self, request: Request, bytes: usize) -> Result<Glance, OutboundError> {
        let mut response = self.ask(request).await?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let until = Instant::now() + GLANCED_FOR;
        let mut beginning = Vec::new();
        while beginning.len() < bytes {
            match tokio::time::timeout_at(until, response.chunk()).await {
                Ok(Ok(Some(chunk))) => beginning.extend_from_slice(&chunk),
                // The status is what counts, and it is here.
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        beginning.truncate(bytes);
        let beginning = String::from_utf8_lossy(&beginning).into_owned();
        Ok(Glance { status: response.status(), retry_after, beginning })
    }

    async fn ask(&self, mut request: Request) -> Result<reqwest::Response, OutboundError> {
        self.check(request.url())?;
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
        self.client.execute(request).await.map_err(|error| self.told(&error))
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// [`OutboundError`]; an answer with whatever status is none.
    pub async fn send(&self, request: Request) -> Result<Answer, OutboundError> {
        let told = |error: reqwest::Error| self.told(&error);
        let mut response = self.ask(request).await?;
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type =
            content_type.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(told)? {
            if body.len().saturating_add(chunk.len()) > self.limits.bytes {
                return Err(OutboundError::TooLarge(self.limits.bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), content_type, body })
    }

    fn told(&self, error: &reqwest::Error) -> OutboundError {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        let mut last = String::new();
        while let Some(one) = cause {
            if let Some(own) = one.downcast_ref::<OutboundError>() {
                return own.clone();
            }
            last = one.to_string();
            cause = one.source();
        }
        if error.is_timeout() {
            OutboundError::TimedOut(self.limits.whole)
        } else if error.is_connect() {
            OutboundError::Connect(last)
        } else {
            OutboundError::Broken(last)
        }
    }
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Follows a redirect to the same origin, and from http to https on the same host.
fn same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let to = attempt.url();
    let from = attempt.previous().last();
    let safer = |from: &Url| {
        from.host() == to.host()
            && (from.scheme(), to.scheme()) == ("http", "https")
            && from.port().is_none()
            && to.port().is_none()
    };
    let same = from.is_some_and(|from| from.origin() == to.origin() || safer(from)) && !has_user(to);
    if same && attempt.previous().len() <= MOST_REDIRECTS {
        attempt.follow()
    } else {
        let refused = OutboundError::Redirected(shown(to));
        attempt.error(refused)
    }
}

/// The same, where the request stays what it is.
fn same_host_and_method(attempt: redirect::Attempt<'_>) -> redirect::Action {
    if matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
        return same_host(attempt);
    }
    let refused = OutboundError::Redirected(shown(attempt.url()));
    attempt.error(refused)
}

/// Scheme, host and port: an address may hold secrets in what follows.
fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}
