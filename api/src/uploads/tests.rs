use std::convert::Infallible;

use axum::body::Body;
use futures::stream;

use super::*;

const TAKEN: Taken = Taken { field: "file", most: 3, most_bytes: 4 * 1024 * 1024, full: None };
const HEADERS: &str = "--cut\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n";

async fn files(body: Body, taken: Taken) -> Files {
    let request = Request::builder().header("content-type", "multipart/form-data; boundary=cut");
    Files::of(request.body(body).unwrap(), taken, None).await.unwrap()
}

/// In pieces of a kilobyte, as a network brings them.
fn in_pieces(whole: Vec<u8>) -> Body {
    let pieces: Vec<_> = whole.chunks(1024).map(|piece| Ok::<_, Infallible>(piece.to_vec())).collect();
    Body::from_stream(stream::iter(pieces))
}

async fn refused(body: Body, taken: Taken) -> Problem {
    files(body, taken).await.next().await.unwrap_err()
}

#[tokio::test]
async fn a_form_that_comes_all_at_once_is_read_whatever_its_size() {
    let contents = [vec![1_u8; 4 * 1024 * 1024], vec![2; 10], vec![b'\r'; 3_000_000]];
    let mut whole = Vec::new();
    for content in &contents {
        whole.extend_from_slice(HEADERS.as_bytes());
        whole.extend_from_slice(b"\r\n");
        whole.extend_from_slice(content);
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(b"--cut--\r\n");
    for body in [Body::from(whole.clone()), in_pieces(whole)] {
        let mut files = files(body, TAKEN).await;
        for content in &contents {
            let file = files.next().await.unwrap().unwrap();
            assert!(file.content == content, "{} of {} bytes", file.content.len(), content.len());
        }
        assert!(files.next().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn what_stands_before_the_first_file_is_not_kept_without_end() {
    let form = [vec![b'x'; 2_000_000], HEADERS.into(), b"\r\nall\r\n--cut--\r\n".to_vec()].concat();
    for body in [Body::from(form.clone()), in_pieces(form)] {
        assert_eq!(refused(body, TAKEN).await.code(), "malformed_form");
    }
}

#[tokio::test]
async fn the_headers_of_a_file_are_not_kept_without_end() {
    let long = [b"x-long: ".to_vec(), vec![b'x'; 2_000_000]].concat();
    let form = [HEADERS.into(), long, b"\r\n\r\nall\r\n--cut--\r\n".to_vec()].concat();
    for body in [Body::from(form.clone()), in_pieces(form)] {
        assert_eq!(refused(body, TAKEN).await.code(), "malformed_form");
    }
}

#[tokio::test]
async fn a_form_has_no_more_bytes_than_its_files_may_have() {
    let taken = Taken { most: 1, most_bytes: 1000, ..TAKEN };
    let long = [b"x-long: ".to_vec(), vec![b'x'; 50_000]].concat();
    let form = [HEADERS.into(), long, b"\r\n\r\nall\r\n--cut--\r\n".to_vec()].concat();
    assert_eq!(refused(in_pieces(form), taken).await.code(), "malformed_form");
}

#[tokio::test]
async fn a_form_that_takes_too_long_is_refused_however_steadily_it_comes() {
    let mut files = files(Body::from(format!("{HEADERS}\r\nall\r\n--cut--\r\n")), TAKEN).await;
    files.until = Instant::now();
    assert_eq!(files.next().await.unwrap_err().code(), "body_too_slow");
}

#[tokio::test]
async fn a_body_that_is_one_file_is_bounded() {
    let request = |size: usize| Request::new(in_pieces(vec![7; size]));
    assert_eq!(whole(request(5000), 5000).await.unwrap(), vec![7; 5000]);
    assert_eq!(whole(request(5001), 5000).await.unwrap_err().code(), "body_too_large");
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let half = stream::iter([Ok::<_, Infallible>(b"half".to_vec())]).chain(stream::pending());
    let mut body = Body::from_stream(half).into_data_stream();
    let refused =
        timeout(Duration::from_secs(60), collected(&mut body, 100, Duration::from_millis(50))).await;
    assert_eq!(refused.unwrap().unwrap_err().code(), "body_too_slow");
}

#[tokio::test]
async fn a_form_has_no_more_files_than_there_is_room_for_and_says_that_it_is_full() {
    const FULL: Kind = Kind::new(StatusCode::UNPROCESSABLE_ENTITY, "full", "there is no room");
    let form = format!("{HEADERS}\r\none\r\n{HEADERS}\r\ntwo\r\n--cut--\r\n");
    let mut files = files(Body::from(form), TAKEN.room_for(1, FULL)).await;
    assert_eq!(files.next().await.unwrap().unwrap().content, "one");
    assert_eq!(files.next().await.unwrap_err().code(), "full");
    assert_eq!(TAKEN.room_for(3, FULL).full, None, "as many as a request takes anyway");
}
