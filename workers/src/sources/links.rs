//! Addresses in what people paste.

use domain::text::HttpUrl;
use url::Url;

const SITE: &str = "myfigurecollection.net";

/// The http and https addresses of a text, in order; what encloses one or ends its sentence is no part of it.
#[must_use]
pub fn links_in(text: &str) -> Vec<HttpUrl> {
    text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\'' | '|' | '`'))
        .filter_map(|word| {
            let begin = word.find("http://").into_iter().chain(word.find("https://")).min()?;
            let mut link = word.get(begin..)?.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_']);
            // A bracket belongs to the address only when it was opened in it: `(see https://a.example/x)`.
            for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
                while link.ends_with(close) && link.matches(close).count() > link.matches(open).count() {
                    link = link.strip_suffix(close).unwrap_or(link);
                }
            }
            HttpUrl::new(link.trim_end_matches(['.', ',', ';'])).ok()
        })
        .collect()
}

/// The number of a MyFigureCollection item, if that is what an address leads to.
#[must_use]
pub fn mfc_id_of(url: &Url) -> Option<i64> {
    // Each of the site's languages has a name of its own: `fr.myfigurecollection.net`.
    let host = url.host_str()?.to_ascii_lowercase();
    let before = host.strip_suffix(SITE)?;
    if !before.is_empty() && !before.ends_with('.') {
        return None;
    }
    let mut places = url.path_segments()?;
    let number = match (places.next()?, places.next()) {
        ("item", Some(number)) => number,
        _ => return None,
    };
    let plain = (1..=10).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let id = if plain { number.parse::<i64>().ok()? } else { return None };
    (1..=1_000_000_000).contains(&id).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_whatever_stands_around_them() {
        let text = "wanted: https://harbour.example/item/1, (see http://crane.example/p?id=2&x=(3)).\n\
                    <https://harbour.example/item/4> [name](https://harbour.example/item/5)\tjavascript:alert(1) \
                    ftp://x.example/1 https:// https://u:p@x.example/";
        let found: Vec<String> = links_in(text).into_iter().map(|url| url.as_str().to_owned()).collect();
        assert_eq!(
            found,
            [
                "https://harbour.example/item/1",
                "http://crane.example/p?id=2&x=(3)",
                "https://harbour.example/item/4",
                "https://harbour.example/item/5"
            ]
        );
    }

    #[test]
    fn an_item_of_the_site_is_known_by_its_address() {
        let id = |text: &str| mfc_id_of(&text.parse().unwrap());
        assert_eq!(id("https://myfigurecollection.net/item/287"), Some(287));
        assert_eq!(id("http://www.MyFigureCollection.net/item/287/?x=1#y"), Some(287));
        assert_eq!(id("https://fr.myfigurecollection.net/item/287"), Some(287));
        for other in [
            "https://evilmyfigurecollection.net/item/287",
            "https://myfigurecollection.net/profile/287",
            "https://myfigurecollection.net/item/0",
            "https://myfigurecollection.net/item/2a",
            "https://myfigurecollection.net/item/99999999999999999999",
            "https://myfigurecollection.net.evil.example/item/287",
            "https://elsewhere.example/item/287",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
    }
}
