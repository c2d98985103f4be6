//! Writes sent by pages of other sites are refused, whatever cookies come with them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, Request, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    config::{PublicUrl, bare_authority},
    problem::CROSS_SITE_WRITE,
    state::AppState,
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Middleware: refuses a write that a browser says another site's page sent. Browsers say so by
/// `Sec-Fetch-Site` or `Origin`; scripts send neither and pass.
pub async fn refuse(State(state): State<AppState>, request: Request<Body>, next: Next) -> Response {
    let safe = request.method().is_safe();
    if safe || allowed(request.headers(), request.uri(), state.config.public_url.as_ref()) {
        next.run(request).await
    } else {
        CROSS_SITE_WRITE.into_response()
    }
}

fn allowed(headers: &HeaderMap, uri: &Uri, public_url: Option<&PublicUrl>) -> bool {
    if headers.get(SEC_FETCH_SITE).is_some_and(|site| site.as_bytes().eq_ignore_ascii_case(b"cross-site")) {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    // An origin that is not of this shape, such as "null" from a sandboxed frame, is nobody's we know.
    let Some((scheme, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let https = scheme.eq_ignore_ascii_case("https");
    let from = bare_authority(authority, https);
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(|authority| authority.as_str()));
    host.is_some_and(|host| bare_authority(host, https) == from)
        || public_url.is_some_and(|url| url.authority() == from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(pairs: &[(&'static str, &str)], public: Option<&str>) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let public = public.map(|url| url.parse().unwrap());
        allowed(&headers, &Uri::from_static("/api/me"), public.as_ref())
    }

    #[test]
    fn scripts_and_the_servers_own_pages_pass() {
        assert!(passes(&[("host", "localhost:8080")], None));
        assert!(passes(&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], None));
        assert!(passes(&[("host", "figures.example"), ("origin", "https://figures.example:443")], None));
        assert!(passes(
            &[("host", "10.0.0.5:8080"), ("origin", "https://figures.example")],
            Some("https://figures.example")
        ));
        assert!(passes(&[("host", "a.example"), ("sec-fetch-site", "same-origin")], None));
    }

    #[test]
    fn pages_of_other_sites_do_not() {
        assert!(!passes(&[("host", "a.example"), ("sec-fetch-site", "cross-site")], None));
        assert!(!passes(&[("host", "a.example"), ("origin", "https://evil.example")], None));
        assert!(!passes(&[("host", "a.example"), ("origin", "null")], None));
        assert!(!passes(&[("host", "a.example:8080"), ("origin", "http://a.example:9090")], None));
        assert!(!passes(&[("host", "a.example"), ("origin", "https://a.example.evil.example")], None));
    }
}
