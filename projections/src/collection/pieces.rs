//! Reading pieces.

use super::keyset::{InvalidKey, ListError, ListKey, Sorted, patterns};
use super::rows::OwnedItemRow;
use crate::engine::Row as _;
use crate::figures::summary::{EntityName, FigureSummary};
use crate::past::{PIECES, PREORDERS, Reading};
use crate::pictures::{Cover, Eyes, Pinned};
use chrono::NaiveDate;
use domain::collection::Condition;
use domain::commands::PieceVersion;
use domain::entity::EntityKind;
use domain::ids::{PieceId, UserId};
use domain::slug::slugify;
use domain::stream::Version;
use domain::text::folded;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, QueryBuilder, Row};
use uuid::Uuid;

/// A piece with what stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Its own row.
    pub row: OwnedItemRow,
    /// What it is a copy of; none while the catalogue's read model has yet to hear of it.
    pub figure: Option<FigureSummary>,
    /// Where it was bought.
    pub store: Option<EntityName>,
    /// Its pre-order, live or not.
    pub preorder: Option<PiecePreorder>,
    /// What is pinned as its cover.
    pub pinned: Option<Pinned>,
    sort_value: Option<String>,
}

/// What a piece shows of its pre-order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PiecePreorder {
    /// Its id.
    pub id: Uuid,
    /// How it stands.
    pub status: String,
    /// First day of the announced period.
    pub release_date_current: Option<NaiveDate>,
    /// `day`, `month` or `year`.
    pub release_date_precision: Option<String>,
}

impl Piece {
    /// Its version together with its pre-order's.
    #[must_use]
    pub const fn version(&self) -> PieceVersion {
        PieceVersion { piece: Version(self.row.version), preorder: Version(self.row.preorder_version) }
    }

    /// Whether it counts as owned: not archived, and received if it was ever pre-ordered.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        self.row.archived_at.is_none()
            && self.row.preorder_status.as_deref().is_none_or(|status| status == "received")
    }

    /// The day it came, in UTC: received, else bought, else added. None while a pre-order of it has yet to be
    /// received.
    #[must_use]
    pub fn acquired_on(&self) -> Option<NaiveDate> {
        let row = &self.row;
        match (row.received_at, row.preorder_status.as_deref()) {
            (Some(received), _) => Some(received.date_naive()),
            (None, None | Some("received")) => Some(row.purchase_date.unwrap_or(row.created_at.date_naive())),
            (None, Some(_)) => None,
        }
    }

    /// A piece by its own row alone, without what the catalogue and its pre-order add.
    #[must_use]
    pub const fn bare(row: OwnedItemRow) -> Self {
        Self { row, figure: None, store: None, preorder: None, pinned: None, sort_value: None }
    }

    /// What stands on its card.
    #[must_use]
    pub fn cover(&self, eyes: Eyes) -> Option<Cover> {
        Cover::of_piece(self.pinned.as_ref(), self.figure.as_ref(), eyes)
    }

    /// Where it stands in a listing of that order.
    #[must_use]
    pub fn key(&self, order: PieceOrder) -> ListKey {
        ListKey { sort: order.to_string(), value: self.sort_value.clone(), id: self.row.id }
    }

    fn read(row: &PgRow) -> sqlx::Result<Self> {
        let figure = match row.try_get::<Option<Uuid>, _>("figure_id_")? {
            Some(_) => Some(FigureSummary::read(row)?),
            None => None,
        };
        let preorder = match row.try_get::<Option<Uuid>, _>("preorder_id")? {
            Some(id) => Some(PiecePreorder {
                id,
                status: row.try_get("preorder_status_")?,
                release_date_current: row.try_get("preorder_release")?,
                release_date_precision: row.try_get("preorder_release_precision")?,
            }),
            None => None,
        };
        Ok(Self {
            // The piece's own columns come first, in the order that its row reads them in.
            row: OwnedItemRow::read(row)?,
            figure,
            store: EntityName::read(row, "shop")?,
            preorder,
            pinned: Pinned::read(row)?,
            sort_value: row.try_get("sort_value")?,
        })
    }
}

/// What pieces can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceSort {
    /// The moment it was added.
    Added,
    /// The figure's name.
    Name,
    /// The price as recorded; currencies are not converted.
    Price,
    /// The day it was bought.
    PurchaseDate,
    /// The maker's name.
    Manufacturer,
    /// The figure's first release.
    ReleaseDate,
    /// The owner's own order.
    Custom,
}

impl PieceSort {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Added, "added"),
        (Self::Name, "name"),
        (Self::Price, "price"),
        (Self::PurchaseDate, "purchase_date"),
        (Self::Manufacturer, "manufacturer"),
        (Self::ReleaseDate, "release_date"),
        (Self::Custom, "custom"),
    ];

    const fn sorted(self) -> Sorted {
        match self {
            Self::Added => Sorted::Moment("o.created_at"),
            Self::Name => Sorted::Text("f.sort_name"),
            Self::Price => Sorted::Decimal("o.price_amount"),
            Self::PurchaseDate => Sorted::Whole("(o.purchase_date - DATE '1900-01-01')::bigint"),
            Self::Manufacturer => Sorted::Text("fm.sort_name"),
            Self::ReleaseDate => Sorted::Whole("(f.release_date - DATE '1900-01-01')::bigint"),
            Self::Custom => Sorted::Whole("o.sort_order::bigint"),
        }
    }
}

