//! Where a request really came from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, request::Parts},
};

use crate::{problem::Problem, state::AppState};

/// The client's address: the peer's, or behind trusted proxies the one they report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        Ok(Self(behind(&parts.headers, peer, state.config.trusted_proxy_hops)))
    }
}

/// Each proxy appends the address it was reached from, so with `hops` trusted proxies the entry that many
/// from the end is the last one that nobody else could have made up.
fn behind(headers: &HeaderMap, peer: IpAddr, hops: usize) -> IpAddr {
    let entries: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let reported = match hops {
        0 => None,
        _ => entries.get(entries.len().saturating_sub(hops)).copied(),
    };
    reported.and_then(address).unwrap_or(peer).to_canonical()
}

/// Some proxies add the port, and brackets around IPv6.
fn address(entry: &str) -> Option<IpAddr> {
    entry
        .parse()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(forwarded: &[&str], hops: usize) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        behind(&headers, "192.0.2.1".parse().unwrap(), hops).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_is_ignored() {
        assert_eq!(seen(&["203.0.113.9"], 0), "192.0.2.1");
    }

    #[test]
    fn entries_are_counted_from_the_end_over_all_header_lines() {
        assert_eq!(seen(&["6.6.6.6, 203.0.113.9"], 1), "203.0.113.9");
        assert_eq!(seen(&["6.6.6.6", "203.0.113.9, 10.0.0.2"], 2), "203.0.113.9");
        assert_eq!(seen(&["203.0.113.9"], 2), "203.0.113.9");
        assert_eq!(seen(&[], 1), "192.0.2.1");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood_and_rubbish_is_not() {
        assert_eq!(seen(&["203.0.113.9:5123"], 1), "203.0.113.9");
        assert_eq!(seen(&["[2001:db8::1]:443"], 1), "2001:db8::1");
        assert_eq!(seen(&["[2001:db8::1]"], 1), "2001:db8::1");
        assert_eq!(seen(&["::ffff:203.0.113.9"], 1), "203.0.113.9");
        assert_eq!(seen(&["unknown"], 1), "192.0.2.1");
    }
}
