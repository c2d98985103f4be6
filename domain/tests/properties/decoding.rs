//! Whatever a log may hold is read or named, and nothing that is read makes a state stumble.

use domain::claim::ClaimCode;
use domain::ids::{EntityId, FigureId, PieceId, UserId};
use domain::stream::{Event, StreamId};
use domain::upcast::{decode, event_types};
use domain::world::State;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// The stored samples of all events, with their types.
fn samples() -> Vec<(&'static str, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    event_types()
        .map(|event_type| {
            let path = folder.join(format!("{event_type}.v1.json"));
            (event_type, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// What does not belong into most places.
fn odd() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| json!(f)),
        "\\PC{0,12}".prop_map(Value::from),
        select(vec![
            "",
            " ",
            "\0",
            "NaN",
            "-1",
            "1e400",
            "0.000000000000000000000000000000001",
            "79228162514264337593543950335",
            "99999999999.99",
            "9999-12-31",
            "0000-00-00",
            "2026-02-30",
            "+262142-12-31T23:59:59Z",
            "JPY",
            "jpy",
            "XXX",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "00000000-0000-0000-0000-000000000000",
            "http://",
            "javascript:alert(1)",
            "\u{202e}",
            "\u{1F47E}",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z_]{1,8}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// How many places a value has in which something else could stand.
fn places(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(places).sum(),
        Value::Object(all) => all.values().map(places).sum(),
        _ => 0,
    }
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Remove,
    Add(String, Value),
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => odd().prop_map(Change::Replace),
        1 => Just(Change::Remove),
        1 => ("[a-z_]{1,8}", odd()).prop_map(|(key, value)| Change::Add(key, value)),
        1 => Just(Change::Double),
    ]
}

/// Changes one place of a value.
fn changed(value: &mut Value, at: usize, change: &Change) {
    let mut left = at;
    alter(value, &mut left, change);
}

fn alter(value: &mut Value, left: &mut usize, change: &Change) -> bool {
    if *left == 0 {
        match (change, &mut *value) {
            (Change::Add(key, new), Value::Object(all)) => _ = all.insert(key.clone(), new.clone()),
            (Change::Double, Value::Array(all)) => all.extend(all.clone()),
            (Change::Remove, Value::Object(all)) => {
                _ = all.keys().next().cloned().map(|key| all.remove(&key))
            }
            (Change::Remove, Value::Array(all)) => _ = all.pop(),
            (Change::Replace(new), place) => *place = new.clone(),
            (_, place) => *place = Value::Null,
        }
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(all) => all.iter_mut().any(|inner| alter(inner, left, change)),
        Value::Object(all) => all.values_mut().any(|inner| alter(inner, left, change)),
        _ => false,
    }
}

/// A stored event after accidents: its type, and what stands there.
fn damaged() -> impl Strategy<Value = (&'static str, String)> {
    let accidents = proptest::collection::vec((any::<Index>(), change()), 0..4);
    (select(samples()), accidents).prop_map(|((event_type, sample), accidents)| {
        let mut value: Value = serde_json::from_str(&sample).unwrap();
        for (at, change) in &accidents {
            let places = places(&value);
            changed(&mut value, at.index(places), change);
        }
        (event_type, value.to_string())
    })
}

/// Reads it, and holds what is read to what is promised of it.
fn read(event_type: &str, version: &str, payload: &str) -> Result<Option<Event>, TestCaseError> {
    match decode(event_type, version, payload) {
        Ok(event) => {
            prop_assert_eq!(event.event_type(), event_type);
            let again = event.to_json().unwrap();
            let read_again = decode(event_type, event.event_version(), &again);
            prop_assert_eq!(read_again.unwrap(), event.clone(), "{} is written as {}", payload, again);
            Ok(Some(event))
        }
        Err(error) => {
            let said = error.to_string();
            prop_assert!(said.contains(event_type) || said.contains(&format!("{event_type:?}")), "{}", said);
            Ok(None)
        }
    }
}

fn empty_states() -> Vec<State> {
    let id = Uuid::from_u128(7);
    [
        StreamId::Collection(UserId(id)),
        StreamId::Preorder(PieceId(id)),
        StreamId::Figure(FigureId(id)),
        StreamId::Entity(EntityId(id)),
        StreamId::Claim(ClaimCode::import("line", "7")),
    ]
    .iter()
    .map(State::empty)
    .collect()
}

proptest! {
    #![proptest_config(crate::cases(512))]

    #[test]
    fn bytes_that_are_no_event_are_refused_by_name(
        event_type in prop_oneof![select(event_types().collect::<Vec<_>>()).prop_map(str::to_owned), "\\PC{0,30}"],
        version in "[0-9.]{0,4}",
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        read(&event_type, &version, &String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn any_json_is_read_or_refused_by_name(
        event_type in select(event_types().collect::<Vec<_>>()), tagged in any::<bool>(), value in odd(),
    ) {
        let tag = event_type.split_once('.').unwrap().1;
        let payload = if tagged { json!({ tag: value }) } else { value };
        read(event_type, "1", &payload.to_string())?;
    }

    #[test]
    fn a_sample_with_bytes_that_flipped_is_read_or_refused_by_name(
        (event_type, sample) in select(samples()),
        flips in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = sample.into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        read(event_type, "1", &String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn no_run_of_readable_events_makes_a_state_stumble(
        events in proptest::collection::vec(damaged(), 1..12)
    ) {
        let mut states = empty_states();
        for (event_type, payload) in &events {
            let Some(event) = read(event_type, "1", payload)? else { continue };
            for state in &mut states {
                state.apply(&event);
            }
        }
        for state in states {
            let kept = serde_json::to_string(&state).unwrap();
            prop_assert_eq!(serde_json::from_str::<State>(&kept).unwrap(), state, "as a snapshot keeps it");
        }
    }
}
