//! From the bytes of a picture to its pixels: upright, in sRGB, eight bits for each colour.

use super::Refused;
use super::header::{Format, Header};
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, Limits};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use std::io::Cursor;

impl From<ImageError> for Refused {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unsupported(error) => Self::Unsupported(error.to_string()),
            ImageError::Limits(_) => Self::Damaged("it takes more memory than its size allows".to_owned()),
            ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Self::CutOff,
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// How many bytes the metadata of a picture may have when they are unpacked.
const METADATA: u64 = 8 * super::MIB;

/// Decodes it, turned as its metadata says.
pub(super) fn decode(bytes: &[u8], header: &Header) -> Result<DynamicImage, Refused> {
    let reader = Cursor::new(bytes);
    let limits = limits(header);
    let (mut pixels, orientation, profile) = match header.format {
        Format::Jpeg => read(JpegDecoder::new(reader)?, header, limits),
        // Its metadata are compressed and unpacked at once, so that the limits have to stand before.
        Format::Png => read(PngDecoder::with_limits(reader, limits.clone())?, header, limits),
        Format::WebP => read(WebPDecoder::new(reader)?, header, limits),
    }?;
    if let Some(profile) = profile {
        pixels = into_srgb(pixels, &profile);
    }
    pixels.apply_orientation(orientation);
    Ok(pixels)
}

type Read = (DynamicImage, Orientation, Option<Vec<u8>>);

fn limits(header: &Header) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(header.width);
    limits.max_image_height = Some(header.height);
    limits.max_alloc = Some(header.price().saturating_add(METADATA));
    limits
}

fn read(mut decoder: impl ImageDecoder, header: &Header, limits: Limits) -> Result<Read, Refused> {
    if decoder.dimensions() != (header.width, header.height) {
        return Err(Refused::Damaged("it says two sizes".to_owned()));
    }
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default();
    let pixels = DynamicImage::from_decoder(decoder)?;
    Ok((eight_bits(pixels), orientation, profile))
}

fn eight_bits(pixels: DynamicImage) -> DynamicImage {
    match pixels.color() {
        ColorType::L8 | ColorType::Rgb8 | ColorType::Rgba8 => pixels,
        ColorType::L16 => pixels.into_luma8().into(),
        ColorType::Rgb16 | ColorType::Rgb32F => pixels.into_rgb8().into(),
        _ => pixels.into_rgba8().into(),
    }
}

/// Browsers take a picture without a profile for sRGB, so that it has to be. A profile that makes no sense is left out.
fn into_srgb(mut pixels: DynamicImage, profile: &[u8]) -> DynamicImage {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return pixels };
    if profile.color_space != DataColorSpace::Rgb {
        return pixels;
    }
    let width = pixels.width() as usize;
    let (layout, samples, channels) = match &mut pixels {
        DynamicImage::ImageRgb8(pixels) => (Layout::Rgb, &mut **pixels, 3),
        DynamicImage::ImageRgba8(pixels) => (Layout::Rgba, &mut **pixels, 4),
        _ => return pixels,
    };
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) = profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default())
    else {
        return pixels;
    };
    let mut before = vec![0; width.saturating_mul(channels)];
    for row in samples.chunks_exact_mut(before.len().max(1)) {
        before.copy_from_slice(row);
        if transform.transform(&before, row).is_err() {
            row.copy_from_slice(&before);
        }
    }
    pixels
}
