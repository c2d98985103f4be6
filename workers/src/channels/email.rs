//! E-mail by the SMTP server that an admin set up.

use super::fields::{Fields, text};
use super::{Message, Sender, Unfit, Unsent};
use async_trait::async_trait;
use lettre::address::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Code;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use operational::notification_channels::{Channel, Destination, Setup};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::time::Duration;

/// How long one word of the server may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How the connection may be kept from others, and the usual port.
const SECURITY: [(&str, u64); 3] = [("starttls", 587), ("tls", 465), ("none", 25)];
/// Answers about name, password and encryption: what an admin set up is wrong, not the message.
const ABOUT_SETUP: [u16; 4] = [530, 534, 535, 538];

/// The channel.
pub(super) struct Email;

fn mailbox(field: &str, text: &str) -> Result<Mailbox, Unfit> {
    text.parse()
        .map_err(|_invalid| Unfit::invalid(field, "an address such as figures@example.org is wanted here"))
}

/// The server's part of a setup, ready to send.
fn transport(setup: &Setup) -> Result<AsyncSmtpTransport<Tokio1Executor>, Unsent> {
    let broken = |cause: &str| Unsent::failed(format!("the mail server is not set up: {cause}"));
    let host = text(&setup.config, "host").ok_or_else(|| broken("no host"))?;
    let port = setup.config.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(pem) = text(&setup.config, "ca_pem") {
        let certificate =
            Certificate::from_pem(pem.as_bytes()).map_err(|error| broken(&error.to_string()))?;
        tls = tls.add_root_certificate(certificate);
    }
    let tls = || tls.clone().build_rustls().map_err(|error| broken(&error.to_string()));
    let tls = match text(&setup.config, "security") {
        Some("tls") => Tls::Wrapper(tls()?),
        Some("none") => Tls::None,
        _ => Tls::Required(tls()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port.ok_or_else(|| broken("no port"))?)
        .tls(tls)
        .hello_name(ClientId::default())
        .timeout(Some(PATIENCE));
    if let (Some(user), Some(password)) = (text(&setup.config, "username"), text(&setup.secrets, "password"))
    {
        builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
    }
    Ok(builder.build())
}

fn mail(setup: &Setup, to: &Destination, message: &Message) -> Result<Mail, Unsent> {
    let broken = |cause: String| Unsent::Refused(format!("the mail cannot be written: {cause}"));
    let part = |value, field| text(value, field).unwrap_or_default().parse::<Mailbox>();
    let from = part(&setup.config, "from")
        .map_err(|error| Unsent::failed(format!("the mail server is not set up: {error}")))?;
    let to = part(&to.config, "address").map_err(|error| broken(error.to_string()))?;
    // The same at every try: whoever keeps mails sees that it is the same one.
    let id = format!("<{}@{}>", message.id, from.email.domain());
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    Mail::builder()
        .from(from)
        .to(to)
        .subject(message.title.replace(char::is_control, " "))
        .message_id(Some(id))
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN)
        .body(message.text.clone())
        .map_err(|error| broken(error.to_string()))
}

/// What a mail server answered: its code and, when it begins with one, its enhanced status. Its words may quote whom
/// the mail is for.
fn told(code: Code, words: &str) -> String {
    let digits = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let first = words.split_whitespace().next().unwrap_or_default();
    if first.split('.').count() == 3 && first.split('.').all(digits) {
        format!("the mail server answered {code} {first}")
    } else {
        format!("the mail server answered {code}")
    }
}

fn unsent(error: &smtp::Error) -> Unsent {
    let Some(code) = error.status() else {
        return Unsent::failed(if error.is_response() {
            // It quotes the answer.
            "the mail server gave an answer that cannot be read".to_owned()
        } else {
            format!("the mail server: {error}")
        });
    };
    let said = told(code, &error.source().map_or_else(String::new, ToString::to_string));
    if error.is_permanent() && !ABOUT_SETUP.contains(&code.into()) {
        Unsent::Refused(said)
    } else {
        Unsent::failed(said)
    }
}

#[async_trait]
impl Sender for Email {
    fn channel(&self) -> Channel {
        Channel::Email
    }

