//! What differs between two states of a stream.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// How many differences are listed.
const MOST: usize = 1_000;

static NOTHING: Value = Value::Null;

/// One place where two states differ.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(example = json!({"path": "/cabinets/0198b6a0-5c1e-7f00-9a3b-2f6d1c0e4b05/name", "from": "Shelf", "to": "Vitrine"}))]
pub struct StateDifference {
    /// Where, as a JSON pointer (RFC 6901) into the state.
    path: String,
    /// What was there; null when there was nothing.
    #[schema(value_type = Value)]
    from: Value,
    /// What is there now; null when nothing is.
    #[schema(value_type = Value)]
    to: Value,
}

/// Every place where they differ, in the order of the paths' members; and whether there are more. Lists are
/// compared as a whole.
pub(super) fn differences(from: &Value, to: &Value) -> (Vec<StateDifference>, bool) {
    let mut found = Vec::new();
    let more = !compare(String::new(), from, to, &mut found);
    (found, more)
}

/// `false` when there is no room for more.
fn compare(path: String, from: &Value, to: &Value, found: &mut Vec<StateDifference>) -> bool {
    if from == to {
        return true;
    }
    if let (Value::Object(before), Value::Object(after)) = (from, to) {
        let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        return names.into_iter().all(|name| {
            let escaped = name.replace('~', "~0").replace('/', "~1");
            let (before, after) = (before.get(name), after.get(name));
            compare(format!("{path}/{escaped}"), before.unwrap_or(&NOTHING), after.unwrap_or(&NOTHING), found)
        });
    }
    if found.len() == MOST {
        return false;
    }
    found.push(StateDifference { path, from: from.clone(), to: to.clone() });
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_named_by_its_pointer() {
        let before = json!({"a": {"b": 1, "c~/d": [1, 2]}, "gone": {"x": 1}, "same": 7});
        let after = json!({"a": {"b": 2, "c~/d": [2, 1]}, "new": null, "same": 7});
        let (found, more) = differences(&before, &after);
        let found: Vec<Value> = found.into_iter().map(|one| json!([one.path, one.from, one.to])).collect();
        assert_eq!(
            found,
            [json!(["/a/b", 1, 2]), json!(["/a/c~0~1d", [1, 2], [2, 1]]), json!(["/gone", {"x": 1}, null])]
        );
        assert!(!more);
        assert_eq!(differences(&before, &before), (vec![], false));
    }

    #[test]
    fn a_great_many_are_cut_and_it_is_said() {
        let many = |n: u32| Value::Object((0..1_001).map(|i| (i.to_string(), n.into())).collect());
        let (found, more) = differences(&many(1), &many(2));
        assert_eq!((found.len(), more), (MOST, true));
    }
}
