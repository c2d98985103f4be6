//! Whether what is named is marked.

use serde_json::Value;

use super::seeded::Seeded;

/// Whether a gate stands somewhere in it.
pub fn gated(value: &Value) -> bool {
    anywhere(value, &|object| object.get("nsfw_gate") == Some(&Value::Bool(true)))
}

/// Whether something in it is to be blurred.
pub fn blurred(value: &Value) -> bool {
    anywhere(value, &|object| object.get("blurred") == Some(&Value::Bool(true)))
}

fn anywhere(value: &Value, is_it: &impl Fn(&Value) -> bool) -> bool {
    is_it(value)
        || match value {
            Value::Object(members) => members.values().any(|member| anywhere(member, is_it)),
            Value::Array(items) => items.iter().any(|item| anywhere(item, is_it)),
            _ => false,
        }
}

/// Every text that names an NSFW figure and stands beside no mark. The mark is in an object around it, or the item of
/// a list that it is in holds the marked figure itself.
pub fn unmarked(value: &Value, seeded: &Seeded, only_blurred: bool) -> Vec<String> {
    let mut found = Vec::new();
    look(value, &mut Vec::new(), &|around| is_marked(around, seeded, only_blurred), seeded, &mut found);
    found
}

fn look<'a>(
    value: &'a Value,
    around: &mut Vec<&'a Value>,
    is_marked: &impl Fn(&[&Value]) -> bool,
    seeded: &Seeded,
    found: &mut Vec<String>,
) {
    around.push(value);
    match value {
        Value::String(text)
            if seeded.names_or_slugs().any(|name| text.contains(name)) && !is_marked(around) =>
        {
            found.push(text.clone());
        }
        Value::Object(members) => {
            members.values().for_each(|member| look(member, around, is_marked, seeded, found));
        }
        Value::Array(items) => items.iter().for_each(|item| look(item, around, is_marked, seeded, found)),
        _ => {}
    }
    around.pop();
}

fn says_so(object: &Value, only_blurred: bool) -> bool {
    let on = |name: &str| object.get(name) == Some(&Value::Bool(true));
    on("blurred") || (!only_blurred && on("is_nsfw"))
}

fn is_marked(around: &[&Value], seeded: &Seeded, only_blurred: bool) -> bool {
    if around.iter().any(|one| says_so(one, only_blurred)) {
        return true;
    }
    let item = around.iter().rposition(|one| one.is_array()).map_or(0, |list| list + 1);
    let figure = |object: &Value| {
        let id = object.get("id").and_then(Value::as_str).unwrap_or_default();
        seeded.ids.iter().any(|one| one == id) && says_so(object, only_blurred)
    };
    around.get(item).is_some_and(|item| anywhere(item, &figure))
}
