//! From a letter to a relay.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{AsyncSmtpTransport, AsyncSmtpTransportBuilder};
use lettre::{Address, AsyncTransport, Message, Tokio1Executor};

use super::letter::Letter;
use crate::config::{Encryption, SmtpUrl};
use crate::domain::text::Email;
use crate::id::secret;

/// How long a relay may take for one mail, from the connection to its last word.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before a mail is tried again, and again.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];

/// The most of a relay's words that is logged.
const WORDS_MAX: usize = 300;

/// A relay, and who sends by it.
#[derive(Debug)]
pub(super) struct Post {
    /// Makes a connection for each mail. Kept ones would be quicker, but mails are rare, and one whose mail was given up half-way would
    /// take the next mail's commands for the rest of the last one.
    relay: AsyncSmtpTransportBuilder,
    from: Mailbox,
}

/// Why a relay did not take a mail.
#[derive(Debug)]
pub(super) struct Failure {
    reason: String,
    /// Whether trying again is no use (a 5xx of RFC 5321, 4.2.1).
    pub(super) lasts: bool,
}

impl Post {
    pub(super) fn new(url: &SmtpUrl, from: Mailbox) -> Result<Self, String> {
        let parameters =
            || TlsParameters::new(url.host.clone()).map_err(|error| format!("smtp_url: its host can't be spoken to by TLS: {error}"));
        let tls = match url.encryption {
            Encryption::Off => Tls::None,
            Encryption::Offered => Tls::Opportunistic(parameters()?),
            Encryption::Required => Tls::Required(parameters()?),
            Encryption::Whole => Tls::Wrapper(parameters()?),
        };
        let relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(url.host.as_str());
        let mut relay = relay.port(url.port).tls(tls).timeout(Some(PATIENCE));
        if let Some((user, password)) = &url.login {
            relay = relay.credentials(Credentials::new(user.clone(), password.clone()));
        }
        if let Some(name) = &url.greeting {
            relay = relay.hello_name(ClientId::Domain(name.clone()));
        }
        Ok(Self { relay, from })
    }

    /// Addresses a letter.
    pub(super) fn seal(&self, to: &Email, letter: Letter) -> Result<Message, String> {
        let address: Address = to.as_str().parse().map_err(|error| format!("the address is not one that a mail can go to: {error}"))?;
        // Of our own making: lettre's would tell the machine's name to the world.
        let id: String = secret::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, address))
            .subject(letter.subject)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // RFC 3834: no vacation notice answers this.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
            .map_err(|error| error.to_string())
    }

    /// Gives a mail to the relay; logs when it is not taken.
    pub(super) async fn hand_over(&self, message: &Message) -> Result<(), Failure> {
        let relay = self.relay.clone().build::<Tokio1Executor>();
        let mail = message.formatted();
        let handed_over = match tokio::time::timeout(PATIENCE, relay.send_raw(message.envelope(), &mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure { reason: without_links(&error.to_string()), lasts: error.is_permanent() }),
            Err(_) => Err(Failure { reason: format!("nothing within {PATIENCE:?}"), lasts: false }),
        };
        if let Err(failure) = &handed_over {
            let to = message.envelope().to().first().map(ToString::to_string);
            tracing::warn!(to, reason = %failure.reason, "a mail was not sent");
        }
        handed_over
    }

    /// Goes on trying for a while.
    pub(super) async fn persist(self: Arc<Self>, message: Message) {
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            match self.hand_over(&message).await {
                Ok(()) => {
                    tracing::info!("a mail was sent at another attempt");
                    return;
                }
                Err(failure) if failure.lasts => return,
                Err(_) => {}
            }
        }
    }
}

/// A relay's words without what may be a link of the mail that it refuses (filters quote them), and no longer than a log needs.
fn without_links(words: &str) -> String {
    let harmless = |word: &str| !word.contains("://") && !word.contains("v4.local.") && word.len() <= 60;
    let words: Vec<&str> = words.split_whitespace().map(|word| if harmless(word) { word } else { "[…]" }).collect();
    words.join(" ").chars().take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_relay_says_is_logged_without_links() {
        let said = "permanent error (550): refused, see <https://status.example.com/reset/v4.local.SECRET> or v4.local.SECRET";
        assert_eq!(without_links(said), "permanent error (550): refused, see […] or […]");
        assert_eq!(without_links(&format!("a {} b", "s".repeat(61))), "a […] b");
        assert_eq!(without_links(&"word ".repeat(1_000)).chars().count(), WORDS_MAX);
    }

    #[test]
    fn a_post_shows_no_password() {
        let url: SmtpUrl = "smtps://ada:hunter2@mail.example.com".parse().unwrap_or_else(|error| panic!("{error}"));
        let post = Post::new(&url, "status@example.com".parse().unwrap()).unwrap();
        let shown = format!("{post:?}");
        assert!(shown.contains("mail.example.com") && !shown.contains("hunter2"), "{shown}");
    }
}
