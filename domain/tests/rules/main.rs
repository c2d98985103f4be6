//! The rules of every command, as given / when / then over any number of streams. No database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../runner/mod.rs"]
mod runner;

mod harness;

mod catalogue_figure;
mod edit_entity;
mod edit_figure;
mod edit_piece;
mod edit_preorder;
mod end_pieces;
mod erased;
mod freezing;
mod import_product;
mod many;
mod merge;
mod observe_market;
mod photos;
mod piece_pictures;
mod pieces;
mod place_preorder;
mod preorder_steps;
mod wishes;

use domain::refusal::Code;
use harness::Case;

/// Codes that no command of this crate gives, and why.
const ELSEWHERE: &[(Code, &str)] = &[
    (Code::UnknownCurrency, "a currency that is not one never becomes a value; told where it is read"),
    (Code::InvalidJan, "a barcode that is not one never becomes a value; told where it is read"),
    (Code::UnknownFigureType, "the list of types is an operational table; told where the command comes in"),
    (Code::ReleaseDateRequired, "a command cannot say `no date`; told where a null is read"),
];

fn every_refusal() -> Vec<Case> {
    [
        catalogue_figure::refusals(),
        edit_entity::refusals(),
        edit_figure::refusals(),
        edit_piece::refusals(),
        edit_preorder::refusals(),
        end_pieces::refusals(),
        erased::refusals(),
        import_product::refusals(),
        many::refusals(),
        merge::refusals(),
        observe_market::refusals(),
        photos::refusals(),
        piece_pictures::refusals(),
        pieces::refusals(),
        place_preorder::refusals(),
        preorder_steps::refusals(),
        wishes::refusals(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_code_of_refusal_is_given_by_some_command_or_belongs_elsewhere() {
    let produced: Vec<Code> = every_refusal().iter().filter_map(Case::produced).collect();
    for code in Code::ALL {
        let elsewhere = ELSEWHERE.iter().find(|(c, _)| c == code);
        match (produced.contains(code), elsewhere) {
            (true, None) | (false, Some(_)) => {}
            (false, None) => panic!("no command was seen to refuse with {}", code.as_str()),
            (true, Some((_, why))) => panic!("{} is given, so this is wrong: {why}", code.as_str()),
        }
    }
}

#[test]
fn codes_are_words_and_no_two_are_the_same() {
    let mut seen = std::collections::HashSet::new();
    for code in Code::ALL {
        assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code:?}");
        assert!(seen.insert(code.as_str()), "{code:?}");
    }
}
