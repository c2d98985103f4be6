//! Whatever an Apprise server that the operator runs reaches: chats, pagers, telephones.
//!
//! Apprise connects by itself, so the guard of this server does not see where to. Therefore only addresses are taken
//! whose service has one fixed host on the public internet, and those of a few kinds with a host of their own when that
//! host is in a network that the operator opened: then the checked address is what Apprise is given.

use super::fields::{Fields, text};
use super::{Message, Sender, Unfit, Unsent};
use crate::outbound::{AllowedNetworks, Limits, Outbound};
use async_trait::async_trait;
use operational::notification_channels::{Channel, Destination, Setup};
use percent_encoding::percent_decode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use std::net::{IpAddr, SocketAddr};
use url::Url;
use uuid::Uuid;

/// Services with a fixed host; what stands in an address of theirs are names and tokens.
const FIXED: [&str; 21] = [
    "d7sms",
    "discord",
    "flock",
    "gchat",
    "ifttt",
    "join",
    "kavenegar",
    "line",
    "pagertree",
    "pbul",
    "pover",
    "prowl",
    "pushed",
    "pushme",
    "pushy",
    "simplepush",
    "slack",
    "tgram",
    "threema",
    "twilio",
    "wxteams",
];
/// Kinds with a host of their own, without TLS: inside a network that the operator opened only.
const OWN_HOST: [&str; 5] = ["form", "gotify", "json", "ntfy", "xml"];
/// What may be asked for behind the `?`: nothing that names a file or another address.
const PARAMETERS: [&str; 8] =
    ["format", "overflow", "silent", "priority", "sound", "thread", "topic", "image"];
/// More than the answer of one call.
const MOST_URLS: usize = 10;
const LONGEST_URL: usize = 1_000;

/// The channel.
pub(super) struct Apprise {
    pub allowed: AllowedNetworks,
    pub limits: Limits,
}

/// A text as it is after everybody who reads it has taken percent signs out of it, however often.
fn decoded(text: &str) -> Vec<u8> {
    let mut before = text.as_bytes().to_vec();
    loop {
        let after: Vec<u8> = percent_decode(&before).collect();
        if after.len() == before.len() {
            return after;
        }
        before = after;
    }
}

/// An address that somebody gave, taken apart as narrowly as possible: Apprise reads more into one than stands here.
struct Typed<'t> {
    scheme: &'t str,
    rest: &'t str,
}

impl<'t> Typed<'t> {
    fn of(address: &'t str) -> Result<Self, &'static str> {
        if address.len() > LONGEST_URL {
            return Err("an address has at most 1000 bytes");
        }
        // Apprise takes several addresses from one text, parted by commas or blanks, and parts parameters by `&` and
        // by `;`.
        let plain =
            |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b';' | b'\\' | b'"' | b'<' | b'>');
        if !address.bytes().all(plain) {
            return Err("one address at a time, without blanks, commas, semicolons and quotes");
        }
        let (scheme, rest) = address.split_once("://").ok_or("an address such as tgram://token/chat")?;
        if decoded(rest).windows(3).any(|three| three == b"://") {
            return Err("an address within an address is not taken");
        }
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let known = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            PARAMETERS.contains(&name)
                && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        };
        if !query.is_empty() && !query.split('&').all(known) {
            return Err(
                "only format, overflow, silent, priority, sound, thread, topic and image may follow the ?, each \
                        with letters, digits, _, - and . only",
            );
        }
        Ok(Self { scheme, rest })
    }

    /// Host and port of a kind with a host of its own, and what follows.
    fn parts(&self) -> Option<(&'t str, Option<u16>, &'t str)> {
        let end = self.rest.find(['/', '?', '#']).unwrap_or(self.rest.len());
        let (authority, path) = self.rest.split_at(end);
        if authority.contains('@') || path.contains('#') {
            return None;
        }
        match authority.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => Some((host, Some(port.parse().ok()?), path)),
            None => Some((authority, None, path)),
            Some(_) => None,
        }
    }
}

