//! `/live/ws`: the handshake of RFC 6455, done by hand so that a connection's buffers can be small. The conversation is in `peer.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use poem::web::Data;
use poem::{Request, Response, handler};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::access::Visitor;
use super::peer::{self, Peer};
use crate::http::RequestId;
use crate::http::csrf::check_origin;
use crate::http::refuse::problem;
use crate::web::Web;

/// Allocated for each connection for as long as it lives, and so most of what an idle one costs; the default is 128 KiB.
const READ_BUFFER: usize = 2 * 1024;

/// The largest message a client may send.
const MESSAGE_MAX: usize = 64 * 1024;

/// From how many bytes on messages are written without waiting for more.
const WRITE_BUFFER: usize = 4 * 1024;

/// The most that is ever held for a client that does not read: the buffer above and one message, which may be a long event.
const WRITE_BUFFER_MAX: usize = 16 * 1024 * 1024;

/// Turns a request into a WebSocket.
#[handler]
pub(crate) async fn open(request: &Request, web: Data<&Web>) -> poem::Result<Response> {
    let web = web.0;
    // Before anything else: a WebSocket begins with a GET, is not bound by CORS, and carries the cookie.
    if let Err(refused) = check_origin(request.headers(), &web.base_url.origin(), &web.cors_origins) {
        tracing::info!(request_id = request.data::<RequestId>().map(RequestId::as_str), "refused a WebSocket from another site");
        return Err(refused.of(request).into());
    }
    let accept = match accept(request.headers()) {
        Ok(accept) => accept,
        Err(refusal) => return Ok(refusal.response(request)),
    };
    let Ok(upgrade) = request.take_upgrade() else { return Ok(Refusal::Plain.response(request)) };

    let visitor = Visitor::of(request, web).await?;
    let (connection, receiver) = web.hub.connect(visitor.identity());
    let (app, stopping) = (web.app.clone(), web.shutdown.stopping());
    web.shutdown.spawn_tracked(async move {
        // The client may have gone before the answer reached it.
        let Ok(upgraded) = upgrade.await else { return };
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config())).await;
        peer::serve(Peer::new(app, visitor, connection, socket), receiver, stopping).await;
    });
    Ok(Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .finish())
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER_MAX)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX))
}

/// What is wrong with a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// No upgrade to a WebSocket is asked for, or the connection can't do it (HTTP/2).
    Plain,
    /// Another version than 13.
    Version,
    /// The key is missing or not 16 bytes.
    Key,
}

impl Refusal {
    fn response(self, request: &Request) -> Response {
        let id = request.data::<RequestId>();
        let with = |mut response: Response, name: HeaderName, value: &'static str| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
            response
        };
        match self {
            // RFC 9110, 15.5.22: a 426 says to what.
            Refusal::Plain => {
                let response = problem(StatusCode::UPGRADE_REQUIRED, "upgrade-required", "This address speaks WebSocket alone.", id);
                with(with(response, header::UPGRADE, "websocket"), header::CONNECTION, "upgrade")
            }
            // RFC 6455, 4.4.
            Refusal::Version => {
                let response = problem(StatusCode::UPGRADE_REQUIRED, "upgrade-required", "This server speaks version 13 of WebSocket.", id);
                with(response, header::SEC_WEBSOCKET_VERSION, "13")
            }
            Refusal::Key => problem(StatusCode::BAD_REQUEST, "bad-request", "Sec-WebSocket-Key must be 16 bytes in base64.", id),
        }
    }
}

/// The answer to a handshake's key (RFC 6455, 4.2).
fn accept(headers: &HeaderMap) -> Result<String, Refusal> {
    if !lists(headers, &header::CONNECTION, "upgrade") || !lists(headers, &header::UPGRADE, "websocket") {
        return Err(Refusal::Plain);
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::Version);
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or(Refusal::Key)?.as_bytes();
    if STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16) { Ok(derive_accept_key(key)) } else { Err(Refusal::Key) }
}

/// Whether a comma-separated header names something.
fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The handshake of RFC 6455, 1.3, with one header changed or, if empty, left out.
    fn handshake(name: &str, value: &str) -> HeaderMap {
        let usual = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut headers = HeaderMap::new();
        for (usual_name, usual_value) in usual {
            let value = if usual_name == name { value } else { usual_value };
            if !value.is_empty() {
                headers.insert(HeaderName::from_static(usual_name), HeaderValue::from_str(value).unwrap());
            }
        }
        headers
    }

    #[test]
    fn the_standards_own_example_is_answered() {
        assert_eq!(accept(&handshake("", "")), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned()));
        assert!(accept(&handshake("upgrade", "WebSocket")).is_ok());
    }

    #[test]
    fn what_is_no_handshake_is_named() {
        for (name, value, refusal) in [
            ("connection", "", Refusal::Plain),
            ("connection", "keep-alive", Refusal::Plain),
            ("upgrade", "h2c", Refusal::Plain),
            ("sec-websocket-version", "", Refusal::Version),
            ("sec-websocket-version", "8", Refusal::Version),
            ("sec-websocket-key", "", Refusal::Key),
            ("sec-websocket-key", "c2hvcnQ=", Refusal::Key),
            ("sec-websocket-key", "not base64", Refusal::Key),
        ] {
            assert_eq!(accept(&handshake(name, value)), Err(refusal), "{name}: {value}");
        }
    }
}
