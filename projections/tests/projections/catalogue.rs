//! Finding figures and entities.

use crate::support::{
    Ledger, PATIENCE, added, catalogued, entity, figure, in_collection, named, on_figure, piece, renamed,
    user,
};
use database::testing::eventually;
use domain::collection::{CollectionEvent, Cost};
use domain::dates::{Precision, ReleaseDate};
use domain::entity::{EntityEvent, EntityKind};
use domain::figure::{BuyLink, FigureEvent};
use domain::gtin::Gtin;
use domain::ids::PreorderId;
use domain::money::{Currency, Money};
use domain::preorder::{Placed, PreorderEvent, Status};
use domain::stream::{Event, StreamId};
use domain::text::Line;
use projections::entities::queries as entities;
use projections::figures::queries::{self as figures, Facets, Filter, Sort};
use projections::views::{Relation, Viewer};
use sqlx::PgPool;
use uuid::Uuid;

const ANYONE: Viewer = Viewer { user_id: None, hides_nsfw: false };

fn release(day: &str, precision: Precision) -> ReleaseDate {
    ReleaseDate::new(day.parse().unwrap(), precision).unwrap()
}

/// Makers 1 and 2, series 11 and 12, character 21, store 31, and figures 1 to 5.
async fn catalogue() -> Ledger {
    let ledger = Ledger::new().await;
    ledger
        .append(&[
            named(1, EntityKind::Manufacturer, "Good Smile Company"),
            named(2, EntityKind::Manufacturer, "Alter"),
            named(11, EntityKind::Series, "Vocaloid"),
            named(12, EntityKind::Series, "Re:Zero"),
            named(21, EntityKind::Character, "初音ミク"),
            named(31, EntityKind::Store, "AmiAmi"),
            catalogued(1, "Hatsune Miku", |entry| {
                entry.manufacturer_id = Some(entity(1));
                entry.series_ids = vec![entity(11)];
                entry.character_ids = vec![entity(21)];
                entry.details.version_name = Line::new("Racing 2019").ok();
                entry.releases =
                    vec![release("2019-10-01", Precision::Month), release("2024-03-01", Precision::Month)];
                entry.msrp = Money::new("5800".parse().unwrap(), Currency::Jpy).ok();
                entry.jan = Gtin::new("036000291452").ok();
                entry.buy_links =
                    vec![BuyLink { store_id: entity(31), path: Line::new("/detail/1").unwrap() }];
            }),
            catalogued(2, "Hatsune Miku", |entry| {
                entry.manufacturer_id = Some(entity(1));
                entry.series_ids = vec![entity(11)];
                entry.character_ids = vec![entity(21)];
                entry.details.version_name = Line::new("Racing 2016").ok();
                entry.releases = vec![release("2016-01-01", Precision::Year)];
            }),
            catalogued(3, "Rem", |entry| {
                entry.manufacturer_id = Some(entity(2));
                entry.series_ids = vec![entity(12)];
                entry.figure_type = Line::new("scale").unwrap();
                entry.releases = vec![release("2020-05-15", Precision::Day)];
                entry.msrp = Money::new("129.9".parse().unwrap(), Currency::Eur).ok();
            }),
            catalogued(4, "Ram", |entry| {
                entry.manufacturer_id = Some(entity(2));
                entry.series_ids = vec![entity(12), entity(11)];
                entry.figure_type = Line::new("scale").unwrap();
                entry.is_nsfw = true;
            }),
            catalogued(5, "Snow 50% Miku_", |entry| {
                entry.mfc_id = Some(287);
            }),
        ])
        .await;
    let projections = ledger.projections().await;
    ledger.fold_all(&projections).await;
    ledger
}

async fn found(pool: &PgPool, filter: Filter, viewer: Viewer) -> Vec<u128> {
    let page = figures::list(pool, &filter, Sort::Relevance, viewer, None, 50).await.unwrap();
    page.items.iter().map(|card| number(card.id)).collect()
}

fn number(id: Uuid) -> u128 {
    id.as_u128() & 0xffff_ffff
}

fn words(q: &str) -> Filter {
    Filter { q: Some(q.to_owned()), ..Filter::default() }
}

