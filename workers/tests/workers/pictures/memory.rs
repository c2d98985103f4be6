//! How much memory it takes to make a picture, measured in a process of its own.

use super::{Studio, made};
use database::testing::ScratchFolder;
use image::{ImageBuffer, Rgb, Rgba};
use std::process::Stdio;
use std::time::Duration;

const UPLOAD: &str = "PICTURE_TO_BE_MADE";
const TOLD: &str = "more bytes at its height: ";
/// No picture here takes that long, even without optimisation on a busy machine.
const MOST: Duration = Duration::from_secs(120);

/// What this process says of its own memory, in bytes: `VmRSS` now, and `VmHWM` at its height.
fn memory(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: usize = line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().unwrap();
    kib * 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests that measure, as a process of its own"]
async fn making_one() {
    let Ok(upload) = std::env::var(UPLOAD) else { return };
    let studio = Studio::new().await;
    // Whatever is set up once is there afterwards.
    studio.take(made::png(made::scene(64, 64))).await;
    studio.take(made::jpeg(&made::scene(64, 64), 80)).await;
    studio.take(made::webp(&made::scene(64, 64))).await;
    let upload = std::fs::read(upload).unwrap();
    let before = memory("VmRSS");
    studio.take(upload).await;
    println!("\n{TOLD}{}", memory("VmHWM").saturating_sub(before));
}

/// How much more memory a process has at its height that makes this picture.
pub async fn of_making(upload: &[u8]) -> usize {
    let folder = ScratchFolder::new();
    let file = folder.path().join("upload");
    std::fs::write(&file, upload).unwrap();
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pictures::memory::making_one", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(UPLOAD, &file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(MOST, child).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let grown = said.lines().find_map(|line| line.strip_prefix(TOLD));
    let told = String::from_utf8_lossy(&output.stderr);
    grown.unwrap_or_else(|| panic!("{said}{told}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn making_a_picture_takes_no_more_memory_than_it_was_counted_with() {
    // Beside what grows with the pixels there are threads, buffers and the upload itself.
    const BESIDE: usize = 24 * 1024 * 1024;
    let (width, height) = (2_500, 2_000);
    let scene = made::scene(width, height);
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_fn(width, height, |x, y| Rgb([x, y, x ^ y].map(|it| (it * 26) as u16)));
    let clear = image::RgbaImage::from_fn(width, height, |x, y| {
        Rgba([(x % 251) as u8, (y % 241) as u8, 90, (x ^ y) as u8])
    });
    let pixels = width as usize * height as usize;
    for (name, upload, each) in [
        ("jpeg", made::jpeg(&scene, 90), 10),
        ("jpeg, turned", made::as_held(&scene, 6), 10),
        ("png", made::png(scene.clone()), 10),
        ("png with transparency", made::png(clear), 10),
        ("png of 16 bits", made::png(deep), 14),
        ("webp", made::webp(&scene), 14),
        ("lossless webp", made::webp_lossless(&scene), 14),
    ] {
        let grown = of_making(&upload).await;
        println!("{name}: {} MB for {} million pixels", grown / 1_000_000, pixels / 1_000_000);
        assert!(grown > pixels * 3, "{name}: {grown} bytes is not the height of it");
        assert!(grown <= pixels * each + BESIDE, "{name}: {grown} bytes");
    }
}
