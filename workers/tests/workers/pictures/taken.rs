//! What is kept of pictures that are taken.

use super::made::{self, CORNERS, SECRETS};
use super::{Studio, show};
use domain::ids::UserId;
use domain::picture::{ImageType, LARGE_SIDE, MOST_PICTURE_BYTES, SMALL_SIDE};
use image::{DynamicImage, ImageBuffer, Rgb, Rgba};
use moxcms::ColorProfile;
use uuid::Uuid;
use workers::pictures::Limits;

/// Whether the corners have the colours of the scene.
fn is_the_scene(pixels: &DynamicImage, tolerance: u8) -> bool {
    let pixels = pixels.to_rgb8();
    let (right, bottom) = (pixels.width() - 1, pixels.height() - 1);
    let at = |x: u32, y: u32| pixels.get_pixel(x, y).0;
    let (near, far) = ((right / 8, bottom / 8), (right - right / 8, bottom - bottom / 8));
    let found = [at(near.0, near.1), at(far.0, near.1), at(near.0, far.1), at(far.0, far.1)];
    found.iter().zip(CORNERS).all(|(found, wanted)| {
        found.iter().zip(wanted).all(|(found, wanted)| found.abs_diff(wanted) <= tolerance)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_way_a_camera_was_held_the_picture_stands_upright_and_says_nothing_of_where() {
    let studio = Studio::new().await;
    let upright = made::scene(1200, 800);
    for orientation in 1..=8 {
        let upload = made::as_held(&upright, orientation);
        let picture = studio.take(upload.clone()).await;
        assert_eq!((picture.width, picture.height), (1200, 800), "orientation {orientation}");
        assert_eq!(picture.media_type, ImageType::Jpeg);
        for (key, longest) in
            [(picture.original, 1200), (picture.large, LARGE_SIDE), (picture.small, SMALL_SIDE)]
        {
            let bytes = studio.bytes(&key).await;
            let pixels = studio.pixels(&key).await;
            assert_eq!(pixels.width(), longest, "orientation {orientation}");
            assert!(is_the_scene(&pixels, 14), "orientation {orientation}, {longest} px");
            for secret in SECRETS {
                let sought = secret.as_bytes();
                let is_there = |bytes: &[u8]| bytes.windows(sought.len()).any(|some| some == sought);
                assert!(is_there(&upload), "{secret} was there before");
                assert!(!is_there(&bytes), "{secret} is still there");
            }
            for marker in [&b"Exif"[..], b"EXIF", b"XMP ", b"ICCP", b"iCCP", b"PK\x03\x04"] {
                assert!(!bytes.windows(marker.len()).any(|some| some == marker), "{marker:?}");
            }
        }
        show(&format!("held-{orientation}.webp"), &studio.bytes(&picture.small).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_stays_what_it_is_and_the_smaller_ones_are_webp() {
    let studio = Studio::new().await;
    let scene = made::scene(1000, 640);
    let uploads = [
        ("jpeg", made::jpeg(&scene, 90), ImageType::Jpeg),
        ("png", made::png(scene.clone()), ImageType::Png),
        ("webp", made::webp(&scene), ImageType::WebP),
        ("webp without losses", made::webp_lossless(&scene), ImageType::WebP),
    ];
    for (name, upload, media_type) in uploads {
        let picture = studio.take(upload).await;
        assert_eq!(picture.media_type, media_type, "{name}");
        let original = studio.bytes(&picture.original).await;
        assert_eq!(image::guess_format(&original).unwrap().to_mime_type(), media_type.as_str(), "{name}");
        assert_eq!(u32::try_from(original.len()).unwrap(), picture.bytes, "{name}");
        assert!(is_the_scene(&studio.pixels(&picture.original).await, 12), "{name}");
        for key in [picture.small, picture.large] {
            let bytes = studio.bytes(&key).await;
            assert_eq!(image::guess_format(&bytes).unwrap().to_mime_type(), "image/webp", "{name}");
        }
        let blurred = picture.blurhash.as_str();
        assert_eq!(blurred.len(), 28, "{name}: {blurred}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_pictures_are_not_made_larger_and_thin_ones_keep_a_pixel() {
    let studio = Studio::new().await;
    for (width, height, large, small) in [
        (1, 1, (1, 1), (1, 1)),
        (200, 100, (200, 100), (200, 100)),
        (640, 480, (640, 480), (320, 240)),
        (480, 640, (480, 640), (240, 320)),
        (4000, 3000, (960, 720), (320, 240)),
        (12_000, 3, (960, 1), (320, 1)),
        (3, 12_000, (1, 960), (1, 320)),
    ] {
        let picture = studio.take(made::png(made::scene(width, height))).await;
        assert_eq!((picture.width, picture.height), (width, height));
        let sides = |pixels: DynamicImage| (pixels.width(), pixels.height());
        assert_eq!(sides(studio.pixels(&picture.large).await), large, "{width} × {height}");
        assert_eq!(sides(studio.pixels(&picture.small).await), small, "{width} × {height}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_transparent_stays_so_and_hidden_colours_do_not_come_out() {
    let studio = Studio::new().await;
    let picture = studio.take(made::png(made::disc(1500))).await;
    for key in [picture.original, picture.large, picture.small] {
        let pixels = studio.pixels(&key).await.to_rgba8();
        let (side, middle) = (pixels.width(), pixels.width() / 2);
        assert_eq!(pixels.get_pixel(1, 1).0[3], 0, "{side}");
        assert_eq!(pixels.get_pixel(middle, middle).0[3], 255, "{side}");
        let greenest = pixels.pixels().filter(|pixel| pixel.0[3] > 40).map(|pixel| pixel.0[1]).max();
        assert!(greenest < Some(90), "{side}: {greenest:?}");
    }
    show("disc.webp", &studio.bytes(&picture.small).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_bits_grey_and_palettes_become_what_every_browser_shows() {
    let studio = Studio::new().await;
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> = ImageBuffer::from_fn(400, 300, |x, y| {
        let corner = usize::from(x >= 200) + 2 * usize::from(y >= 150);
        Rgb(CORNERS[corner].map(|level| u16::from(level) * 257))
    });
    let picture = studio.take(made::png(deep)).await;
    let pixels = studio.pixels(&picture.original).await;
    assert_eq!(pixels.color(), image::ColorType::Rgb8);
    assert!(is_the_scene(&pixels, 1));
    let clear: ImageBuffer<Rgba<u16>, Vec<u16>> = ImageBuffer::from_pixel(64, 64, Rgba([65535, 0, 0, 32768]));
    let picture = studio.take(made::png(clear)).await;
    let pixels = studio.pixels(&picture.original).await.to_rgba8();
    assert_eq!(pixels.get_pixel(5, 5).0, [255, 0, 0, 128]);
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(500, 400, image::Luma([90])));
    for upload in [made::png(grey.clone()), {
        let mut out = std::io::Cursor::new(Vec::new());
        grey.write_to(&mut out, image::ImageFormat::Jpeg).unwrap();
        out.into_inner()
    }] {
        let picture = studio.take(upload).await;
        let seen = studio.pixels(&picture.small).await.to_rgb8().get_pixel(100, 100).0;
        assert!(seen.iter().all(|level| level.abs_diff(90) <= 2), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_other_programs_come_out_as_they_look() {
    let studio = Studio::new().await;
    for (name, upload) in [
        ("four colours of ink, as Adobe writes them", &include_bytes!("../../pictures/cmyk.jpg")[..]),
        ("a progressive one", include_bytes!("../../pictures/progressive.jpg")),
        ("one with a palette", include_bytes!("../../pictures/palette.png")),
        ("one that is turned by EXIF, in a WebP", include_bytes!("../../pictures/turned.webp")),
        ("one that is turned by EXIF, in a PNG", include_bytes!("../../pictures/turned.png")),
    ] {
        let picture = studio.take(upload.to_vec()).await;
        assert_eq!((picture.width, picture.height), (96, 64), "{name}");
        let bytes = studio.bytes(&picture.original).await;
        show(&format!("{}.img", name.replace(' ', "-")), &bytes);
        assert!(is_the_scene(&studio.pixels(&picture.original).await, 40), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_of_a_wider_profile_are_brought_into_what_browsers_take_for_granted() {
    let studio = Studio::new().await;
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let flat = image::RgbImage::from_pixel(64, 64, Rgb([150, 90, 90]));
    let picture = studio.take(made::jpeg_with_profile(&flat, profile)).await;
    let seen = studio.pixels(&picture.original).await.to_rgb8().get_pixel(30, 30).0;
    // The same colour has more red, and less of the others, in the smaller space.
    assert!(seen[0] > 153 && seen[1] < 90, "{seen:?}");
    let picture = studio.take(made::jpeg_with_profile(&flat, b"no profile at all".repeat(20))).await;
    let seen = studio.pixels(&picture.original).await.to_rgb8().get_pixel(30, 30).0;
    assert!(seen[0].abs_diff(150) < 5, "a profile that makes no sense is left out: {seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_upload_is_the_same_picture_and_stored_once() {
    let studio = Studio::new().await;
    let upload = made::as_held(&made::scene(900, 700), 6);
    let first = studio.take(upload.clone()).await;
    assert_eq!(studio.take(upload).await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_made_one_after_the_other_and_too_many_are_told_to_come_again() {
    let studio = Studio::with(Limits { memory_mib: 64, at_once: 2, most_waiting: 6 }).await;
    let upload = bytes::Bytes::from(made::png(made::scene(1600, 1200)));
    let takes = (0..40).map(|_| studio.pictures.take(upload.clone()));
    let all = futures::future::join_all(takes).await;
    let busy = all.iter().filter(|it| matches!(it, Err(workers::pictures::Refused::Busy))).count();
    let taken = all.iter().filter(|it| it.is_ok()).count();
    assert_eq!((taken, busy), (6, 34));
    studio.take(upload.to_vec()).await;
    let held: Vec<_> = std::iter::from_fn(|| studio.pictures.admit()).take(100).collect();
    assert_eq!(held.len(), 6);
    drop(held);
    assert!(studio.pictures.admit().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_does_not_have_all_the_places() {
    let studio = Studio::new().await;
    let [alice, ben] = [1, 2].map(|n| UserId::from(Uuid::from_u128(n)));
    let mut hers: Vec<_> = std::iter::from_fn(|| studio.pictures.admit_person(alice)).take(24).collect();
    assert_eq!(hers.len(), 4);
    assert!(studio.pictures.admit_person(ben).is_some());
    hers.pop();
    hers.extend(studio.pictures.admit_person(alice));
    assert_eq!(hers.len(), 4);
    assert!(studio.pictures.admit_person(alice).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_have_too_many_bytes_without_losses_is_kept_with_some() {
    let studio = Studio::new().await;
    let pixels = made::tiled_noise(55);
    let upload = made::webp_lossless(&pixels);
    assert!(upload.len() < 1024 * 1024, "{}", upload.len());
    let picture = studio.take(upload).await;
    assert_eq!((picture.width, picture.media_type), (3520, ImageType::WebP));
    assert!(u64::from(picture.bytes) <= 2 * MOST_PICTURE_BYTES, "{}", picture.bytes);
    let kept = studio.bytes(&picture.original).await;
    assert_eq!(&kept[12..16], b"VP8 ", "with losses");
}
