//! The providers at which people can sign in.

use axum::http::Uri;

use super::{PublicUrl, Reader, Secret, Variable};

/// The providers, and who may come through them.
#[derive(Debug, Clone, Default)]
pub struct OidcSettings {
    /// Those that are set up.
    pub providers: Vec<ProviderSettings>,
    /// Whether signing in for the first time makes an account.
    pub allow_signup: bool,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// Its name here: `google` or `generic`.
    pub id: &'static str,
    /// Its name for people.
    pub display_name: String,
    /// What it calls itself; its configuration is found below.
    pub issuer_url: String,
    /// What it calls this server.
    pub client_id: String,
    /// What proves to it that this is the server; none for public clients.
    pub client_secret: Option<Secret>,
    /// What is asked of it beside `openid`.
    pub scopes: Vec<String>,
    /// Where it sends people back to.
    pub redirect_url: String,
}

const REDIRECT_BASE: &str = "OIDC_REDIRECT_BASE";
const ALLOW_SIGNUP: &str = "OIDC_ALLOW_SIGNUP";

/// The names of one provider's variables, and what holds when they are unset.
struct Names {
    id: &'static str,
    client_id: &'static str,
    client_secret: &'static str,
    issuer_url: &'static str,
    display_name: &'static str,
    scopes: &'static str,
    issuer: Option<&'static str>,
    called: &'static str,
}

const GOOGLE: Names = Names {
    id: "google",
    client_id: "OIDC_GOOGLE_CLIENT_ID",
    client_secret: "OIDC_GOOGLE_CLIENT_SECRET",
    issuer_url: "OIDC_GOOGLE_ISSUER_URL",
    display_name: "OIDC_GOOGLE_DISPLAY_NAME",
    scopes: "OIDC_GOOGLE_SCOPES",
    issuer: Some("https://accounts.google.com"),
    called: "Google",
};

const GENERIC: Names = Names {
    id: "generic",
    client_id: "OIDC_GENERIC_CLIENT_ID",
    client_secret: "OIDC_GENERIC_CLIENT_SECRET",
    issuer_url: "OIDC_GENERIC_ISSUER_URL",
    display_name: "OIDC_GENERIC_DISPLAY_NAME",
    scopes: "OIDC_GENERIC_SCOPES",
    issuer: None,
    called: "Single sign-on",
};

const SCOPES: &str = "openid email profile";

/// The variables of this file.
pub(super) const VARIABLES: &[Variable] = &[
    Variable {
        name: GOOGLE.client_id,
        default: "unset",
        meaning: "Lets people sign in with Google: the id of an OAuth client there",
    },
    Variable { name: GOOGLE.client_secret, default: "unset", meaning: "The secret of that client" },
    Variable {
        name: GOOGLE.issuer_url,
        default: "https://accounts.google.com",
        meaning: "What Google calls itself",
    },
    Variable { name: GOOGLE.display_name, default: GOOGLE.called, meaning: "What it is called for people" },
    Variable { name: GOOGLE.scopes, default: SCOPES, meaning: "What is asked of it" },
    Variable {
        name: GENERIC.client_id,
        default: "unset",
        meaning: "Lets people sign in at one more OpenID Connect provider: the id of this server there",
    },
    Variable {
        name: GENERIC.client_secret,
        default: "unset",
        meaning: "The secret there; unset for a public client",
    },
    Variable {
        name: GENERIC.issuer_url,
        default: "unset",
        meaning: "What the provider calls itself, such as https://id.example/realms/home; it must say the same \
                  in its /.well-known/openid-configuration",
    },
    Variable { name: GENERIC.display_name, default: GENERIC.called, meaning: "What it is called for people" },
    Variable { name: GENERIC.scopes, default: SCOPES, meaning: "What is asked of it" },
    Variable {
        name: REDIRECT_BASE,
        default: "PUBLIC_URL",
        meaning: "Where providers send people back to; /api/auth/oidc/google/callback is put behind it",
    },
    Variable {
        name: ALLOW_SIGNUP,
        default: "ALLOW_LOCAL_SIGNUP",
        meaning: "Whether signing in at a provider for the first time makes an account",
    },
];