    /// `{host, port?, security?, from, username?, password?, ca_pem?}`. The password that is left out stays as long as
    /// host and name do.
    fn set_up(&self, given: Map<String, Value>, before: &Setup) -> Result<(Value, Value), Unfit> {
        let mut fields = Fields(given);
        let host = Fields::needed("host", fields.line("host", 253)?)?;
        if url::Host::parse(&host).is_err() {
            return Err(Unfit::invalid("host", "the name or address of a server is wanted here"));
        }
        let security = fields.line("security", 20)?.unwrap_or_else(|| "starttls".to_owned());
        let Some((_, usual)) = SECURITY.into_iter().find(|(name, _)| *name == security) else {
            return Err(Unfit::invalid("security", "one of starttls, tls, none"));
        };
        let port = fields.number("port")?.unwrap_or(usual);
        if !(1..=65_535).contains(&port) {
            return Err(Unfit::invalid("port", "a port from 1 to 65535"));
        }
        let from = Fields::needed("from", fields.line("from", 320)?)?;
        mailbox("from", &from)?;
        let username = fields.line("username", 320)?;
        let ca_pem = fields.given("ca_pem", 16_384)?.or(None);
        if ca_pem.as_ref().is_some_and(|pem| Certificate::from_pem(pem.as_bytes()).is_err()) {
            return Err(Unfit::invalid("ca_pem", "a certificate as PEM is wanted here"));
        }
        let same = text(&before.config, "host") == Some(&host)
            && text(&before.config, "username") == username.as_deref()
            && text(&before.config, "security") == Some(&security)
            && before.config.get("port").and_then(Value::as_u64) == Some(port)
            && text(&before.config, "ca_pem") == ca_pem.as_deref();
        let kept = text(&before.secrets, "password").filter(|_| same);
        let password = fields.given("password", 1_000)?.or(kept.map(str::to_owned));
        fields.done()?;
        if password.is_some() && security == "none" {
            return Err(Unfit::invalid("security", "a password is sent over starttls or tls only"));
        }
        if password.is_some() != username.is_some() {
            return Err(Unfit::invalid("password", "username and password belong together"));
        }
        let config = json!({
            "host": host, "port": port, "security": security, "from": from, "username": username, "ca_pem": ca_pem,
        });
        Ok((config, json!({"password": password})))
    }

    fn shown_setup(&self, setup: &Setup) -> Value {
        let mut shown = setup.config.clone();
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("password_set".to_owned(), text(&setup.secrets, "password").is_some().into());
        }
        shown
    }

    /// `{address}`.
    fn destination(&self, given: Map<String, Value>, _: Option<&Destination>) -> Result<Destination, Unfit> {
        let mut fields = Fields(given);
        let address = Fields::needed("address", fields.line("address", 254)?)?;
        if address.parse::<Address>().is_err() {
            return Err(Unfit::invalid("address", "an e-mail address is wanted here"));
        }
        fields.done()?;
        Ok(Destination { config: json!({"address": address}), secrets: json!({}) })
    }

    fn shown_destination(&self, destination: &Destination) -> Value {
        destination.config.clone()
    }

    async fn send(&self, setup: &Setup, to: &Destination, message: &Message) -> Result<String, Unsent> {
        let mail = mail(setup, to, message)?;
        match transport(setup)?.send(mail).await {
            Ok(answer) => Ok(told(answer.code(), answer.first_line().unwrap_or_default())),
            Err(error) => Err(unsent(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lettre::transport::smtp::response::{Category, Detail, Severity};

    #[test]
    fn of_an_answer_its_code_and_enhanced_status_are_told_and_no_words() {
        let code = Code::new(Severity::PermanentNegativeCompletion, Category::MailSystem, Detail::Zero);
        for (words, said) in [
            ("5.1.1 <alice@example.org> no such mailbox", "the mail server answered 550 5.1.1"),
            ("alice@example.org is unknown", "the mail server answered 550"),
            ("5.1.alice@example.org", "the mail server answered 550"),
            ("5.1.1.1 x", "the mail server answered 550"),
            ("", "the mail server answered 550"),
        ] {
            assert_eq!(told(code, words), said, "{words}");
        }
    }
}
