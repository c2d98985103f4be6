//! From pixels to what is kept.

use super::Refused;
use super::header::{Format, Header};
use domain::picture::{BlurHash, ImageType, LARGE_SIDE, MOST_PICTURE_BYTES, SMALL_SIDE};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::imageops;
use image::{DynamicImage, ImageEncoder, RgbaImage};

const JPEG_QUALITY: u8 = 90;
const WEBP_QUALITY: f32 = 90.0;
const SMALLER_QUALITY: f32 = 80.0;
/// Most bytes of what is kept at full size. What came packed better than it is packed here can be many times larger.
const MOST_KEPT: u64 = 2 * MOST_PICTURE_BYTES;

/// What is kept of a picture.
pub(super) struct Rendered {
    pub(super) original: Vec<u8>,
    pub(super) media_type: ImageType,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) small: Vec<u8>,
    pub(super) large: Vec<u8>,
    pub(super) blurhash: BlurHash,
}

/// Encodes it, at full size and smaller.
pub(super) fn render(pixels: DynamicImage, header: &Header) -> Result<Rendered, Refused> {
    let (width, height) = (pixels.width(), pixels.height());
    let (original, media_type) = kept(&pixels, header)?;
    let large = Smaller::of(pixels, LARGE_SIDE);
    let small = large.again(SMALL_SIDE);
    Ok(Rendered {
        original,
        media_type,
        width,
        height,
        blurhash: small.blurhash()?,
        small: small.into_webp(SMALLER_QUALITY)?,
        large: large.into_webp(SMALLER_QUALITY)?,
    })
}

/// In the format it came in, or with losses where that takes too many bytes.
fn kept(pixels: &DynamicImage, header: &Header) -> Result<(Vec<u8>, ImageType), Refused> {
    let (original, media_type) = full_size(pixels, header)?;
    if original.len() as u64 <= MOST_KEPT {
        return Ok((original, media_type));
    }
    drop(original);
    let smaller = webp(pixels, WEBP_QUALITY)?;
    match smaller.len() as u64 <= MOST_KEPT {
        true => Ok((smaller, ImageType::WebP)),
        false => Err(Refused::TooDense),
    }
}

/// In the format it came in.
fn full_size(pixels: &DynamicImage, header: &Header) -> Result<(Vec<u8>, ImageType), Refused> {
    let mut out = Vec::new();
    let (width, height, color) = (pixels.width(), pixels.height(), pixels.color().into());
    let media_type = match (header.format, header.is_lossless) {
        (Format::Jpeg, _) => {
            let encoder = JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY);
            encoder.write_image(pixels.as_bytes(), width, height, color)?;
            ImageType::Jpeg
        }
        (Format::Png, _) => {
            let encoder =
                PngEncoder::new_with_quality(&mut out, CompressionType::Default, FilterType::Adaptive);
            encoder.write_image(pixels.as_bytes(), width, height, color)?;
            ImageType::Png
        }
        (Format::WebP, true) => {
            WebPEncoder::new_lossless(&mut out).write_image(pixels.as_bytes(), width, height, color)?;
            ImageType::WebP
        }
        (Format::WebP, false) => {
            out = webp(pixels, WEBP_QUALITY)?;
            ImageType::WebP
        }
    };
    Ok((out, media_type))
}

/// With losses, which only libwebp writes.
pub(super) fn webp(pixels: &DynamicImage, quality: f32) -> Result<Vec<u8>, Refused> {
    let encoded = match pixels {
        DynamicImage::ImageRgb8(it) => {
            webp::Encoder::from_rgb(it, it.width(), it.height()).encode_simple(false, quality)
        }
        DynamicImage::ImageRgba8(it) => {
            webp::Encoder::from_rgba(it, it.width(), it.height()).encode_simple(false, quality)
        }
        other => {
            let it = other.to_rgb8();
            webp::Encoder::from_rgb(&it, it.width(), it.height()).encode_simple(false, quality)
        }
    };
    match encoded {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(error) => Err(Refused::Damaged(format!("it cannot be encoded: {error:?}"))),
    }
}

