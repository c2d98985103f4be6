//! What each GET route shows of NSFW figures.

use super::seeded::Seeded;

/// What a route shows of them.
pub enum Shows {
    /// Figures, in a list, a feed or a sum's parts: none to who hides them, marked to who blurs them.
    Lists,
    /// One that was asked for: who hides them is asked first, with `confirm_nsfw`.
    Opens,
    /// Pictures of one that were asked for: who hides it is asked first, with `confirm_nsfw`.
    Pictures,
    /// What is one person's, to others: as that person's `public_profile_show_nsfw` and the viewer want.
    ToOthers,
    /// The same, to people with an account only.
    ToOthersWithAnAccount,
    /// The same, to a program that nobody is signed in to and that can blur nothing.
    ToWhoeverSubscribes,
    /// No figure at all.
    Nothing,
    /// Whoever asks sees them all the same, for this reason.
    Always(&'static str),
    /// It is not asked here, for this reason.
    Unasked(&'static str),
}

/// One line: the route, what it shows, and how to ask it. With no way given it is asked as it stands.
pub struct Route {
    pub path: &'static str,
    pub shows: Shows,
    ways: &'static [&'static str],
}

impl Route {
    /// Whether it is somebody's, for others to look at.
    pub const fn is_for_others(&self) -> bool {
        matches!(self.shows, Shows::ToOthers | Shows::ToOthersWithAnAccount | Shows::ToWhoeverSubscribes)
    }

