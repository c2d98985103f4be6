//! What is not taken, and why.

use super::Studio;
use super::made;
use workers::pictures::{Limits, Refused};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_is_refused_whatever_its_name_and_says_what_it_seems_to_be() {
    let studio = Studio::new().await;
    let svg = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script>1</script></svg>";
    for (upload, wanted) in [
        (&svg[..], "an SVG"),
        (b"\xef\xbb\xbf  <svg onload=alert(1)>", "an SVG"),
        (b"<!doctype html><script>", "a page"),
        (b"GIF89a\x01\0\x01\0\0\0\0", "a GIF"),
        (b"%PDF-1.7 and more", "a PDF"),
        (b"PK\x03\x04 and a jpeg \xff\xd8\xff", "a ZIP archive"),
        (b"\0\0\0\x1cftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "an AVIF"),
        (b"\0\0\0\x1cftypisom\0\0\0\0", "a film"),
        (b"plain words", "neither"),
        (&[0; 1000], "neither"),
    ] {
        let refused = studio.refuses(upload.to_vec()).await;
        assert!(matches!(refused, Refused::NotAPicture(_)), "{refused:?}");
        assert!(refused.to_string().contains(wanted), "{refused}");
    }
    assert!(matches!(studio.refuses(Vec::new()).await, Refused::Empty));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cut_off_is_refused_wherever_it_is_cut() {
    let studio = Studio::new().await;
    let scene = made::scene(300, 200);
    let whole = [
        ("jpeg", made::with_metadata(&made::jpeg(&scene, 90), 1)),
        ("png", made::png(scene.clone())),
        ("webp", made::webp(&scene)),
        ("lossless webp", made::webp_lossless(&scene)),
        ("progressive", include_bytes!("../../pictures/progressive.jpg").to_vec()),
    ];
    for (name, upload) in whole {
        // What follows the end of the JPEG is no part of it.
        let end = if name == "jpeg" { upload.len() - 4 - "kept by nobody".len() } else { upload.len() };
        studio.take(upload.clone()).await;
        for percent in [1, 10, 50, 90, 99] {
            let refused = studio.refuses(upload[..end * percent / 100].to_vec()).await;
            let cut = matches!(
                refused,
                Refused::CutOff | Refused::Damaged(_) | Refused::NotAPicture(_) | Refused::Empty
            );
            assert!(cut, "{name} at {percent} %: {refused:?}");
        }
        let refused = studio.refuses(upload[..end - 1].to_vec()).await;
        assert!(matches!(refused, Refused::CutOff), "{name}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_refused() {
    let studio = Studio::new().await;
    assert!(matches!(studio.refuses(made::animated()).await, Refused::Animated));
    let still = made::png(made::scene(64, 64));
    let upload = made::with_chunk(&still, b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]);
    assert!(matches!(studio.refuses(upload).await, Refused::Animated));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_bytes_come_nothing_breaks() {
    let studio = Studio::with(Limits { memory_mib: 128, at_once: 2, most_waiting: 24 }).await;
    let scene = made::scene(120, 80);
    let seeds = [
        made::with_metadata(&made::jpeg(&scene, 80), 6),
        made::png(made::disc(60)),
        made::webp(&scene),
        made::webp_lossless(&scene),
        include_bytes!("../../pictures/cmyk.jpg").to_vec(),
    ];
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut taken = 0;
    for round in 0..400 {
        let mut upload = seeds[round % seeds.len()].clone();
        for _ in 0..=(next() % 6) {
            let at = usize::try_from(next()).unwrap_or(0) % upload.len();
            // Most of what is read with care stands at the beginning.
            let at = if next() % 2 == 0 { at % 200.min(upload.len()) } else { at };
            upload[at] = next().to_le_bytes()[0];
        }
        match studio.pictures.take(upload.into()).await {
            Ok(_) => taken += 1,
            Err(refused) => assert!(!refused.to_string().is_empty()),
        }
    }
    println!("{taken} of 400 damaged pictures could still be taken");
    studio.take(made::jpeg(&scene, 80)).await;
}
