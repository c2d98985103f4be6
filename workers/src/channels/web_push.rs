//! Browsers that subscribed: encrypted for the browser (RFC 8291), signed by this server's key pair (RFC 8292).

use super::fields::{Fields, text};
use super::{GLANCED, Message, Sender, Unfit, Unsent, judged};
use crate::outbound::Outbound;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use operational::notification_channels::{Channel, Destination, Setup};
use p256::PublicKey;
use p256::ecdsa::SigningKey;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;
use web_push::{
    ContentEncoding, SubscriptionInfo, Urgency, VapidSignatureBuilder, WebPushError, WebPushMessage,
    WebPushMessageBuilder,
};

/// How long a push service keeps what a browser that sleeps has not fetched, in seconds.
const KEPT_FOR: u32 = 24 * 60 * 60;
/// Push services take 4096 bytes, encrypted.
const MOST_BYTES: usize = 3_900;
/// Who answers for this server when it has no public address.
const NOBODY: &str = "mailto:nobody@localhost";

/// The channel.
pub(super) struct WebPush {
    pub outbound: Outbound,
    pub public_url: Option<String>,
}

/// The key pair by which push services know this server.
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// A new one.
    #[must_use]
    pub fn fresh() -> Self {
        loop {
            // Nearly every number is a key.
            if let Ok(key) = SigningKey::from_slice(&rand::random::<[u8; 32]>()) {
                return Self(key);
            }
        }
    }

    fn stored(text: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        SigningKey::from_slice(&bytes).ok().map(Self)
    }

    /// The private half as it is stored.
    #[must_use]
    pub fn private(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.to_bytes())
    }

    /// The public half, as a browser wants it for `applicationServerKey`: an uncompressed point, base64url.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0.verifying_key().to_encoded_point(false).as_bytes())
    }

    /// A message, encrypted for a browser and signed for its push service.
    fn seal(
        &self,
        to: &SubscriptionInfo,
        endpoint: &Url,
        subject: &str,
        message: &Message,
    ) -> Result<WebPushMessage, Unsent> {
        let refused = |error: WebPushError| Unsent::Refused(format!("it cannot be encrypted: {error}"));
        let private = self.private();
        let mut signature = VapidSignatureBuilder::from_base64(&private, to).map_err(refused)?;
        // By itself the crate leaves out the port.
        signature.add_claim("aud", endpoint.origin().ascii_serialization());
        signature.add_claim("sub", subject);
        let body = body(message)?;
        let mut sealed = WebPushMessageBuilder::new(to);
        sealed.set_payload(ContentEncoding::Aes128Gcm, &body);
        sealed.set_vapid_signature(signature.build().map_err(refused)?);
        sealed.set_ttl(KEPT_FOR);
        sealed.set_urgency(Urgency::Normal);
        // A message that comes again takes the place of the one that was not fetched yet.
        sealed.set_topic(message.id.simple().to_string());
        sealed.build().map_err(refused)
    }
}

/// The request that a sealed message is. The crate's own kind of request is of another version of `http`.
fn request(endpoint: Url, sealed: WebPushMessage) -> Result<Request, Unsent> {
    let refused = |error: &dyn std::error::Error| Unsent::Refused(error.to_string());
    let mut request = Request::new(Method::POST, endpoint);
    let headers = request.headers_mut();
    headers.insert("ttl", HeaderValue::from(sealed.ttl));
    for (name, value) in
        [("urgency", sealed.urgency.map(|urgency| urgency.to_string())), ("topic", sealed.topic)]
    {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::try_from(value).map_err(|error| refused(&error))?);
        }
    }
    if let Some(payload) = sealed.payload {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(payload.content_encoding.to_str()));
        for (name, value) in payload.crypto_headers {
            let name = HeaderName::try_from(name).map_err(|error| refused(&error))?;
            let mut value = HeaderValue::try_from(value).map_err(|error| refused(&error))?;
            value.set_sensitive(name == AUTHORIZATION);
            headers.insert(name, value);
        }
        *request.body_mut() = Some(payload.content.into());
    }
    Ok(request)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

fn browser_key(text: &str) -> Option<PublicKey> {
    let bytes = decoded(text).filter(|bytes| bytes.len() == 65)?;
    PublicKey::from_sec1_bytes(&bytes).ok()
}

fn browser_secret(text: &str) -> Option<[u8; 16]> {
    decoded(text)?.try_into().ok()
}

/// Whether the keys of a subscription are such: `p256dh` a point on the curve, uncompressed, `auth` 16 bytes.
///
/// # Errors
/// The field at fault.
pub fn check_subscription(p256dh: &str, auth: &str) -> Result<(), Unfit> {
    if browser_key(p256dh).is_none() {
        return Err(Unfit::invalid(
            "keys.p256dh",
            "an uncompressed point on P-256 as base64url is wanted here",
        ));
    }
    if browser_secret(auth).is_none() {
        return Err(Unfit::invalid("keys.auth", "16 bytes as base64url are wanted here"));
    }
    Ok(())
}