    /// The addresses to ask.
    pub fn ways(&self, seeded: &Seeded) -> Vec<String> {
        let ways = if self.ways.is_empty() { std::slice::from_ref(&self.path) } else { self.ways };
        match self.shows {
            Shows::Unasked(_) => Vec::new(),
            _ => ways.iter().map(|way| seeded.fill(way)).collect(),
        }
    }
}

const fn lists(path: &'static str, ways: &'static [&'static str]) -> Route {
    Route { path, shows: Shows::Lists, ways }
}

const fn opens(path: &'static str, ways: &'static [&'static str]) -> Route {
    Route { path, shows: Shows::Opens, ways }
}

const fn pictures(path: &'static str, ways: &'static [&'static str]) -> Route {
    Route { path, shows: Shows::Pictures, ways }
}

const fn to_others(path: &'static str, ways: &'static [&'static str]) -> Route {
    Route { path, shows: Shows::ToOthers, ways }
}

const fn nothing(path: &'static str) -> Route {
    Route { path, shows: Shows::Nothing, ways: &[] }
}

const fn nothing_by(path: &'static str, ways: &'static [&'static str]) -> Route {
    Route { path, shows: Shows::Nothing, ways }
}

const fn always(path: &'static str, reason: &'static str, ways: &'static [&'static str]) -> Route {
    Route { path, shows: Shows::Always(reason), ways }
}

const fn unasked(path: &'static str, reason: &'static str) -> Route {
    Route { path, shows: Shows::Unasked(reason), ways: &[] }
}

const EVERYTHING: &str =
    "what one takes along is whole; a copy that leaves things out restores less than there was";
const THE_LOG: &str = "admins read the log as it is stored, to find out what went wrong";
const ELSEWHERE: &str = "leads to a provider's pages and shows nothing of a collection";

const CROSSINGS: &str = "asks a server outside; its own tests have one and see who hides what";
const RECEIPTS: &str = "receipts show no figure and are shown to their owner whatever they hide: decision 29";
const WORKERS: &str = "shows a worker outside what it is to make a film or model of, under its lease";
const SHOPS: &str = "asks a price provider, of which there is none here; its own tests have one";

pub const ROUTES: &[Route] = &[
    // The catalogue
    lists(
        "/api/figures",
        &["/api/figures?limit=200", "/api/figures?q=quillon", "/api/figures?relation=owned"],
    ),
    nothing("/api/figures/facets"),
    opens("/api/figures/by-jan", &["/api/figures/by-jan?jan={jan}"]),
    opens("/api/figures/{id}", &["/api/figures/{owned}", "/api/figures/{owned_slug}"]),
    opens("/api/figures/{id}/prices", &["/api/figures/{owned}/prices"]),
    opens("/api/figures/{id}/prices.svg", &["/api/figures/{owned}/prices.svg"]),
    nothing("/api/figure-types"),
    nothing("/api/manufacturers"),
    nothing_by("/api/manufacturers/{id}", &["/api/manufacturers/{maker}"]),
    nothing("/api/series"),
    nothing_by("/api/series/{id}", &["/api/series/{series}"]),
    nothing("/api/characters"),
    unasked("/api/characters/{id}", "the same handler as that of makers and series"),
    nothing("/api/sculptors"),
    unasked("/api/sculptors/{id}", "the same handler as that of makers and series"),
    nothing("/api/stores"),
    unasked("/api/stores/{id}", "the same handler as that of makers and series"),
    nothing("/api/currencies"),
    unasked("/api/fx/rates", "exchange rates, of which there are none here"),
    // One's own
    lists(
        "/api/me/owned",
        &["/api/me/owned?limit=200", "/api/me/owned?archived=true", "/api/me/owned?as_of={position}"],
    ),
    opens("/api/me/owned/{id}", &["/api/me/owned/{piece}", "/api/me/owned/{piece}?as_of={position}"]),
    opens("/api/me/owned/{id}/history", &["/api/me/owned/{piece}/history"]),
    lists("/api/me/preorders", &["/api/me/preorders", "/api/me/preorders?as_of={position}"]),
    opens(
        "/api/me/preorders/{id}",
        &["/api/me/preorders/{preorder}", "/api/me/preorders/{preorder}?as_of={position}"],
    ),
    nothing_by("/api/me/preorders/{id}/history", &["/api/me/preorders/{preorder}/history"]),
    nothing_by("/api/me/preorders/{id}/breakdown", &["/api/me/preorders/{preorder}/breakdown"]),
    lists("/api/me/preorders/forecast", &["/api/me/preorders/forecast?explain=1"]),
    lists("/api/me/wishlist", &["/api/me/wishlist", "/api/me/wishlist?as_of={position}"]),
    opens(
        "/api/me/wishlist/{figure_id}",
        &["/api/me/wishlist/{wished}", "/api/me/wishlist/{wished}?as_of={position}"],
    ),
    nothing("/api/me/locations"),
    nothing_by("/api/me/locations/{id}", &["/api/me/locations/{cabinet}"]),
    lists("/api/me/activity", &["/api/me/activity?limit=200"]),
    lists("/api/me/timeline", &["/api/me/timeline?limit=200"]),
    lists("/api/me/achievements", &[]),
    lists("/api/me/cote", &["/api/me/cote?explain=1"]),
    lists("/api/me/cote/pieces", &[]),
    nothing("/api/me/cote/evolution"),
    nothing("/api/me/cote/evolution.svg"),
    lists("/api/me/stats", &["/api/me/stats?explain=1"]),
    nothing("/api/me/stats.svg"),
    lists("/api/me/stats/insights", &[]),
    lists("/api/me/year-in-review/{year}", &["/api/me/year-in-review/{year}?explain=1"]),
    always(
        "/api/me/export/{file}",
        EVERYTHING,
        &[
            "/api/me/export/collection.csv",
            "/api/me/export/collection.json",
            "/api/me/export/wishlist.json",
            "/api/me/export/preorders.json",
        ],
    ),
    always("/api/me/export/backup.json", EVERYTHING, &[]),
    lists("/api/me/notifications", &["/api/me/notifications?limit=200"]),
    lists("/api/me/events/live", &[]),
    nothing("/api/me/notifications/routing"),
    nothing("/api/me/notifications/settings"),
    nothing("/api/me/notifications/channels"),
    nothing_by("/api/me/notifications/channels/{channel}", &["/api/me/notifications/channels/in_app"]),
    nothing("/api/me/web-push"),
    nothing("/api/me"),
    nothing("/api/me/sessions"),
    nothing("/api/me/identities"),
    nothing("/api/me/api-keys"),
    // Others
    to_others("/api/u/{username}", &["/api/u/alice"]),
    nothing("/api/me/following"),
    nothing("/api/me/followers"),
    nothing("/api/discover"),
    Route {
        path: "/api/compare/{username}",
        shows: Shows::ToOthersWithAnAccount,
        ways: &["/api/compare/alice?part=only_them"],
    },
    // Behind links
    nothing("/api/me/wishlist/share"),
    to_others("/api/g/{token}", &["/api/g/{gift_token}"]),
    nothing_by("/api/me/locations/{id}/share", &["/api/me/locations/{cabinet}/share"]),
    to_others("/api/v/{token}", &["/api/v/{cabinet_token}"]),
    nothing("/api/me/calendar"),
    Route {
        path: "/api/calendar/{token}",
        shows: Shows::ToWhoeverSubscribes,
        ways: &["/api/calendar/{calendar_token}.ics"],
    },
    // Manga, and what shops say
    nothing_by("/api/public/figures/by-mal/{mal_id}", &["/api/public/figures/by-mal/{mal}"]),
    unasked("/api/me/manga-link", "names a server and a page there, and none is linked here"),
    nothing("/api/manga/servers"),
    unasked("/api/me/crossings", CROSSINGS),
    unasked("/api/external/stores", SHOPS),
    unasked("/api/external/search", SHOPS),
    unasked("/api/external/product", SHOPS),
    // Pictures and papers
    pictures("/api/figures/{id}/photos", &["/api/figures/{owned}/photos"]),
    pictures(
        "/api/figure-photos/{id}",
        &["/api/figure-photos/{figure_photo}", "/api/figure-photos/{figure_photo}?size=320"],
    ),
    pictures("/api/photos/{id}", &["/api/photos/{photo}", "/api/photos/{photo}?size=960"]),
    pictures("/api/me/owned/{id}/photos", &["/api/me/owned/{piece}/photos"]),
    pictures("/api/me/owned/{id}/scans", &["/api/me/owned/{piece}/scans"]),
    unasked("/api/me/owned/{id}/documents", RECEIPTS),
    unasked("/api/documents/{id}", RECEIPTS),
    pictures("/api/scans/{id}", &["/api/scans/{scan}"]),
    pictures(
        "/api/scans/{id}/frames/{n}",
        &["/api/scans/{scan}/frames/0", "/api/scans/{scan}/frames/1?size=320"],
    ),
    pictures("/api/scans/{id}/renders/{render}", &["/api/scans/{scan}/renders/{render}"]),
    unasked("/api/render-worker/{id}/frames/{n}", WORKERS),
    nothing("/api/admin/renders"),
    nothing("/api/me/notifications/deliveries"),
    unasked("/api/me/notifications/deliveries/{id}", "tells of tries, and nothing goes out here"),
    // Running the instance
    always("/api/admin/events", THE_LOG, &["/api/admin/events?limit=200"]),
    always("/api/admin/streams/{type}/{id}", THE_LOG, &["/api/admin/streams/figure/{owned}"]),
    nothing("/api/admin/stats"),
    nothing("/api/admin/jobs"),
    nothing_by("/api/admin/jobs/{name}", &["/api/admin/jobs/price_cron"]),
    nothing("/api/admin/policies"),
    nothing("/api/admin/projections"),
    unasked("/api/admin/projections/events", "tells how far rebuilding is, without end"),
    nothing("/api/admin/notifications/channels"),
    nothing_by("/api/admin/notifications/channels/{channel}", &["/api/admin/notifications/channels/email"]),
    nothing("/api/admin/deliveries"),
    unasked("/api/admin/deliveries/{id}", "tells of tries, and nothing goes out here"),
    nothing("/api/admin/users"),
    nothing("/api/admin/manga-servers"),
    nothing("/api/admin/settings"),
    nothing_by("/api/admin/settings/{key}", &["/api/admin/settings/cote.price_cron"]),
    nothing("/api/admin/figure-types"),
    nothing("/metrics"),
    // Before one is signed in
    nothing("/api/health/live"),
    nothing("/api/health/ready"),
    nothing("/api/auth/providers"),
    unasked("/api/auth/oidc/{provider}/start", ELSEWHERE),
    unasked("/api/auth/oidc/{provider}/callback", ELSEWHERE),
];