/// Reads them; faults go to the reader.
pub(super) fn read<L: Fn(&str) -> Option<String>>(
    read: &mut Reader<L>,
    public_url: Option<&PublicUrl>,
    allow_local_signup: bool,
) -> OidcSettings {
    let base = read.parsed(REDIRECT_BASE, "is not an http(s) address without a path", |text| {
        text.parse::<PublicUrl>().ok()
    });
    let base = base.as_ref().or(public_url);
    let providers = [GOOGLE, GENERIC].iter().filter_map(|names| provider(read, names, base)).collect();
    OidcSettings { providers, allow_signup: read.switch(ALLOW_SIGNUP, allow_local_signup) }
}

fn provider<L: Fn(&str) -> Option<String>>(
    read: &mut Reader<L>,
    names: &Names,
    base: Option<&PublicUrl>,
) -> Option<ProviderSettings> {
    let issuer_url = read.parsed(names.issuer_url, "is not an http(s) address", |text| {
        let uri: Uri = text.parse().ok()?;
        let known = matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
        (known && uri.authority().is_some_and(|it| !it.as_str().contains('@'))).then(|| text.to_owned())
    });
    let client_secret = read.text(names.client_secret).map(Secret);
    let display_name = read.text(names.display_name).unwrap_or_else(|| names.called.to_owned());
    let scopes = read.text(names.scopes).unwrap_or_else(|| SCOPES.to_owned());
    let client_id = read.text(names.client_id)?;
    let Some(issuer_url) = issuer_url.or_else(|| names.issuer.map(str::to_owned)) else {
        read.fault(format!("{}: is needed beside {}", names.issuer_url, names.client_id));
        return None;
    };
    let Some(base) = base else {
        read.fault(format!("{REDIRECT_BASE}: it or PUBLIC_URL is needed beside {}", names.client_id));
        return None;
    };
    Some(ProviderSettings {
        id: names.id,
        display_name,
        issuer_url,
        client_id,
        client_secret,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        redirect_url: format!("{base}/api/auth/oidc/{}/callback", names.id),
    })
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_lookup(|name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_client_there_is_no_provider() {
        assert!(
            read(&[("OIDC_GENERIC_ISSUER_URL", "https://id.example")]).unwrap().oidc.providers.is_empty()
        );
    }

    #[test]
    fn a_provider_needs_an_issuer_and_a_way_back() {
        let error =
            read(&[("OIDC_GENERIC_CLIENT_ID", "ledger"), ("OIDC_GOOGLE_CLIENT_ID", "g")]).unwrap_err();
        assert!(error.contains("OIDC_GENERIC_ISSUER_URL") && error.contains("OIDC_REDIRECT_BASE"), "{error}");
        let odd = read(&[("OIDC_GENERIC_ISSUER_URL", "https://user@id.example")]).unwrap_err();
        assert!(odd.contains("OIDC_GENERIC_ISSUER_URL"), "{odd}");
    }

    #[test]
    fn people_come_back_to_the_public_url_unless_told_otherwise() {
        let google = [("OIDC_GOOGLE_CLIENT_ID", "g"), ("PUBLIC_URL", "https://figures.example")];
        let config = read(&google).unwrap();
        let one = &config.oidc.providers[0];
        assert_eq!(one.redirect_url, "https://figures.example/api/auth/oidc/google/callback");
        assert_eq!(
            (one.issuer_url.as_str(), one.display_name.as_str()),
            ("https://accounts.google.com", "Google")
        );
        let elsewhere: Vec<_> =
            google.into_iter().chain([("OIDC_REDIRECT_BASE", "http://localhost:9000")]).collect();
        let config = read(&elsewhere).unwrap();
        assert_eq!(
            config.oidc.providers[0].redirect_url,
            "http://localhost:9000/api/auth/oidc/google/callback"
        );
    }

    #[test]
    fn closed_sign_up_is_closed_to_those_who_come_from_elsewhere_unless_told_otherwise() {
        assert!(read(&[]).unwrap().oidc.allow_signup);
        assert!(!read(&[("ALLOW_LOCAL_SIGNUP", "false")]).unwrap().oidc.allow_signup);
        let opened = read(&[("ALLOW_LOCAL_SIGNUP", "false"), ("OIDC_ALLOW_SIGNUP", "true")]).unwrap();
        assert!(opened.oidc.allow_signup && !opened.allow_local_signup);
    }
}
