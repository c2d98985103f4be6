//! What a file says of itself before anything of it is decoded.
//!
//! A few hundred bytes can announce a picture of gigabytes, so that nothing is decoded before its size is known. The
//! decoders are held to what was read here.

use super::Refused;
use domain::picture::LONGEST_SIDE;
use std::fmt;

/// More scans than that no camera writes; each costs a pass over the whole picture.
const MOST_SCANS: u32 = 100;

/// The three kinds of pictures that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
}

/// What is known of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: Format,
    pub(super) width: u32,
    pub(super) height: u32,
    /// More than eight bits for each colour.
    pub(super) is_deep: bool,
    /// A WebP without losses.
    pub(super) is_lossless: bool,
}

/// What a file that is refused seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedLike(&'static str);

impl fmt::Display for LookedLike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Header {
    /// Reads it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let header = match bytes {
            [] => return Err(Refused::Empty),
            [0xff, 0xd8, 0xff, ..] => jpeg(bytes)?,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => png(bytes)?,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => webp(bytes)?,
            _ => return Err(Refused::NotAPicture(looks_like(bytes))),
        };
        let (width, height) = (header.width, header.height);
        if width == 0 || height == 0 {
            return Err(Refused::Damaged("it has no pixels".to_owned()));
        }
        if width > LONGEST_SIDE || height > LONGEST_SIDE {
            return Err(Refused::TooLong { width, height });
        }
        Ok(header)
    }

    /// How much memory making it takes at most, for each pixel: decoded, turned, and encoded again.
    pub(super) const fn bytes_per_pixel(&self) -> u64 {
        match (self.format, self.is_deep) {
            (Format::WebP, _) | (_, true) => 14,
            _ => 10,
        }
    }

    /// How many bytes of memory making it takes at most.
    pub(super) fn price(&self) -> u64 {
        let pixels = u64::from(self.width).saturating_mul(u64::from(self.height));
        pixels.saturating_mul(self.bytes_per_pixel())
    }
}

fn looks_like(bytes: &[u8]) -> Option<LookedLike> {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let text = String::from_utf8_lossy(start).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let brand = bytes.get(8..12).unwrap_or_default();
    let what = match start {
        [b'G', b'I', b'F', b'8', ..] => "a GIF",
        [b'%', b'P', b'D', b'F', ..] => "a PDF",
        [b'B', b'M', ..] => "a BMP",
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "a TIFF or a camera's raw file",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [0xff, 0x0a, ..] | [0, 0, 0, 0x0c, b'J', b'X', b'L', b' ', ..] => "a JPEG XL",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] if brand.starts_with(b"avi") => "an AVIF",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] if brand.starts_with(b"he") || brand == b"mif1" => {
            "a HEIC; have the phone save JPEG"
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a film",
        _ if text.contains("<svg") => "an SVG",
        _ if text.starts_with('<') => "a page",
        _ => return None,
    };
    Some(LookedLike(what))
}

fn damaged(what: &str) -> Refused {
    Refused::Damaged(what.to_owned())
}

fn u16_be(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|two| u32::from(u16::from_be_bytes(*two)))
}

