use super::*;
use crate::engine::testing::Folded;
use crate::figures::Figures;
use domain::dates::Precision;
use domain::ids::{EntityId, FigureId};
use domain::money::Currency;
use domain::stream::{Event, StreamId};
use domain::text::{Line, Name, Prose};

struct World(Folded<Figures>);

impl World {
    fn new() -> Self {
        Self(Folded::new())
    }

    fn entity(&mut self, n: u128, event: EntityEvent) {
        let stream = StreamId::Entity(EntityId(Uuid::from_u128(n)));
        self.0.fold(stream, None, Event::Entity(event));
    }

    fn named(&mut self, n: u128, kind: EntityKind, name: &str) -> EntityId {
        let entity_id = EntityId(Uuid::from_u128(n));
        let slug = name.to_lowercase();
        self.entity(n, EntityEvent::Named { entity_id, kind, name: line(name), slug, created_by: None });
        entity_id
    }

    fn figure(&mut self, n: u128, event: FigureEvent) -> Recorded {
        self.0.fold(StreamId::Figure(figure(n)), None, Event::Figure(event))
    }

    fn catalogued(&mut self, n: u128, with: impl FnOnce(&mut Entry)) {
        let mut entry = Entry {
            figure_id: figure(n),
            slug: format!("figure-{n}"),
            name: line("Hatsune Miku"),
            figure_type: Line::new("nendoroid").unwrap(),
            manufacturer_id: None,
            sculptor_id: None,
            series_ids: vec![],
            character_ids: vec![],
            details: Details::default(),
            releases: vec![],
            msrp: None,
            jan: None,
            mfc_id: None,
            is_nsfw: false,
            buy_links: vec![],
            created_by: None,
            source: None,
        };
        with(&mut entry);
        self.figure(n, FigureEvent::Catalogued(Box::new(entry)));
    }

    fn row(&self, n: u128) -> &FigureRow {
        self.0.rows.figures.get(&Uuid::from_u128(n)).unwrap()
    }

    fn series_of(&self, n: u128) -> Vec<u128> {
        let rows = self.0.rows.series.rows_where(FigureSeriesRow::figure_id, Uuid::from_u128(n));
        in_order(rows, |row| row.position).into_iter().map(|row| row.series_id.as_u128()).collect()
    }
}

fn figure(n: u128) -> FigureId {
    FigureId(Uuid::from_u128(n))
}

