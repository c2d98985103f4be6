//! What else is in a file beside its picture: nothing of it is kept.

use super::Studio;
use super::made::{self, SECRETS};
use domain::picture::Picture;

async fn holds(studio: &Studio, picture: &Picture, sought: &[u8]) -> bool {
    for key in picture.blobs() {
        if studio.bytes(&key).await.windows(sought.len()).any(|some| some == sought) {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn where_and_with_what_a_picture_was_taken_is_kept_of_no_format() {
    let studio = Studio::new().await;
    let scene = made::scene(640, 480);
    let uploads = [
        ("jpeg", made::with_metadata(&made::jpeg(&scene, 90), 1)),
        ("png", made::png_with_metadata(&made::png(scene.clone()))),
        ("webp", made::webp_with_metadata(&made::webp(&scene), 640, 480)),
        ("lossless webp", made::webp_with_metadata(&made::webp_lossless(&scene), 640, 480)),
    ];
    for (name, upload) in uploads {
        let picture = studio.take(upload.clone()).await;
        assert_eq!((picture.width, picture.height), (640, 480), "{name}");
        for secret in SECRETS.map(str::as_bytes) {
            let said = String::from_utf8_lossy(secret).into_owned();
            assert!(upload.windows(secret.len()).any(|some| some == secret), "{name}: {said} was there");
            assert!(!holds(&studio, &picture, secret).await, "{name}: {said} is still there");
        }
        for marker in
            [&b"Exif"[..], b"EXIF", b"eXIf", b"XMP ", b"xmpmeta", b"iTXt", b"tEXt", b"NOTE", b"<script"]
        {
            assert!(!holds(&studio, &picture, marker).await, "{name}: {}", String::from_utf8_lossy(marker));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_is_another_file_as_well_is_only_a_picture_afterwards() {
    let studio = Studio::new().await;
    let scene = made::scene(64, 48);
    let (jpeg, png) = (made::jpeg(&scene, 90), made::png(scene.clone()));
    let comment = |text: &[u8]| {
        let length = u16::try_from(text.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xff, 0xfe], &length, text, &jpeg[2..]].concat()
    };
    let script = b"*/=1;alert('both a picture and a script');/*";
    let page = b"<html><script>alert(1)</script>";
    let pdf = b"%PDF-1.7 1 0 obj <</OpenAction 2 0 R>>";
    let php = b"<?php system($_GET['c']); ?>";
    let archive = b"PK\x03\x04\x14\0\0\0\0\0 a.class PK\x05\x06";
    for (name, upload, inside) in [
        ("a JPEG that is a script", comment(script), &script[..]),
        ("a JPEG that is a PDF", comment(pdf), pdf),
        ("a JPEG with an archive behind it", [&jpeg[..], archive].concat(), archive),
        ("a PNG that is a page", made::with_chunk(&png, b"tEXt", &[&b"Title\0"[..], page].concat()), page),
        ("a PNG with code in it", made::with_chunk(&png, b"xxXx", php), php),
        ("a PNG with an archive behind it", [&png[..], archive].concat(), archive),
        ("a WebP that is a page", made::webp_with_metadata(&made::webp(&scene), 64, 48), b"<html><script>"),
    ] {
        let picture = studio.take(upload).await;
        assert!(!holds(&studio, &picture, inside).await, "{name}");
        for key in picture.blobs() {
            let bytes = studio.bytes(&key).await;
            let kinds = [&b"\xff\xd8\xff"[..], b"\x89PNG\r\n\x1a\n", b"RIFF"];
            assert!(kinds.iter().any(|kind| bytes.starts_with(kind)), "{name}");
            let end = match bytes[0] {
                0xff => bytes.ends_with(&[0xff, 0xd9]),
                0x89 => bytes.ends_with(b"IEND\xaeB`\x82"),
                _ => u32::from_le_bytes(*bytes[4..].first_chunk().unwrap()) as usize + 8 == bytes.len(),
            };
            assert!(end, "{name}: nothing stands behind its end");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_svg_that_poses_as_a_picture_is_none() {
    let studio = Studio::new().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    for upload in [
        svg.to_vec(),
        [&b"\x89PNG\r\n\x1a\n"[..], svg].concat(),
        [&b"\xff\xd8\xff"[..], svg].concat(),
        [&b"RIFF\x40\0\0\0WEBP"[..], svg].concat(),
    ] {
        let refused = studio.refuses(upload).await;
        assert!(!refused.to_string().is_empty());
    }
}