#[tokio::test]
async fn a_search_finds_words_of_names_makers_series_and_characters_in_spite_of_typos() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    for (q, numbers) in [
        ("miku", vec![5, 1, 2]),
        ("Ｈａｔｓｕｎｅ", vec![1, 2]),
        ("hatsnue miku", vec![1, 2]),
        ("vocalod", vec![4, 1, 2]),
        ("good smile racing", vec![1, 2]),
        ("miku 2016", vec![2]),
        ("初音", vec![1, 2]),
        ("ミク", vec![1, 2]),
        ("036000291452", vec![1]),
        ("re:zero", vec![4, 3]),
        ("miku rem", vec![]),
        ("50%", vec![5]),
        ("5_%", vec![]),
        ("   ", vec![4, 3, 5, 1, 2]),
    ] {
        let mut expected = numbers;
        let mut numbers = found(pool, words(q), ANYONE).await;
        numbers.sort_unstable();
        expected.sort_unstable();
        assert_eq!(numbers, expected, "{q}");
    }
}

#[tokio::test]
async fn the_best_answers_come_first() {
    let ledger = catalogue().await;
    let numbers = found(ledger.pool(), words("rem"), ANYONE).await;
    assert_eq!(numbers, [3], "short words are taken literally");
    let by_name = found(ledger.pool(), words("vocaloid"), ANYONE).await;
    assert_eq!(by_name, [1, 2, 4], "equally good ones by name and id");
}

