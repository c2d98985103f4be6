//! Settings: every environment variable the program reads, in one place.

pub mod oidc;
mod pictures;
mod public_url;

use std::{fmt, net::SocketAddr, path::PathBuf};

use axum::http::Uri;
use chrono::TimeDelta;
use operational::sessions::Lifetimes;
use workers::{
    anilist::AniListSettings,
    blobs::{BlobSettings, S3Settings},
    fx::FxSettings,
    outbound::AllowedNetworks,
    provider::ProviderAddress,
};

use self::oidc::OidcSettings;
pub use public_url::PublicUrl;
pub(crate) use public_url::bare_authority;

/// One environment variable: its name, what holds when it is unset, what it means.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// What holds when it is unset.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

const DATABASE_URL: &str = "DATABASE_URL";
const DATA: &str = "FIGURE_LEDGER_DATA";
const LISTEN: &str = "FIGURE_LEDGER_LISTEN";
const PUBLIC_URL: &str = "PUBLIC_URL";
const RATE_LIMIT_ENABLED: &str = "RATE_LIMIT_ENABLED";
const TRUSTED_PROXY_HOPS: &str = "TRUSTED_PROXY_HOPS";
const ALLOW_LOCAL_SIGNUP: &str = "ALLOW_LOCAL_SIGNUP";
const SESSION_IDLE_DAYS: &str = "SESSION_IDLE_DAYS";
const SESSION_MAX_DAYS: &str = "SESSION_MAX_DAYS";
const METRICS_TOKEN: &str = "METRICS_TOKEN";
const FX_REFRESH_ENABLED: &str = "FX_REFRESH_ENABLED";
const FX_BASE_URL: &str = "FX_BASE_URL";
const FIGURE_PROXY_URL: &str = "FIGURE_PROXY_URL";
const FIGURE_PROXY_KEY: &str = "FIGURE_PROXY_KEY";
const ANILIST_ENABLED: &str = "ANILIST_ENABLED";
const ANILIST_BASE_URL: &str = "ANILIST_BASE_URL";
const OUTBOUND_ALLOW_CIDRS: &str = "OUTBOUND_ALLOW_CIDRS";
const LOG_FORMAT: &str = "LOG_FORMAT";
const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const RUST_LOG: &str = "RUST_LOG";

/// Every variable, in the order in which they are explained.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: DATABASE_URL,
        default: "unset",
        meaning: "PostgreSQL 14 or newer to use. Unset: a private PostgreSQL in the data folder",
    },
    Variable { name: DATA, default: "./data", meaning: "Data folder (also --data)" },
    Variable {
        name: LISTEN,
        default: "127.0.0.1:8080",
        meaning: "Address and port to listen on (also --listen)",
    },
    Variable {
        name: PUBLIC_URL,
        default: "unset",
        meaning: "Where people reach the server, such as https://figures.example. \
                  With https the session cookie is Secure",
    },
    Variable {
        name: RATE_LIMIT_ENABLED,
        default: "true",
        meaning: "Whether attempts to sign in or up are limited per address, and requests per API key",
    },
    Variable {
        name: TRUSTED_PROXY_HOPS,
        default: "0",
        meaning: "How many reverse proxies stand before the server: the client's address is taken that \
                  many entries from the end of X-Forwarded-For",
    },
    Variable {
        name: ALLOW_LOCAL_SIGNUP,
        default: "true",
        meaning: "Whether anybody may register. Admins can always make accounts on the command line",
    },
    Variable {
        name: SESSION_IDLE_DAYS,
        default: "30",
        meaning: "A session that is not used for so many days is over",
    },
    Variable {
        name: SESSION_MAX_DAYS,
        default: "90",
        meaning: "A session is over after so many days, however much it is used",
    },
    Variable {
        name: METRICS_TOKEN,
        default: "unset",
        meaning: "Lets whoever sends it as a bearer token read /metrics; admins who are signed in always can. \
                  At least 16 characters",
    },
    Variable {
        name: FX_REFRESH_ENABLED,
        default: "true",
        meaning: "Whether the euro's exchange rates are fetched. When not, those at hand are used, with their date",
    },
    Variable {
        name: FX_BASE_URL,
        default: FxSettings::DEFAULT_BASE_URL,
        meaning: "Where rates are fetched: the folder of the ECB's files, or a Frankfurter-compatible server",
    },
    Variable {
        name: FIGURE_PROXY_URL,
        default: "unset",
        meaning: "The price provider that the sweep asks, such as http://127.0.0.1:8090; this very address may be \
                  a private one",
    },
    Variable {
        name: FIGURE_PROXY_KEY,
        default: "unset",
        meaning: "What is sent to the price provider as a bearer token",
    },
    Variable {
        name: ANILIST_ENABLED,
        default: "true",
        meaning: "Whether AniList may be asked which number a series has on MyAnimeList, when somebody wants to know",
    },
    Variable {
        name: ANILIST_BASE_URL,
        default: AniListSettings::DEFAULT_BASE_URL,
        meaning: "Its GraphQL endpoint; this very address may be a private one",
    },
    Variable {
        name: OUTBOUND_ALLOW_CIDRS,
        default: "unset",
        meaning: "Networks that addresses typed by people may lead to although they are not on the public internet, \
                  such as 192.168.1.0/24,fd00::/8: for the ntfy server at home",
    },
    Variable {
        name: LOG_FORMAT,
        default: "text",
        meaning: "text or json, one line per record, on standard error",
    },
    Variable {
        name: OTLP_ENDPOINT,
        default: "unset",
        meaning: "Sends spans to this OpenTelemetry collector by OTLP over HTTP, such as http://localhost:4318; \
                  the other standard OTEL_ variables hold then, too",
    },
    Variable { name: RUST_LOG, default: "info", meaning: "Which records are logged, such as api=debug" },
];

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors of logs: one JSON object a line.
    Json,
}

