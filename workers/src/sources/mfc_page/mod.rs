//! A MyFigureCollection item page that somebody saved or copied, read as HTML. The site itself is never asked.
//!
//! Fields are pairs of a label and a value, whichever of the site's layouts they stand in. What a page does not say
//! stays empty; a page that is no item is refused.

#[cfg(test)]
mod fuzz;
mod html;
#[cfg(test)]
mod many;
mod read;
mod words;

use super::proposal::{Proposal, Unusable};
use domain::figure::FigureType;
use domain::money::rates::RateTable;

/// Most bytes of a page. The site's own have a tenth of it.
pub const LIMIT: usize = 2 << 20;

/// Why nothing can be made of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPage {
    /// It is no HTML that ends in reasonable time.
    #[error("the page is too tangled to be read")]
    Tangled,
    /// It is no item of MyFigureCollection.
    #[error(
        "this is not the page of an item on MyFigureCollection; save the item's page as HTML and send all of it"
    )]
    NotAnItem,
    /// No figure can be made of it.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// What a page proposes. It takes a while, so not where others wait.
///
/// # Errors
/// [`NotAPage`].
pub fn of_html(
    text: &str,
    figure_type: Option<FigureType>,
    types: &[String],
    rates: Option<&RateTable>,
) -> Result<Proposal, NotAPage> {
    read::proposal(&html::parse(text)?, figure_type, types, rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = include_str!("../../../fixtures/mfc/item.html");
    const OLD: &str = include_str!("../../../fixtures/mfc/item-old-layout.html");

    fn read(text: &str) -> Result<Proposal, NotAPage> {
        let types = ["scale", "nendoroid", "prize", "other"].map(str::to_owned);
        let quotes = [("USD", "1.1172"), ("HKD", "8.7063")];
        let quotes = quotes.map(|(code, rate)| (code.parse().unwrap(), rate.parse().unwrap()));
        let rates = RateTable::new("2026-10-30".parse().unwrap(), quotes).unwrap();
        of_html(text, None, &types, Some(&rates))
    }

    #[test]
    fn an_item_page_becomes_a_figure() {
        let proposal = read(NEW).unwrap();
        let figure = &proposal.product.figure;
        assert_eq!(
            figure.name.as_str(),
            "Tides of Cobalt - Mina - 1/7 - Harbour Pilot Ver. (Tidewater Figures)"
        );
        assert_eq!((figure.mfc_id, proposal.source.as_str()), (Some(900_287), "mfc:900287"));
        assert_eq!(figure.manufacturer.as_ref().unwrap().as_str(), "Tidewater Figures");
        assert_eq!(figure.sculptor.as_ref().unwrap().as_str(), "Aoi Hoshi");
        assert_eq!(figure.series[0].as_str(), "Tides of Cobalt");
        assert_eq!(
            figure.characters.iter().map(|c| c.as_str()).collect::<Vec<_>>(),
            ["Mina", "Captain Gull"]
        );
        assert_eq!(figure.details.version_name.as_ref().unwrap().as_str(), "Harbour Pilot Ver.");
        assert_eq!(figure.details.scale.as_ref().unwrap().as_str(), "1/7");
        assert_eq!(figure.details.height_mm, Some(240));
        assert_eq!(figure.details.materials.as_ref().unwrap().as_str(), "PVC, ABS");
        assert_eq!(
            figure.details.official_image_url.as_ref().unwrap().as_str(),
            "https://static.myfigurecollection.example/items/900287.jpg"
        );
        let releases: Vec<String> = figure.releases.iter().map(|r| r.date().to_string()).collect();
        assert_eq!(releases, ["2027-05-01", "2028-02-20"]);
        assert_eq!(figure.msrp.unwrap().to_string(), "19800 JPY");
        assert_eq!(figure.jan.as_ref().unwrap().as_str(), "4580590123458");
        assert_eq!((figure.is_nsfw, figure.figure_type.as_str()), (false, "scale"));
        assert_eq!(proposal.remarks, vec![]);
    }

    #[test]
    fn the_older_layout_reads_the_same_way() {
        let proposal = read(OLD).unwrap();
        let figure = &proposal.product.figure;
        assert_eq!((figure.name.as_str(), figure.mfc_id), ("Lumen of the Tide", Some(901)));
        assert_eq!(figure.manufacturer.as_ref().unwrap().as_str(), "Paper Crane");
        assert_eq!(figure.figure_type.as_str(), "prize");
        assert_eq!(figure.details.height_mm, Some(180));
        assert!(figure.is_nsfw);
        // 1280 Hong Kong dollars, which the ECB quotes.
        assert_eq!(figure.msrp.unwrap().to_string(), "164.25 USD");
        assert!(proposal.original.is_some());
    }

    #[test]
    fn a_height_is_in_millimetres_or_centimetres_or_left_out() {
        let height = |said: &str| {
            assert!(NEW.contains("H=<strong>240</strong>mm (9.36in)"));
            let proposal = read(&NEW.replace("H=<strong>240</strong>mm (9.36in)", said)).unwrap();
            let told: Vec<&str> = proposal.remarks.iter().map(|remark| remark.field).collect();
            (proposal.product.figure.details.height_mm, told)
        };
        for (said, mm) in [
            ("H=24.5cm", 245),
            ("H 24.0 cm", 240),
            ("H=240", 240),
            ("H=240.00mm", 240),
            ("Width=90mm H=240mm (9.4in)", 240),
            ("H=240, W=100", 240),
            ("H=240 W=100mm", 240),
        ] {
            assert_eq!(height(said), (Some(mm), vec![]), "{said}");
        }
        for said in ["H=9.8in", "H=9.8 in", "H=10\"", "H=1,200mm", "H=24,5cm", "H=2m"] {
            assert_eq!(height(said), (None, vec!["height_mm"]), "{said}");
        }
        for said in ["Width=90mm", "with 24 parts", "Length 240mm"] {
            assert_eq!(height(said), (None, vec![]), "{said}");
        }
    }

    #[test]
    fn what_is_no_item_is_refused() {
        for text in [
            "",
            "just a sentence",
            "\0\0\0",
            "<html><title>Sign in</title><h1>Sign in</h1></html>",
            "<h1>A shop</h1><link rel=canonical href=https://elsewhere.example/item/12>",
            "{\"id\": 12}",
        ] {
            assert_eq!(read(text), Err(NotAPage::NotAnItem), "{text}");
        }
    }

    #[test]
    fn a_hostile_page_ends() {
        let deep = format!("<h1>A</h1>{}", "<div>".repeat(200_000));
        let unclosed = format!("<h1>A</h1>{}", "<b><i><a href=x>".repeat(60_000));
        let attributes = format!("<h1 {}>A</h1>", (0..150_000).map(|n| format!("a{n} ")).collect::<String>());
        let tables = format!("<h1>A</h1>{}", "<table><td><p>".repeat(60_000));
        for text in [deep, unclosed, attributes, tables] {
            assert!(matches!(read(&text), Err(NotAPage::Tangled | NotAPage::NotAnItem)));
        }
    }

    #[test]
    fn nothing_on_a_page_is_more_than_text() {
        let page = NEW.replace("Aoi Hoshi", "<script>alert(1)</script>&lt;b&gt;Aoi&#0; Hoshi");
        let sculptor = read(&page).unwrap().product.figure.sculptor.unwrap();
        assert_eq!(sculptor.as_str(), "<b>Aoi\u{fffd} Hoshi");
        let page =
            NEW.replace("https://static.myfigurecollection.example/items/900287.jpg", "javascript:alert(1)");
        assert_eq!(read(&page).unwrap().product.figure.details.official_image_url, None);
    }
}