#[tokio::test]
async fn filters_narrow_by_type_maker_series_character_and_month() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    let some = |text: &str| Some(text.to_owned());
    let day = |text: &str| Some(text.parse().unwrap());
    for (filter, numbers) in [
        (Filter { figure_type: some("scale"), ..Filter::default() }, vec![4, 3]),
        (Filter { manufacturer: some("good-smile-company"), ..Filter::default() }, vec![1, 2]),
        (Filter { manufacturer: some(&entity(2).to_string()), ..Filter::default() }, vec![4, 3]),
        (Filter { manufacturer: some("nobody"), ..Filter::default() }, vec![]),
        (Filter { series: some("vocaloid"), ..Filter::default() }, vec![1, 2, 4]),
        (Filter { series: some("vocaloid"), figure_type: some("scale"), ..Filter::default() }, vec![4]),
        (Filter { character: some("初音ミク"), ..Filter::default() }, vec![1, 2]),
        (Filter { released_from: day("2024-03-20"), ..Filter::default() }, vec![1]),
        (Filter { released_to: day("2016-07-01"), ..Filter::default() }, vec![2]),
        (
            Filter { released_from: day("2016-06-01"), released_to: day("2019-10-31"), ..Filter::default() },
            vec![1, 2],
        ),
        (
            Filter { released_from: day("2019-11-01"), released_to: day("2020-05-01"), ..Filter::default() },
            vec![3],
        ),
    ] {
        let mut expected = numbers;
        let mut numbers = found(pool, filter.clone(), ANYONE).await;
        numbers.sort_unstable();
        expected.sort_unstable();
        assert_eq!(numbers, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn every_order_can_be_walked_page_by_page() {
    let ledger = catalogue().await;
    for (sort, q) in
        [(Sort::Name, None), (Sort::Newest, None), (Sort::Release, None), (Sort::Relevance, Some("miku"))]
    {
        let filter = Filter { q: q.map(str::to_owned), ..Filter::default() };
        let whole = figures::list(ledger.pool(), &filter, sort, ANYONE, None, 50).await.unwrap();
        assert!(whole.next.is_none() && whole.items.len() >= 3);
        let mut walked = Vec::new();
        let mut cursor = None;
        loop {
            let page = figures::list(ledger.pool(), &filter, sort, ANYONE, cursor.as_ref(), 2).await.unwrap();
            walked.extend(page.items);
            // As it goes through an address and back.
            let Some(next) = page.next else { break };
            cursor = Some(serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap());
        }
        assert_eq!(walked, whole.items, "{sort:?}");
    }
}

#[tokio::test]
async fn who_hides_adult_figures_gets_none_listed_nor_counted_but_can_open_one() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    let hiding = Viewer { user_id: None, hides_nsfw: true };
    assert_eq!(found(pool, Filter::default(), hiding).await, [1, 2, 3, 5]);
    let facets = figures::facets(pool, &Filter::default(), hiding).await.unwrap();
    assert_eq!(facet(&facets, "type"), [("nendoroid".to_owned(), 3), ("scale".to_owned(), 1)]);
    let alter = entities::find(pool, EntityKind::Manufacturer, "alter", hiding).await.unwrap().unwrap();
    assert_eq!(alter.figure_count, 1);
    let id = figure(4).to_string();
    assert!(figures::find(pool, &id, hiding).await.unwrap().unwrap().card.is_nsfw);
}

fn facet(facets: &Facets, name: &str) -> Vec<(String, i64)> {
    let counts = |list: &[figures::EntityCount]| {
        list.iter().map(|entry| (entry.slug.clone(), entry.count)).collect::<Vec<_>>()
    };
    match name {
        "type" => facets.figure_type.iter().map(|entry| (entry.figure_type.clone(), entry.count)).collect(),
        "manufacturer" => counts(&facets.manufacturer),
        "series" => counts(&facets.series),
        _ => counts(&facets.character),
    }
}

#[tokio::test]
async fn a_facet_ignores_its_own_filter_and_obeys_the_others() {
    let ledger = catalogue().await;
    let filter = Filter {
        figure_type: Some("scale".to_owned()),
        series: Some("vocaloid".to_owned()),
        ..Filter::default()
    };
    let facets = figures::facets(ledger.pool(), &filter, ANYONE).await.unwrap();
    let counts = |pairs: &[(&str, i64)]| {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(facet(&facets, "type"), counts(&[("nendoroid", 2), ("scale", 1)]));
    assert_eq!(facet(&facets, "series"), counts(&[("re-zero", 2), ("vocaloid", 1)]));
    assert_eq!(facet(&facets, "manufacturer"), counts(&[("alter", 1)]));
    assert_eq!(facet(&facets, "character"), counts(&[]));
}

#[tokio::test]
async fn a_figure_is_shown_whole_with_amounts_as_decimal_strings() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    let miku = figures::find(pool, &figure(1).to_string(), ANYONE).await.unwrap().unwrap();
    let json = serde_json::to_value(&miku).unwrap();
    assert_eq!(json["msrp_amount"], "5800");
    assert_eq!(json["manufacturer"]["slug"], "good-smile-company");
    assert_eq!(json["series"][0]["name"], "Vocaloid");
    assert_eq!(
        (&json["release_date"], &json["release_date_precision"]),
        (&"2019-10-01".into(), &"month".into())
    );
    assert_eq!(json["releases"][1]["release_date"], "2024-03-01");
    assert_eq!(
        (&json["buy_links"][0]["path"], &json["buy_links"][0]["store"]["slug"]),
        (&"/detail/1".into(), &"amiami".into())
    );
    assert_eq!(json["marker"], serde_json::Value::Null);
    let rem = figures::find(pool, &figure(3).to_string(), ANYONE).await.unwrap().unwrap();
    assert_eq!(rem.card.msrp_amount.as_deref(), Some("129.90"));
    let same = figures::find(pool, &rem.card.slug, ANYONE).await.unwrap();
    assert_eq!(same, Some(rem));
    assert_eq!(figures::find(pool, "nothing", ANYONE).await.unwrap(), None);
}

#[tokio::test]
async fn a_barcode_finds_its_figure_however_it_is_written() {
    let ledger = catalogue().await;
    for jan in ["036000291452", "0036000291452"] {
        let found = figures::find_by_jan(ledger.pool(), &Gtin::new(jan).unwrap(), ANYONE).await.unwrap();
        assert_eq!(found.map(|figure| number(figure.card.id)), Some(1), "{jan}");
    }
    let miss = figures::find_by_jan(ledger.pool(), &Gtin::new("96385074").unwrap(), ANYONE).await.unwrap();
    assert_eq!(miss, None);
    let by_mfc = figures::find_by_mfc_id(ledger.pool(), 287, ANYONE).await.unwrap();
    assert_eq!(by_mfc.map(|figure| number(figure.card.id)), Some(5));
}

#[tokio::test]
async fn a_merged_figure_answers_as_its_winner_by_id_slug_and_barcode() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    let slug = figures::find(pool, &figure(1).to_string(), ANYONE).await.unwrap().unwrap().card.slug;
    ledger
        .append(&[
            on_figure(1, FigureEvent::MergedInto { winner_id: figure(2) }),
            on_figure(2, FigureEvent::Absorbed { loser_id: figure(1), aliases: vec![figure(1)] }),
        ])
        .await;
    ledger.fold_all(&ledger.projections().await).await;
    for name in [slug, figure(1).to_string()] {
        let found = figures::find(pool, &name, ANYONE).await.unwrap().unwrap();
        assert_eq!((number(found.card.id), found.version), (2, 2), "{name}");
    }
    let jan = Gtin::new("036000291452").unwrap();
    let found = figures::find_by_jan(pool, &jan, ANYONE).await.unwrap().unwrap();
    assert_eq!(number(found.card.id), 2);
    assert_eq!(self::found(pool, words("hatsune"), ANYONE).await, [2]);
}