/// Fewer characters could be guessed.
const SHORTEST_SECRET: usize = 16;

/// A secret that no log line shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Config {
    /// The external database; none for the private one.
    pub database_url: Option<String>,
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where people reach the server, when that was said.
    pub public_url: Option<PublicUrl>,
    /// Whether attempts to sign in or up are limited.
    pub rate_limit_enabled: bool,
    /// How many reverse proxies stand before the server.
    pub trusted_proxy_hops: usize,
    /// Whether anybody may register.
    pub allow_local_signup: bool,
    /// How long sessions last.
    pub sessions: Lifetimes,
    /// Where else people can sign in.
    pub oidc: OidcSettings,
    /// Opens `/metrics`, when there is one.
    pub metrics_token: Option<Secret>,
    /// Where exchange rates are fetched, and whether.
    pub fx: FxSettings,
    /// The price provider, when there is one.
    pub price_provider: Option<ProviderAddress>,
    /// Where AniList is, when it may be asked.
    pub anilist: Option<AniListSettings>,
    /// Networks of the operator's own that may be asked.
    pub outbound_allowed: AllowedNetworks,
    /// The bucket that files are stored in; none for the data folder.
    pub s3: Option<S3Settings>,
    /// How much pictures may take.
    pub pictures: workers::pictures::Limits,
    /// Lets workers that make films and models of scans in, when there is one.
    pub render_worker_token: Option<Secret>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The OpenTelemetry collector that gets spans, when there is one.
    pub otlp_endpoint: Option<Uri>,
}

/// Variables that do not hold what they should, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// Reads the process's environment. An empty variable counts as unset.
    ///
    /// # Errors
    /// [`ConfigError`] names every variable at fault, not just the first.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads from any source of named texts.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader { lookup, faults: Vec::new() };
        let public_url = read.parsed(
            PUBLIC_URL,
            "is not an http(s) address without a path, such as https://figures.example",
            |text| text.parse().ok(),
        );
        let allow_local_signup = read.switch(ALLOW_LOCAL_SIGNUP, true);
        let oidc = oidc::read(&mut read, public_url.as_ref(), allow_local_signup);
        let config = Self {
            database_url: read.text(DATABASE_URL),
            data: read.text(DATA).unwrap_or_else(|| "./data".to_owned()).into(),
            listen: read
                .parsed(LISTEN, "is not an address and port such as 127.0.0.1:8080", |text| text.parse().ok())
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            public_url,
            rate_limit_enabled: read.switch(RATE_LIMIT_ENABLED, true),
            trusted_proxy_hops: read
                .parsed(TRUSTED_PROXY_HOPS, "is not a number from 0 to 16", |text| {
                    text.parse().ok().filter(|hops| *hops <= 16)
                })
                .unwrap_or(0),
            allow_local_signup,
            sessions: Lifetimes {
                idle: read.days(SESSION_IDLE_DAYS, 30),
                absolute: read.days(SESSION_MAX_DAYS, 90),
            },
            oidc,
            metrics_token: read.secret(METRICS_TOKEN),
            fx: read.fx(),
            price_provider: read.price_provider(),
            anilist: read.anilist(),
            outbound_allowed: read
                .parsed(
                    OUTBOUND_ALLOW_CIDRS,
                    "is no list of networks such as 192.168.1.0/24,fd00::/8",
                    |text| text.parse().ok(),
                )
                .unwrap_or_default(),
            s3: pictures::s3(&mut read),
            pictures: pictures::limits(&mut read),
            render_worker_token: read.secret(pictures::RENDER_WORKER_TOKEN),
            log_format: read
                .parsed(LOG_FORMAT, "is neither text nor json", |text| match text {
                    "text" => Some(LogFormat::Text),
                    "json" => Some(LogFormat::Json),
                    _ => None,
                })
                .unwrap_or(LogFormat::Text),
            otlp_endpoint: read.parsed(
                OTLP_ENDPOINT,
                "is not an http(s) address such as http://localhost:4318",
                |text| {
                    text.parse().ok().filter(|uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")))
                },
            ),
        };
        if read.faults.is_empty() { Ok(config) } else { Err(ConfigError(read.faults)) }
    }

    /// Where files are stored.
    #[must_use]
    pub fn blobs(&self) -> BlobSettings {
        match &self.s3 {
            Some(bucket) => BlobSettings::S3(bucket.clone()),
            None => BlobSettings::Folder(self.data.join("files")),
        }
    }
}

