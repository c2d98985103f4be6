//! A topic of an ntfy server, public or at home.

use super::fields::{Fields, text};
use super::{GLANCED, Message, Sender, Unfit, Unsent, judged};
use crate::outbound::Outbound;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use operational::notification_channels::{Channel, Destination, Setup};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde_json::{Map, Value, json};
use url::Url;

/// The channel.
pub(super) struct Ntfy {
    pub outbound: Outbound,
}

/// What ntfy takes as a topic.
fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A header holds ASCII; ntfy reads the rest as mail programs do.
fn header(text: &str) -> Result<HeaderValue, Unsent> {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let line = if line.is_ascii() {
        line
    } else {
        format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(line.as_bytes()))
    };
    HeaderValue::try_from(line).map_err(|error| Unsent::Refused(error.to_string()))
}

#[async_trait]
impl Sender for Ntfy {
    fn channel(&self) -> Channel {
        Channel::Ntfy
    }

    fn set_up(&self, given: Map<String, Value>, _: &Setup) -> Result<(Value, Value), Unfit> {
        Fields(given).done()?;
        Ok((json!({}), json!({})))
    }

    fn shown_setup(&self, _: &Setup) -> Value {
        json!({})
    }

    /// `{url, topic, token?}`. A token that is left out stays as long as the server does.
    fn destination(
        &self,
        given: Map<String, Value>,
        before: Option<&Destination>,
    ) -> Result<Destination, Unfit> {
        let mut fields = Fields(given);
        let url = fields.url("url")?;
        self.outbound.check(&url).map_err(|error| Unfit::address("url", error.to_string()))?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(Unfit::invalid(
                "url",
                "the address of the server alone; the topic has a field of its own",
            ));
        }
        let topic = Fields::needed("topic", fields.given("topic", 200)?.or(None))?;
        if !is_topic(&topic) {
            return Err(Unfit::invalid("topic", "1 to 64 letters, digits, _ and -"));
        }
        let same_server = |before: &&Destination| {
            text(&before.config, "url")
                .and_then(|url| url.parse::<Url>().ok())
                .is_some_and(|before| before == url)
        };
        let kept = before.filter(same_server).and_then(|before| text(&before.secrets, "token"));
        let token = fields.given("token", 500)?.or(kept.map(str::to_owned));
        if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(Unfit::invalid(
                "token",
                "an access token has no blanks and no other than ASCII letters",
            ));
        }
        fields.done()?;
        Ok(Destination {
            config: json!({"url": url.as_str(), "topic": topic}),
            secrets: json!({"token": token}),
        })
    }

    fn shown_destination(&self, destination: &Destination) -> Value {
        json!({
            "url": destination.config.get("url"),
            "topic": destination.config.get("topic"),
            "token_set": text(&destination.secrets, "token").is_some(),
        })
    }

    async fn send(&self, _: &Setup, to: &Destination, message: &Message) -> Result<String, Unsent> {
        let broken = || Unsent::Refused("the destination is not complete; set it again".to_owned());
        let mut url: Url = text(&to.config, "url").and_then(|url| url.parse().ok()).ok_or_else(broken)?;
        url.set_path(text(&to.config, "topic").ok_or_else(broken)?);
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert("title", header(&message.title)?);
        headers.insert("tags", header(&message.event_type)?);
        if let Some(token) = text(&to.secrets, "token") {
            let mut bearer = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_never| broken())?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        *request.body_mut() = Some(message.text.clone().into());
        judged(&self.outbound.glance(request, GLANCED).await?)
    }
}