/// A picture that was made smaller. Where it is transparent its colours are weighed by how much of them shows, so that
/// hidden ones do not come out at its edges.
pub(super) struct Smaller(DynamicImage);

impl Smaller {
    /// At most `side` pixels a side; one that is smaller stays as it is.
    pub(super) fn of(mut pixels: DynamicImage, side: u32) -> Self {
        if let DynamicImage::ImageRgba8(it) = &mut pixels {
            weigh(it);
        }
        Self(pixels).again(side)
    }

    /// The same, smaller still.
    pub(super) fn again(&self, side: u32) -> Self {
        let pixels = &self.0;
        let (width, height) = fitted(pixels.width(), pixels.height(), side);
        if (width, height) == (pixels.width(), pixels.height()) {
            return Self(pixels.clone());
        }
        // First roughly, by averages, then well: the good way would take many times the picture's memory.
        let (twice_width, twice_height) = (width.saturating_mul(2), height.saturating_mul(2));
        let rough = (twice_width < pixels.width() && twice_height < pixels.height())
            .then(|| pixels.thumbnail_exact(twice_width, twice_height));
        let from = rough.as_ref().unwrap_or(pixels);
        Self(from.resize_exact(width, height, imageops::FilterType::Lanczos3))
    }

    /// Its pixels, as they are seen.
    pub(super) fn into_pixels(self) -> DynamicImage {
        match self.0 {
            DynamicImage::ImageRgba8(mut it) => {
                unweigh(&mut it);
                DynamicImage::ImageRgba8(it)
            }
            other => other,
        }
    }

    fn into_webp(self, quality: f32) -> Result<Vec<u8>, Refused> {
        webp(&self.into_pixels(), quality)
    }

    fn blurhash(&self) -> Result<BlurHash, Refused> {
        let unknown = || Refused::Damaged("it cannot be blurred".to_owned());
        let tiny = self.again(64);
        let (across, down) = if tiny.0.width() >= tiny.0.height() { (4, 3) } else { (3, 4) };
        let pixels = tiny.0.to_rgba8();
        let hash = blurhash::encode(across, down, pixels.width(), pixels.height(), &pixels);
        BlurHash::new(&hash.map_err(|_| unknown())?).map_err(|_| unknown())
    }
}

/// The sides of a picture whose longer one is at most `side`.
fn fitted(width: u32, height: u32, side: u32) -> (u32, u32) {
    let longest = u64::from(width.max(height));
    if longest <= u64::from(side) {
        return (width, height);
    }
    let scaled = |length: u32| {
        let exact = u64::from(length).saturating_mul(u64::from(side)).saturating_add(longest / 2);
        u32::try_from(exact.checked_div(longest).unwrap_or(1)).unwrap_or(side).max(1)
    };
    (scaled(width), scaled(height))
}

fn weigh(pixels: &mut RgbaImage) {
    for pixel in pixels.pixels_mut() {
        let [red, green, blue, alpha] = &mut pixel.0;
        if *alpha == u8::MAX {
            continue;
        }
        for color in [red, green, blue] {
            let weighed = (u32::from(*color) * u32::from(*alpha) + 127) / 255;
            *color = u8::try_from(weighed).unwrap_or(u8::MAX);
        }
    }
}

fn unweigh(pixels: &mut RgbaImage) {
    for pixel in pixels.pixels_mut() {
        let [red, green, blue, alpha] = &mut pixel.0;
        if matches!(*alpha, 0 | u8::MAX) {
            continue;
        }
        let alpha = u32::from(*alpha);
        for color in [red, green, blue] {
            let seen = (u32::from(*color) * 255 + alpha / 2) / alpha;
            *color = u8::try_from(seen).unwrap_or(u8::MAX);
        }
    }
}
