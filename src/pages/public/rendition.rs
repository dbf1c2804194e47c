//! One rendering of a page, ready to be sent: every encoding with its headers, made once for all who ask.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest, Sha256};

use super::live;
use super::render::{Fragment, Rendered};
use crate::clock::Timestamp;
use crate::http::SecurityHeaders;
use crate::http::encoding::{Encoding, has_fresh_copy, negotiate};

/// Browsers ask each time and are mostly told "not modified"; shared caches may spare us a crowd, and show an old page rather than none.
/// A page from any of them converges, since its stream begins with what it missed.
const CACHE_CONTROL: &str = "no-cache, s-maxage=5, stale-while-revalidate=30, stale-if-error=86400";

/// What a rendering shows, and in which order it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Counts renderings; a greater number was made later. It means nothing outside this process.
    pub number: u64,
    /// The word in the page's address, as it was then.
    pub slug: String,
    /// Where the page's stream stands with it: `<epoch>:<seq>.<day>`, the position in the page's log and the day that it calls today; and after
    /// another dot the beginning of its logo's hash, if it has one: of logos the log says nothing.
    pub at: String,
    /// From when on another day is today.
    pub good_until: Timestamp,
}

/// One rendering of a page in every encoding.
#[derive(Debug)]
pub struct Rendition {
    /// What it shows.
    pub stamp: Stamp,
    /// Its live regions.
    pub fragments: Vec<Fragment>,
    identity: Face,
    gzip: Face,
    brotli: Face,
    told: OnceLock<Bytes>,
}

impl Rendition {
    /// Compresses a rendering and makes its headers. Takes milliseconds: not for an async thread.
    ///
    /// # Errors
    /// Only when compressing into memory fails.
    pub fn make(rendered: Rendered, stamp: Stamp, security: &SecurityHeaders) -> io::Result<Self> {
        let html = Bytes::from(rendered.html);
        let gzip = Bytes::from(gzip(&html)?);
        let brotli = Bytes::from(brotli(&html)?);
        Ok(Self {
            stamp,
            fragments: rendered.fragments,
            identity: Face::new(html, Encoding::Identity, security),
            gzip: Face::new(gzip, Encoding::Gzip, security),
            brotli: Face::new(brotli, Encoding::Brotli, security),
            told: OnceLock::new(),
        })
    }

    /// The answer to a GET or HEAD with these headers. The server drops the body of an answer to HEAD and keeps its length.
    pub fn answer(&self, request: &HeaderMap) -> Response<Bytes> {
        match negotiate(request) {
            Encoding::Identity => &self.identity,
            Encoding::Gzip => &self.gzip,
            Encoding::Brotli => &self.brotli,
        }
        .answer(request)
    }

    /// All of it as one message of the stream, encoded for the first one who needs it and shared by all.
    pub fn told(&self) -> Bytes {
        self.told.get_or_init(|| live::message(&self.stamp, &self.fragments)).clone()
    }

    /// How much memory it takes, near enough.
    pub fn weight(&self) -> usize {
        let fragments: usize = self.fragments.iter().map(|fragment| fragment.html.len()).sum();
        self.identity.bytes.len() + self.gzip.bytes.len() + self.brotli.bytes.len() + fragments
    }

    /// Whether a visitor would see no difference. Then this one stays: nothing is to be compressed, and nobody to be told.
    ///
    /// What only members may see is not in a page, nor is when it changed: "as of" moves with public news and with the day alone. So neither
    /// the bytes nor the tag tell the world that something private has changed.
    pub fn says_the_same(&self, other: &Rendered) -> bool {
        self.identity.bytes.as_ref() == other.html.as_bytes()
    }

    /// The fragments that someone who sees `earlier` has to be sent.
    pub fn changed_since<'a>(&'a self, earlier: &'a Rendition) -> impl Iterator<Item = &'a Fragment> {
        self.fragments.iter().filter(move |fragment| !earlier.fragments.contains(fragment))
    }

    /// Whether a stream that has seen this position has missed nothing. A client that names no day is taken at its word.
    pub fn is_seen_at(&self, position: &str) -> bool {
        position == self.stamp.at || self.stamp.at.split_once('.').is_some_and(|(log, _)| log == position)
    }
}

/// One encoding: its bytes, and both of its answers' headers.
#[derive(Debug)]
struct Face {
    bytes: Bytes,
    etag: String,
    whole: HeaderMap,
    not_modified: HeaderMap,
}

impl Face {
    fn new(bytes: Bytes, encoding: Encoding, security: &SecurityHeaders) -> Self {
        // Each encoding is a representation of its own, and so has a strong tag of its own.
        let hash: String = Sha256::digest(&bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("\"{hash}\"");

        let mut not_modified = HeaderMap::with_capacity(16);
        not_modified.insert(header::ETAG, HeaderValue::try_from(&etag).unwrap_or(HeaderValue::from_static("\"\"")));
        not_modified.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE_CONTROL));
        not_modified.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        security.apply(&mut not_modified);
        let mut whole = not_modified.clone();
        whole.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Some(token) = encoding.token() {
            whole.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
        }
        Self { bytes, etag, whole, not_modified }
    }

    fn answer(&self, request: &HeaderMap) -> Response<Bytes> {
        if has_fresh_copy(request, &self.etag) {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.headers_mut() = self.not_modified.clone();
            return response;
        }
        let mut response = Response::new(self.bytes.clone());
        *response.headers_mut() = self.whole.clone();
        response
    }
}

