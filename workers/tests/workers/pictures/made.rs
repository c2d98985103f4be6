//! Pictures for the tests, made here: a scene whose corners differ, in every format, with whatever cameras add.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Cursor;

/// The colours of the corners: top left, top right, bottom left, bottom right.
pub const CORNERS: [[u8; 3]; 4] = [[220, 30, 30], [30, 180, 30], [40, 60, 220], [240, 220, 60]];
/// What GPS and camera say, as it must not be found afterwards.
pub const SECRETS: [&str; 4] = ["Aster Camera", "Birch Lane 7", "48,51,29", "kept by nobody"];

/// A quarter of each colour.
pub fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let corner = usize::from(x * 2 >= width) + 2 * usize::from(y * 2 >= height);
        Rgb(CORNERS[corner])
    })
}

pub fn jpeg(pixels: &RgbImage, quality: u8) -> Vec<u8> {
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, quality).encode_image(pixels).unwrap();
    out
}

pub fn png(pixels: impl Into<DynamicImage>) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    pixels.into().write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

pub fn webp(pixels: &RgbImage) -> Vec<u8> {
    webp::Encoder::from_rgb(pixels, pixels.width(), pixels.height()).encode(85.0).to_vec()
}

pub fn webp_lossless(pixels: &RgbImage) -> Vec<u8> {
    webp::Encoder::from_rgb(pixels, pixels.width(), pixels.height()).encode_lossless().to_vec()
}

/// Noise that repeats, which some pack into next to nothing and others not at all.
pub fn tiled_noise(tiles: usize) -> RgbImage {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut tile = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_le_bytes()[3]
    };
    let band: Vec<u8> =
        (0..64).flat_map(|_row| (0..64 * 3).map(|_| tile()).collect::<Vec<u8>>().repeat(tiles)).collect();
    let side = u32::try_from(64 * tiles).unwrap();
    RgbImage::from_raw(side, side, band.repeat(tiles)).unwrap()
}

/// A disc that fades out, on nothing. What cannot be seen is bright green.
pub fn disc(side: u32) -> RgbaImage {
    let middle = i64::from(side) / 2;
    RgbaImage::from_fn(side, side, |x, y| {
        let (dx, dy) = (i64::from(x) - middle, i64::from(y) - middle);
        let inside = dx * dx + dy * dy < (middle - 2) * (middle - 2);
        if inside { Rgba([200, 40, 120, 255]) } else { Rgba([0, 255, 0, 0]) }
    })
}

/// EXIF: how it is turned, the camera's name, and where it was taken.
pub fn exif(orientation: u8) -> Vec<u8> {
    let text = format!("{}\0", SECRETS[0]);
    let place = format!("{}\0", SECRETS[1]);
    let mut tiff = b"MM\0*\0\0\0\x08".to_vec();
    let mut entries = Vec::new();
    let mut data = Vec::new();
    let data_at = 8 + 2 + 4 * 12 + 4 + 2 + 12 + 4;
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat()
    };
    entries.push(entry(0x010e, 2, place.len() as u32, (data_at as u32).to_be_bytes()));
    data.extend_from_slice(place.as_bytes());
    entries.push(entry(0x010f, 2, text.len() as u32, ((data_at + data.len()) as u32).to_be_bytes()));
    data.extend_from_slice(text.as_bytes());
    entries.push(entry(0x0112, 3, 1, [0, orientation, 0, 0]));
    let gps_at = 8 + 2 + 4 * 12 + 4;
    entries.push(entry(0x8825, 4, 1, (gps_at as u32).to_be_bytes()));
    tiff.extend_from_slice(&(entries.len() as u16).to_be_bytes());
    entries.iter().for_each(|entry| tiff.extend_from_slice(entry));
    tiff.extend_from_slice(&[0; 4]);
    let latitude = format!("{}\0", SECRETS[2]);
    tiff.extend_from_slice(&1_u16.to_be_bytes());
    let latitude_at = (data_at + data.len()) as u32;
    tiff.extend_from_slice(&entry(0x001b, 2, latitude.len() as u32, latitude_at.to_be_bytes()));
    tiff.extend_from_slice(&[0; 4]);
    data.extend_from_slice(latitude.as_bytes());
    tiff.extend_from_slice(&data);
    tiff
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap();
    [&[0xff, marker][..], &length.to_be_bytes(), content].concat()
}

/// Puts EXIF, XMP and a comment into a JPEG, and a second file behind its end.
pub fn with_metadata(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let exif = [b"Exif\0\0".to_vec(), exif(orientation)].concat();
    let xmp = format!("http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>{}</x:xmpmeta>", SECRETS[1]);
    let mut out = jpeg[..2].to_vec();
    out.extend(segment(0xe1, &exif));
    out.extend(segment(0xe1, xmp.as_bytes()));
    out.extend(segment(0xfe, SECRETS[3].as_bytes()));
    out.extend_from_slice(&jpeg[2..]);
    out.extend_from_slice(b"PK\x03\x04");
    out.extend_from_slice(SECRETS[3].as_bytes());
    out
}

