//! A POST of JSON to an address of the person's, signed so that the receiver knows who sent it.
//!
//! `X-Signature: t=<unix seconds>,v1=<hex>`, where v1 is the HMAC-SHA256 of `<t>.<body>` under the webhook's secret.

use super::fields::{Fields, Given, text};
use super::{GLANCED, Message, Sender, Unfit, Unsent, judged};
use crate::outbound::Outbound;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::Utc;
use hmac::{Hmac, Mac};
use operational::notification_channels::{Channel, Destination, Setup};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use std::fmt::Write;

/// A shorter secret could be guessed.
const SHORTEST_SECRET: usize = 16;

/// The channel.
pub(super) struct Webhook {
    pub outbound: Outbound,
}

/// What proves that a body is this server's.
pub(super) fn signature(secret: &str, seconds: i64, body: &[u8]) -> String {
    // A key of any length will do for an HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    let mut signature = format!("t={seconds},v1=");
    for byte in mac.finalize().into_bytes() {
        // Writing to a text never fails.
        let _ = write!(signature, "{byte:02x}");
    }
    signature
}

fn fresh_secret() -> String {
    format!("whsec_{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

#[async_trait]
impl Sender for Webhook {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    fn set_up(&self, given: Map<String, Value>, _: &Setup) -> Result<(Value, Value), Unfit> {
        Fields(given).done()?;
        Ok((json!({}), json!({})))
    }

    fn shown_setup(&self, _: &Setup) -> Value {
        json!({})
    }

    /// `{url, secret?}`. Without a secret the one in force stays, or one is made; `null` has a new one made.
    fn destination(
        &self,
        given: Map<String, Value>,
        before: Option<&Destination>,
    ) -> Result<Destination, Unfit> {
        let mut fields = Fields(given);
        let url = fields.url("url")?;
        self.outbound.check(&url).map_err(|error| Unfit::address("url", error.to_string()))?;
        let secret = match fields.given("secret", 200)? {
            Given::Value(secret) if secret.len() < SHORTEST_SECRET => {
                return Err(Unfit::invalid("secret", format!("at least {SHORTEST_SECRET} bytes")));
            }
            Given::Value(secret) => secret,
            Given::Nothing => before
                .and_then(|before| text(&before.secrets, "secret"))
                .map_or_else(fresh_secret, str::to_owned),
            Given::Null => fresh_secret(),
        };
        fields.done()?;
        Ok(Destination { config: json!({"url": url.as_str()}), secrets: json!({"secret": secret}) })
    }

    fn shown_destination(&self, destination: &Destination) -> Value {
        json!({"url": destination.config.get("url"), "secret_set": true})
    }

    async fn send(&self, _: &Setup, to: &Destination, message: &Message) -> Result<String, Unsent> {
        let broken = || Unsent::Refused("the destination is not complete; set it again".to_owned());
        let url = text(&to.config, "url").and_then(|url| url.parse().ok()).ok_or_else(broken)?;
        let secret = text(&to.secrets, "secret").ok_or_else(broken)?;
        let body = serde_json::to_vec(message).map_err(|error| Unsent::Refused(error.to_string()))?;
        let signature = signature(secret, Utc::now().timestamp(), &body);
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-signature", HeaderValue::try_from(signature).map_err(|_never| broken())?);
        *request.body_mut() = Some(body.into());
        judged(&self.outbound.glance(request, GLANCED).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 'a secret of some length'
        assert_eq!(
            signature("a secret of some length", 1_700_000_000, br#"{"a":1}"#),
            "t=1700000000,v1=e09db3ce6e6e8f9b633a62851e5074a9e9148ac19b1c0e1a8f7c352380be630b"
        );
    }
}
