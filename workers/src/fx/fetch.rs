//! Asking the source of rates: the ECB itself, or a Frankfurter-compatible server.

use super::quotes::{NotRates, QuotedDay};
use super::{ecb, frankfurter};
use crate::outbound::{Answer, Limits, Outbound, OutboundError};
use chrono::NaiveDate;
use operational::fx_rates::FxSource;
use reqwest::{Method, Request, StatusCode};
use std::time::Duration;
use url::Url;

/// Where the ECB's files are.
const ECB: &str = "https://www.ecb.europa.eu/stats/eurofxref";
/// The 90 days are about a hundred kilobytes.
const LIMITS: Limits =
    Limits { connect: Duration::from_secs(10), whole: Duration::from_secs(30), bytes: 4 << 20 };

/// What the operator says of fetching rates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FxSettings {
    /// Whether rates are fetched at all.
    pub enabled: bool,
    /// The folder of the ECB's files, or a Frankfurter-compatible server; the answer tells which.
    pub base_url: String,
}

impl Default for FxSettings {
    fn default() -> Self {
        Self { enabled: true, base_url: Self::DEFAULT_BASE_URL.to_owned() }
    }
}

impl FxSettings {
    /// The ECB itself.
    pub const DEFAULT_BASE_URL: &'static str = ECB;

    /// Whether this can be a base address: http or https, with a path perhaps, without a query.
    #[must_use]
    pub fn is_base_url(text: &str) -> bool {
        base(text).is_some()
    }
}

/// A base address with a slash at its end, so that names are joined below it.
fn base(text: &str) -> Option<Url> {
    let mut url: Url = text.parse().ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    plain.then_some(url)
}

/// Why no rates were fetched.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// TLS could not be set up.
    #[error("a client cannot be made: {0}")]
    Client(String),
    /// The address is none to fetch from.
    #[error("{0} cannot be a base address")]
    Base(String),
    /// There is no answer.
    #[error("{url}: {cause}")]
    Unanswered {
        /// What was asked.
        url: Url,
        /// What became of it.
        cause: OutboundError,
    },
    /// It answered that it cannot.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: Url,
        /// Its answer.
        status: StatusCode,
    },
    /// It answered with something else.
    #[error("{url}: {cause}")]
    NotRates {
        /// What was asked.
        url: Url,
        /// What is wrong with the answer.
        cause: NotRates,
    },
}

/// A source, and how it is asked.
pub(super) struct Source {
    outbound: Outbound,
    /// With a slash at its end.
    base: Url,
}

/// What a source said, and which kind it is.
pub(super) struct Said {
    pub source: FxSource,
    pub days: Vec<QuotedDay>,
    /// Under which folder of the base it was found.
    pub folder: &'static str,
}

type Parse = fn(&[u8]) -> Result<Vec<QuotedDay>, NotRates>;

fn xml(body: &[u8]) -> Result<Vec<QuotedDay>, NotRates> {
    let text = std::str::from_utf8(body).map_err(|_| NotRates("it is not UTF-8".to_owned()))?;
    ecb::xml(text)
}

impl Source {
    pub(super) fn new(settings: &FxSettings) -> Result<Self, FetchError> {
        let base = base(&settings.base_url).ok_or_else(|| FetchError::Base(settings.base_url.clone()))?;
        let outbound = Outbound::only(&base, LIMITS).map_err(|e| FetchError::Client(e.to_string()))?;
        Ok(Self { outbound, base })
    }

    /// The newest day. Whichever of the known places has something is the one that is read.
    pub(super) async fn latest(&self) -> Result<Said, FetchError> {
        let places: [(FxSource, &str, &str, Parse); 3] = [
            (FxSource::Ecb, "", "eurofxref-daily.xml", xml),
            (FxSource::Frankfurter, "", "latest", frankfurter::day),
            (FxSource::Frankfurter, "v1/", "latest", frankfurter::day),
        ];
        let mut missing = None;
        for (source, folder, name, parse) in places {
            let url = self.url(&format!("{folder}{name}"))?;
            let answer = self.ask(&url).await?;
            if answer.status == StatusCode::NOT_FOUND {
                missing = missing.or(Some(FetchError::Status { url, status: answer.status }));
                continue;
            }
            return Ok(Said { source, days: said(url, &answer, parse)?, folder });
        }
        Err(missing.unwrap_or_else(|| FetchError::Base(self.base.to_string())))
    }

    /// The 90 days before, from the same place as the newest.
    pub(super) async fn recent(&self, latest: &Said, from: NaiveDate) -> Result<Vec<QuotedDay>, FetchError> {
        let folder = latest.folder;
        let (name, parse): (String, Parse) = match latest.source {
            FxSource::Frankfurter => (format!("{folder}{from}.."), frankfurter::days),
            _ => (format!("{folder}eurofxref-hist-90d.xml"), xml),
        };
        let url = self.url(&name)?;
        let answer = self.ask(&url).await?;
        said(url, &answer, parse)
    }

    fn url(&self, name: &str) -> Result<Url, FetchError> {
        self.base.join(name).map_err(|_| FetchError::Base(self.base.to_string()))
    }

    async fn ask(&self, url: &Url) -> Result<Answer, FetchError> {
        let request = Request::new(Method::GET, url.clone());
        let unanswered = |cause| FetchError::Unanswered { url: url.clone(), cause };
        self.outbound.send(request).await.map_err(unanswered)
    }
}

fn said(url: Url, answer: &Answer, parse: Parse) -> Result<Vec<QuotedDay>, FetchError> {
    if !answer.status.is_success() {
        return Err(FetchError::Status { url, status: answer.status });
    }
    parse(&answer.body).map_err(|cause| FetchError::NotRates { url, cause })
}
