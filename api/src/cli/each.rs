//! What came of several read models at once, in sentences.

use projections::engine::{Definition, EngineError};
use std::collections::{BTreeMap, BTreeSet};

/// Those that it came to something with, and of the rest the reasons. One damaged event is one reason, however many
/// cannot fold it.
pub(super) fn apart<T>(outcomes: Vec<(Definition, Result<T, EngineError>)>) -> (Vec<T>, Vec<String>) {
    let mut done = Vec::new();
    let mut unfoldable: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let mut others = BTreeSet::new();
    for (_, outcome) in outcomes {
        match outcome {
            Ok(one) => done.push(one),
            Err(EngineError::Failed { projection, failure }) => {
                unfoldable.entry(failure.to_string()).or_default().push(projection);
            }
            // Of one reading of the log for all of them there is one reason.
            Err(error) => {
                others.insert(error.to_string());
            }
        }
    }
    let cannot = |(why, names): (String, Vec<_>)| format!("{} cannot be folded: {why}", names.join(", "));
    (done, unfoldable.into_iter().map(cannot).chain(others).collect())
}

/// How many that is.
pub(super) fn count(models: usize) -> String {
    format!("{models} read {}", if models == 1 { "model" } else { "models" })
}