#[tokio::test]
async fn a_merge_between_finding_an_id_and_reading_its_figure_leads_to_the_winner() {
    let ledger = catalogue().await;
    let (pool, jan) = (ledger.pool(), Gtin::new("036000291452").unwrap());
    for asked in ["id", "jan", "mfc"] {
        // Only reading the figure needs its sculptor: held up here, after the id was found.
        let mut merging = pool.begin().await.unwrap();
        let sql = "UPDATE figures SET mfc_id = 99 WHERE id = $1";
        sqlx::query(sql).bind(figure(1).uuid()).execute(pool).await.unwrap();
        sqlx::query("LOCK TABLE sculptors").execute(&mut *merging).await.unwrap();
        let asking = async {
            match asked {
                "id" => figures::find(pool, &figure(1).to_string(), ANYONE).await,
                "jan" => figures::find_by_jan(pool, &jan, ANYONE).await,
                _ => figures::find_by_mfc_id(pool, 99, ANYONE).await,
            }
        };
        let merge = async {
            eventually("the reading waits", async || {
                let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'sculptors'::regclass AND NOT granted)";
                sqlx::query_scalar(sql).fetch_one(&mut *merging).await.unwrap()
            })
            .await;
            for sql in [
                "DELETE FROM figures WHERE id = $1",
                "INSERT INTO figure_aliases (namespace, alias, figure_id) \
                 SELECT a.namespace, a.alias, $2 FROM (VALUES ('id', $1::text), ('gtin', '00036000291452'), \
                 ('mfc', '99')) AS a (namespace, alias) ON CONFLICT DO NOTHING",
            ] {
                let merged = sqlx::query(sql).bind(figure(1).uuid());
                let merged = if sql.contains("$2") { merged.bind(figure(2).uuid()) } else { merged };
                merged.execute(&mut *merging).await.unwrap();
            }
            merging.commit().await.unwrap();
        };
        let (found, ()) = tokio::join!(tokio::time::timeout(PATIENCE, asking), merge);
        let found = found.expect("it is found in time").unwrap().map(|figure| number(figure.card.id));
        assert_eq!(found, Some(2), "by its {asked}");
        ledger.projections().await.rebuild(&["figures"], |_| ()).await.unwrap();
    }
}

#[tokio::test]
async fn renamed_and_merged_entities_answer_to_their_old_names() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    let kind = EntityKind::Manufacturer;
    ledger
        .append(&[
            renamed(2, kind, "Alter Japan"),
            (
                StreamId::Entity(entity(2)),
                Event::Entity(EntityEvent::MergedInto { kind, winner_id: entity(1) }),
            ),
            (
                StreamId::Entity(entity(1)),
                Event::Entity(EntityEvent::Absorbed { kind, loser_id: entity(2), aliases: vec![entity(2)] }),
            ),
        ])
        .await;
    ledger.fold_all(&ledger.projections().await).await;
    for name in ["alter".to_owned(), "alter-japan".to_owned(), entity(2).to_string()] {
        let found = entities::find(pool, kind, &name, ANYONE).await.unwrap().unwrap();
        assert_eq!((found.slug.as_str(), found.figure_count), ("good-smile-company", 4), "{name}");
        let filter = Filter { manufacturer: Some(name), ..Filter::default() };
        assert_eq!(self::found(pool, filter, ANYONE).await.len(), 4);
    }
    assert_eq!(entities::find(pool, EntityKind::Series, "alter", ANYONE).await.unwrap(), None);
}

