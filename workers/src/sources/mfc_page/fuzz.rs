//! No page makes the reading stumble, and what it gives can be saved. `PROPTEST_CASES` makes it a long run.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

const PAGES: &[&str] = &[
    include_str!("../../../fixtures/mfc/item.html"),
    include_str!("../../../fixtures/mfc/item-old-layout.html"),
    include_str!("../../../fixtures/mfc/item-french.html"),
    include_str!("../../../fixtures/mfc/item-japanese.html"),
    include_str!("../../../fixtures/mfc/item-releases.html"),
    include_str!("../../../fixtures/mfc/item-broken.html"),
];

const ODD: &[&str] = &[
    "<div class=data-label>Company</div>",
    "<div class=data-value>",
    "<a href=/entry/1>",
    "</a>",
    "<small>As <em>Manufacturer</em></small>",
    "<h1>",
    "</h1>",
    "<link rel=canonical href=https://myfigurecollection.net/item/1>",
    "<meta property=og:title content='",
    "<table>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<script>",
    "</script>",
    "<svg><title>",
    "<template>",
    "&#0;",
    "&#x110000;",
    "\0",
    "\u{202e}",
    "05/2027",
    "2027年5月",
    "31.02.2027",
    "月年日",
    "<div class=form-label>発売",
    "99/99/9999",
    "-1/0/0000",
    "¥12,800",
    "1,280 HKD",
    "99999999999999999999 JPY",
    "H=99999999999mm",
    "H=",
    "1/",
    "4580590123458",
    "18+",
];

fn read(text: &str) -> Result<(), TestCaseError> {
    if let Ok(proposal) = of_html(text, None, &["scale".to_owned(), "other".to_owned()], None) {
        let figure = &proposal.product.figure;
        prop_assert!(figure.name.as_str().chars().count() <= 300);
        prop_assert!(
            figure.series.len() <= 50 && figure.characters.len() <= 50 && figure.releases.len() <= 50
        );
        prop_assert!(figure.details.height_mm.is_none_or(|mm| (1..=10_000).contains(&mm)));
    }
    Ok(())
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_text_makes_it_stumble(text in "\\PC{0,300}") {
        read(&text)?;
    }

    #[test]
    fn no_odd_page_makes_it_stumble(parts in proptest::collection::vec(select(ODD), 0..60)) {
        read(&parts.concat())?;
        read(&format!("<h1>A</h1>{}{}", ODD[5], parts.join(" ")))?;
    }

    #[test]
    fn no_damaged_page_makes_it_stumble(
        page in select(PAGES),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..200, select(ODD)), 1..8),
    ) {
        let mut page: Vec<char> = page.chars().collect();
        for (at, length, with) in cuts {
            let at = at.index(page.len());
            let end = (at + length).min(page.len());
            page.splice(at..end, with.chars());
        }
        read(&page.into_iter().collect::<String>())?;
    }
}
