//! Each channel: what is sent, once, and what is said when it is not taken.

use super::peers::Peer;
use super::receiver::Receiver;
use super::{House, channels_at_home, quick};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use chrono::Utc;
use database::testing::eventually;
use hmac::{Hmac, Mac};
use operational::notification_channels::{self, Channel};
use operational::web_push_subscriptions::{self, NewSubscription};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Value, json};
use sha2::Sha256;
use workers::channels::{Fault, KeyPair, Unsent};

/// Checks a webhook's signature as its receiver would, by what the documentation says.
fn is_signed(header: &str, secret: &str, body: &[u8]) -> bool {
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let age = Utc::now().timestamp() - time.parse::<i64>().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    (0..60).contains(&age) && expected == signature
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_a_signed_body_once_and_again_under_the_same_id_when_it_failed() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let (alice, bob) = (house.person("alice").await, house.person("bob").await);
    house.switch_on(Channel::Webhook, json!({})).await;
    let kept = house.wants(alice, Channel::Webhook, json!({"url": receiver.url("/fails-once")})).await;
    let secret = kept.secrets["secret"].as_str().unwrap();
    assert!(secret.len() > 40 && secret.starts_with("whsec_"), "{secret}");
    assert!(house.tell(alice, "one").await);
    assert!(!house.tell(alice, "one").await, "told before");
    assert!(house.tell(bob, "one").await, "bob has no destination: he is told in the app");
    assert_eq!(house.all().await.len(), 1);
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("the first try", async || receiver.got().len() == 1).await;
    eventually("its outcome", async || house.outcomes(house.all().await[0].id).await == ["failed"]).await;
    let waiting = house.all().await.remove(0);
    assert_eq!((waiting.state.as_str(), waiting.attempts), ("pending", 1));
    assert_eq!(waiting.outcome.as_deref(), Some("it answered 503 Service Unavailable: not now"));
    assert!(waiting.due_at > Utc::now() + chrono::TimeDelta::seconds(5), "it rests");
    house.hurry().await;
    eventually("the second", async || house.in_state("delivered").await == 1).await;
    running.stop().await;
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    let body = got[1].json();
    assert_eq!(got[0].json()["id"], body["id"]);
    let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["event_type", "id", "occurred_at", "payload", "text", "title"]);
    assert_eq!(body["event_type"], "wishlist_back_in_stock");
    assert_eq!(body["payload"]["store"]["name"], "Harbour");
    assert!(body["title"].as_str().unwrap().contains("Mina one ☕"));
    for one in &got {
        assert_eq!(one.header("content-type"), "application/json");
        assert!(is_signed(one.header("x-signature"), secret, &one.body));
        assert!(!is_signed(one.header("x-signature"), "another secret of some length", &one.body));
    }
    assert_eq!(house.outcomes(waiting.id).await, ["failed", "sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_side_says_decides_whether_it_is_tried_again() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    house.switch_on(Channel::Webhook, json!({})).await;
    let paths = [
        ("/refuses", "dead", "it answered 403 Forbidden: not you <b>"),
        ("/gone", "dead", "it answered 410 Gone"),
        ("/fails", "pending", "it answered 500 Internal Server Error"),
        ("/busy", "pending", "it answered 429 Too Many Requests"),
        ("/kept", "delivered", "it answered 200 OK"),
        ("/turned", "dead", "it redirects to"),
        ("/elsewhere", "dead", "it redirects to http://127.0.0.1:1, which is not followed"),
        ("/endless", "delivered", "it answered 200 OK: xxx"),
    ];
    let mut people = Vec::new();
    for (number, (path, ..)) in paths.iter().enumerate() {
        let person = house.person(&format!("person{number}")).await;
        house.wants(person, Channel::Webhook, json!({"url": receiver.url(path)})).await;
        house.tell(person, "one").await;
        people.push(person);
    }
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("a try of each", async || house.all().await.iter().all(|one| one.outcome.is_some())).await;
    running.stop().await;
    for (person, (path, state, said)) in people.iter().zip(paths) {
        let all = house.all().await;
        let one = all.iter().find(|one| one.user_id == person.uuid()).unwrap();
        assert_eq!(one.state, state, "{path}: {one:?}");
        assert!(one.outcome.as_ref().unwrap().starts_with(said), "{path}: {one:?}");
        if path == "/busy" {
            assert!(one.due_at > Utc::now() + chrono::TimeDelta::seconds(100), "as long as it asked for");
        }
    }
    assert!(receiver.endless() < 200, "an answer without end is not read to its end");
    let arrived = receiver.got().into_iter().find(|one| one.path == "/arrived").unwrap();
    assert_eq!(
        (arrived.method.as_str(), arrived.json()["event_type"].as_str()),
        ("POST", Some("wishlist_back_in_stock"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_ntfy_gets_title_and_text_and_takes_no_newlines() {
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let alice = house.person("alice").await;
    house.switch_on(Channel::Ntfy, json!({})).await;
    let url = receiver.url("/");
    for topic in ["a\nb", "a/b", "..", "", "ä", "a b", &"x".repeat(65)] {
        let given = json!({"url": url, "topic": topic}).as_object().unwrap().clone();
        let refused = channels_at_home().get(Channel::Ntfy).destination(given, None).unwrap_err();
        assert_eq!((refused.field.as_str(), refused.fault), ("topic", Fault::Invalid), "{topic:?}");
    }
    let given = json!({"url": url, "topic": "figures", "token": "tk_secret"});
    let kept = house.wants(alice, Channel::Ntfy, given).await;
    let shown = channels_at_home().get(Channel::Ntfy).shown_destination(&kept);
    assert_eq!(shown, json!({"url": url, "topic": "figures", "token_set": true}));
    // The token stays with its server, and goes nowhere else.
    let again = |url: &str| {
        let given = json!({"url": url, "topic": "figures"}).as_object().unwrap().clone();
        channels_at_home().get(Channel::Ntfy).destination(given, Some(&kept)).unwrap().secrets["token"]
            .clone()
    };
    assert_eq!(again(&url), "tk_secret");
    assert_eq!(again("http://127.0.0.2/"), Value::Null);
    house.tell(alice, "one").await;
    let running = house.deliveries(quick());
    let running = running.run();
    eventually("it arrives", async || house.in_state("delivered").await == 1).await;
    running.stop().await;
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].path.as_str(), got[0].header("authorization")), ("/figures", "Bearer tk_secret"));
    let title =
        got[0].header("title").strip_prefix("=?UTF-8?B?").and_then(|it| it.strip_suffix("?=")).unwrap();
    let title = String::from_utf8(BASE64_STANDARD.decode(title).unwrap()).unwrap();
    assert_eq!(title, "Mina one ☕ can be had again");
    assert_eq!(got[0].body, "Harbour has Mina one ☕ again. https://harbour.example/1");
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_starttls_and_tls_and_a_server_that_puts_off_is_asked_again() {
    let Some(mut smtp) = Peer::start("smtp") else { return };
    let server = smtp.tells().await;
    let house = House::new().await;
    let setup = |security: &str, port: &Value| {
        json!({
            "host": "127.0.0.1", "port": port, "security": security, "from": "Figures <figures@example.org>",
            "username": "figures", "password": "the right password", "ca_pem": server["ca_pem"],
        })
    };
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    for (security, port) in [("starttls", &server["starttls"]), ("tls", &server["tls"])] {
        house.switch_on(Channel::Email, setup(security, port)).await;
        let person = house.person(security).await;
        house.wants(person, Channel::Email, json!({"address": format!("{security}@example.org")})).await;
        house.tell(person, "one").await;
        let mail = smtp.tells().await;
        assert_eq!(mail["to"], json!([format!("{security}@example.org")]));
        assert_eq!((&mail["tls"], &mail["user"]), (&json!(true), &json!("figures")));
        let text = mail["mail"].as_str().unwrap();
        assert!(text.contains("From: Figures <figures@example.org>"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        let id = house.all().await.iter().find(|one| one.user_id == person.uuid()).unwrap().id;
        assert!(text.contains(&format!("Message-ID: <{id}@example.org>")), "{text}");
    }
    assert!(smtp.is_silent().await, "each once");
    for name in ["grey", "refused"] {
        let person = house.person(name).await;
        house.wants(person, Channel::Email, json!({"address": format!("{name}@example.org")})).await;
        house.tell(person, "one").await;
    }
    eventually("both were tried", async || {
        house.in_state("dead").await == 1 && house.all().await.iter().all(|one| one.outcome.is_some())
    })
    .await;
    let all = house.all().await;
    let said = |state: &str| all.iter().find(|one| one.state == state).unwrap().outcome.clone().unwrap();
    assert_eq!(said("dead"), "the mail server answered 550 5.1.1", "whom it was for is not told");
    assert_eq!(said("pending"), "the mail server answered 451 4.7.1");
    house.hurry().await;
    assert_eq!(smtp.tells().await["to"], json!(["grey@example.org"]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_hangs_or_is_not_who_it_says_gets_nothing() {
    let Some(mut smtp) = Peer::start("smtp") else { return };
    let server = smtp.tells().await;
    let house = House::new().await;
    let deliveries = house.deliveries(quick());
    let setup =
        json!({"host": "127.0.0.1", "port": server["plain"], "security": "none", "from": "f@example.org"});
    house.switch_on(Channel::Email, setup).await;
    let alice = house.person("alice").await;
    house.wants(alice, Channel::Email, json!({"address": "hangs@example.org"})).await;
    let said = deliveries.test(alice, Channel::Email).await.unwrap();
    assert!(matches!(&said[..], [Err(Unsent::Failed { .. })]), "{said:?}");
    let bare = |port: &Value, password: &str, ca: &Value| {
        json!({
            "host": "127.0.0.1", "port": port, "security": "starttls", "from": "f@example.org",
            "username": "figures", "password": password, "ca_pem": ca,
        })
    };
    house.wants(alice, Channel::Email, json!({"address": "alice@example.org"})).await;
    for setup in [
        bare(&server["starttls"], "the right password", &Value::Null),
        bare(&server["starttls"], "a wrong password", &server["ca_pem"]),
        bare(&server["plain"], "the right password", &server["ca_pem"]),
    ] {
        house.switch_on(Channel::Email, setup.clone()).await;
        let said = deliveries.test(alice, Channel::Email).await.unwrap();
        assert!(matches!(&said[..], [Err(Unsent::Failed { .. })]), "an admin can mend it: {said:?}");
        let told = said[0].as_ref().unwrap_err().said().to_owned();
        assert!(!told.contains("password"), "{told}");
    }
    assert!(smtp.is_silent().await);
    let setup =
        json!({"host": "h", "security": "none", "from": "f@example.org", "username": "f", "password": "p"});
    let before = notification_channels::Setup::unset(Channel::Email);
    let refused = channels_at_home().get(Channel::Email).set_up(setup.as_object().unwrap().clone(), &before);
    assert_eq!(refused.unwrap_err().field, "security", "no password in the clear");
    for address in ["a@b\r\nBcc: c@d", "a", "a@b, c@d", "<a@b>"] {
        let given = json!({"address": address}).as_object().unwrap().clone();
        let refused = channels_at_home().get(Channel::Email).destination(given, None);
        assert_eq!(refused.unwrap_err().field, "address", "{address:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn apprise_is_asked_for_each_address_by_itself() {
    let Some(mut apprise) = Peer::start("apprise") else { return };
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let port = apprise.tells().await["port"].as_u64().unwrap();
    house.switch_on(Channel::Apprise, json!({"url": format!("http://127.0.0.1:{port}/")})).await;
    let alice = house.person("alice").await;
    let at = |path: &str| format!("json://{}{path}", receiver.address);
    let kept = house.wants(alice, Channel::Apprise, json!({"urls": [at("/good"), at("/fails")]})).await;
    let shown = channels_at_home().get(Channel::Apprise).shown_destination(&kept);
    assert_eq!(shown, json!({"urls": ["json://…", "json://…"]}));
    house.tell(alice, "one").await;
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("both were tried", async || house.all().await.iter().all(|one| one.outcome.is_some())).await;
    running.stop().await;
    let mut outcomes: Vec<(String, String)> =
        house.all().await.into_iter().map(|one| (one.state, one.outcome.unwrap())).collect();
    outcomes.sort();
    assert_eq!(outcomes[0], ("delivered".to_owned(), "the Apprise server answered 200 OK".to_owned()));
    assert_eq!(
        outcomes[1],
        ("pending".to_owned(), "the Apprise server answered 424 Failed Dependency".to_owned())
    );
    let got = receiver.got();
    let good: Vec<_> = got.iter().filter(|one| one.path == "/good").collect();
    assert_eq!(good.len(), 1, "once, although the other one failed");
    assert_eq!(good[0].json()["title"], "Mina one ☕ can be had again");
    assert_eq!(good[0].json()["message"], "Harbour has Mina one ☕ again. https://harbour.example/1");
}

async fn keys(house: &House) -> KeyPair {
    let pair = KeyPair::fresh();
    let root = house.person("root").await;
    let (config, secrets) = (json!({"public_key": pair.public()}), json!({"private_key": pair.private()}));
    notification_channels::set(house.pool(), Channel::WebPush, true, &config, &secrets, root).await.unwrap();
    pair
}

/// Checks a push's proof of who sends it, as its service would (RFC 8292).
fn is_proven(authorization: &str, pair: &KeyPair, audience: &str) -> bool {
    let (token, key) = authorization.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    let point = BASE64_URL_SAFE_NO_PAD.decode(key).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = Signature::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let verified = VerifyingKey::from_sec1_bytes(&point).unwrap().verify(signed.as_bytes(), &signature);
    let claims = BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.').unwrap().1).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let ends = claims["exp"].as_i64().unwrap() - Utc::now().timestamp();
    verified.is_ok()
        && key == pair.public()
        && claims["aud"] == audience
        && (1..=86_400).contains(&ends)
        && claims["sub"].as_str().unwrap().starts_with("mailto:")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_what_only_it_can_read_and_a_dead_one_is_forgotten() {
    let Some(mut browser) = Peer::start("decrypt") else { return };
    let (house, receiver) = (House::new().await, Receiver::new().await);
    let pair = keys(&house).await;
    let alice = house.person("alice").await;
    let given = browser.tells().await;
    for path in ["/push/one", "/gone"] {
        let endpoint = receiver.url(path);
        let (p256dh, auth) = (given["p256dh"].as_str().unwrap(), given["auth"].as_str().unwrap());
        let new = NewSubscription { endpoint: &endpoint, p256dh, auth, label: None };
        web_push_subscriptions::add(house.pool(), alice, new).await.unwrap();
    }
    house.route(alice, Channel::WebPush).await;
    house.tell(alice, "one").await;
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("both were tried", async || house.all().await.iter().all(|one| one.outcome.is_some())).await;
    running.stop().await;
    let pushed: Vec<_> = receiver.got().into_iter().filter(|one| one.path == "/push/one").collect();
    assert_eq!(pushed.len(), 1);
    let push = &pushed[0];
    assert_eq!((push.header("content-encoding"), push.header("ttl")), ("aes128gcm", "86400"));
    assert!(is_proven(push.header("authorization"), &pair, &format!("http://{}", receiver.address)));
    assert!(!String::from_utf8_lossy(&push.body).contains("Mina"));
    browser.hears(&BASE64_STANDARD.encode(&push.body)).await;
    let said: Value = serde_json::from_str(browser.tells().await["said"].as_str().unwrap()).unwrap();
    assert_eq!(said["title"], "Mina one ☕ can be had again");
    assert_eq!(said["payload"]["store"]["name"], "Harbour");
    let left = web_push_subscriptions::of_user(house.pool(), alice).await.unwrap();
    assert_eq!(left.len(), 1, "410: nobody is there any more");
    assert!(left[0].endpoint.ends_with("/push/one"));
    assert_eq!((house.in_state("delivered").await, house.in_state("dropped").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_is_too_long_leaves_its_facts_behind() {
    let Some(mut browser) = Peer::start("decrypt") else { return };
    let (house, receiver) = (House::new().await, Receiver::new().await);
    keys(&house).await;
    let alice = house.person("alice").await;
    let given = browser.tells().await;
    let endpoint = receiver.url("/push");
    let (p256dh, auth) = (given["p256dh"].as_str().unwrap(), given["auth"].as_str().unwrap());
    let new = NewSubscription { endpoint: &endpoint, p256dh, auth, label: None };
    web_push_subscriptions::add(house.pool(), alice, new).await.unwrap();
    house.route(alice, Channel::WebPush).await;
    house.tell(alice, &"long ".repeat(2_000)).await;
    let deliveries = house.deliveries(quick());
    let running = deliveries.run();
    eventually("it arrives", async || house.in_state("delivered").await == 1).await;
    running.stop().await;
    let push = receiver.got().remove(0);
    assert!(push.body.len() <= 4_096);
    browser.hears(&BASE64_STANDARD.encode(&push.body)).await;
    let said: Value = serde_json::from_str(browser.tells().await["said"].as_str().unwrap()).unwrap();
    assert_eq!(said["payload"], json!({}));
}
