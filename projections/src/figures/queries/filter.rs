//! What is listed and counted.

use super::facets::Facet;
use crate::entities::queries::find_id as find_entity_id;
use crate::search::{self, Words};
use crate::views::{Relation, Viewer};
use chrono::{Months, NaiveDate};
use domain::entity::EntityKind;
use sqlx::{PgPool, Postgres, QueryBuilder, Transaction};
use uuid::Uuid;

/// What to list. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Words to search for.
    pub q: Option<String>,
    /// The code of a type.
    pub figure_type: Option<String>,
    /// The slug or id of a manufacturer.
    pub manufacturer: Option<String>,
    /// The slug or id of a series.
    pub series: Option<String>,
    /// The slug or id of a character.
    pub character: Option<String>,
    /// Some day of the first month: figures with a release then or later.
    pub released_from: Option<NaiveDate>,
    /// Some day of the last month, which is included.
    pub released_to: Option<NaiveDate>,
    /// What the figures are to the viewer; nothing is anything to a viewer without an account.
    pub relation: Option<Relation>,
}
/// A reading of what fits a filter, and what its words are taken for. It holds a connection, so nothing else
/// may be asked of the pool before it is over.
pub(super) async fn reading(
    pool: &PgPool,
    filter: &Filter,
) -> sqlx::Result<(Transaction<'static, Postgres>, Words)> {
    let mut reading = search::begin(pool).await?;
    let words = Words::of(filter.q.as_deref().unwrap_or_default());
    let words = words.looked_up(&mut reading, "figures", "search_text").await?;
    Ok((reading, words))
}
/// What a figure can be to a viewer, in the order in which it is told, with its word.
pub(super) const RELATIONS: [(Relation, &str); 3] =
    [(Relation::Preordered, "preordered"), (Relation::Owned, "owned"), (Relation::Wished, "wished")];

/// The entities of a filter: for each that was given, its id, or none when nothing is called so.
pub(super) struct Entities {
    manufacturer: Option<Option<Uuid>>,
    series: Option<Option<Uuid>>,
    character: Option<Option<Uuid>>,
}

impl Entities {
    pub(super) async fn lookup(pool: &PgPool, filter: &Filter) -> sqlx::Result<Self> {
        let find = async |kind, name: &Option<String>| match name {
            Some(name) => find_entity_id(pool, kind, name).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            manufacturer: find(EntityKind::Manufacturer, &filter.manufacturer).await?,
            series: find(EntityKind::Series, &filter.series).await?,
            character: find(EntityKind::Character, &filter.character).await?,
        })
    }

    /// The same; none when one of them does not exist, so that nothing can fit.
    pub(super) async fn of(pool: &PgPool, filter: &Filter) -> sqlx::Result<Option<Self>> {
        let found = Self::lookup(pool, filter).await?;
        let nowhere = [found.manufacturer, found.series, found.character].contains(&Some(None));
        Ok((!nowhere).then_some(found))
    }
}

/// Writes `WHERE …` for figures `f`, without the filter of one facet.
pub(super) fn push_filter(
    sql: &mut QueryBuilder<'_, Postgres>,
    filter: &Filter,
    entities: &Entities,
    words: &Words,
    viewer: Viewer,
    without: Option<Facet>,
) {
    sql.push(if viewer.hides_nsfw { " WHERE NOT f.is_nsfw" } else { " WHERE true" });
    words.push_condition(sql, "f.search_text");
    if let Some(figure_type) = filter.figure_type.as_ref().filter(|_| without != Some(Facet::FigureType)) {
        sql.push(" AND f.figure_type = ").push_bind(figure_type.clone());
    }
    if let Some(id) = entities.manufacturer.filter(|_| without != Some(Facet::Manufacturer)) {
        sql.push(" AND f.manufacturer_id = ").push_bind(id);
    }
    if let Some(id) = entities.series.filter(|_| without != Some(Facet::Series)) {
        sql.push(" AND EXISTS (SELECT 1 FROM figure_series AS s WHERE s.figure_id = f.id AND s.series_id = ");
        sql.push_bind(id).push(")");
    }
    if let Some(id) = entities.character.filter(|_| without != Some(Facet::Character)) {
        sql.push(
            " AND EXISTS (SELECT 1 FROM figure_characters AS c WHERE c.figure_id = f.id AND c.character_id = ",
        );
        sql.push_bind(id).push(")");
    }
    if filter.released_from.is_some() || filter.released_to.is_some() {
        // A release that is only known by its month or year may be on any day of it.
        sql.push(" AND EXISTS (SELECT 1 FROM figure_releases AS r WHERE r.figure_id = f.id");
        if let Some(from) = filter.released_from {
            sql.push(
                " AND r.release_date + CASE r.release_date_precision WHEN 'year' THEN interval '1 year' \
                 WHEN 'month' THEN interval '1 month' ELSE interval '1 day' END > ",
            );
            sql.push_bind(first_of_month(from));
        }
        if let Some(to) = filter.released_to {
            let end = first_of_month(to).checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
            sql.push(" AND r.release_date < ").push_bind(end);
        }
        sql.push(")");
    }
    if let Some(relation) = filter.relation.filter(|_| without != Some(Facet::Relation)) {
        sql.push(" AND ");
        push_relation(sql, relation, viewer);
    }
}

fn first_of_month(day: NaiveDate) -> NaiveDate {
    use chrono::Datelike;
    day.with_day(1).unwrap_or(day)
}

/// Writes the condition that figure `f` is that to the viewer, to be looked up for one figure after the other: a page
/// has few.
pub(super) fn push_relation(sql: &mut QueryBuilder<'_, Postgres>, relation: Relation, viewer: Viewer) {
    sql.push("EXISTS (SELECT 1 FROM (");
    push_figures(sql, relation, viewer);
    sql.push(") AS theirs WHERE theirs.figure_id = f.id)");
}

/// Writes the same condition, to be asked of the whole catalogue: the viewer's figures are read once.
pub(super) fn push_relation_of_many(
    sql: &mut QueryBuilder<'_, Postgres>,
    relation: Relation,
    viewer: Viewer,
) {
    sql.push("f.id IN (");
    push_figures(sql, relation, viewer);
    sql.push(")");
}

fn push_figures(sql: &mut QueryBuilder<'_, Postgres>, relation: Relation, viewer: Viewer) {
    let Some((before, after)) = relation.figures().split_once('?') else { return };
    sql.push(before).push_bind(viewer.user_id).push(after);
}

/// Writes what figure `f` is to the viewer, `AS marker`.
pub(super) fn push_marker(sql: &mut QueryBuilder<'_, Postgres>, viewer: Viewer) {
    if viewer.user_id.is_none() {
        sql.push("NULL::text AS marker");
        return;
    }
    sql.push("CASE");
    for (relation, word) in RELATIONS {
        sql.push(" WHEN ");
        push_relation(sql, relation, viewer);
        sql.push(format_args!(" THEN '{word}'"));
    }
    sql.push(" END AS marker");
}