/// What the browser is told: what does not fit is looked up by it.
fn body(message: &Message) -> Result<Vec<u8>, Unsent> {
    let write =
        |message: &Message| serde_json::to_vec(message).map_err(|error| Unsent::Refused(error.to_string()));
    let whole = write(message)?;
    if whole.len() <= MOST_BYTES {
        return Ok(whole);
    }
    let text: String = message.text.chars().take(500).collect();
    let title: String = message.title.chars().take(100).collect();
    write(&Message { payload: json!({}), text, title, ..message.clone() })
}

#[async_trait]
impl Sender for WebPush {
    fn channel(&self) -> Channel {
        Channel::WebPush
    }

    /// `{subject?}`: who answers for this server, `mailto:` or `https:`. The key pair stays; it is made elsewhere.
    fn set_up(&self, given: Map<String, Value>, before: &Setup) -> Result<(Value, Value), Unfit> {
        let mut fields = Fields(given);
        let subject = fields.line("subject", 500)?;
        let fits = |subject: &String| subject.starts_with("mailto:") || subject.starts_with("https://");
        if subject.as_ref().is_some_and(|subject| !fits(subject)) {
            return Err(Unfit::invalid("subject", "a mailto: or https: address is wanted here"));
        }
        fields.done()?;
        let public_key = before.config.get("public_key");
        Ok((json!({"subject": subject, "public_key": public_key}), before.secrets.clone()))
    }

    fn shown_setup(&self, setup: &Setup) -> Value {
        let shown = |field| setup.config.get(field).cloned().unwrap_or_default();
        json!({"subject": shown("subject"), "public_key": shown("public_key")})
    }

    fn destination(&self, given: Map<String, Value>, _: Option<&Destination>) -> Result<Destination, Unfit> {
        Fields(given).done()?;
        Err(Unfit::invalid("channel", "browsers subscribe at POST /api/me/web-push"))
    }

    fn shown_destination(&self, _: &Destination) -> Value {
        json!({})
    }

    async fn send(&self, setup: &Setup, to: &Destination, message: &Message) -> Result<String, Unsent> {
        let broken = |what: &str| Unsent::Refused(format!("{what}; subscribe this browser again"));
        let endpoint: Url = text(&to.config, "endpoint")
            .and_then(|endpoint| endpoint.parse().ok())
            .ok_or_else(|| broken("the push address is none"))?;
        let keys = text(&to.secrets, "p256dh").zip(text(&to.secrets, "auth"));
        let keys = keys.filter(|(p256dh, auth)| check_subscription(p256dh, auth).is_ok());
        let (p256dh, auth) = keys.ok_or_else(|| broken("the browser's keys are none"))?;
        let pair = text(&setup.secrets, "private_key").and_then(KeyPair::stored);
        let pair = pair.ok_or_else(|| Unsent::failed("an admin has to make a key pair first"))?;
        let subject = text(&setup.config, "subject")
            .or(self.public_url.as_deref().filter(|url| url.starts_with("https://")))
            .unwrap_or(NOBODY);
        let unpadded = |text: &str| text.trim_end_matches('=').to_owned();
        let browser = SubscriptionInfo::new(endpoint.to_string(), unpadded(p256dh), unpadded(auth));
        let request = request(endpoint.clone(), pair.seal(&browser, &endpoint, subject, message)?)?;
        let glance = self.outbound.glance(request, GLANCED).await?;
        match glance.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(Unsent::Gone(format!("the push service answered {}", glance.status)))
            }
            _ => judged(&glance),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_off_the_curve_and_of_other_lengths_are_refused() {
        let (good, auth) = (KeyPair::fresh().public(), BASE64_URL_SAFE_NO_PAD.encode([7; 16]));
        assert_eq!(check_subscription(&good, &auth), Ok(()));
        let mut off = decoded(&good).unwrap();
        *off.last_mut().unwrap() ^= 1;
        for bad in
            [BASE64_URL_SAFE_NO_PAD.encode(&off), BASE64_URL_SAFE_NO_PAD.encode([4; 65]), "!".to_owned()]
        {
            assert_eq!(check_subscription(&bad, &auth).unwrap_err().field, "keys.p256dh", "{bad}");
        }
        assert_eq!(check_subscription(&good, "c2hvcnQ").unwrap_err().field, "keys.auth");
    }

    #[test]
    fn a_key_pair_comes_back_from_where_it_is_stored() {
        let pair = KeyPair::fresh();
        assert_eq!(KeyPair::stored(&pair.private()).unwrap().public(), pair.public());
        assert_eq!(pair.public().len(), 87);
    }
}
