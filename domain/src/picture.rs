//! Pictures and documents: what an event says of a stored file. The bytes lie elsewhere, under their content's name.

use crate::ids::{PhotoId, ScanId};
use crate::text::Line;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::str::FromStr;
use thiserror::Error;

/// The most bytes of an uploaded picture: 16 MiB.
pub const MOST_PICTURE_BYTES: u64 = 16 * 1024 * 1024;

/// The most bytes of a document: 10 MB.
pub const MOST_DOCUMENT_BYTES: u64 = 10_000_000;

/// The longest side of a picture, in pixels.
pub const LONGEST_SIDE: u32 = 12_000;

/// The longest side of a picture's small rendering, in pixels.
pub const SMALL_SIDE: u32 = 320;

/// The longest side of a picture's large rendering, in pixels.
pub const LARGE_SIDE: u32 = 960;

/// The most photos of one piece.
pub const MOST_PHOTOS_OF_A_PIECE: usize = 200;

/// The most photos of one catalogue entry.
pub const MOST_PHOTOS_OF_A_FIGURE: usize = 100;

/// The most photos of one catalogue entry from one person who may not edit it.
pub const MOST_PHOTOS_OF_A_FIGURE_BY_ONE: usize = 20;

/// The most turntable scans of one piece.
pub const MOST_SCANS: usize = 20;

/// The most frames of one turntable scan.
pub const MOST_FRAMES: usize = 96;

/// The most documents of one piece.
pub const MOST_DOCUMENTS: usize = 50;

/// Where a file lies: the SHA-256 of its bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobKey([u8; 32]);

/// A text that is no blob key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a blob's key is 64 lower-case hexadecimal digits")]
pub struct NoBlobKey;

impl BlobKey {
    /// The key of bytes with this SHA-256 digest.
    pub const fn of_digest(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// The SHA-256 digest of the bytes.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Display for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for BlobKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlobKey {
    type Err = NoBlobKey;

    fn from_str(text: &str) -> Result<Self, NoBlobKey> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NoBlobKey),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut digest = [0; 32];
        if pairs.len() != digest.len() || !rest.is_empty() {
            return Err(NoBlobKey);
        }
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(digest))
    }
}

impl TryFrom<String> for BlobKey {
    type Error = NoBlobKey;
    fn try_from(text: String) -> Result<Self, NoBlobKey> {
        text.parse()
    }
}

impl From<BlobKey> for String {
    fn from(key: BlobKey) -> Self {
        key.to_string()
    }
}

macro_rules! media_types {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal, $ending:literal);* $(;)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The media type, as stored and sent.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// How a file of this type is named, without the dot.
            pub const fn ending(self) -> &'static str {
                match self { $(Self::$variant => $ending,)* }
            }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(s: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|t| t.as_str() == s).ok_or(())
            }
        }
    };
}

media_types! {
    /// What a kept picture is.
    ImageType {
        /// JPEG.
        Jpeg = "image/jpeg", "jpg";
        /// PNG.
        Png = "image/png", "png";
        /// WebP.
        WebP = "image/webp", "webp";
    }
}

media_types! {
    /// What a kept document is.
    DocumentType {
        /// PDF.
        Pdf = "application/pdf", "pdf";
        /// JPEG.
        Jpeg = "image/jpeg", "jpg";
        /// PNG.
        Png = "image/png", "png";
        /// WebP.
        WebP = "image/webp", "webp";
    }
}

/// A blurred stand-in of a picture for the first paint, in the form of <https://blurha.sh>.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlurHash(Box<str>);

/// A text that is no blur-hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text is no blur-hash")]
pub struct NoBlurHash;

impl BlurHash {
    /// Checks that the digits are those of base 83 and as many as the first of them says.
    ///
    /// # Errors
    /// `NoBlurHash`.
    pub fn new(text: &str) -> Result<Self, NoBlurHash> {
        const DIGITS: &[u8] =
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
        let digit = |byte: &u8| DIGITS.iter().position(|d| d == byte).ok_or(NoBlurHash);
        let first = digit(text.as_bytes().first().ok_or(NoBlurHash)?)?;
        let components = (first % 9 + 1) * (first / 9 + 1);
        if first >= 81 || text.len() != 4 + 2 * components {
            return Err(NoBlurHash);
        }
        text.as_bytes().iter().try_for_each(|byte| digit(byte).map(|_| ()))?;
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BlurHash {
    type Error = NoBlurHash;
    fn try_from(text: String) -> Result<Self, NoBlurHash> {
        Self::new(&text)
    }
}

impl From<BlurHash> for String {
    fn from(hash: BlurHash) -> Self {
        hash.0.into()
    }
}

/// A picture as it is kept: re-encoded, upright, without metadata, with two smaller renderings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The picture at its full size.
    pub original: BlobKey,
    /// What the picture at its full size is; the smaller ones are WebP.
    pub media_type: ImageType,
    /// How many bytes the picture has at its full size.
    pub bytes: u32,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// WebP, at most `SMALL_SIDE` pixels a side.
    pub small: BlobKey,
    /// WebP, at most `LARGE_SIDE` pixels a side.
    pub large: BlobKey,
    /// Its blurred stand-in.
    pub blurhash: BlurHash,
}

impl Picture {
    /// Every blob it names; one may come twice.
    pub const fn blobs(&self) -> [BlobKey; 3] {
        [self.original, self.small, self.large]
    }
}

/// What tells the frames of a scan from any others: the SHA-256 of the keys of their originals, in their order.
pub fn frames_digest(frames: &[Picture]) -> BlobKey {
    let hash = frames.iter().fold(Sha256::new(), |hash, frame| hash.chain_update(frame.original.digest()));
    BlobKey::of_digest(hash.finalize().into())
}

/// A document as it is kept: exactly the bytes that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDocument {
    /// Where it lies.
    pub blob: BlobKey,
    /// What it is, told by its bytes.
    pub media_type: DocumentType,
    /// How many bytes it has.
    pub bytes: u32,
    /// What its owner calls it.
    pub name: Line<200>,
}

/// A photo with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPhoto {
    /// The photo.
    pub photo_id: PhotoId,
    /// The picture.
    pub picture: Picture,
}

/// What stands for a piece on its card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cover {
    /// A photo of the piece.
    PhotoId(PhotoId),
    /// The first frame of a scan of the piece.
    ScanId(ScanId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_key_is_its_digest_in_lower_case_and_nothing_else() {
        let text = "00ff".repeat(16);
        let key: BlobKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(serde_json::to_string(&key).unwrap(), format!("\"{text}\""));
        for bad in
            ["", "00", &"0".repeat(63), &"0".repeat(65), &"0".repeat(66), &"A".repeat(64), &"g".repeat(64)]
        {
            assert_eq!(bad.parse::<BlobKey>(), Err(NoBlobKey), "{bad}");
        }
        assert!(serde_json::from_str::<BlobKey>("\"../../etc/passwd\"").is_err());
    }

    #[test]
    fn a_blur_hash_is_as_long_as_its_first_digit_says() {
        assert!(BlurHash::new("LEHV6nWB2yk8pyo0adR*.7kCMdnj").is_ok());
        for bad in ["", "L", "LEHV6nWB2yk8pyo0adR*.7kCMdn", "LEHV6nWB2yk8pyo0adR*.7kCMdn\"", "~~~~~~"] {
            assert_eq!(BlurHash::new(bad), Err(NoBlurHash), "{bad}");
        }
    }
}
