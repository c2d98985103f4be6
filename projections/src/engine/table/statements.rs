//! The statements that load, write and delete rows, made of the names of their columns.

use crate::engine::rows::Row;

/// How many rows one statement writes.
pub(in crate::engine) const ROWS_PER_STATEMENT: usize = 4_000;

pub(in crate::engine) fn columns<R: Row>(prefix: &str) -> String {
    list(R::COLUMNS, ", ", |column| format!("{prefix}{column}"))
}

pub(in crate::engine) fn list(names: &[&str], separator: &str, each: impl Fn(&str) -> String) -> String {
    names.iter().map(|name| each(name)).collect::<Vec<_>>().join(separator)
}

/// So many parameters that follow those bound already.
fn parameters(bound: usize, count: usize) -> String {
    (bound + 1..=bound + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// Finds the rows with the given keys one by one in the index of the key. A join would leave the planner the choice
/// to walk through the whole table, which it makes while it takes the table for small, and keeps.
fn found_by_keys<R: Row>(bound: usize, columns: &str) -> String {
    let (parameters, names) = (parameters(bound, R::KEY.len()), list(R::KEY, ", ", str::to_owned));
    let same = list(R::KEY, " AND ", |column| format!("t.{column} = wanted.{column}"));
    format!(
        "SELECT found.* FROM UNNEST({parameters}) AS wanted ({names}) \
         CROSS JOIN LATERAL (SELECT {columns} FROM {} AS t WHERE {same} OFFSET 0) AS found",
        R::TABLE
    )
}

pub(super) fn load_by_keys<R: Row>() -> String {
    match R::KEY {
        [key] => format!("SELECT {} FROM {} WHERE {key} = ANY($1)", columns::<R>(""), R::TABLE),
        _ => found_by_keys::<R>(0, &columns::<R>("t.")),
    }
}

pub(in crate::engine) fn delete_by_keys<R: Row>(bound: usize) -> String {
    match R::KEY {
        [key] => format!("DELETE FROM {} WHERE {key} = ANY({})", R::TABLE, parameters(bound, 1)),
        _ => format!(
            "DELETE FROM {} WHERE ctid = ANY(ARRAY({}))",
            R::TABLE,
            found_by_keys::<R>(bound, "t.ctid")
        ),
    }
}

pub(in crate::engine) fn upsert<R: Row>(bound: usize) -> String {
    let rest = R::COLUMNS.get(R::KEY.len()..).unwrap_or_default();
    let action = if rest.is_empty() {
        "NOTHING".to_owned()
    } else {
        format!("UPDATE SET {}", list(rest, ", ", |column| format!("{column} = EXCLUDED.{column}")))
    };
    let all = columns::<R>("");
    let (selected, named) = if R::CASTS.iter().all(|cast| cast.is_empty()) {
        ("*".to_owned(), String::new())
    } else {
        let cast = R::COLUMNS.iter().zip(R::CASTS).map(|(column, cast)| format!("{column}{cast}"));
        (cast.collect::<Vec<_>>().join(", "), format!(" AS new ({all})"))
    };
    format!(
        "INSERT INTO {} ({all}) SELECT {selected} FROM UNNEST({}){named} ON CONFLICT ({}) DO {action}",
        R::TABLE,
        parameters(bound, R::COLUMNS.len()),
        list(R::KEY, ", ", str::to_owned),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::LinkRow;
    use super::*;
    use crate::engine::rows::row;
    use uuid::Uuid;

    #[test]
    fn statements_name_every_column() {
        assert_eq!(
            upsert::<LinkRow>(0),
            "INSERT INTO links (id, parent, label) SELECT * FROM UNNEST($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET parent = EXCLUDED.parent, label = EXCLUDED.label"
        );
        assert_eq!(load_by_keys::<LinkRow>(), "SELECT id, parent, label FROM links WHERE id = ANY($1)");
        assert_eq!(delete_by_keys::<LinkRow>(3), "DELETE FROM links WHERE id = ANY($4)");
        row! { struct TagRow in "tags", key(id: i32) { words: Vec<String> } }
        assert_eq!(
            upsert::<TagRow>(0),
            "INSERT INTO tags (id, words) SELECT id, words::text[] FROM UNNEST($1, $2) AS new (id, words) \
             ON CONFLICT (id) DO UPDATE SET words = EXCLUDED.words"
        );
        row! { struct PairRow in "pairs", key(left: Uuid, right: Uuid) { label: String } }
        assert_eq!(
            load_by_keys::<PairRow>(),
            "SELECT found.* FROM UNNEST($1, $2) AS wanted (left, right) CROSS JOIN LATERAL \
             (SELECT t.left, t.right, t.label FROM pairs AS t WHERE t.left = wanted.left AND \
             t.right = wanted.right OFFSET 0) AS found"
        );
    }
}
