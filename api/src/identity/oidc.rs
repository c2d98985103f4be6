//! Signing in elsewhere: OpenID Connect, authorization code with PKCE, at the providers that the settings name.
//!
//! What a provider says about itself is kept for an hour; its keys are fetched again when an ID token is signed with
//! one that is not known. Nothing here waits longer than [`PATIENCE`] for a provider.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use openidconnect::{
    AccessTokenHash, AsyncHttpClient, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EmptyAdditionalClaims, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IssuerUrl, JsonWebKeySet, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
    UserInfoClaims,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreGenderClaim, CoreIdTokenClaims,
        CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreTokenResponse,
    },
};
use operational::{oidc_identities::Identity, users::Email};
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use crate::config::oidc::{OidcSettings, ProviderSettings};

/// How long a provider may take for one answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long it may take to connect.
const CONNECTED_WITHIN: Duration = Duration::from_secs(4);
/// How long what a provider says about itself is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(3_600);
/// How long what it said before is still used when it does not answer.
const STILL_USED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// How soon a provider that did not answer is asked again, and keys are fetched again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Most bytes of one answer.
const LONGEST_ANSWER: usize = 1024 * 1024;
/// An ID token may say that it was made this much in the future.
const CLOCKS_DIFFER_BY: chrono::TimeDelta = chrono::TimeDelta::minutes(5);

/// Signatures that only the provider can make. `none` is no signature, and the secret behind `HS…` is known to
/// whoever reads our settings.
const ACCEPTED: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why signing in elsewhere did not work.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider does not answer, or not in the way of a provider.
    #[error("the provider does not answer as it should: {0}")]
    Down(String),
    /// The provider does not take the code: it is expired, used up or made up.
    #[error("the provider refused the code: {0}")]
    Code(String),
    /// What the provider said cannot be trusted.
    #[error("the provider's answer cannot be trusted: {0}")]
    Untrusted(String),
}

/// What a sign-in begins with.
#[derive(Debug)]
pub struct Begun {
    /// Where the person goes.
    pub url: Url,
    /// What comes back with them.
    pub state: String,
    /// What the ID token has to repeat.
    pub nonce: String,
    /// What proves that the code is ours.
    pub verifier: String,
}

/// Who came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The identity.
    pub identity: Identity,
    /// The address, if the provider says that it has verified it.
    pub verified_email: Option<Email>,
    /// What they might want to be called.
    pub suggested_name: String,
}

/// The providers at which people can sign in, by their name here.
pub struct Providers(BTreeMap<&'static str, Provider>);

impl Providers {
    /// Those that the settings name. None of them is asked anything yet.
    #[must_use]
    pub fn new(settings: &OidcSettings) -> Self {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECTED_WITHIN)
            .timeout(PATIENCE)
            .build();
        let http = match client {
            Ok(http) => Http(http),
            Err(error) => {
                tracing::error!(%error, "nobody can sign in elsewhere");
                return Self(BTreeMap::new());
            }
        };
        let provider = |one: &ProviderSettings| {
            let provider = Provider { settings: one.clone(), http: http.clone(), seen: Mutex::default() };
            (one.id, provider)
        };
        Self(settings.providers.iter().map(provider).collect())
    }

    /// The provider of this name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Provider> {
        self.0.get(id)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Provider> {
        self.0.values()
    }

    /// Their names.
    #[must_use]
    pub fn ids(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }
}

/// One provider.
pub struct Provider {
    settings: ProviderSettings,
    http: Http,
    seen: Mutex<Seen>,
}

/// What the provider last said about itself.
#[derive(Default)]
struct Seen {
    metadata: Option<(Arc<CoreProviderMetadata>, Instant)>,
    /// When its keys alone were last fetched, because one was not known.
    keys_fetched: Option<Instant>,
    failed: Option<(String, Instant)>,
}

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Request(#[from] reqwest::Error),
    #[error(transparent)]
    Http(#[from] openidconnect::http::Error),
    #[error("an answer has more than {LONGEST_ANSWER} bytes")]
    TooLong,
}

/// Asks providers: follows no redirect, waits for nobody, and reads no endless answer.
#[derive(Clone)]
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let mut answer = self.0.execute(request.try_into()?).await?;
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len().saturating_add(chunk.len()) > LONGEST_ANSWER {
                    return Err(HttpError::TooLong);
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = openidconnect::http::Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                response = response.header(name, value);
            }
            Ok(response.body(body)?)
        })
    }
}

