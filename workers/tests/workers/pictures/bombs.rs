//! Files that are small and want to become large.

use super::made;
use super::{Studio, memory};
use image::Rgb;
use moxcms::ColorProfile;
use workers::pictures::{Limits, Refused};

const MIB: usize = 1024 * 1024;

/// The same JPEG, which says that it is of another size.
fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = made::jpeg(&made::scene(16, 16), 80);
    let at = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

fn webp_of(width: u16, height: u16) -> Vec<u8> {
    let mut webp = made::webp(&made::scene(16, 16));
    assert_eq!(&webp[12..16], b"VP8 ");
    webp[26..28].copy_from_slice(&width.to_le_bytes());
    webp[28..30].copy_from_slice(&height.to_le_bytes());
    webp
}

fn lossless_webp_of(width: u32, height: u32) -> Vec<u8> {
    let mut webp = made::webp_lossless(&made::scene(16, 16));
    assert_eq!(&webp[12..16], b"VP8L");
    let sides = (width - 1) | ((height - 1) << 14);
    webp[21..25].copy_from_slice(&sides.to_le_bytes());
    webp
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused_before_anything_of_them_is_decoded() {
    let studio = Studio::new().await;
    let refused = studio.refuses(made::empty_png(40_000, 40_000)).await;
    assert!(matches!(refused, Refused::TooLong { width: 40_000, height: 40_000 }), "{refused:?}");
    for upload in [
        made::empty_png(12_001, 1),
        jpeg_of(12_001, 1),
        jpeg_of(65_535, 65_535),
        webp_of(12_001, 1),
        lossless_webp_of(16_384, 16_384),
    ] {
        let refused = studio.refuses(upload).await;
        assert!(matches!(refused, Refused::TooLong { .. }), "{refused:?}");
    }
    // Within the sides, but over a gigabyte when it is decoded and turned.
    for (upload, most) in [
        (made::empty_png(12_000, 12_000), 80),
        (jpeg_of(12_000, 12_000), 80),
        (webp_of(12_000, 12_000), 57),
        (lossless_webp_of(12_000, 12_000), 57),
    ] {
        let refused = studio.refuses(upload).await;
        let is_told =
            matches!(refused, Refused::TooManyPixels { most_megapixels, .. } if most_megapixels == most);
        assert!(is_told, "{refused:?}");
    }
    for (width, height) in [(0, 10), (10, 0), (u32::MAX, u32::MAX)] {
        studio.refuses(made::empty_png(width, height)).await;
    }
    // A canvas that is small around a picture that is not.
    let inner = webp_of(12_000, 12_000);
    let split = made::riff(&[(b"VP8X", &made::canvas(0, 16, 16)), (b"VP8 ", &inner[20..])]);
    let refused = studio.refuses(split).await;
    assert!(matches!(refused, Refused::Damaged(_)), "{refused:?}");
    let refused = studio.refuses(vec![0xff; 16 * MIB + 1]).await;
    assert!(matches!(refused, Refused::TooManyBytes(_)), "{refused:?}");
}

/// Writes a picture in a format.
type Encode = fn(&image::RgbImage) -> Vec<u8>;

#[tokio::test(flavor = "multi_thread")]
async fn each_format_is_held_to_the_memory_that_there_is() {
    // A million pixels of it take 10 MB, and 14 of a WebP.
    let small = Studio::with(Limits { memory_mib: 8, at_once: 1, most_waiting: 4 }).await;
    let (scene, fits) = (made::scene(1000, 1000), made::scene(700, 700));
    let encode: [(&str, Encode); 4] = [
        ("jpeg", |pixels| made::jpeg(pixels, 80)),
        ("png", |pixels| made::png(pixels.clone())),
        ("webp", made::webp),
        ("lossless webp", made::webp_lossless),
    ];
    for (name, encode) in encode {
        let refused = small.refuses(encode(&scene)).await;
        assert!(matches!(refused, Refused::TooManyPixels { .. }), "{name}: {refused:?}");
        small.take(encode(&fits)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_colour_profile_is_unpacked_up_to_eight_mebibytes_and_else_left_out() {
    let studio = Studio::new().await;
    let flat = image::RgbImage::from_pixel(64, 64, Rgb([150, 90, 90]));
    let seen = async |size: usize| {
        let mut profile = ColorProfile::new_display_p3().encode().unwrap();
        profile.resize(size, 0);
        let upload = made::png_with_profile(&flat, profile);
        assert!(upload.len() < MIB, "it is packed: {}", upload.len());
        let picture = studio.take(upload).await;
        studio.pixels(&picture.original).await.to_rgb8().get_pixel(30, 30).0
    };
    let wider = seen(MIB).await;
    assert!(wider[0] > 153 && wider[1] < 90, "one that is within the bounds is heeded: {wider:?}");
    // Were it unpacked it would be heeded, too: a profile may have ten.
    assert_eq!(seen(9 * MIB).await, [150, 90, 90]);
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_metadata_take_no_more_memory_than_they_may_unpacked() {
    // A profile of 64 MB, packed into 64 KB, and words like that.
    let packed = include_bytes!("../../pictures/profile.zlib");
    let profile = [&b"bomb\0\0"[..], packed].concat();
    let words = [&b"XML:com.adobe.xmp\0\x01\0\0\0"[..], packed].concat();
    let more = [&b"Raw profile type iptc\0\0"[..], packed].concat();
    let still = made::png(made::scene(64, 64));
    for (name, kind, content) in
        [("a profile", b"iCCP", profile), ("XMP", b"iTXt", words), ("IPTC", b"zTXt", more)]
    {
        let grown = memory::of_making(&made::with_chunk(&still, kind, &content)).await;
        assert!(grown < 32 * MIB, "{name}: {grown} bytes");
    }
}
