//! NSFW figures, route by route, from the OpenAPI document: no GET route can forget who hides them and who blurs them.
//!
//! Every GET route of the document has a line in [`routes`]. A new one without a line fails the walk: say there what
//! it shows. A line whose route does not show what it says fails as well, so nothing passes by showing nothing.

mod marks;
mod routes;
mod seeded;

use std::{collections::BTreeSet, time::Duration};

use futures::StreamExt;
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use crate::profiles::switch;
use crate::support::{TestApp, TestClient};
use marks::{blurred, gated, unmarked};
use routes::{ROUTES, Route, Shows};
use seeded::{Seeded, seed};

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back: the status, the text, and the JSON in it, if that is what it is.
struct Said {
    what: String,
    status: u16,
    text: String,
    json: Vec<Value>,
}

async fn ask(client: &TestClient, path: &str, seeded: &Seeded) -> Said {
    let answer = async {
        if path.ends_with("/live") {
            return listen(client, path, seeded).await;
        }
        let answer = client.get(path).await;
        let status = answer.status.as_u16();
        let json = if answer.body.is_null() { Vec::new() } else { vec![answer.body] };
        Said { what: format!("GET {path}"), status, text: answer.text, json }
    };
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_late| panic!("{path} does not end"))
}

/// Listens from the beginning until what was told last has been told, or nothing more may come.
async fn listen(client: &TestClient, path: &str, seeded: &Seeded) -> Said {
    let request = client.http.get(format!("{}{path}", client.base)).header("last-event-id", "0");
    let response = request.header(ACCEPT, "text/event-stream").send().await.unwrap();
    let status = response.status().as_u16();
    let (mut text, mut stream) = (String::new(), response.bytes_stream());
    while let Some(Ok(bytes)) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&bytes));
        if text.contains(seeded.told_last) && text.ends_with("\n\n") {
            break;
        }
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let json = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    Said { what: format!("GET {path}"), status, text, json }
}

/// What is wrong, of all routes at once.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn unless(&mut self, right: bool, said: &Said, who: &str, what: &str) {
        if !right {
            let text: String = said.text.chars().take(1_500).collect();
            self.0.push(format!("{} for who chose {who}: {what}: {text}", said.what));
        }
    }

    fn assert_none(self) {
        assert!(self.0.is_empty(), "{} faults:\n{}", self.0.len(), self.0.join("\n\n"));
    }
}

impl Said {
    /// Whether anything of the NSFW figures is in it.
    fn tells(&self, seeded: &Seeded) -> bool {
        seeded.marks.iter().any(|mark| self.text.contains(mark.as_str()))
    }

    fn names(&self, seeded: &Seeded) -> bool {
        seeded.names_or_slugs().any(|name| self.text.contains(name))
    }

    /// Whether it is a picture, or tells of some.
    fn pictures(&self) -> bool {
        self.status == 200
            && (self.json.is_empty() && !self.text.is_empty() || self.text.contains("\"blurhash\""))
    }

    /// Whether it asks first, and shows nothing before.
    fn asks_first(&self) -> bool {
        let refused = |json: &Value| self.status == 403 && json["code"] == "nsfw_gate";
        let asks = |json: &Value| refused(json) || self.status == 200 && gated(json);
        !self.json.is_empty() && self.json.iter().all(asks) && !self.pictures()
    }

    fn is_ok_and_tells(&self, seeded: &Seeded, who: &str, faults: &mut Faults) {
        faults.unless(self.status == 200, self, who, "not answered");
        faults.unless(self.tells(seeded), self, who, "shows nothing NSFW, so its line in the table is wrong");
    }

    fn is_ok_and_silent(&self, seeded: &Seeded, who: &str, faults: &mut Faults) {
        faults.unless(self.status == 200, self, who, "not answered");
        self.is_silent(seeded, who, faults);
    }

    fn is_silent(&self, seeded: &Seeded, who: &str, faults: &mut Faults) {
        let told = seeded.marks.iter().find(|mark| self.text.contains(mark.as_str()));
        faults.unless(told.is_none(), self, who, &format!("tells of {}", told.map_or("", String::as_str)));
    }