/// An error with its causes, in one line.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}

impl Provider {
    /// Its name here, in addresses.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        self.settings.id
    }

    /// Its name for people.
    #[must_use]
    pub fn display_name(&self) -> &str {
        &self.settings.display_name
    }

    /// Whether this is what the provider calls itself.
    #[must_use]
    pub fn is_issuer(&self, issuer: &str) -> bool {
        self.settings.issuer_url == issuer
    }

    /// What the provider says about itself: as it said within the hour, or asked now.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let mut seen = self.seen.lock().await;
        if let Some((metadata, at)) = &seen.metadata
            && at.elapsed() < BELIEVED_FOR
        {
            return Ok(Arc::clone(metadata));
        }
        if let Some((reason, at)) = &seen.failed
            && at.elapsed() < ASKED_AGAIN_AFTER
        {
            return Self::older(&seen, reason.clone());
        }
        let issuer = IssuerUrl::new(self.settings.issuer_url.clone())
            .map_err(|error| OidcError::Down(error.to_string()))?;
        match CoreProviderMetadata::discover_async(issuer, &self.http).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                let seen_now = Some((Arc::clone(&metadata), Instant::now()));
                *seen = Seen { metadata: seen_now, keys_fetched: None, failed: None };
                Ok(metadata)
            }
            Err(error) => {
                let reason = told(&error);
                tracing::warn!(provider = self.id(), %reason, "a provider cannot be asked about itself");
                seen.failed = Some((reason.clone(), Instant::now()));
                Self::older(&seen, reason)
            }
        }
    }

    fn older(seen: &Seen, reason: String) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        match &seen.metadata {
            Some((metadata, at)) if at.elapsed() < STILL_USED_FOR => Ok(Arc::clone(metadata)),
            _ => Err(OidcError::Down(reason)),
        }
    }

    /// Fetches the provider's keys again, unless that was just done.
    async fn metadata_with_new_keys(&self) -> Result<Arc<CoreProviderMetadata>, OidcError> {
        let metadata = self.metadata().await?;
        let mut seen = self.seen.lock().await;
        if seen.keys_fetched.is_some_and(|at| at.elapsed() < ASKED_AGAIN_AFTER) {
            let newest = seen.metadata.as_ref().map(|(newest, _)| Arc::clone(newest));
            return Ok(newest.unwrap_or(metadata));
        }
        let keys = JsonWebKeySet::fetch_async(metadata.jwks_uri(), &self.http)
            .await
            .map_err(|error| OidcError::Down(told(&error)))?;
        let metadata = Arc::new(CoreProviderMetadata::clone(&metadata).set_jwks(keys));
        seen.keys_fetched = Some(Instant::now());
        if let Some((known, _)) = &mut seen.metadata {
            *known = Arc::clone(&metadata);
        }
        Ok(metadata)
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<Client, OidcError> {
        let redirect = RedirectUrl::new(self.settings.redirect_url.clone())
            .map_err(|error| OidcError::Down(error.to_string()))?;
        let secret = self.settings.client_secret.as_ref().map(|it| ClientSecret::new(it.as_str().to_owned()));
        let id = ClientId::new(self.settings.client_id.clone());
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(redirect);
        let only_post = metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        Ok(if only_post { client.set_auth_type(AuthType::RequestBody) } else { client })
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// [`OidcError::Down`].
    pub async fn begin(&self) -> Result<Begun, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            || CsrfToken::new_random_len(32),
            || Nonce::new_random_len(32),
        );
        for scope in self.settings.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        Ok(Begun {
            url,
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
        })
    }

    /// Ends a sign-in: trades the code for an ID token, checks that, and reads from it who came back.
    ///
    /// # Errors
    /// [`OidcError`].
    pub async fn finish(&self, code: String, nonce: &str, verifier: &str) -> Result<Known, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let tokens: CoreTokenResponse = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| OidcError::Down(error.to_string()))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
            .request_async(&self.http)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(refusal) => OidcError::Code(refusal.error().to_string()),
                RequestTokenError::Request(error) => OidcError::Down(told(&error)),
                // What could not be read may hold tokens: only that it could not be read is told.
                RequestTokenError::Parse(error, _body) => OidcError::Untrusted(told(&error)),
                RequestTokenError::Other(reason) => OidcError::Untrusted(reason),
            })?;
        let nonce = Nonce::new(nonce.to_owned());
        let claims = match verified(&client, &metadata, &tokens, &nonce) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_),
            )) => {
                let metadata = self.metadata_with_new_keys().await?;
                verified(&self.client(&metadata)?, &metadata, &tokens, &nonce)
            }
            settled => settled,
        };
        let claims = claims.map_err(|error| OidcError::Untrusted(told(&error)))?;
        let mut about = About::of_token(&claims);
        if about.email.is_none() && metadata.userinfo_endpoint().is_some() {
            let subject = Some(claims.subject().clone());
            let asked = client
                .user_info(tokens.access_token().clone(), subject)
                .map_err(|error| OidcError::Down(error.to_string()))?
                .request_async::<EmptyAdditionalClaims, _, CoreGenderClaim>(&self.http)
                .await
                .map_err(|error| OidcError::Untrusted(told(&error)))?;
            about = about.or(About::of_user_info(&asked));
        }
        Ok(Known {
            identity: Identity {
                provider: self.id().to_owned(),
                issuer: claims.issuer().to_string(),
                subject: claims.subject().to_string(),
                email: about.email.as_ref().map(|email| email.as_str().to_owned()),
            },
            suggested_name: about.name(),
            verified_email: about.email.filter(|_| about.verified),
        })
    }
}

