//! Pages as they come: in other languages, with fields missing, doubled, out of order, and broken.

use super::*;
use domain::commands::CatalogueFigure;
use domain::dates::Precision;

fn read(text: &str) -> Proposal {
    let types = ["scale", "nendoroid", "prize", "other"].map(str::to_owned);
    of_html(text, None, &types, None).unwrap()
}

fn page(name: &str) -> Proposal {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/mfc");
    read(&std::fs::read_to_string(format!("{folder}/{name}.html")).unwrap())
}

fn names<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(|one| one.as_ref().to_owned()).collect()
}

fn releases(figure: &CatalogueFigure) -> Vec<(String, Precision)> {
    figure.releases.iter().map(|one| (one.date().to_string(), one.precision())).collect()
}

fn told(proposal: &Proposal) -> Vec<&'static str> {
    proposal.remarks.iter().map(|remark| remark.field).collect()
}

#[test]
fn a_page_in_french_is_read_and_a_day_that_may_be_a_month_is_not_guessed() {
    let proposal = page("item-french");
    let figure = &proposal.product.figure;
    assert_eq!(figure.mfc_id, Some(900_311));
    assert_eq!(figure.name.as_str(), "Tides of Cobalt - Oriel - 1/8 (Paper Crane)");
    assert_eq!(figure.manufacturer.as_ref().unwrap().as_str(), "Paper Crane");
    assert_eq!(figure.sculptor.as_ref().unwrap().as_str(), "Ren Kamome");
    assert_eq!(names(figure.series.iter().map(|one| one.as_str())), ["Tides of Cobalt"]);
    assert_eq!(names(figure.characters.iter().map(|one| one.as_str())), ["Choirmaster Oriel"]);
    assert_eq!(figure.msrp.unwrap().to_string(), "149.90 EUR");
    assert_eq!(figure.details.materials.as_ref().unwrap().as_str(), "PVC, ABS");
    assert_eq!(
        releases(figure),
        [("2027-03-25".to_owned(), Precision::Day), ("2029-01-01".to_owned(), Precision::Year)]
    );
    // A comma may group thousands, so nobody knows what it means here.
    assert_eq!((figure.details.height_mm, told(&proposal)), (None, vec!["height_mm"]));
}

#[test]
fn a_page_in_japanese_is_read() {
    let proposal = page("item-japanese");
    let figure = &proposal.product.figure;
    assert_eq!((figure.mfc_id, figure.is_nsfw), (Some(900_287), true));
    assert_eq!(figure.manufacturer.as_ref().unwrap().as_str(), "潮見フィギュア");
    assert_eq!(figure.sculptor.as_ref().unwrap().as_str(), "星葵");
    assert_eq!(names(figure.series.iter().map(|one| one.as_str())), ["コバルトの潮"]);
    assert_eq!(figure.details.version_name.as_ref().unwrap().as_str(), "港の水先案内人Ver.");
    assert_eq!(releases(figure), [("2027-05-01".to_owned(), Precision::Month)]);
    assert_eq!(figure.msrp.unwrap().to_string(), "19800 JPY");
    assert_eq!(figure.jan.as_ref().unwrap().as_str(), "4580590123458");
    assert_eq!((figure.details.height_mm, figure.details.scale.is_some()), (Some(240), true));
    assert_eq!(told(&proposal), Vec::<&str>::new());
}