/// An order of pieces: `name`, or `-name` for the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceOrder {
    /// By what.
    pub by: PieceSort,
    /// The greatest first.
    pub descending: bool,
}

impl Default for PieceOrder {
    /// The latest added first.
    fn default() -> Self {
        Self { by: PieceSort::Added, descending: true }
    }
}

impl std::str::FromStr for PieceOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (descending, word) = match text.strip_prefix('-') {
            Some(word) => (true, word),
            None => (false, text),
        };
        PieceSort::ALL
            .into_iter()
            .find(|(_, name)| *name == word)
            .map(|(by, _)| Self { by, descending })
            .ok_or(
                "sort is one of added, name, price, purchase_date, manufacturer, release_date, custom; \
             a - before it turns it round",
            )
    }
}

impl std::fmt::Display for PieceOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name =
            PieceSort::ALL.into_iter().find(|(by, _)| *by == self.by).map_or("added", |(_, name)| name);
        write!(f, "{}{name}", if self.descending { "-" } else { "" })
    }
}

/// Whether archived pieces are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Archived {
    /// They are not.
    #[default]
    No,
    /// Only they are.
    Only,
    /// All are.
    All,
}

/// How far a piece has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceState {
    /// It is here.
    Owned,
    /// Its pre-order is live.
    Preordered,
}

/// Where pieces stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocationFilter {
    /// Nowhere.
    Unshelved,
    /// There, without regard to case.
    At(String),
}

/// Which pieces to list. What is none or empty does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PieceFilter {
    /// In one of these states.
    pub conditions: Vec<Condition>,
    /// Standing there.
    pub location: Option<LocationFilter>,
    /// Of this maker: an id or a slug.
    pub manufacturer: Option<String>,
    /// Of this series: an id or a slug.
    pub series: Option<String>,
    /// From this store: an id or a slug.
    pub store: Option<String>,
    /// Words that each occur in what the catalogue says of the figure, the notes or the location.
    pub search: Option<String>,
    /// Archived ones.
    pub archived: Archived,
    /// Copies of this figure, by the id it has now.
    pub figure_id: Option<Uuid>,
    /// As far as this.
    pub state: Option<PieceState>,
    /// Leave out what is not safe for work.
    pub hide_nsfw: bool,
}

/// The tables that a past may hold, of those a piece is read from.
const READ: [&str; 2] = [PIECES, PREORDERS];

fn select(mut query: QueryBuilder<'_, Postgres>, sort: Sorted) -> QueryBuilder<'_, Postgres> {
    let own: Vec<String> = OwnedItemRow::COLUMNS.iter().map(|column| format!("o.{column}")).collect();
    query.push(format_args!(
        "SELECT {}, {}, st.id AS shop_id, st.name AS shop_name, st.slug AS shop_slug, \
         p.id AS preorder_id, p.status AS preorder_status_, p.release_date_current AS preorder_release, \
         p.release_date_precision AS preorder_release_precision, {}, {} \
         FROM owned_items AS o LEFT JOIN figures AS f ON f.id = o.figure_id {} \
         LEFT JOIN stores AS st ON st.id = o.store_id \
         LEFT JOIN preorders AS p ON p.owned_item_id = o.id",
        own.join(", "),
        FigureSummary::COLUMNS,
        Pinned::column("o"),
        sort.column(),
        FigureSummary::JOINS,
    ));
    query
}

/// One piece of a person's own; none for other people's.
///
/// # Errors
/// When the database does not answer.
pub async fn piece<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    id: PieceId,
) -> sqlx::Result<Option<Piece>> {
    let from = from.into();
    let mut query = select(from.query(&READ), PieceSort::Added.sorted());
    query.push(" WHERE o.id = ").push_bind(id.uuid()).push(" AND o.user_id = ").push_bind(user.uuid());
    query.build().fetch_optional(from.pool()).await?.as_ref().map(Piece::read).transpose()
}

/// One piece of a person's own as it is now, read on a connection of the caller's; none for other people's.
///
/// # Errors
/// When the database does not answer.
pub async fn piece_now(
    connection: &mut PgConnection,
    user: UserId,
    id: PieceId,
) -> sqlx::Result<Option<Piece>> {
    let mut query = select(QueryBuilder::new(""), PieceSort::Added.sorted());
    query.push(" WHERE o.id = ").push_bind(id.uuid()).push(" AND o.user_id = ").push_bind(user.uuid());
    query.build().fetch_optional(connection).await?.as_ref().map(Piece::read).transpose()
}

