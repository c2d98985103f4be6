//! Barcodes: JAN/EAN-13, EAN-8 and UPC-A, with their check digits.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A barcode whose check digit is right. Kept as its digits, 8, 12 or 13 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Gtin(String);

/// Why a barcode was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GtinError {
    /// Not 8, 12 or 13 digits.
    #[error("a barcode has 8, 12 or 13 digits")]
    Shape,
    /// The last digit does not follow from the others.
    #[error("the barcode's check digit is wrong")]
    CheckDigit,
}

impl Gtin {
    /// Reads a barcode as printed; spaces and hyphens between the digits are ignored.
    ///
    /// # Errors
    /// `Shape` or `CheckDigit`.
    pub fn new(text: &str) -> Result<Self, GtinError> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if !matches!(digits.len(), 8 | 12 | 13) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(GtinError::Shape);
        }
        // GS1: from the right, weights 1 (the check digit), 3, 1, 3, …; the sum ends in 0.
        let sum: u32 = digits
            .bytes()
            .rev()
            .zip([1_u32, 3].into_iter().cycle())
            .map(|(b, weight)| u32::from(b - b'0') * weight)
            .sum();
        if sum.is_multiple_of(10) { Ok(Self(digits)) } else { Err(GtinError::CheckDigit) }
    }

    /// The digits as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same number written with 14 digits, so that a UPC-A and its EAN-13 are one.
    pub fn normalised(&self) -> String {
        format!("{:0>14}", self.0)
    }
}

impl TryFrom<String> for Gtin {
    type Error = GtinError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<Gtin> for String {
    fn from(gtin: Gtin) -> Self {
        gtin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_codes_pass_and_wrong_check_digits_do_not() {
        for good in ["4580590123458", "96385074", "036000291452", "4 006381-333931"] {
            assert!(Gtin::new(good).is_ok(), "{good}");
        }
        assert_eq!(Gtin::new("4580590123456"), Err(GtinError::CheckDigit));
        for shape in ["", "123", "45805901234581", "458059012345a", "４５８０５９０１２３４５８"]
        {
            assert_eq!(Gtin::new(shape), Err(GtinError::Shape), "{shape}");
        }
    }

    #[test]
    fn a_upc_and_its_ean_are_one_number() {
        assert_eq!(
            Gtin::new("036000291452").unwrap().normalised(),
            Gtin::new("0036000291452").unwrap().normalised()
        );
    }
}
