//! Files sent in forms, and pictures to send.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::{
    Method, RequestBuilder,
    header::HeaderMap,
    multipart::{Form, Part},
};

use crate::support::{Answer, TestClient};

/// A plain picture of one shade; another shade is another picture.
fn plain(width: u32, height: u32, shade: u8) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb([shade, 90, 255 - shade])).into()
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

pub fn jpeg(width: u32, height: u32, shade: u8) -> Vec<u8> {
    written(&plain(width, height, shade), ImageFormat::Jpeg)
}

pub fn png(width: u32, height: u32, shade: u8) -> Vec<u8> {
    written(&plain(width, height, shade), ImageFormat::Png)
}

/// A form with these files in a field.
pub fn form(field: &'static str, files: Vec<Vec<u8>>) -> Form {
    let part = |(n, content): (usize, Vec<u8>)| Part::bytes(content).file_name(format!("{n}.bin"));
    files.into_iter().enumerate().map(part).fold(Form::new(), |form, part| form.part(field, part))
}

/// What came back where it need not be text.
pub struct Bytes {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Bytes {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl TestClient {
    pub async fn upload(&self, path: &str, files: Vec<Vec<u8>>) -> Answer {
        self.send(Method::POST, path, |request| request.multipart(form("file", files))).await
    }

    pub async fn replace(&self, path: &str, file: Vec<u8>) -> Answer {
        self.send(Method::PUT, path, |request| request.multipart(form("file", vec![file]))).await
    }

    /// A picture or document.
    pub async fn fetch(&self, path: &str) -> Bytes {
        self.fetch_with(path, |request| request).await
    }

    /// The same, with headers.
    pub async fn fetch_with(
        &self,
        path: &str,
        adjust: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Bytes {
        let response = adjust(self.http.get(format!("{}{path}", self.base))).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Bytes { status, headers, body: response.bytes().await.unwrap().to_vec() }
    }
}