    /// Wherever an NSFW figure is named it is marked.
    fn is_marked(&self, seeded: &Seeded, only_blurred: bool, who: &str, faults: &mut Faults) {
        for json in &self.json {
            let bare = unmarked(json, seeded, only_blurred);
            faults.unless(bare.is_empty(), self, who, &format!("does not mark {bare:?}"));
        }
    }

    fn blurs_nothing(&self, who: &str, faults: &mut Faults) {
        faults.unless(!self.json.iter().any(blurred), self, who, "blurs all the same");
    }
}

/// What one route shows to its owner, who chose this.
async fn check_own(alice: &TestClient, route: &Route, seeded: &Seeded, wish: &str, faults: &mut Faults) {
    for path in route.ways(seeded) {
        let said = ask(alice, &path, seeded).await;
        match (&route.shows, wish) {
            (Shows::Nothing, _) | (Shows::Lists, "hide") => said.is_ok_and_silent(seeded, wish, faults),
            (Shows::Always(_reason), _) => said.is_ok_and_tells(seeded, wish, faults),
            (Shows::Opens, "hide") => {
                faults.unless(said.status == 200, &said, wish, "not answered");
                faults.unless(!said.names(seeded), &said, wish, "is named without asking first");
                faults.unless(said.json.iter().all(gated), &said, wish, "has no gate");
                let joint = if path.contains('?') { '&' } else { '?' };
                let confirmed = ask(alice, &format!("{path}{joint}confirm_nsfw=true"), seeded).await;
                confirmed.is_ok_and_tells(seeded, wish, faults);
                faults.unless(!confirmed.json.iter().any(gated), &confirmed, wish, "asks again");
            }
            (Shows::Pictures, "hide") => {
                faults.unless(said.asks_first(), &said, wish, "does not ask first");
                faults.unless(!said.names(seeded), &said, wish, "is named without asking first");
                let joint = if path.contains('?') { '&' } else { '?' };
                let confirmed = ask(alice, &format!("{path}{joint}confirm_nsfw=true"), seeded).await;
                faults.unless(confirmed.pictures(), &confirmed, wish, "shows no picture when it is to");
            }
            (Shows::Pictures, _) => faults.unless(said.pictures(), &said, wish, "shows no picture"),
            (Shows::Lists | Shows::Opens, _) => {
                said.is_ok_and_tells(seeded, wish, faults);
                match wish {
                    "blur" => said.is_marked(seeded, false, wish, faults),
                    _ => said.blurs_nothing(wish, faults),
                }
            }
            (
                Shows::ToOthers
                | Shows::ToOthersWithAnAccount
                | Shows::ToWhoeverSubscribes
                | Shows::Unasked(_),
                _,
            ) => {}
        }
    }
}

