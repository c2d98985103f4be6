//! Which picture stands for a piece or a figure on its card: one rule, for every card there is.

use crate::figures::summary::FigureSummary;
use domain::picture::Picture;
use serde::Deserialize;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

/// The catalogue's photo that stands for a figure, as SQL, where `$figure` is how the query calls `figures`: the
/// primary one, else the first.
macro_rules! standing_photo {
    ($figure:literal) => {
        concat!(
            "(SELECT jsonb_build_object('id', fp.id, 'picture', fp.picture) FROM figure_photos AS fp WHERE fp.figure_id = ",
            $figure,
            ".id ORDER BY fp.is_primary DESC, fp.position, fp.id LIMIT 1)"
        )
    };
}
pub(crate) use standing_photo;

/// A picture with the id of the photo or scan that it is of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Thumb {
    /// Of the photo or scan.
    pub id: Uuid,
    /// The picture.
    pub picture: Picture,
}

/// What is pinned as a piece's cover. Ask for it in a query with [`Pinned::column`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pinned {
    photo: Option<Thumb>,
    scan: Option<Thumb>,
    shared: bool,
}

impl Pinned {
    /// What to select, where `piece` is how the query calls `owned_items`.
    #[must_use]
    pub fn column(piece: &str) -> String {
        format!(
            "coalesce((SELECT jsonb_build_object('photo', jsonb_build_object('id', c.id, 'picture', c.picture), \
                 'shared', c.shared) FROM photos AS c \
                 WHERE c.id = {piece}.cover_photo_id AND c.owned_item_id = {piece}.id), \
             (SELECT jsonb_build_object('scan', jsonb_build_object('id', c.id, 'picture', c.frames -> 0), \
                 'shared', c.shared) FROM scans AS c \
                 WHERE c.id = {piece}.cover_scan_id AND c.owned_item_id = {piece}.id)) AS pinned_cover"
        )
    }

    /// What to select where a card stands for several pieces: what is pinned on the latest of them that shows such to
    /// these eyes. `pieces` is an array of their ids in the query, and `name` what the column is called.
    #[must_use]
    pub fn latest(pieces: &str, eyes: Eyes, name: &str) -> String {
        let shown = match eyes {
            Eyes::Owner => "",
            Eyes::Other => " AND (pin.pinned_cover ->> 'shared')::boolean",
        };
        format!(
            "(SELECT pin.pinned_cover FROM (SELECT o.created_at, o.id, {} FROM owned_items AS o \
                 WHERE o.id = ANY ({pieces})) AS pin \
             WHERE pin.pinned_cover IS NOT NULL{shown} ORDER BY pin.created_at DESC, pin.id DESC LIMIT 1) AS {name}",
            Self::column("o")
        )
    }

    /// Reads it from a row selected with [`column`](Self::column); none where nothing is pinned.
    ///
    /// # Errors
    /// When the column is missing or of another shape.
    pub fn read(row: &PgRow) -> sqlx::Result<Option<Self>> {
        Self::read_as(row, "pinned_cover")
    }

    /// Reads it from a row selected with [`latest`](Self::latest) under that name.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_as(row: &PgRow, name: &str) -> sqlx::Result<Option<Self>> {
        Ok(row.try_get::<Option<Json<Self>>, _>(name)?.map(|pinned| pinned.0))
    }
}

/// Who looks at a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// Its owner.
    Owner,
    /// Anybody else.
    Other,
}

/// What stands on a card. Where nothing does, a placeholder has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cover {
    /// The pinned photo of the piece.
    Photo(Thumb),
    /// The first frame of the pinned scan of the piece.
    Scan(Thumb),
    /// A photo of the catalogue.
    Catalogue(Thumb),
    /// The maker's own picture, somewhere on the web.
    Official(String),
}

impl Cover {
    /// The cover of a piece of a figure: what is pinned, for its owner and where it is shared; else what stands
    /// for the figure.
    #[must_use]
    pub fn of_piece(pinned: Option<&Pinned>, figure: Option<&FigureSummary>, eyes: Eyes) -> Option<Self> {
        let pinned = pinned.filter(|pinned| eyes == Eyes::Owner || pinned.shared);
        pinned.and_then(Self::of_pin).or_else(|| {
            figure.and_then(|figure| {
                Self::of_figure(figure.photo.as_ref(), figure.official_image_url.as_deref())
            })
        })
    }

    /// The cover of a figure: the photo that stands for it, else the maker's own picture.
    #[must_use]
    pub fn of_figure(photo: Option<&Thumb>, official_image_url: Option<&str>) -> Option<Self> {
        let official = || official_image_url.map(|url| Self::Official(url.to_owned()));
        photo.cloned().map(Self::Catalogue).or_else(official)
    }

    /// The cover of a figure for people and servers that nothing is known of. The catalogue's photos of NSFW figures
    /// need an account, so that of such it is the maker's own picture.
    #[must_use]
    pub fn for_anybody(
        photo: Option<&Thumb>,
        official_image_url: Option<&str>,
        is_nsfw: bool,
    ) -> Option<Self> {
        Self::of_figure(photo.filter(|_| !is_nsfw), official_image_url)
    }

    fn of_pin(pinned: &Pinned) -> Option<Self> {
        let photo = pinned.photo.clone().map(Self::Photo);
        photo.or_else(|| pinned.scan.clone().map(Self::Scan))
    }
}