/// A person's pieces.
///
/// # Errors
/// [`ListError::Key`] for a key of another listing, else when the database does not answer.
pub async fn list<'a>(
    from: impl Into<Reading<'a>>,
    user: UserId,
    filter: &PieceFilter,
    order: PieceOrder,
    after: Option<&ListKey>,
    limit: i64,
) -> Result<Vec<Piece>, ListError> {
    let (from, sort) = (from.into(), order.by.sorted());
    let mut query = select(from.query(&READ), sort);
    query.push(" WHERE o.user_id = ").push_bind(user.uuid());
    restrict(&mut query, filter);
    if let Some(key) = after {
        if key.sort != order.to_string() {
            return Err(InvalidKey.into());
        }
        sort.after(&mut query, "o.id", order.descending, key)?;
    }
    query.push(sort.order("o.id", order.descending)).push(" LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(from.pool()).await?;
    Ok(rows.iter().map(Piece::read).collect::<sqlx::Result<_>>()?)
}

/// A person's pieces without the first `after` of them, for listings whose keys others may not see.
///
/// # Errors
/// When the database does not answer.
pub async fn list_from(
    pool: &sqlx::PgPool,
    user: UserId,
    filter: &PieceFilter,
    order: PieceOrder,
    after: u32,
    limit: i64,
) -> sqlx::Result<Vec<Piece>> {
    let sort = order.by.sorted();
    let mut query = select(QueryBuilder::new(""), sort);
    query.push(" WHERE o.user_id = ").push_bind(user.uuid());
    restrict(&mut query, filter);
    query.push(sort.order("o.id", order.descending)).push(" LIMIT ").push_bind(limit);
    query.push(" OFFSET ").push_bind(i64::from(after));
    let rows = query.build().fetch_all(pool).await?;
    rows.iter().map(Piece::read).collect()
}

fn restrict(query: &mut QueryBuilder<'_, Postgres>, filter: &PieceFilter) {
    match filter.archived {
        Archived::No => {
            query.push(" AND o.archived_at IS NULL");
        }
        Archived::Only => {
            query.push(" AND o.archived_at IS NOT NULL");
        }
        Archived::All => {}
    }
    if !filter.conditions.is_empty() {
        let words: Vec<String> = filter.conditions.iter().map(|c| c.as_str().to_owned()).collect();
        query.push(" AND o.condition = ANY(").push_bind(words).push(")");
    }
    match &filter.location {
        Some(LocationFilter::Unshelved) => {
            query.push(" AND o.location_key IS NULL");
        }
        Some(LocationFilter::At(name)) => {
            query.push(" AND o.location_key = ").push_bind(folded(name));
        }
        None => {}
    }
    if let Some(maker) = &filter.manufacturer {
        named(query, "f.manufacturer_id", EntityKind::Manufacturer, maker);
    }
    if let Some(store) = &filter.store {
        named(query, "o.store_id", EntityKind::Store, store);
    }
    if let Some(series) = &filter.series {
        query.push(" AND EXISTS (SELECT FROM figure_series AS fs WHERE fs.figure_id = o.figure_id");
        named(query, "fs.series_id", EntityKind::Series, series);
        query.push(")");
    }
    if let Some(figure) = filter.figure_id {
        query.push(" AND o.figure_id = ").push_bind(figure);
    }
    match filter.state {
        Some(PieceState::Owned) => {
            query.push(" AND (o.preorder_status IS NULL OR o.preorder_status = 'received')");
        }
        Some(PieceState::Preordered) => {
            query.push(" AND o.preorder_status NOT IN ('received', 'cancelled')");
        }
        None => {}
    }
    if filter.hide_nsfw {
        query.push(" AND f.is_nsfw IS NOT TRUE");
    }
    for pattern in patterns(filter.search.as_deref().unwrap_or_default()) {
        query.push(" AND (f.search_text LIKE ").push_bind(pattern.clone());
        query
            .push(" OR lower(normalize(concat_ws(' ', o.notes, o.location), NFKC)) LIKE ")
            .push_bind(pattern)
            .push(")");
    }
}

/// Adds `AND column is the entity of that id, slug or name`; those of merged and renamed ones lead on.
fn named(query: &mut QueryBuilder<'_, Postgres>, column: &str, kind: EntityKind, wanted: &str) {
    let table = match kind {
        EntityKind::Manufacturer => "manufacturers",
        EntityKind::Series => "series",
        EntityKind::Character => "characters",
        EntityKind::Sculptor => "sculptors",
        EntityKind::Store => "stores",
    };
    let (own, namespace, wanted) = match Uuid::parse_str(wanted) {
        Ok(id) => ("id::text", "id", id.to_string()),
        // A slug's slug is itself, so a name will do as well.
        Err(_slug) => ("slug", kind.as_str(), slugify(wanted).unwrap_or_default()),
    };
    query
        .push(format!(" AND {column} IN (SELECT e.id FROM {table} AS e WHERE e.{own} = "))
        .push_bind(wanted.clone())
        .push(format!(" UNION ALL SELECT a.entity_id FROM entity_aliases AS a WHERE a.namespace = '{namespace}' AND a.alias = "))
        .push_bind(wanted)
        .push(")");
}