struct Reader<L> {
    lookup: L,
    faults: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn parsed<T>(&mut self, name: &str, fault: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.faults.push(format!("{name}: {text:?} {fault}"));
        }
        value
    }

    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn days(&mut self, name: &str, default: i64) -> TimeDelta {
        let days = self.parsed(name, "is not a number of days from 1 to 3650", |text| {
            text.parse().ok().filter(|days| (1..=3_650).contains(days))
        });
        TimeDelta::days(days.unwrap_or(default))
    }

    fn fx(&mut self) -> FxSettings {
        let enabled = self.switch(FX_REFRESH_ENABLED, true);
        let base_url = self.parsed(
            FX_BASE_URL,
            "is not an http(s) address such as https://api.frankfurter.dev/v1",
            |text| FxSettings::is_base_url(text).then(|| text.to_owned()),
        );
        let base_url = base_url.unwrap_or_else(|| FxSettings::DEFAULT_BASE_URL.to_owned());
        FxSettings { enabled, base_url }
    }

    fn anilist(&mut self) -> Option<AniListSettings> {
        let enabled = self.switch(ANILIST_ENABLED, true);
        let base_url = self.parsed(
            ANILIST_BASE_URL,
            "is not an http(s) address without user and query, such as https://graphql.anilist.co",
            AniListSettings::endpoint,
        );
        let base_url = base_url.or_else(|| AniListSettings::endpoint(AniListSettings::DEFAULT_BASE_URL))?;
        enabled.then_some(AniListSettings { base_url })
    }

    fn price_provider(&mut self) -> Option<ProviderAddress> {
        let key = self.text(FIGURE_PROXY_KEY);
        if key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            self.faults.push(format!("{FIGURE_PROXY_KEY}: holds what no bearer token can"));
        }
        let address: Option<ProviderAddress> = self.parsed(
            FIGURE_PROXY_URL,
            "is not an http(s) address without user and query, such as http://127.0.0.1:8090",
            |text| text.parse().ok(),
        );
        address.map(|address| address.with_key(key.as_deref()))
    }

    /// What is wrong with a secret is told without showing it.
    fn secret(&mut self, name: &str) -> Option<Secret> {
        let text = self.text(name)?;
        if text.chars().count() < SHORTEST_SECRET {
            self.faults.push(format!("{name}: has fewer than {SHORTEST_SECRET} characters"));
            return None;
        }
        Some(Secret(text))
    }

    fn switch(&mut self, name: &str, default: bool) -> bool {
        self.parsed(name, "is neither true nor false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
        .unwrap_or(default)
    }
}

/// The variables as a table for `--help`.
#[must_use]
pub fn help() -> String {
    let all = || VARIABLES.iter().chain(oidc::VARIABLES).chain(pictures::VARIABLES);
    let width = all().map(|one| one.name.len()).max().unwrap_or(0);
    let lines: Vec<String> = all()
        .map(|one| format!("  {:width$}  {} [default: {}]", one.name, one.meaning, one.default))
        .collect();
    format!("Environment:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn with_nothing_set_the_defaults_of_the_table_hold() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.data, PathBuf::from("./data"));
        assert_eq!(config.database_url, None);
        assert!(config.rate_limit_enabled && config.allow_local_signup);
        assert_eq!(config.trusted_proxy_hops, 0);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let error = read(&[
            ("RATE_LIMIT_ENABLED", "maybe"),
            ("PUBLIC_URL", "figures"),
            ("LOG_FORMAT", "xml"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ])
        .unwrap_err();
        assert_eq!(error.0.len(), 4, "{error}");
        for name in ["RATE_LIMIT_ENABLED", "PUBLIC_URL", "LOG_FORMAT", "OTEL_EXPORTER_OTLP_ENDPOINT"] {
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
