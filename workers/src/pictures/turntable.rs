//! A film of a scan: its frames one after the other, as an animated WebP.

use super::encode::Smaller;
use super::{Pictures, Refused, on_its_own};
use bytes::Bytes;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage, imageops};
use webp::{AnimEncoder, AnimFrame, WebPConfig};

/// The longest side of the film, in pixels.
pub const SIDE: u32 = 640;
/// How long each frame is shown, in milliseconds.
const FRAME_MS: i32 = 100;
const QUALITY: f32 = 75.0;
/// What is behind frames that are transparent or shaped otherwise than the first.
const BEHIND: image::Rgb<u8> = image::Rgb([255, 255, 255]);

/// Frames, put together as they come.
struct Film {
    size: Option<(u32, u32)>,
    frames: Vec<RgbImage>,
}

impl Pictures {
    /// Makes a film of WebP frames, as wide as high as the first. It waits for a turn among the pictures that are made,
    /// and for the memory that it takes.
    ///
    /// # Errors
    /// [`Refused`]; a frame is what [`Pictures::take`] made.
    pub async fn film(&self, frames: Vec<Bytes>) -> Result<Vec<u8>, Refused> {
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let turn = self.turn(Film::cost_mib(count).min(self.0.limits.memory_mib)).await?;
        on_its_own(move || {
            let _turn = turn;
            let mut film = Film { size: None, frames: Vec::new() };
            for frame in frames {
                film.add(&frame)?;
            }
            film.encode()
        })
        .await
    }
}

impl Film {
    /// Twice the pixels: as they are, and as the encoder holds them.
    fn cost_mib(frames: u32) -> u32 {
        let bytes = u64::from(frames.saturating_add(2)) * u64::from(SIDE * SIDE) * 8;
        u32::try_from(bytes.div_ceil(super::MIB)).unwrap_or(u32::MAX)
    }

    fn add(&mut self, frame: &[u8]) -> Result<(), Refused> {
        let pixels = image::load_from_memory_with_format(frame, ImageFormat::WebP)?;
        let frame = flat(Smaller::of(pixels, SIDE).into_pixels());
        let (width, height) = *self.size.get_or_insert((frame.width(), frame.height()));
        if (frame.width(), frame.height()) == (width, height) {
            self.frames.push(frame);
            return Ok(());
        }
        let fitted = DynamicImage::ImageRgb8(frame).resize(width, height, imageops::FilterType::Triangle);
        let mut whole = RgbImage::from_pixel(width, height, BEHIND);
        let left = i64::from(width.saturating_sub(fitted.width()) / 2);
        let top = i64::from(height.saturating_sub(fitted.height()) / 2);
        imageops::replace(&mut whole, &fitted.to_rgb8(), left, top);
        self.frames.push(whole);
        Ok(())
    }

    fn encode(self) -> Result<Vec<u8>, Refused> {
        let failed = |what: String| Refused::Damaged(format!("the film cannot be encoded: {what}"));
        let (width, height) = self.size.ok_or(Refused::Empty)?;
        let mut config = WebPConfig::new().map_err(|()| failed("libwebp has no configuration".to_owned()))?;
        config.quality = QUALITY;
        config.method = 2;
        let mut encoder = AnimEncoder::new(width, height, &config);
        encoder.set_loop_count(0);
        let mut at = 0_i32;
        for frame in &self.frames {
            encoder.add_frame(AnimFrame::from_rgb(frame, width, height, at));
            at = at.saturating_add(FRAME_MS);
        }
        encoder.try_encode().map(|film| film.to_vec()).map_err(|error| failed(format!("{error:?}")))
    }
}

fn flat(pixels: DynamicImage) -> RgbImage {
    let DynamicImage::ImageRgba8(frame) = pixels else { return pixels.into_rgb8() };
    let image::Rgb([red, green, blue]) = BEHIND;
    let mut below =
        RgbaImage::from_pixel(frame.width(), frame.height(), image::Rgba([red, green, blue, 255]));
    imageops::overlay(&mut below, &frame, 0, 0);
    DynamicImage::ImageRgba8(below).into_rgb8()
}