impl Apprise {
    fn check(&self, address: &str) -> Result<(), String> {
        let typed = Typed::of(address)?;
        if FIXED.contains(&typed.scheme) {
            return Ok(());
        }
        if !OWN_HOST.contains(&typed.scheme) {
            return Err(format!("{}:// is not taken: its host is not fixed", typed.scheme));
        }
        let (host, _, _) = typed.parts().ok_or("a host, a port and a path, without a user")?;
        match host.parse::<IpAddr>() {
            Ok(address) if !self.allowed.contains(address) => Err(NOT_OPENED.to_owned()),
            Err(_) if self.allowed == AllowedNetworks::default() => Err(NOT_OPENED.to_owned()),
            _ => Ok(()),
        }
    }

    /// What Apprise is given: for a host of its own, the very address that was checked.
    async fn pinned(&self, address: &str) -> Result<String, Unsent> {
        self.check(address).map_err(Unsent::Refused)?;
        let typed = Typed::of(address).map_err(|error| Unsent::Refused(error.to_owned()))?;
        if FIXED.contains(&typed.scheme) {
            return Ok(address.to_owned());
        }
        let (host, port, path) =
            typed.parts().ok_or_else(|| Unsent::Refused("the address is not complete".to_owned()))?;
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 80))
            .await
            .map_err(|_cause| Unsent::failed(format!("{host} cannot be found")))?
            .collect();
        let open = found.iter().map(|found| found.ip().to_canonical()).find(|ip| self.allowed.contains(*ip));
        let ip = match open {
            Some(IpAddr::V4(ip)) => ip.to_string(),
            Some(IpAddr::V6(ip)) => format!("[{ip}]"),
            None => return Err(Unsent::Refused(NOT_OPENED.to_owned())),
        };
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        // What answers there is trusted, but not to send Apprise elsewhere.
        let more = if path.contains('?') { '&' } else { '?' };
        Ok(format!("{}://{ip}{port}{path}{more}redirect=no", typed.scheme))
    }
}

const NOT_OPENED: &str = "a host of one's own is reached through Apprise only in a network that the operator opened; the webhook channel \
     reaches any on the public internet";

/// The scheme alone: the rest is tokens.
fn shown(address: &str) -> String {
    format!("{}://…", address.split("://").next().unwrap_or_default())
}

#[async_trait]
impl Sender for Apprise {
    fn channel(&self) -> Channel {
        Channel::Apprise
    }

