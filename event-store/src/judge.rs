//! What becomes of each append of a batch, by the versions that its streams have.

use crate::append::Append;
use domain::stream::{StreamId, Version};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What is decided about one append of a batch.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    Pass,
    Conflict(Vec<(StreamId, Version)>),
    KeyTaken,
}

/// Judges the appends of a batch in order: each sees what the ones before it write.
pub(crate) fn judge<'a>(
    appends: impl Iterator<Item = &'a Append>,
    mut versions: HashMap<&'a StreamId, Version>,
    mut taken: HashSet<(Uuid, String)>,
) -> Vec<Verdict> {
    appends
        .map(|append| {
            let key = append.record.as_ref().map(|r| (r.actor, r.key.clone()));
            if key.as_ref().is_some_and(|k| taken.contains(k)) {
                return Verdict::KeyTaken;
            }
            let outrun: Vec<_> = append
                .expected
                .iter()
                .filter_map(|(stream, expected)| {
                    let actual = versions.get(stream).copied().unwrap_or(Version::NONE);
                    (actual != *expected).then(|| (stream.clone(), actual))
                })
                .collect();
            if !outrun.is_empty() {
                return Verdict::Conflict(outrun);
            }
            for event in &append.events {
                if let Some((stream, version)) = versions.get_key_value(&event.stream) {
                    let (stream, version) = (*stream, version.next());
                    versions.insert(stream, version);
                }
            }
            taken.extend(key);
            Verdict::Pass
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::append::tests::{append, stream};

    fn judged(appends: &[Append], versions: &[(&StreamId, i64)]) -> Vec<Verdict> {
        let versions = versions.iter().map(|(s, v)| (*s, Version(*v))).collect();
        judge(appends.iter(), versions, HashSet::from([(Uuid::nil(), "used".to_owned())]))
    }

    #[test]
    fn a_later_append_of_a_batch_sees_what_an_earlier_one_writes() {
        let s = stream(1);
        let appends = [append(&[(&s, 3, 2)], None), append(&[(&s, 3, 1)], None), append(&[(&s, 5, 1)], None)];
        assert_eq!(
            judged(&appends, &[(&s, 3)]),
            [Verdict::Pass, Verdict::Conflict(vec![(s.clone(), Version(5))]), Verdict::Pass]
        );
    }

    #[test]
    fn a_stream_that_was_only_read_is_checked_too() {
        let (read, written) = (stream(1), stream(2));
        let appends = [append(&[(&read, 1, 0), (&written, 0, 1)], None)];
        assert_eq!(
            judged(&appends, &[(&read, 2), (&written, 0)]),
            [Verdict::Conflict(vec![(read.clone(), Version(2))])]
        );
    }

    #[test]
    fn an_append_that_fails_leaves_nothing_behind_for_those_after_it() {
        let (a, b) = (stream(1), stream(2));
        let appends = [append(&[(&a, 9, 1), (&b, 0, 1)], Some("k")), append(&[(&b, 0, 1)], Some("k"))];
        let verdicts = judged(&appends, &[(&a, 1), (&b, 0)]);
        assert!(matches!(verdicts[..], [Verdict::Conflict(_), Verdict::Pass]));
    }

    #[test]
    fn of_two_appends_with_one_key_the_second_loses() {
        let (a, b) = (stream(1), stream(2));
        let appends = [
            append(&[(&a, 0, 1)], Some("k")),
            append(&[(&b, 0, 1)], Some("k")),
            append(&[(&b, 0, 1)], Some("used")),
        ];
        assert_eq!(
            judged(&appends, &[(&a, 0), (&b, 0)]),
            [Verdict::Pass, Verdict::KeyTaken, Verdict::KeyTaken]
        );
    }
}
