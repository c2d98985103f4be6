//! Browsers that subscribed: encrypted for the browser (RFC 8291), signed by this server's key pair (RFC 8292).

use super::fields::{Fields, text};
use super::{GLANCED, Message, Sender, Unfit, Unsent, judged};
use crate::outbound::Outbound;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use operational::notification_channels::{Channel, Destination, Setup};
use p256::PublicKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;
use web_push_native::{Auth, encrypt};

/// How long a push service keeps what a browser that sleeps has not fetched, in seconds.
const KEPT_FOR: u32 = 24 * 60 * 60;
/// How long a signature holds, in seconds. At most a day, says RFC 8292.
const SIGNED_FOR: i64 = 12 * 60 * 60;
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

    /// What proves to the push service of an endpoint that this server sends.
    fn authorization(&self, endpoint: &Url, subject: &str) -> String {
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({
            "aud": endpoint.origin().ascii_serialization(),
            "exp": Utc::now().timestamp() + SIGNED_FOR,
            "sub": subject,
        });
        let signed = format!("{}.{}", part(json!({"typ": "JWT", "alg": "ES256"})), part(claims));
        let signature: Signature = self.0.sign(signed.as_bytes());
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature.to_bytes());
        format!("vapid t={signed}.{signature}, k={}", self.public())
    }
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
        let key = text(&to.secrets, "p256dh").and_then(browser_key);
        let auth = text(&to.secrets, "auth").and_then(browser_secret);
        let (key, auth) = key.zip(auth).ok_or_else(|| broken("the browser's keys are none"))?;
        let pair = text(&setup.secrets, "private_key").and_then(KeyPair::stored);
        let pair = pair.ok_or_else(|| Unsent::Refused("an admin has to make a key pair first".to_owned()))?;
        let body = encrypt(body(message)?, &key, &Auth::from(auth))
            .map_err(|error| Unsent::Refused(format!("it cannot be encrypted: {error}")))?;
        let subject = text(&setup.config, "subject")
            .or(self.public_url.as_deref().filter(|url| url.starts_with("https://")))
            .unwrap_or(NOBODY);
        let authorization = pair.authorization(&endpoint, subject);
        let mut request = Request::new(Method::POST, endpoint);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
        headers.insert("ttl", HeaderValue::from(KEPT_FOR));
        headers.insert("urgency", HeaderValue::from_static("normal"));
        // A message that comes again takes the place of the one that was not fetched yet.
        let topic = HeaderValue::try_from(message.id.simple().to_string());
        headers.insert("topic", topic.map_err(|error| Unsent::Refused(error.to_string()))?);
        let mut proof = HeaderValue::try_from(authorization).map_err(|_never| broken("no proof"))?;
        proof.set_sensitive(true);
        headers.insert(AUTHORIZATION, proof);
        *request.body_mut() = Some(body.into());
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