fn line(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn month(day: &str) -> ReleaseDate {
    ReleaseDate::new(day.parse().unwrap(), Precision::Month).unwrap()
}

#[test]
fn a_catalogued_figure_has_its_documented_columns() {
    let mut w = World::new();
    let maker = w.named(1, EntityKind::Manufacturer, "Good Smile");
    let msrp = Money::new("5800".parse().unwrap(), Currency::Jpy).unwrap();
    w.catalogued(9, |entry| {
        entry.manufacturer_id = Some(maker);
        entry.releases = vec![month("2019-01-20"), month("2021-05-01")];
        entry.msrp = Some(msrp);
        entry.jan = Some(Gtin::new("036000291452").unwrap());
    });
    let row = w.row(9);
    assert_eq!(row.manufacturer_id, Some(maker.uuid()));
    assert_eq!(row.release_date, "2019-01-01".parse().ok(), "the first announced release, its first day");
    assert_eq!(row.release_date_precision.as_deref(), Some("month"));
    assert_eq!((row.msrp_amount, row.msrp_currency.as_deref()), (Some(5800.into()), Some("JPY")));
    assert_eq!(row.gtin.as_deref(), Some("00036000291452"));
    assert_eq!(row.search_text, "hatsune miku good smile 036000291452");
    assert_eq!((row.version, row.created_at), (1, row.updated_at));
    assert_eq!(w.0.rows.releases.rows_where(ReleaseRow::figure_id, row.id).len(), 2);
}

#[test]
fn a_shorter_list_replaces_a_longer_one() {
    let mut w = World::new();
    let store = w.named(1, EntityKind::Store, "AmiAmi");
    let link = |path: &str| BuyLink { store_id: store, path: Line::new(path).unwrap() };
    w.catalogued(9, |entry| {
        entry.releases = vec![month("2019-01-01"), month("2021-05-01")];
        entry.buy_links = vec![link("/a"), link("/b")];
    });
    w.figure(9, FigureEvent::ReleasesAnnounced { releases: vec![month("2020-02-01")] });
    let last = w.figure(9, FigureEvent::BuyLinksSet { buy_links: vec![link("/b")] });
    let (row, rows) = (w.row(9), &w.0.rows);
    assert_eq!(row.release_date, "2020-02-01".parse().ok());
    assert_eq!(rows.releases.keys_where(ReleaseRow::figure_id, row.id), [(row.id, 0)]);
    assert_eq!(rows.links.rows_where(LinkRow::figure_id, row.id).first().unwrap().path, "/b");
    assert_eq!((row.version, row.updated_at), (3, last.recorded_at));
}

#[test]
fn the_first_line_of_a_description_is_searched_when_it_can_be_a_name() {
    let mut w = World::new();
    let describe = |text: &str| {
        let details = Details { description: Prose::new(text).ok(), ..Details::default() };
        FigureEvent::Described { details }
    };
    w.catalogued(9, |_| ());
    w.figure(9, describe("初音ミク\nHer first one."));
    assert_eq!(w.row(9).search_text, "hatsune miku 初音ミク");
    w.figure(9, describe(&"A long story. ".repeat(30)));
    assert_eq!(w.row(9).search_text, "hatsune miku");
}

#[test]
fn the_search_text_follows_a_renamed_series() {
    let mut w = World::new();
    let series = w.named(1, EntityKind::Series, "Vocaloid");
    w.catalogued(8, |entry| entry.series_ids = vec![series]);
    w.catalogued(9, |entry| entry.details.version_name = Line::new("Ｒａｃｉｎｇ").ok());
    let kind = EntityKind::Series;
    w.entity(1, EntityEvent::Renamed { kind, name: line("Piapro"), slug: "piapro".to_owned() });
    assert_eq!(w.row(8).search_text, "hatsune miku piapro");
    assert_eq!(w.row(9).search_text, "hatsune miku racing");
}

#[test]
fn everything_that_pointed_at_a_merged_entity_points_at_the_winner_also_what_comes_later() {
    let mut w = World::new();
    let kind = EntityKind::Series;
    let first = w.named(1, kind, "Fate");
    let second = w.named(2, kind, "Fate/stay night");
    let third = w.named(3, kind, "Fate series");
    w.catalogued(9, |entry| entry.series_ids = vec![first, second]);
    w.entity(1, EntityEvent::MergedInto { kind, winner_id: second });
    assert_eq!(w.series_of(9), [2], "once, though it had both");
    w.entity(2, EntityEvent::MergedInto { kind, winner_id: third });
    assert_eq!(w.series_of(9), [3]);
    assert_eq!(w.row(9).search_text, "hatsune miku fate series");
    let credited = FigureEvent::Credited {
        manufacturer_id: None,
        sculptor_id: None,
        series_ids: vec![first, second],
        character_ids: vec![],
    };
    w.figure(9, credited);
    assert_eq!(w.series_of(9), [3], "an event may still name those that are gone");
}

#[test]
fn a_merged_maker_sculptor_character_and_store_are_followed() {
    let mut w = World::new();
    let pair = |w: &mut World, n: u128, kind| (w.named(n, kind, "Old"), w.named(n + 1, kind, "New"));
    let (maker, new_maker) = pair(&mut w, 10, EntityKind::Manufacturer);
    let (sculptor, new_sculptor) = pair(&mut w, 20, EntityKind::Sculptor);
    let (character, new_character) = pair(&mut w, 30, EntityKind::Character);
    let (store_id, new_store) = pair(&mut w, 40, EntityKind::Store);
    w.catalogued(9, |entry| {
        entry.manufacturer_id = Some(maker);
        entry.sculptor_id = Some(sculptor);
        entry.character_ids = vec![character];
        entry.buy_links = vec![BuyLink { store_id, path: Line::new("/a").unwrap() }];
    });
    for (n, kind, winner_id) in [
        (10, EntityKind::Manufacturer, new_maker),
        (20, EntityKind::Sculptor, new_sculptor),
        (30, EntityKind::Character, new_character),
        (40, EntityKind::Store, new_store),
    ] {
        w.entity(n, EntityEvent::MergedInto { kind, winner_id });
    }
    let (row, rows) = (w.row(9), &w.0.rows);
    assert_eq!(row.manufacturer_id, Some(new_maker.uuid()));
    assert_eq!(row.sculptor_id, Some(new_sculptor.uuid()));
    let characters = rows.characters.keys_where(FigureCharacterRow::figure_id, row.id);
    assert_eq!(characters, [(row.id, new_character.uuid())]);
    assert_eq!(rows.links.get(&(row.id, 0)).unwrap().store_id, new_store.uuid());
    assert_eq!(row.search_text, "hatsune miku new new new");
}

#[test]
fn a_merged_figure_leaves_nothing_but_its_aliases() {
    let mut w = World::new();
    let series = w.named(1, EntityKind::Series, "Vocaloid");
    w.catalogued(7, |_| ());
    w.catalogued(8, |entry| {
        entry.series_ids = vec![series];
        entry.releases = vec![month("2020-01-01")];
        entry.mfc_id = Some(287);
    });
    w.catalogued(9, |_| ());
    w.figure(7, FigureEvent::MergedInto { winner_id: figure(8) });
    w.figure(8, FigureEvent::Absorbed { loser_id: figure(7), aliases: vec![figure(7)] });
    w.figure(8, FigureEvent::MergedInto { winner_id: figure(9) });
    w.figure(9, FigureEvent::Absorbed { loser_id: figure(8), aliases: vec![figure(8), figure(7)] });
    let (rows, winner) = (&w.0.rows, Uuid::from_u128(9));
    assert!(rows.figures.get(&Uuid::from_u128(8)).is_none());
    assert!(w.series_of(8).is_empty());
    assert!(rows.releases.rows_where(ReleaseRow::figure_id, Uuid::from_u128(8)).is_empty());
    for (namespace, alias) in [
        ("id", figure(7).to_string()),
        ("id", figure(8).to_string()),
        ("slug", "figure-7".to_owned()),
        ("slug", "figure-8".to_owned()),
        ("mfc", "287".to_owned()),
    ] {
        let alias = (namespace.to_owned(), alias);
        assert_eq!(rows.aliases.get(&alias).map(|row| row.figure_id), Some(winner), "{alias:?}");
    }
    assert_eq!(w.row(9).version, 2);
}

#[test]
fn an_event_of_an_unknown_figure_is_refused() {
    let mut w = World::new();
    let event = Event::Figure(FigureEvent::NsfwMarked { is_nsfw: true });
    let refused = w.0.try_fold(StreamId::Figure(figure(9)), None, event);
    assert!(matches!(refused, Err(FoldError::NoRow { table: "figures", .. })));
}
