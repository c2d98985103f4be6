//! Older shapes of events, lifted to today's as they are read. What is stored is never rewritten.

use crate::stream::Event;
use serde_json::Value;
use thiserror::Error;

/// Lifts a payload from one version of its shape to the next.
pub struct Upcaster {
    /// The event type, such as `collection.piece_added`.
    pub event_type: &'static str,
    /// The version it takes.
    pub from: &'static str,
    /// The version it gives.
    pub to: &'static str,
    /// The step itself.
    pub step: fn(Value) -> Value,
}

/// The steps known today. None yet: every event is at version 1.
pub const UPCASTERS: &[Upcaster] = &[];

/// An event that this release cannot read.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Its type is not known here.
    #[error("event type {0:?} is not known to this release")]
    UnknownType(String),
    /// Its version is not known here and no step leads on from it.
    #[error("version {1:?} of event type {0:?} is not known to this release")]
    UnknownVersion(String, String),
    /// Its payload does not fit.
    #[error("the payload of {0} does not fit its type: {1}")]
    Payload(String, serde_json::Error),
}

/// Every event type that this release knows.
pub fn event_types() -> impl Iterator<Item = &'static str> {
    crate::collection::CollectionEvent::TYPES
        .iter()
        .chain(crate::preorder::PreorderEvent::TYPES)
        .chain(crate::figure::FigureEvent::TYPES)
        .chain(crate::entity::EntityEvent::TYPES)
        .chain(crate::claim::ClaimEvent::TYPES)
        .copied()
}

/// Reads a stored event.
///
/// # Errors
/// `DecodeError`: the event is from a later release, or its payload was damaged.
pub fn decode(event_type: &str, event_version: &str, payload: &str) -> Result<Event, DecodeError> {
    decode_with(UPCASTERS, event_type, event_version, payload)
}

fn decode_with(
    upcasters: &[Upcaster],
    event_type: &str,
    event_version: &str,
    payload: &str,
) -> Result<Event, DecodeError> {
    let Some((aggregate_type, _)) = event_type.split_once('.') else {
        return Err(DecodeError::UnknownType(event_type.to_owned()));
    };
    let unknown_type = || DecodeError::UnknownType(event_type.to_owned());
    let fits = |e| {
        let known = event_types().any(|t| t == event_type);
        if known { DecodeError::Payload(event_type.to_owned(), e) } else { unknown_type() }
    };
    let next = |version: &str| upcasters.iter().find(|u| u.event_type == event_type && u.from == version);

    let mut version = event_version;
    let event = if next(version).is_none() {
        // The common case: decode straight into the type.
        Event::from_json(aggregate_type, payload).map_err(fits)?
    } else {
        let mut value: Value = serde_json::from_str(payload).map_err(fits)?;
        while let Some(upcaster) = next(version) {
            value = (upcaster.step)(value);
            version = upcaster.to;
        }
        Event::from_json(aggregate_type, &value.to_string()).map_err(fits)?
    };
    if event.event_type() != event_type {
        return Err(unknown_type());
    }
    if event.event_version() != version {
        return Err(DecodeError::UnknownVersion(event_type.to_owned(), version.to_owned()));
    }
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_older_shape_is_lifted_step_by_step() {
        let steps = [
            Upcaster { event_type: "figure.nsfw_marked", from: "0.8", to: "0.9", step: |v| v["was"].clone() },
            Upcaster {
                event_type: "figure.nsfw_marked",
                from: "0.9",
                to: "1",
                step: |v| json!({"nsfw_marked": {"is_nsfw": v["adult"] == json!("yes")}}),
            },
        ];
        let event = decode_with(&steps, "figure.nsfw_marked", "0.8", r#"{"was":{"adult":"yes"}}"#).unwrap();
        assert_eq!(event.to_json().unwrap(), r#"{"nsfw_marked":{"is_nsfw":true}}"#);
    }

    #[test]
    fn what_this_release_does_not_know_is_an_error_and_not_a_guess() {
        assert!(matches!(decode("figure.repainted", "1", "{}"), Err(DecodeError::UnknownType(_))));
        assert!(matches!(decode("nonsense", "1", "{}"), Err(DecodeError::UnknownType(_))));
        assert!(matches!(
            decode("figure.nsfw_marked", "7", r#"{"nsfw_marked":{"is_nsfw":true}}"#),
            Err(DecodeError::UnknownVersion(..))
        ));
        assert!(matches!(decode("figure.nsfw_marked", "1", "{"), Err(DecodeError::Payload(..))));
        assert!(matches!(
            decode("figure.renamed", "1", r#"{"nsfw_marked":{"is_nsfw":true}}"#),
            Err(DecodeError::UnknownType(_))
        ));
    }
}
