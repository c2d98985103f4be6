//! Slugs, amounts, barcodes and release dates.

use domain::dates::{DateChange, Precision, ReleaseDate};
use domain::gtin::{Gtin, GtinError};
use domain::money::{Amount, Currency, Money, MoneyError};
use domain::slug::{figure_slug, slugify};
use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

/// What every slug looks like: one word or several with one hyphen between them, in lower case.
fn looks_like_a_slug(slug: &str) -> bool {
    !slug.is_empty()
        && slug.split('-').all(|word| !word.is_empty())
        && !slug.chars().any(|c| c.is_ascii_uppercase() || c.is_whitespace() || c.is_control())
        && slug.chars().any(char::is_alphanumeric)
}

#[test]
fn every_letter_makes_a_slug_that_is_its_own_slug() {
    for c in (0..0x2_0000).filter_map(char::from_u32) {
        for name in [format!("{c}"), format!("{c}\u{301}b"), format!("a {c}")] {
            let Some(slug) = slugify(&name) else { continue };
            assert_eq!(slugify(&slug).as_deref(), Some(slug.as_str()), "U+{:04X} in {name:?}", c as u32);
        }
    }
}

fn any_release() -> impl Strategy<Value = ReleaseDate> {
    let precision = prop_oneof![Just(Precision::Day), Just(Precision::Month), Just(Precision::Year)];
    (1950_i32..=2100, 1_u32..=12, 1_u32..=28, precision).prop_map(|(y, m, d, precision)| {
        ReleaseDate::new(chrono::NaiveDate::from_ymd_opt(y, m, d).unwrap(), precision).unwrap()
    })
}

/// A barcode of one of the three lengths, made from its leading digits.
fn any_gtin() -> impl Strategy<Value = String> {
    prop_oneof![Just(7_usize), Just(11), Just(12)]
        .prop_flat_map(|length| proptest::collection::vec(0_u32..10, length))
        .prop_map(|digits| {
            let sum: u32 =
                digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 0 { d * 3 } else { *d }).sum();
            digits.iter().chain(&[(10 - sum % 10) % 10]).map(u32::to_string).collect()
        })
}

proptest! {
    #![proptest_config(crate::cases(512))]

    #[test]
    fn a_slug_is_its_own_slug(name in ".{0,120}") {
        if let Some(slug) = slugify(&name) {
            prop_assert!(looks_like_a_slug(&slug), "{slug:?}");
            let again = slugify(&slug);
            prop_assert_eq!(again.as_deref(), Some(slug.as_str()));
        }
    }

    #[test]
    fn spacing_punctuation_and_case_do_not_tell_names_apart(
        words in proptest::collection::vec("[a-z0-9あ-ん一-龯]{1,8}", 1..6),
        gaps in proptest::collection::vec("[ _:/.!~・　]{1,3}", 6),
    ) {
        let plain = words.join(" ");
        let messy: String = words.iter().zip(&gaps).map(|(word, gap)| word.to_uppercase() + gap).collect();
        prop_assert_eq!(slugify(&messy), slugify(&plain));
        prop_assert!(slugify(&plain).is_some());
    }

    #[test]
    fn figures_of_one_name_have_slugs_of_their_own(name in ".{0,40}", a in any::<u128>(), b in any::<u128>()) {
        const LOW_BITS: u128 = (1 << 50) - 1;
        prop_assume!(a & LOW_BITS != b & LOW_BITS);
        let (a, b) = (figure_slug(&name, Uuid::from_u128(a)), figure_slug(&name, Uuid::from_u128(b)));
        prop_assert!(looks_like_a_slug(&a), "{a:?}");
        prop_assert_ne!(a, b);
    }

    #[test]
    fn an_amount_reads_back_as_it_is_written(cents in 0_i64..1_000_000_000_000, zeros in 0_usize..4) {
        let decimal = Decimal::new(cents, 2);
        let amount: Amount = format!("{decimal}{}", "0".repeat(zeros)).parse().unwrap();
        prop_assert_eq!(amount.decimal(), decimal);
        let shown = amount.to_string();
        prop_assert!(!shown.contains('.') || !shown.ends_with('0'), "{shown} has no trailing zeros");
        prop_assert_eq!(shown.parse::<Amount>(), Ok(amount));
        let json = serde_json::to_string(&amount).unwrap();
        prop_assert_eq!(&json, &format!("\"{shown}\""));
        prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        prop_assert_eq!(amount.fits(Currency::Jpy), cents % 100 == 0);
        let euros = Money::new(amount, Currency::Eur).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&serde_json::to_string(&euros).unwrap()).unwrap(), euros);
        prop_assert_eq!(euros.to_string(), format!("{}.{:02} EUR", cents / 100, cents % 100));
    }

    #[test]
    fn amounts_add_and_subtract_exactly(a in 0_i64..1_000_000_000_000, b in 0_i64..1_000_000_000_000) {
        let [x, y] = [a, b].map(|cents| Amount::new(Decimal::new(cents, 2)).unwrap());
        match x.plus(y) {
            Ok(sum) => {
                prop_assert_eq!(sum.decimal(), Decimal::new(a + b, 2));
                prop_assert_eq!(sum.minus(y), Some(x));
            }
            Err(error) => {
                prop_assert_eq!(error, MoneyError::TooLarge);
                prop_assert!(a + b >= 1_000_000_000_000);
            }
        }
        prop_assert_eq!(x.minus(y).is_some(), a >= b);
        prop_assert_eq!(x < y, a < b);
    }

    #[test]
    fn text_that_is_no_plain_amount_is_never_one(text in "[-+ 0-9.,eE_]{0,14}") {
        if let Ok(amount) = text.parse::<Amount>() {
            prop_assert!(text.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit() || b == b'.'), "{text}");
            prop_assert_eq!(amount.decimal(), text.parse::<Decimal>().unwrap());
        }
    }

    #[test]
    fn any_single_wrong_digit_of_a_barcode_is_caught(code in any_gtin(), at in any::<prop::sample::Index>(), by in 1_u8..10) {
        let gtin = Gtin::new(&code).unwrap();
        prop_assert_eq!(gtin.as_str(), &code);
        prop_assert_eq!(gtin.normalised().len(), 14);
        prop_assert!(gtin.normalised().ends_with(&code));
        let mut digits = code.into_bytes();
        let at = at.index(digits.len());
        digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
        prop_assert_eq!(Gtin::new(std::str::from_utf8(&digits).unwrap()), Err(GtinError::CheckDigit));
    }

    #[test]
    fn a_later_date_seen_from_the_other_side_is_an_earlier_one(a in any_release(), b in any_release()) {
        prop_assert!(a.date() <= a.last_day());
        prop_assert_eq!(a.compare(a), DateChange::Same);
        let apart = b.date() > a.last_day();
        prop_assert_eq!(a.compare(b) == DateChange::Slipped, apart, "a slip is after all of the period");
        if apart {
            prop_assert_eq!(b.compare(a), DateChange::BroughtForward);
        }
        prop_assert_eq!(a.compare(b) == DateChange::Same, a == b);
        let json = serde_json::to_string(&a).unwrap();
        prop_assert_eq!(serde_json::from_str::<ReleaseDate>(&json).unwrap(), a);
    }
}