/// What one route shows of Alice's to somebody else, who chose this; nobody has no account.
async fn check_public(
    viewer: &TestClient,
    route: &Route,
    seeded: &Seeded,
    (wish, owner_shows): (&str, bool),
    faults: &mut Faults,
) {
    if !route.is_for_others() {
        return;
    }
    let blurs = wish == "blur" || wish == "nobody";
    for path in route.ways(seeded) {
        let said = ask(viewer, &path, seeded).await;
        match route.shows {
            Shows::ToOthersWithAnAccount if wish == "nobody" => {
                faults.unless(said.status == 401, &said, wish, "answered");
                said.is_silent(seeded, wish, faults);
            }
            Shows::ToWhoeverSubscribes if owner_shows => {
                said.is_ok_and_tells(seeded, wish, faults);
                faults.unless(said.text.contains("CATEGORIES:NSFW"), &said, wish, "does not mark it");
            }
            _ if !owner_shows || wish == "hide" => said.is_ok_and_silent(seeded, wish, faults),
            _ => {
                said.is_ok_and_tells(seeded, wish, faults);
                match blurs {
                    true => said.is_marked(seeded, true, wish, faults),
                    false => said.blurs_nothing(wish, faults),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_get_route_of_the_document_says_what_it_shows() {
    let app = TestApp::new().await;
    let document = app.visitor().get("/api/openapi.json").await.ok();
    let paths = document["paths"].as_object().unwrap();
    let there: BTreeSet<&str> =
        paths.iter().filter(|(_, item)| item.get("get").is_some()).map(|(path, _)| path.as_str()).collect();
    let named: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    let forgotten: Vec<_> = there.difference(&named).collect();
    assert!(forgotten.is_empty(), "say in nsfw_routes/routes.rs what these show: {forgotten:?}");
    let stale: Vec<_> = named.difference(&there).collect();
    assert!(stale.is_empty(), "these are no routes: {stale:?}");
    assert_eq!(named.len(), ROUTES.len(), "a route has two lines");
    for route in ROUTES {
        if let Shows::Always(reason) | Shows::Unasked(reason) = route.shows {
            assert!(reason.len() > 20, "{}: say why", route.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nsfw_figures_are_hidden_marked_or_shown_on_every_route() {
    let app = TestApp::new().await;
    let (alice, seeded) = seed(&app).await;
    let mut faults = Faults::default();
    for wish in ["hide", "blur", "show"] {
        switch(&alice, json!({"nsfw_visibility": wish})).await;
        for route in ROUTES {
            check_own(&alice, route, &seeded, wish, &mut faults).await;
        }
    }
    faults.assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_nsfw_figures_as_their_owner_and_they_themselves_want() {
    let app = TestApp::new().await;
    let (alice, seeded) = seed(&app).await;
    let mut viewers = vec![("nobody", app.visitor())];
    for wish in ["hide", "blur", "show"] {
        let viewer = app.register(&format!("who-wants-{wish}")).await;
        switch(&viewer, json!({"nsfw_visibility": wish})).await;
        viewers.push((wish, viewer));
    }
    let mut faults = Faults::default();
    for owner_shows in [false, true] {
        switch(&alice, json!({"public_profile_show_nsfw": owner_shows})).await;
        for (wish, viewer) in &viewers {
            for route in ROUTES {
                check_public(viewer, route, &seeded, (wish, owner_shows), &mut faults).await;
            }
        }
    }
    faults.assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_account_no_other_route_tells_of_nsfw_figures() {
    let app = TestApp::new().await;
    let (_alice, seeded) = seed(&app).await;
    let (nobody, mut faults) = (app.visitor(), Faults::default());
    for route in ROUTES.iter().filter(|route| !route.is_for_others()) {
        for path in route.ways(&seeded) {
            let said = ask(&nobody, &path, &seeded).await;
            said.is_silent(&seeded, "nobody", &mut faults);
            let closed = match route.shows {
                Shows::Nothing => true,
                Shows::Pictures => matches!(said.status, 401 | 404),
                _ => said.status == 401,
            };
            faults.unless(closed, &said, "nobody", "answered");
        }
    }
    faults.assert_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_and_facets_leave_them_out_for_those_who_hide_them() {
    let app = TestApp::new().await;
    let (alice, seeded) = seed(&app).await;
    for (wish, figures, unread) in [("hide", 2, 1), ("blur", 5, 2), ("show", 5, 2)] {
        switch(&alice, json!({"nsfw_visibility": wish})).await;
        let maker = alice.get(&seeded.fill("/api/manufacturers/{maker}")).await.ok();
        assert_eq!(maker["figure_count"], figures, "{wish}");
        let facets = alice.get("/api/figures/facets").await.ok();
        assert_eq!(
            (&facets["total"], &facets["type"][0]["count"]),
            (&json!(figures), &json!(figures)),
            "{wish}"
        );
        let prices = alice.get("/api/me/notifications?limit=200").await.ok();
        let told = prices["items"].as_array().unwrap();
        let told = told.iter().filter(|one| one["event_type"] == "wishlist_price_below_target").count();
        assert_eq!(told, unread, "{wish}");
    }
}
