//! The one guard for every address that somebody typed.

use super::channels_at_home;
use super::receiver::Receiver;
use futures::FutureExt;
use operational::notification_channels::Channel;
use reqwest::{Method, Request};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use url::Url;
use workers::channels::{self, Channels, Fault};
use workers::outbound::{AllowedNetworks, Limits, Lookup, Outbound, OutboundError, system_lookup};

fn limits() -> Limits {
    Limits { connect: Duration::from_secs(2), whole: Duration::from_secs(5), bytes: 1_024 }
}

fn get(url: &str) -> Request {
    Request::new(Method::GET, url.parse().unwrap())
}

#[tokio::test]
async fn every_way_to_write_a_private_address_is_refused() {
    let guard = Outbound::public(limits()).unwrap();
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0x7f.1/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://[fd00::1]/",
        "http://0/",
        "http://１２７.0.0.1/",
        "http://localhost/",
        "https://localhost:8443/",
    ] {
        let refused = guard.glance(get(url), 0).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Private(_)), "{url}: {refused:?}");
    }
    for url in ["http://user@example.org/", "http://user:pass@example.org/", "http://example.org@127.0.0.1/"]
    {
        assert_eq!(guard.glance(get(url), 0).await.unwrap_err(), OutboundError::Userinfo, "{url}");
    }
    for url in ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://example.org/"] {
        let checked = guard.check(&url.parse::<Url>().unwrap());
        assert_eq!(checked, Err(OutboundError::Scheme), "{url}");
    }
}

#[tokio::test]
async fn every_channel_refuses_private_addresses_when_they_are_typed() {
    let channels = Channels::new(channels::Options::default()).unwrap();
    for (channel, given, field) in [
        (Channel::Webhook, json!({"url": "http://127.0.0.1:8080/"}), "url"),
        (Channel::Webhook, json!({"url": "http://0x7f.1/"}), "url"),
        (Channel::Ntfy, json!({"url": "http://[::1]/", "topic": "a"}), "url"),
        (Channel::Apprise, json!({"urls": ["json://127.0.0.1/"]}), "urls[0]"),
        (Channel::Apprise, json!({"urls": ["tgram://1:a/2", "json://metadata/"]}), "urls[1]"),
    ] {
        let given = given.as_object().unwrap().clone();
        let refused = channels.get(channel).destination(given, None).unwrap_err();
        assert_eq!((refused.field.as_str(), refused.fault), (field, Fault::Address), "{channel}");
    }
}

/// A resolver whose answers change: the first time a public address, then this very machine.
fn rebinding(asked: Arc<AtomicUsize>, first: SocketAddr, then: SocketAddr) -> Lookup {
    Arc::new(move |_name| {
        let address = if asked.fetch_add(1, Ordering::SeqCst) == 0 { first } else { then };
        async move { Ok(vec![address]) }.boxed()
    })
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let receiver = Receiver::new().await;
    let here: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let url = format!("http://rebinding.example:{}/", receiver.address.port());
    // Looked up once: what is connected to is what was checked, although another answer waits.
    let asked = Arc::new(AtomicUsize::new(0));
    let opened: AllowedNetworks = "127.0.0.1/32".parse().unwrap();
    let other: SocketAddr = "10.0.0.1:0".parse().unwrap();
    let guard = Outbound::posting(opened, limits(), rebinding(asked.clone(), here, other)).unwrap();
    assert_eq!(guard.glance(get(&url), 0).await.unwrap().status, 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // The answer that leads home is refused however harmless the one before was.
    let public: SocketAddr = "192.0.2.1:0".parse().unwrap();
    let asked = Arc::new(AtomicUsize::new(1));
    let guard =
        Outbound::posting(AllowedNetworks::default(), limits(), rebinding(asked, public, here)).unwrap();
    assert!(matches!(guard.glance(get(&url), 0).await, Err(OutboundError::Private(_))));
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn of_several_addresses_only_those_that_may_be_asked_are_tried() {
    let receiver = Receiver::new().await;
    let all: Lookup = Arc::new(|_name| {
        let addresses = ["10.0.0.1:0", "127.0.0.1:0", "[::1]:0"].map(|text| text.parse().unwrap()).to_vec();
        async move { Ok(addresses) }.boxed()
    });
    let guard = Outbound::posting("127.0.0.1".parse().unwrap(), limits(), all).unwrap();
    let url = format!("http://several.example:{}/", receiver.address.port());
    assert_eq!(guard.glance(get(&url), 0).await.unwrap().status, 200);
}

#[tokio::test]
async fn redirects_lead_to_the_same_host_or_nowhere() {
    let receiver = Receiver::new().await;
    let home: AllowedNetworks = "127.0.0.1/32".parse().unwrap();
    let reading = Outbound::guarded(home.clone(), limits()).unwrap();
    let posting = Outbound::posting(home, limits(), system_lookup()).unwrap();
    assert_eq!(reading.glance(get(&receiver.url("/turned")), 0).await.unwrap().status, 200);
    assert_eq!(posting.glance(get(&receiver.url("/kept")), 0).await.unwrap().status, 200);
    for (guard, path) in [(&reading, "/elsewhere"), (&posting, "/elsewhere"), (&posting, "/turned")] {
        let refused = guard.glance(get(&receiver.url(path)), 0).await.unwrap_err();
        assert!(matches!(refused, OutboundError::Redirected(_)), "{path}: {refused:?}");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_in_time() {
    let receiver = Receiver::new().await;
    let limits = Limits { whole: Duration::from_secs(1), ..limits() };
    let guard = Outbound::posting("127.0.0.1".parse().unwrap(), limits, system_lookup()).unwrap();
    let late = guard.glance(get(&receiver.url("/hangs")), 0).await.unwrap_err();
    assert!(matches!(late, OutboundError::TimedOut(_)), "{late:?}");
    let endless = channels_at_home();
    let seen = endless.outbound().glance(get(&receiver.url("/endless")), 100).await.unwrap();
    assert_eq!((seen.status.as_u16(), seen.beginning.len()), (200, 100));
}