/// The claims of the ID token, once everything about it is checked: issuer, audience, times, nonce, signature, and
/// that it belongs to the access token.
fn verified(
    client: &Client,
    metadata: &CoreProviderMetadata,
    tokens: &CoreTokenResponse,
    nonce: &Nonce,
) -> Result<CoreIdTokenClaims, ClaimsVerificationError> {
    let other = |text: &str| ClaimsVerificationError::Other(text.to_owned());
    let token = tokens.id_token().ok_or_else(|| other("there is no ID token"))?;
    let offered = metadata.id_token_signing_alg_values_supported();
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ACCEPTED.into_iter().filter(|one| offered.contains(one)))
        .set_issue_time_verifier_fn(|made_at| {
            if made_at > chrono::Utc::now() + CLOCKS_DIFFER_BY {
                Err("it was made in the future".to_owned())
            } else {
                Ok(())
            }
        });
    let claims = token.claims(&verifier, nonce)?;
    if claims.subject().is_empty() || claims.subject().len() > 255 {
        return Err(other("the subject has no sensible length"));
    }
    if let Some(expected) = claims.access_token_hash() {
        let algorithm = token.signing_alg().map_err(|error| other(&told(&error)))?;
        let key = token.signing_key(&verifier).map_err(|error| other(&told(&error)))?;
        let actual = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)
            .map_err(|error| other(&told(&error)))?;
        if actual != *expected {
            return Err(other("the access token is not the one that the ID token belongs to"));
        }
    }
    Ok(claims.clone())
}

/// What a provider tells about somebody.
struct About {
    email: Option<Email>,
    verified: bool,
    username: Option<String>,
    full_name: Option<String>,
}

impl About {
    fn of_token(claims: &CoreIdTokenClaims) -> Self {
        Self {
            email: claims.email().and_then(|email| email.parse().ok()),
            verified: claims.email_verified().unwrap_or(false),
            username: claims.preferred_username().map(|name| name.to_string()),
            full_name: claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
        }
    }

    fn of_user_info(claims: &UserInfoClaims<EmptyAdditionalClaims, CoreGenderClaim>) -> Self {
        Self {
            email: claims.email().and_then(|email| email.parse().ok()),
            verified: claims.email_verified().unwrap_or(false),
            username: claims.preferred_username().map(|name| name.to_string()),
            full_name: claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
        }
    }

    /// What this tells, and what it leaves open as the other tells it. An address and whether it is verified belong
    /// together.
    fn or(self, other: Self) -> Self {
        let (email, verified) =
            if self.email.is_some() { (self.email, self.verified) } else { (other.email, other.verified) };
        Self {
            email,
            verified,
            username: self.username.or(other.username),
            full_name: self.full_name.or(other.full_name),
        }
    }

    fn name(&self) -> String {
        let before_at = || self.email.as_ref().and_then(|email| email.as_str().split('@').next());
        self.username
            .as_deref()
            .map(|name| name.split('@').next().unwrap_or(name))
            .or(self.full_name.as_deref())
            .or_else(before_at)
            .unwrap_or_default()
            .to_owned()
    }
}
