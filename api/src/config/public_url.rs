//! Where people reach the server.

use std::{fmt, str::FromStr};

use axum::http::Uri;

/// Where people reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    https: bool,
    authority: String,
}

impl PublicUrl {
    /// Whether it is reached over TLS.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// Host and, unless it is the scheme's own, port; lower case.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.https { "https" } else { "http" }, self.authority)
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "is not an http(s) address without a path, such as https://figures.example";
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_invalid| WANTED)?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(WANTED),
        };
        let authority = uri.authority().ok_or(WANTED)?.as_str();
        if authority.contains('@') || uri.path().len() > 1 || uri.query().is_some() {
            return Err(WANTED);
        }
        Ok(Self { https, authority: bare_authority(authority, https) })
    }
}

/// Lower case, without the port that the scheme implies.
pub(crate) fn bare_authority(authority: &str, https: bool) -> String {
    let authority = authority.to_ascii_lowercase();
    authority.strip_suffix(if https { ":443" } else { ":80" }).unwrap_or(&authority).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_url_loses_the_port_its_scheme_implies() {
        let of =
            |text: &str| text.parse::<PublicUrl>().map(|url| (url.is_https(), url.authority().to_owned()));
        assert_eq!(of("https://Figures.example:443/"), Ok((true, "figures.example".to_owned())));
        assert_eq!(of("http://localhost:8080"), Ok((false, "localhost:8080".to_owned())));
        assert!(of("ftp://x").is_err() && of("https://a.b/path").is_err() && of("https://u@a.b").is_err());
    }
}