fn gzip(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = GzEncoder::new(Vec::new(), Compression::new(6));
    compressor.write_all(content)?;
    compressor.finish()
}

fn brotli(content: &[u8]) -> io::Result<Vec<u8>> {
    // Quality 5: what a page gains beyond it does not pay for waiting in the middle of an outage.
    let mut compressor = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 20);
    compressor.write_all(content)?;
    Ok(compressor.into_inner())
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read as _;

    use super::*;

    fn rendered(body: &str) -> Rendered {
        let fragment = |target, html: &str| Fragment { target, html: html.to_owned() };
        Rendered { html: format!("<html><p>{body}</p></html>"), fragments: vec![fragment("banner", body), fragment("history", "quiet")] }
    }

    /// A rendition that says `body`, the `number`th of its process, of a page without a logo at `/p/acme`.
    pub(in super::super) fn rendition(number: u64, body: &str) -> Rendition {
        rendition_at("acme", number, body)
    }

    /// The same, elsewhere.
    pub(in super::super) fn rendition_at(slug: &str, number: u64, body: &str) -> Rendition {
        let at = format!("epoch:{number}.2026-03-01");
        let stamp = Stamp { number, slug: slug.to_owned(), at, good_until: Timestamp::from_millis(1) };
        Rendition::make(rendered(body), stamp, &SecurityHeaders::new(true)).unwrap()
    }

    fn asking(list: &[(header::HeaderName, &str)]) -> HeaderMap {
        list.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn each_encoding_says_the_same_under_its_own_tag() {
        let page = rendition(1, &"Everything works. ".repeat(50));
        let plain = page.answer(&HeaderMap::new());
        assert_eq!(plain.status(), StatusCode::OK);
        assert_eq!(plain.headers()["content-type"], "text/html; charset=utf-8");
        assert!(!plain.headers().contains_key("content-encoding"));

        let gzip = page.answer(&asking(&[(header::ACCEPT_ENCODING, "gzip")]));
        assert_eq!(gzip.headers()["content-encoding"], "gzip");
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(gzip.body().as_ref()).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, plain.body().as_ref());

        let brotli = page.answer(&asking(&[(header::ACCEPT_ENCODING, "gzip, deflate, br")]));
        assert_eq!(brotli.headers()["content-encoding"], "br");
        let mut inflated = Vec::new();
        brotli::Decompressor::new(brotli.body().as_ref(), 4096).read_to_end(&mut inflated).unwrap();
        assert_eq!(inflated, plain.body().as_ref());

        let tags = [&plain, &gzip, &brotli].map(|answer| answer.headers()["etag"].clone());
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
        assert!(gzip.body().len() < plain.body().len() / 4 && brotli.body().len() < plain.body().len() / 4);
    }

    #[test]
    fn every_answer_may_be_kept_by_shared_caches_and_is_checked_by_browsers() {
        let page = rendition(1, "fine");
        let tag = page.answer(&HeaderMap::new()).headers()["etag"].to_str().unwrap().to_owned();
        for request in [HeaderMap::new(), asking(&[(header::IF_NONE_MATCH, &tag)])] {
            let answer = page.answer(&request);
            assert_eq!(answer.headers()["cache-control"], "no-cache, s-maxage=5, stale-while-revalidate=30, stale-if-error=86400");
            assert_eq!(answer.headers()["vary"], "accept-encoding");
            assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
            assert!(answer.headers().contains_key("content-security-policy") && answer.headers().contains_key("strict-transport-security"));
            assert!(!answer.headers().contains_key("set-cookie"));
        }
    }

    #[test]
    fn a_known_copy_is_not_sent_again_in_its_encoding_alone() {
        let page = rendition(1, "fine");
        let tag = page.answer(&asking(&[(header::ACCEPT_ENCODING, "br")])).headers()["etag"].to_str().unwrap().to_owned();

        let same = page.answer(&asking(&[(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, &tag)]));
        assert_eq!(same.status(), StatusCode::NOT_MODIFIED);
        assert!(same.body().is_empty() && same.headers()["etag"] == tag.as_str());
        let other = page.answer(&asking(&[(header::ACCEPT_ENCODING, "gzip"), (header::IF_NONE_MATCH, &tag)]));
        assert_eq!(other.status(), StatusCode::OK);
    }

    #[test]
    fn the_same_bytes_are_nothing_new() {
        let page = rendition(1, "fine");
        assert!(page.says_the_same(&rendered("fine")));
        assert!(!page.says_the_same(&rendered("fine.")));
    }

    #[test]
    fn only_what_changed_is_sent() {
        let (was, is) = (rendition(1, "fine"), rendition(2, "not fine"));
        assert_eq!(is.changed_since(&was).map(|fragment| fragment.target).collect::<Vec<_>>(), ["banner"]);
        assert_eq!(is.changed_since(&is).count(), 0);
    }

    #[test]
    fn a_stream_is_up_to_date_at_the_same_place_on_the_same_day() {
        let page = rendition(7, "fine");
        for seen in ["epoch:7.2026-03-01", "epoch:7"] {
            assert!(page.is_seen_at(seen), "{seen}");
        }
        for unseen in ["epoch:7.2026-02-28", "epoch:6", "other:7", "", "7", "epoch:7.2026-03-01.1a2b3c4d", "2026-03-01"] {
            assert!(!page.is_seen_at(unseen), "{unseen}");
        }
    }
}