#[test]
fn of_several_releases_each_date_is_kept_once_and_a_price_in_words_is_none() {
    let proposal = page("item-releases");
    let figure = &proposal.product.figure;
    assert_eq!(
        releases(figure),
        [
            ("2026-01-01".to_owned(), Precision::Year),
            ("2027-05-20".to_owned(), Precision::Day),
            ("2029-08-01".to_owned(), Precision::Month),
        ]
    );
    assert_eq!(figure.msrp.unwrap().to_string(), "189.99 USD");
    assert_eq!(figure.jan.as_ref().unwrap().as_str(), "4580590123458", "the one whose check digit is right");
    assert_eq!((figure.series.len(), figure.manufacturer.is_none()), (0, true), "a distributor is no maker");

    for words in ["from ¥24,800", "¥24,800~", "ask us", "sold out", "¥¥¥", "free", "12 800,00,00 ¥"] {
        let page = format!(
            "<h1>Akari</h1><link rel=canonical href=https://myfigurecollection.net/item/7>\
             <div class=data-label>Price</div><div class=data-value>{words}</div>"
        );
        assert_eq!(read(&page).product.figure.msrp, None, "{words}");
    }
}

#[test]
fn a_page_with_nothing_but_its_number_and_title_is_a_figure() {
    let proposal = page("item-bare");
    let figure = &proposal.product.figure;
    assert_eq!((figure.name.as_str(), figure.mfc_id), ("Lumen of the Tide", Some(902)));
    assert_eq!(figure.details, domain::figure::Details::default());
    assert_eq!((figure.msrp, figure.releases.len(), told(&proposal).len()), (None, 0, 0));
}

#[test]
fn broken_html_gives_what_can_be_told_and_nothing_made_up() {
    let proposal = page("item-broken");
    let figure = &proposal.product.figure;
    assert_eq!(figure.mfc_id, Some(903));
    assert!(figure.name.as_str().starts_with("Captain & Ram of the Hollow Tide"), "{:?}", figure.name);
    assert_eq!(figure.details.height_mm, Some(300));
    assert_eq!(figure.details.scale, None, "a value inside its label is none");
    assert_eq!(figure.manufacturer.as_ref().unwrap().as_str(), "Tidewater Figures");
    assert_eq!(figure.jan.as_ref().unwrap().as_str(), "4580590123458");
    assert_eq!(releases(figure), [("2027-05-01".to_owned(), Precision::Month)]);
    assert!(
        figure.msrp.is_none_or(|money| money.to_string() == "12800 JPY"),
        "what a comment says is no price"
    );
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let field = |label: &str, value: &str| {
        format!("<div><div class=data-label>{label}</div><div class=data-value>{value}</div></div>")
    };
    let mut fields = [
        field("Price", "¥12,800"),
        field("Company", "<a>Paper Crane</a>"),
        field("Releases", "<a>05/2027</a>"),
        field("Scale", "1/7 H=240mm"),
        field("Origin", "<a>Tides of Cobalt</a>"),
        "<h1>Oriel</h1>".to_owned(),
    ];
    let first = read(&fields.concat()).product.figure;
    assert!(first.msrp.is_some() && first.manufacturer.is_some() && first.details.height_mm.is_some());
    for _ in 0..fields.len() {
        fields.rotate_left(1);
        let figure = read(&fields.concat()).product.figure;
        assert_eq!(CatalogueFigure { figure_id: first.figure_id, ..figure }, first);
    }
}

#[test]
fn five_megabytes_are_read_or_given_up_and_never_in_vain() {
    let item = "<h1>Akari</h1><link rel=canonical href=https://myfigurecollection.net/item/7>";
    let text = format!("{item}<p>{}</p>", "lantern ".repeat(640_000));
    let comment = format!("{item}<!--{}-->", "-".repeat(5 << 20));
    let value = format!(
        "{item}<div class=data-label>Material</div><div class=data-value>{}</div>",
        "x ".repeat(2_600_000)
    );
    for large in [text, comment, value] {
        assert!(large.len() > 5_000_000);
        let types = ["other".to_owned()];
        match of_html(&large, None, &types, None) {
            Ok(proposal) => assert_eq!(proposal.product.figure.mfc_id, Some(7)),
            // A slow machine gives it up.
            Err(error) => assert_eq!(error, NotAPage::Tangled),
        }
    }
    let tags = format!("{item}{}", "<p>lantern".repeat(520_000));
    assert_eq!(of_html(&tags, None, &[], None), Err(NotAPage::Tangled));
}
