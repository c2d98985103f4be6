//! The list in the app. It is always on, has no destination, and being told is being in it.

use super::fields::Fields;
use super::{Message, Sender, Unfit, Unsent};
use async_trait::async_trait;
use operational::notification_channels::{Channel, Destination, Setup};
use serde_json::{Map, Value, json};

/// The channel.
pub(super) struct InApp;

#[async_trait]
impl Sender for InApp {
    fn channel(&self) -> Channel {
        Channel::InApp
    }

    fn set_up(&self, given: Map<String, Value>, _: &Setup) -> Result<(Value, Value), Unfit> {
        Fields(given).done()?;
        Ok((json!({}), json!({})))
    }

    fn shown_setup(&self, _: &Setup) -> Value {
        json!({})
    }

    fn destination(&self, given: Map<String, Value>, _: Option<&Destination>) -> Result<Destination, Unfit> {
        Fields(given).done()?;
        Ok(Destination { config: json!({}), secrets: json!({}) })
    }

    fn shown_destination(&self, _: &Destination) -> Value {
        json!({})
    }

    async fn send(&self, _: &Setup, _: &Destination, _: &Message) -> Result<String, Unsent> {
        Ok("it stands in the list".to_owned())
    }
}