/// The same picture as a camera held that way would have stored it: turned back, with EXIF that says so.
pub fn as_held(upright: &RgbImage, orientation: u8) -> Vec<u8> {
    let pixels = DynamicImage::ImageRgb8(upright.clone());
    let stored = match orientation {
        1 => pixels,
        2 => pixels.fliph(),
        3 => pixels.rotate180(),
        4 => pixels.flipv(),
        5 => pixels.rotate90().fliph(),
        6 => pixels.rotate270(),
        7 => pixels.rotate270().fliph(),
        8 => pixels.rotate90(),
        _ => unreachable!("there are eight"),
    };
    with_metadata(&jpeg(&stored.to_rgb8(), 95), orientation)
}

pub fn png_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut out = (content.len() as u32).to_be_bytes().to_vec();
    out.extend_from_slice(kind);
    out.extend_from_slice(content);
    let mut crc = u32::MAX;
    for byte in kind.iter().chain(content) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    out.extend_from_slice(&(!crc).to_be_bytes());
    out
}

/// Puts a chunk behind a PNG's header.
pub fn with_chunk(png: &[u8], kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&png[..33], &png_chunk(kind, content), &png[33..]].concat()
}

/// A PNG with a colour profile, which is packed in it.
pub fn png_with_profile(pixels: &RgbImage, profile: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = PngEncoder::new(&mut out);
    encoder.set_icc_profile(profile).unwrap();
    encoder.write_image(pixels.as_raw(), pixels.width(), pixels.height(), ExtendedColorType::Rgb8).unwrap();
    out
}

fn riff_chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let padding = vec![0; content.len() % 2];
    [&kind[..], &(content.len() as u32).to_le_bytes(), content, &padding].concat()
}

/// A WebP of these chunks.
pub fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let chunks: Vec<u8> = chunks.iter().flat_map(|(kind, content)| riff_chunk(kind, content)).collect();
    [b"RIFF", &((chunks.len() + 4) as u32).to_le_bytes()[..], b"WEBP", &chunks].concat()
}

/// What stands before the chunks of a WebP that has more than its picture: what that is, and its size.
pub fn canvas(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let side = |length: u32| (length - 1).to_le_bytes()[..3].to_vec();
    [vec![flags, 0, 0, 0], side(width), side(height)].concat()
}

/// The same WebP, with EXIF, XMP, and chunks that nobody knows; more behind its end.
pub fn webp_with_metadata(webp: &[u8], width: u32, height: u32) -> Vec<u8> {
    let xmp = format!("<x:xmpmeta>{}</x:xmpmeta>", SECRETS[1]);
    let kind = webp[12..16].first_chunk().unwrap();
    let length = u32::from_le_bytes(*webp[16..20].first_chunk().unwrap()) as usize;
    let mut out = riff(&[
        (b"VP8X", &canvas(0x0c, width, height)),
        (kind, &webp[20..20 + length]),
        (b"EXIF", &exif(1)),
        (b"XMP ", xmp.as_bytes()),
        (b"NOTE", SECRETS[3].as_bytes()),
    ]);
    out.extend_from_slice(b"<html><script>");
    out.extend_from_slice(SECRETS[3].as_bytes());
    out
}

/// The same PNG, with EXIF, XMP, words and a time; more behind its end.
pub fn png_with_metadata(png: &[u8]) -> Vec<u8> {
    let xmp = format!("XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>{}</x:xmpmeta>", SECRETS[1]);
    let words = format!("Comment\0{} <script>", SECRETS[3]);
    let mut out = with_chunk(png, b"eXIf", &exif(1));
    out = with_chunk(&out, b"iTXt", xmp.as_bytes());
    out = with_chunk(&out, b"tEXt", words.as_bytes());
    out.extend_from_slice(b"<html><script>");
    out.extend_from_slice(SECRETS[3].as_bytes());
    out
}

/// A PNG that announces a size and has next to nothing in it.
pub fn empty_png(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    out.extend(png_chunk(b"IHDR", &header));
    out.extend(png_chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]));
    out.extend(png_chunk(b"IEND", &[]));
    out
}

/// Puts a colour profile into a JPEG.
pub fn jpeg_with_profile(pixels: &RgbImage, profile: Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, 95);
    encoder.set_icc_profile(profile).unwrap();
    encoder.write_image(pixels.as_raw(), pixels.width(), pixels.height(), ExtendedColorType::Rgb8).unwrap();
    out
}

/// An animated WebP of two frames.
pub fn animated() -> Vec<u8> {
    let config = webp::WebPConfig::new().unwrap();
    let (first, second) = (scene(32, 32), RgbImage::new(32, 32));
    let mut encoder = webp::AnimEncoder::new(32, 32, &config);
    encoder.add_frame(webp::AnimFrame::from_rgb(&first, 32, 32, 0));
    encoder.add_frame(webp::AnimFrame::from_rgb(&second, 32, 32, 100));
    encoder.encode().to_vec()
}
