//! Manufacturers, series, characters, sculptors and stores.

pub mod queries;

use crate::engine::{FoldError, Projection, row, row_set};
use chrono::{DateTime, Utc};
use domain::entity::{EntityEvent, EntityKind};
use domain::stream::{Event, Recorded, StreamId};
use domain::text::folded;
use uuid::Uuid;

/// A row that every kind has.
macro_rules! entity_row {
    ($(#[$meta:meta])* $name:ident in $table:literal $(, $column:ident: $ty:ty)?) => {
        row! {
            $(#[$meta])*
            pub struct $name in $table, key(id: Uuid) {
                name: String,
                slug: String,
                sort_name: String,
                created_by: Option<Uuid>,
                version: i64,
                created_at: DateTime<Utc>,
                updated_at: DateTime<Utc>
                $(, $column: $ty)?
            }
        }

        impl $name {
            fn rename(&mut self, name: &str, slug: &str) {
                self.name = name.to_owned();
                self.slug = slug.to_owned();
                self.sort_name = folded(name);
            }

            fn touch(&mut self, event: &Recorded) {
                self.version = event.version.0;
                self.updated_at = event.recorded_at;
            }
        }
    };
}

entity_row! {
    /// A company that makes figures.
    ManufacturerRow in "manufacturers"
}
entity_row! {
    /// An anime, game or manga.
    SeriesRow in "series", mal_id: Option<i64>
}
entity_row! {
    /// A character.
    CharacterRow in "characters"
}
entity_row! {
    /// A sculptor.
    SculptorRow in "sculptors"
}
entity_row! {
    /// A shop.
    StoreRow in "stores"
}
row! {
    /// Where an old slug or a merged id leads now.
    pub struct AliasRow in "entity_aliases", key(namespace: String, alias: String), index(entity_id) {
        entity_id: Uuid,
    }
}

row_set! {
    /// The tables of the entities.
    pub struct Rows {
        manufacturers: ManufacturerRow,
        series: SeriesRow,
        characters: CharacterRow,
        sculptors: SculptorRow,
        stores: StoreRow,
        aliases: AliasRow,
    }
}

/// The namespace of ids among the aliases.
const IDS: &str = "id";

/// The entities.
pub struct Entities;

/// Does the same with the table of whichever kind it is.
macro_rules! on_table {
    ($rows:expr, $kind:expr, $table:ident => $body:expr) => {
        match $kind {
            EntityKind::Manufacturer => {
                let $table = &mut $rows.manufacturers;
                $body
            }
            EntityKind::Series => {
                let $table = &mut $rows.series;
                $body
            }
            EntityKind::Character => {
                let $table = &mut $rows.characters;
                $body
            }
            EntityKind::Sculptor => {
                let $table = &mut $rows.sculptors;
                $body
            }
            EntityKind::Store => {
                let $table = &mut $rows.stores;
                $body
            }
        }
    };
}

impl Projection for Entities {
    const NAME: &'static str = "entities";
    const VERSION: u32 = 3;
    const DDL: &'static str = include_str!("../../../migrations/read-models/entities.sql");
    const READS: &'static [&'static str] = &["entity"];
    type Rows = Rows;

    fn fold(rows: &mut Rows, event: &Recorded) -> Result<(), FoldError> {
        let (StreamId::Entity(id), Event::Entity(change)) = (&event.stream, &event.event) else {
            return Ok(());
        };
        let id = id.uuid();
        match change {
            EntityEvent::Named { kind, name, slug, created_by, .. } => {
                let created_by = created_by.map(|user| user.uuid());
                rows.name(*kind, id, name.as_str(), slug, created_by, event);
                Ok(())
            }
            EntityEvent::Renamed { kind, name, slug } => {
                let namespace = kind.as_str().to_owned();
                let old = on_table!(rows, *kind, table => {
                    let old = table.get(&id).map(|row| row.slug.clone());
                    table.change(&id, |row| {
                        row.rename(name.as_str(), slug);
                        row.touch(event);
                    })?;
                    old
                });
                rows.aliases.remove(&(namespace.clone(), slug.clone()));
                if let Some(old) = old.filter(|old| old != slug) {
                    rows.aliases.insert(AliasRow { namespace, alias: old, entity_id: id });
                }
                Ok(())
            }
            EntityEvent::MalIdSet { mal_id } => rows.series.change(&id, |row| {
                row.mal_id = *mal_id;
                row.touch(event);
            }),
            EntityEvent::MergedInto { kind, winner_id } => {
                let winner = winner_id.uuid();
                let slug = on_table!(rows, *kind, table => {
                    let slug = table.require(&id)?.slug.clone();
                    table.remove(&id);
                    slug
                });
                for alias in rows.aliases.keys_where(AliasRow::entity_id, id) {
                    rows.aliases.change(&alias, |row| row.entity_id = winner)?;
                }
                for (namespace, alias) in [(kind.as_str(), slug), (IDS, id.to_string())] {
                    let namespace = namespace.to_owned();
                    rows.aliases.insert(AliasRow { namespace, alias, entity_id: winner });
                }
                Ok(())
            }
            EntityEvent::Absorbed { kind, .. } => {
                on_table!(rows, *kind, table => table.change(&id, |row| row.touch(event)))
            }
        }
    }
}

impl Rows {
    fn name(
        &mut self,
        kind: EntityKind,
        id: Uuid,
        name: &str,
        slug: &str,
        created_by: Option<Uuid>,
        event: &Recorded,
    ) {
        macro_rules! insert {
            ($table:ident, $row:ident $(, $column:ident: $value:expr)?) => {
                self.$table.insert($row {
                    id,
                    name: name.to_owned(),
                    slug: slug.to_owned(),
                    sort_name: folded(name),
                    created_by,
                    version: event.version.0,
                    created_at: event.recorded_at,
                    updated_at: event.recorded_at,
                    $($column: $value)?
                })
            };
        }
        match kind {
            EntityKind::Manufacturer => insert!(manufacturers, ManufacturerRow),
            EntityKind::Series => insert!(series, SeriesRow, mal_id: None),
            EntityKind::Character => insert!(characters, CharacterRow),
            EntityKind::Sculptor => insert!(sculptors, SculptorRow),
            EntityKind::Store => insert!(stores, StoreRow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::Folded;
    use domain::ids::EntityId;
    use domain::text::Name;

    fn entity(n: u128) -> EntityId {
        EntityId(Uuid::from_u128(n))
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    struct World(Folded<Entities>);

    impl World {
        fn on(&mut self, id: EntityId, event: EntityEvent) -> Recorded {
            self.0.fold(StreamId::Entity(id), None, Event::Entity(event))
        }

        fn named(&mut self, n: u128, kind: EntityKind, text: &str, slug: &str) -> EntityId {
            let entity_id = entity(n);
            let (name, slug) = (name(text), slug.to_owned());
            self.on(entity_id, EntityEvent::Named { entity_id, kind, name, slug, created_by: None });
            entity_id
        }

        fn alias(&self, namespace: &str, alias: &str) -> Option<Uuid> {
            self.0.rows.aliases.get(&(namespace.to_owned(), alias.to_owned())).map(|row| row.entity_id)
        }
    }

    fn world() -> World {
        World(Folded::new())
    }

    #[test]
    fn a_renamed_entity_still_answers_to_its_old_slug_and_forgets_it_when_it_gets_it_back() {
        let mut w = world();
        let kind = EntityKind::Series;
        let id = w.named(1, kind, "Vocaloid", "vocaloid");
        let rename =
            |text: &str, slug: &str| EntityEvent::Renamed { kind, name: name(text), slug: slug.to_owned() };
        let event = w.on(id, rename("ＶＯＣＡＬＯＩＤ 2", "vocaloid-2"));
        let row = w.0.rows.series.get(&id.uuid()).unwrap();
        assert_eq!((row.slug.as_str(), row.sort_name.as_str(), row.version), ("vocaloid-2", "vocaloid 2", 2));
        assert_eq!(row.updated_at, event.recorded_at);
        assert_eq!(w.alias("series", "vocaloid"), Some(id.uuid()));
        w.on(id, rename("Vocaloid", "vocaloid"));
        assert_eq!(w.alias("series", "vocaloid"), None);
        assert_eq!(w.alias("series", "vocaloid-2"), Some(id.uuid()));
    }

    #[test]
    fn everything_that_led_to_a_merged_entity_leads_to_the_last_winner() {
        let mut w = world();
        let kind = EntityKind::Manufacturer;
        let a = w.named(1, kind, "A", "a");
        let b = w.named(2, kind, "B", "b");
        let c = w.named(3, kind, "C", "c");
        w.on(a, EntityEvent::MergedInto { kind, winner_id: b });
        w.on(b, EntityEvent::Absorbed { kind, loser_id: a, aliases: vec![a] });
        w.on(b, EntityEvent::MergedInto { kind, winner_id: c });
        assert!(w.0.rows.manufacturers.get(&a.uuid()).is_none());
        for (namespace, alias) in [
            ("manufacturer", "a".to_owned()),
            ("manufacturer", "b".to_owned()),
            ("id", a.to_string()),
            ("id", b.to_string()),
        ] {
            assert_eq!(w.alias(namespace, &alias), Some(c.uuid()), "{namespace} {alias}");
        }
    }

    #[test]
    fn an_event_of_an_entity_that_was_never_named_is_refused() {
        let mut w = world();
        let event = EntityEvent::MalIdSet { mal_id: Some(1) };
        let refused = w.0.try_fold(StreamId::Entity(entity(9)), None, Event::Entity(event));
        assert!(matches!(refused, Err(FoldError::NoRow { table: "series", .. })));
    }
}