#[tokio::test]
async fn entities_are_listed_by_name_and_searched_with_typos() {
    let ledger = catalogue().await;
    let kind = EntityKind::Manufacturer;
    let list = async |q: Option<&str>, after: Option<&entities::Cursor>, limit| {
        let wanted = entities::Wanted { words: q, ..entities::Wanted::default() };
        entities::list(ledger.pool(), kind, wanted, ANYONE, after, limit).await.unwrap()
    };
    let first = list(None, None, 1).await;
    assert_eq!((first.items[0].slug.as_str(), first.items[0].figure_count), ("alter", 2));
    let second = list(None, first.next.as_ref(), 1).await;
    assert_eq!((second.items[0].slug.as_str(), second.next.is_none()), ("good-smile-company", true));
    for (q, slugs) in [
        ("smlie", vec!["good-smile-company"]),
        ("smudge", vec![]),
        ("compnay", vec!["good-smile-company"]),
        ("alt", vec!["alter"]),
    ] {
        let found = list(Some(q), None, 10).await;
        let found: Vec<&str> = found.items.iter().map(|entity| entity.slug.as_str()).collect();
        assert_eq!(found, slugs, "{q}");
    }
}

#[tokio::test]
async fn the_marker_is_the_first_of_preordered_owned_and_wished() {
    let ledger = catalogue().await;
    let pool = ledger.pool();
    let me = user(1);
    let wish = |n| {
        let event = CollectionEvent::Wished { figure_id: figure(n), target: None, note: None };
        in_collection(me, event)
    };
    let placed = |n: u128, figure_number| {
        let preorder_id = PreorderId(Uuid::from_u128((5 << 100) + n));
        let placed = Placed {
            preorder_id,
            user_id: me,
            piece_id: piece(n),
            figure_id: figure(figure_number),
            status: Status::Preordered,
            release: None,
            cost: Cost::default(),
            deposit: None,
            store_id: None,
            tracking_url: None,
            estimated_delivery_days: None,
        };
        (StreamId::Preorder(piece(n)), Event::Preorder(PreorderEvent::Placed(placed)))
    };
    let preordered = |n, figure_number| {
        let (stream, mut event) = added(me, n, figure(figure_number));
        if let Event::Collection(CollectionEvent::PieceAdded { preordered, .. }) = &mut event {
            *preordered = true;
        }
        (stream, event)
    };
    ledger
        .append(&[
            added(me, 1, figure(1)),
            preordered(2, 1),
            placed(2, 1),
            added(me, 3, figure(2)),
            wish(3),
            preordered(4, 4),
            placed(4, 4),
            added(user(2), 9, figure(5)),
        ])
        .await;
    ledger.fold_all(&ledger.projections().await).await;
    let viewer = Viewer { user_id: Some(me.uuid()), hides_nsfw: false };
    let page = figures::list(pool, &Filter::default(), Sort::Name, viewer, None, 50).await.unwrap();
    let marker = |n| page.items.iter().find(|card| number(card.id) == n).unwrap().marker;
    assert_eq!(marker(1), Some(Relation::Preordered), "though one is owned as well");
    assert_eq!(marker(2), Some(Relation::Owned));
    assert_eq!(marker(3), Some(Relation::Wished));
    assert_eq!(marker(4), Some(Relation::Preordered));
    assert_eq!(marker(5), None, "somebody else's");
    for (relation, numbers) in
        [(Relation::Preordered, vec![1, 4]), (Relation::Owned, vec![1, 2]), (Relation::Wished, vec![3])]
    {
        let filter = Filter { relation: Some(relation), ..Filter::default() };
        let mut found = self::found(pool, filter.clone(), viewer).await;
        found.sort_unstable();
        assert_eq!(found, numbers, "{relation:?}");
        assert_eq!(self::found(pool, filter, ANYONE).await, Vec::<u128>::new());
    }
}
