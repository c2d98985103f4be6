//! How many figures there are of everything that can be filtered by.

use super::filter::{Entities, Filter, RELATIONS, push_filter, push_relation_of_many, reading};
use crate::views::{Relation, Viewer};
use serde::Serialize;
use sqlx::{FromRow, PgPool, QueryBuilder};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many values of a facet are counted.
const FACET_VALUES: i64 = 100;

/// How many figures there are of each value of each filter. A facet ignores its own filter and obeys the
/// others. Keys are those of the filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Facets {
    /// How many figures fit all filters.
    pub total: i64,
    /// By type.
    #[serde(rename = "type")]
    pub figure_type: Vec<TypeCount>,
    /// By maker, the hundred with the most figures.
    pub manufacturer: Vec<EntityCount>,
    /// By series, the hundred with the most figures.
    pub series: Vec<EntityCount>,
    /// By character, the hundred with the most figures.
    pub character: Vec<EntityCount>,
    /// By what they are to the viewer.
    pub relation: RelationCounts,
}

/// How many figures are something to the viewer. One that is pre-ordered and owned counts as both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct RelationCounts {
    /// There is a pre-order that is neither received nor cancelled.
    pub preordered: i64,
    /// There is a piece on the shelf.
    pub owned: i64,
    /// There is a wish.
    pub wished: i64,
}

/// How many figures are of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct TypeCount {
    /// The code of the type.
    pub figure_type: String,
    /// How many.
    pub count: i64,
}

/// How many figures name an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct EntityCount {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its slug.
    pub slug: String,
    /// How many.
    pub count: i64,
}

/// How many figures that fit a filter there are of each type, maker, series, character and relation.
///
/// # Errors
/// When the database does not answer.
pub async fn facets(pool: &PgPool, filter: &Filter, viewer: Viewer) -> sqlx::Result<Facets> {
    let entities = Entities::lookup(pool, filter).await?;
    let (mut reading, words) = reading(pool, filter).await?;
    let mut sql = QueryBuilder::new("SELECT f.figure_type, count(*) AS count FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, Some(Facet::FigureType));
    sql.push(" GROUP BY f.figure_type ORDER BY count DESC, f.figure_type");
    let figure_type = sql.build_query_as().fetch_all(&mut *reading).await?;
    let mut sql = QueryBuilder::new("SELECT count(*) FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, None);
    let total = sql.build_query_scalar().fetch_one(&mut *reading).await?;
    let mut sql = QueryBuilder::new("SELECT ");
    for (relation, word) in RELATIONS {
        sql.push("count(*) FILTER (WHERE ");
        push_relation_of_many(&mut sql, relation, viewer);
        sql.push(format_args!(") AS {word}{}", if relation == Relation::Wished { "" } else { ", " }));
    }
    sql.push(" FROM figures AS f");
    push_filter(&mut sql, filter, &entities, &words, viewer, Some(Facet::Relation));
    let relation = sql.build_query_as().fetch_one(&mut *reading).await?;
    let mut count = async |facet: Facet, joined: &str| -> sqlx::Result<Vec<EntityCount>> {
        let mut sql = QueryBuilder::new(format!(
            "SELECT e.id, e.name, e.slug, count(*) AS count FROM figures AS f {joined}"
        ));
        push_filter(&mut sql, filter, &entities, &words, viewer, Some(facet));
        sql.push(" GROUP BY e.id, e.name, e.slug, e.sort_name ORDER BY count DESC, e.sort_name, e.id LIMIT ");
        sql.push_bind(FACET_VALUES);
        sql.build_query_as().fetch_all(&mut *reading).await
    };
    let facets = Facets {
        total,
        relation,
        figure_type,
        manufacturer: count(Facet::Manufacturer, "JOIN manufacturers AS e ON e.id = f.manufacturer_id")
            .await?,
        series: count(
            Facet::Series,
            "JOIN figure_series AS l ON l.figure_id = f.id JOIN series AS e ON e.id = l.series_id",
        )
        .await?,
        character: count(
            Facet::Character,
            "JOIN figure_characters AS l ON l.figure_id = f.id JOIN characters AS e ON e.id = l.character_id",
        )
        .await?,
    };
    reading.commit().await?;
    Ok(facets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Facet {
    FigureType,
    Manufacturer,
    Series,
    Character,
    Relation,
}