    /// `{url}`: where the Apprise server is, which may be a private address.
    fn set_up(&self, given: Map<String, Value>, _: &Setup) -> Result<(Value, Value), Unfit> {
        let mut fields = Fields(given);
        let url = fields.url("url")?;
        let plain = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.query().is_none();
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(Unfit::invalid("url", "an http(s) address without user and query is wanted here"));
        }
        fields.done()?;
        Ok((json!({"url": url.as_str()}), json!({})))
    }

    fn shown_setup(&self, setup: &Setup) -> Value {
        setup.config.clone()
    }

    /// `{urls}`: addresses as Apprise writes them. Each is sent to by itself; one that was there before keeps its id,
    /// so that what is queued for it still arrives.
    fn destination(
        &self,
        given: Map<String, Value>,
        before: Option<&Destination>,
    ) -> Result<Destination, Unfit> {
        let mut fields = Fields(given);
        let urls = Fields::needed("urls", fields.0.remove("urls"))?;
        let urls =
            urls.as_array().ok_or_else(|| Unfit::invalid("urls", "a list of addresses is wanted here"))?;
        if urls.is_empty() || urls.len() > MOST_URLS {
            return Err(Unfit::invalid("urls", format!("1 to {MOST_URLS} addresses")));
        }
        let mut known: Vec<&Value> = before
            .and_then(|before| before.secrets.get("urls"))
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |before| before.iter().collect());
        let mut kept = Vec::with_capacity(urls.len());
        for (place, url) in urls.iter().enumerate() {
            let field = format!("urls[{place}]");
            let url = url.as_str().ok_or_else(|| Unfit::invalid(&field, "a text is wanted here"))?.trim();
            self.check(url).map_err(|why| Unfit::address(&field, why))?;
            match known.iter().position(|one| text(one, "url") == Some(url)) {
                Some(place) => kept.push(known.swap_remove(place).clone()),
                None => kept.push(json!({"id": Uuid::now_v7(), "url": url})),
            }
        }
        fields.done()?;
        let shown: Vec<String> = urls.iter().filter_map(Value::as_str).map(|url| shown(url.trim())).collect();
        Ok(Destination { config: json!({"urls": shown}), secrets: json!({"urls": kept}) })
    }

    fn shown_destination(&self, destination: &Destination) -> Value {
        destination.config.clone()
    }

    async fn send(&self, setup: &Setup, to: &Destination, message: &Message) -> Result<String, Unsent> {
        let base = text(&setup.config, "url").and_then(|url| url.parse::<Url>().ok());
        let mut base = base.ok_or_else(|| Unsent::failed("the Apprise server is not set up"))?;
        let address = text(&to.secrets, "url")
            .ok_or_else(|| Unsent::Gone("the address is not among the person's any more".to_owned()))?;
        let urls = self.pinned(address).await?;
        let outbound =
            Outbound::only(&base, self.limits).map_err(|error| Unsent::failed(error.to_string()))?;
        let path = format!("{}/notify", base.path().trim_end_matches('/'));
        base.set_path(&path);
        let body = json!({"urls": urls, "title": message.title, "body": message.text, "type": "info"});
        let mut request = Request::new(Method::POST, base);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.to_string().into());
        let glance = outbound.glance(request, 0).await?;
        // What it says may quote the address with its tokens, so only the status is told.
        let said = format!("the Apprise server answered {}", glance.status);
        match glance.status {
            // It knows no such service.
            StatusCode::NO_CONTENT | StatusCode::BAD_REQUEST => Err(Unsent::Refused(said)),
            status if status.is_success() => Ok(said),
            _ => Err(Unsent::Failed { said, retry_after: glance.retry_after }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn taken(opened: &str, address: &str) -> bool {
        let second = Duration::from_secs(1);
        let limits = Limits { connect: second, whole: second, bytes: 1 };
        let Ok(allowed) = opened.parse() else { return false };
        Apprise { allowed, limits }.check(address).is_ok()
    }

    #[test]
    fn only_fixed_hosts_and_opened_networks_are_taken() {
        for fixed in [
            "tgram://123:abc/456?topic=7&silent=yes",
            "discord://id/token?format=markdown",
            "slack://a/b/c/#x",
            "slack://a/b/c/%23x?format",
        ] {
            assert!(taken("", fixed), "{fixed}");
        }
        for refused in [
            "json://127.0.0.1/x",
            "json://metadata.internal/",
            "jsons://example.org/x",
            "mailto://user:pass@example.org",
            "http://example.org",
            "discord://id/token,json://127.0.0.1",
            "discord://id/token json://127.0.0.1",
            "discord://id/token?avatar_url=http://127.0.0.1/",
            "discord://id/token?template=/etc/passwd",
            "discord://id/token?format=text;template=/etc/passwd",
            "discord://id/token?format=text%3Btemplate=/etc/passwd",
            "discord://id/token?format=text%26template=/etc/passwd",
            "discord://id/token?format=/etc/passwd",
            "discord://id/token?%74emplate=x",
            "discord://id/token?+format=text",
            "discord://id/token;template=x",
            "discord://id/token?format=text?template=x",
            "slack://a/b/c/http:%2f%2f127.0.0.1",
            "slack://a/b/c/http%3A//127.0.0.1",
            "slack://a/b/c/http%3a%2F/127.0.0.1",
            "slack://a/b/c/http%253a%252f%252f127.0.0.1",
            "slack://a/b/c/http%25253A//127.0.0.1",
            "slack://a/b/c/json://127.0.0.1",
            "tgram:123",
        ] {
            assert!(!taken("", refused), "{refused}");
        }
        assert!(taken("10.0.0.0/8", "json://10.0.0.5:8080/x"));
        assert!(!taken("10.0.0.0/8", "json://127.0.0.1:8080/x"));
        assert!(!taken("10.0.0.0/8", "json://10.0.0.5:80@127.0.0.1/x"));
        assert!(!taken("10.0.0.0/8", "json://2130706433:80:80/x"));
    }
}