fn u32_be(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn u32_le(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn u24_le(bytes: &[u8], at: usize) -> Option<u32> {
    let three = bytes.get(at..)?.first_chunk::<3>()?;
    Some(u32::from_le_bytes([three[0], three[1], three[2], 0]))
}

/// Walks over the segments up to the end of the picture. What stands behind it (some cameras put films there) is left
/// out like all else that is not the picture.
fn jpeg(bytes: &[u8]) -> Result<Header, Refused> {
    let mut at = 2_usize;
    let mut size = None;
    let mut scans = 0_u32;
    loop {
        let marker = match bytes.get(at..) {
            Some([0xff, 0xff, ..]) => {
                at = at.saturating_add(1);
                continue;
            }
            Some([0xff, marker, ..]) => *marker,
            Some([_, _, ..]) => return Err(damaged("a segment does not begin where the one before ends")),
            _ => return Err(Refused::CutOff),
        };
        at = at.saturating_add(2);
        match marker {
            0xd9 => break,
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let length = u16_be(bytes, at).ok_or(Refused::CutOff)?;
        if length < 2 {
            return Err(damaged("a segment has no length"));
        }
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            let height = u16_be(bytes, at.saturating_add(3)).ok_or(Refused::CutOff)?;
            let width = u16_be(bytes, at.saturating_add(5)).ok_or(Refused::CutOff)?;
            if size.replace((width, height)).is_some() {
                return Err(damaged("it says its size twice"));
            }
            if !matches!(marker, 0xc0..=0xc2) {
                return Err(Refused::Unsupported("lossless, arithmetic or hierarchical JPEG".to_owned()));
            }
        }
        at = at.saturating_add(length as usize);
        if marker == 0xda {
            scans = scans.saturating_add(1);
            if scans > MOST_SCANS {
                return Err(damaged("it has too many scans"));
            }
            at = end_of_scan(bytes, at).ok_or(Refused::CutOff)?;
        }
    }
    match size {
        Some((width, height)) if scans > 0 => {
            Ok(Header { format: Format::Jpeg, width, height, is_deep: false, is_lossless: false })
        }
        _ => Err(damaged("it has no picture in it")),
    }
}

/// Where the next marker stands that does not belong to the scan.
fn end_of_scan(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let next = rest.iter().position(|byte| *byte == 0xff)?;
        at = at.saturating_add(next);
        match bytes.get(at.saturating_add(1))? {
            0x00 | 0xd0..=0xd7 => at = at.saturating_add(2),
            0xff => at = at.saturating_add(1),
            _ => return Some(at),
        }
    }
}

fn png(bytes: &[u8]) -> Result<Header, Refused> {
    let mut at = 8_usize;
    let mut header = None;
    let mut has_data = false;
    loop {
        let length = u32_be(bytes, at).ok_or(Refused::CutOff)? as usize;
        let kind = bytes.get(at.saturating_add(4)..at.saturating_add(8)).ok_or(Refused::CutOff)?;
        let data = at.saturating_add(8);
        let end = data.saturating_add(length).saturating_add(4);
        if end > bytes.len() {
            return Err(Refused::CutOff);
        }
        match kind {
            b"IHDR" if header.is_none() && at == 8 && length == 13 => {
                let (width, height) = (u32_be(bytes, data), u32_be(bytes, data.saturating_add(4)));
                let depth = bytes.get(data.saturating_add(8));
                if let (Some(width), Some(height), Some(depth)) = (width, height, depth) {
                    let is_deep = *depth > 8;
                    header = Some(Header { format: Format::Png, width, height, is_deep, is_lossless: true });
                }
            }
            b"acTL" => return Err(Refused::Animated),
            b"IDAT" => has_data = true,
            b"IEND" => break,
            _ => {}
        }
        if header.is_none() {
            return Err(damaged("it does not begin with its size"));
        }
        at = end;
    }
    header.filter(|_| has_data).ok_or_else(|| damaged("it has no picture in it"))
}

fn webp(bytes: &[u8]) -> Result<Header, Refused> {
    let announced = u32_le(bytes, 4).ok_or(Refused::CutOff)? as usize;
    let end = announced.saturating_add(8);
    if end > bytes.len() {
        return Err(Refused::CutOff);
    }
    let mut at = 12_usize;
    let mut canvas = None;
    while at < end {
        let kind = bytes.get(at..at.saturating_add(4)).ok_or(Refused::CutOff)?;
        let length = u32_le(bytes, at.saturating_add(4)).ok_or(Refused::CutOff)? as usize;
        let data = at.saturating_add(8);
        if data.saturating_add(length) > end {
            return Err(Refused::CutOff);
        }
        let found = match kind {
            b"ANIM" | b"ANMF" => return Err(Refused::Animated),
            b"VP8X" => {
                if bytes.get(data).is_some_and(|flags| flags & 0x02 != 0) {
                    return Err(Refused::Animated);
                }
                let sides = (u24_le(bytes, data.saturating_add(4)), u24_le(bytes, data.saturating_add(7)));
                if let (Some(width), Some(height)) = sides {
                    canvas = Some((width.saturating_add(1), height.saturating_add(1)));
                }
                None
            }
            b"VP8 " => {
                let sides = u32_le(bytes, data.saturating_add(6)).ok_or(Refused::CutOff)?;
                Some((sides & 0x3fff, (sides >> 16) & 0x3fff, false))
            }
            b"VP8L" => {
                let bits = u32_le(bytes, data.saturating_add(1)).ok_or(Refused::CutOff)?;
                let side = |bits: u32| (bits & 0x3fff).saturating_add(1);
                Some((side(bits), side(bits >> 14), true))
            }
            _ => None,
        };
        if let Some((width, height, is_lossless)) = found {
            if canvas.is_some_and(|canvas| canvas != (width, height)) {
                return Err(damaged("it says two sizes"));
            }
            return Ok(Header { format: Format::WebP, width, height, is_deep: false, is_lossless });
        }
        at = data.saturating_add(length).saturating_add(length % 2);
    }
    Err(damaged("it has no picture in it"))
}
