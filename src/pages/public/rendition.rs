//! One rendering of a page, ready to be sent: every encoding with its headers, made once for all who ask.

use std::io::{self, Write as _};
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

use super::live;
use super::render::{Fragment, Rendered};
use crate::clock::Timestamp;
use crate::http::SecurityHeaders;
use crate::http::encoding::{Encoding, has_fresh_copy, negotiate};
use crate::live::protocol::EventId;

/// Browsers ask each time and are mostly told "not modified"; shared caches may spare us a crowd, and show an old page rather than none.
/// A page from any of them converges, since its stream begins with what it missed.
const CACHE_CONTROL: &str = "no-cache, s-maxage=5, stale-while-revalidate=30, stale-if-error=86400";

/// Of a page that says that it can't be updated. No cache must go on saying so while it asks for a newer one, which may come from a process
/// that can. In place of an error it may: then it is true, and the page says how old it is.
const CACHE_CONTROL_STALE: &str = "no-cache, s-maxage=5, stale-if-error=86400";

/// How `at` ends where the page says that it can't be updated. No logo's hash has such letters.
const STALE: &str = ".stale";

/// What a rendering shows, and in which order it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Counts renderings; a greater number was made later. It means nothing outside this process.
    pub number: u64,
    /// The word in the page's address, as it was then.
    pub slug: String,
    /// Where the page's stream stands with it: `<epoch>:<seq>.<day>`, the position in the page's log and the day that it calls today; and
    /// after another dot the beginning of its logo's hash, if it has one: of logos the log says nothing. With `.stale` behind it where the
    /// page says that it can't be updated: who sees that has to be told when it can, though nothing else has changed.
    pub at: String,
    /// From when on another day is today.
    pub good_until: Timestamp,
    /// In which its times are told.
    pub zone: TimeZone,
    /// Whether it says that it can't be updated.
    pub is_stale: bool,
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
        let kept = HeaderValue::from_static(if stamp.is_stale { CACHE_CONTROL_STALE } else { CACHE_CONTROL });
        Ok(Self {
            stamp,
            fragments: rendered.fragments,
            identity: Face::new(html, Encoding::Identity, &kept, security),
            gzip: Face::new(gzip, Encoding::Gzip, &kept, security),
            brotli: Face::new(brotli, Encoding::Brotli, &kept, security),
            told: OnceLock::new(),
        })
    }

    /// The same page with this notice in the place of the region that says nothing, by a number of its own. Made of what is here, since the
    /// store can't be asked. Takes as long as [`make`](Self::make).
    ///
    /// # Errors
    /// As `make`.
    pub fn stale(&self, notice: Fragment, number: u64, security: &SecurityHeaders) -> io::Result<Self> {
        let mut html = String::from_utf8_lossy(&self.identity.bytes).into_owned();
        let mut fragments = self.fragments.clone();
        if let Some(region) = fragments.iter_mut().find(|fragment| fragment.target == notice.target) {
            // An element with an id: what people write is escaped, and can't be taken for it.
            html = html.replacen(&region.html, &notice.html, 1);
            *region = notice;
        }
        let at = format!("{}{STALE}", self.stamp.at);
        let position = format!("?after={}\"", self.stamp.at);
        // The last one: what people write stands before the stream's address, and may look like it.
        if let Some(place) = html.rfind(&position) {
            html.replace_range(place..place + position.len(), &format!("?after={at}\""));
        }
        let stamp = Stamp { number, at, is_stale: true, ..self.stamp.clone() };
        Self::make(Rendered { html, fragments }, stamp, security)
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
    /// What only members may see is not in a page, nor is when it changed: "as of" moves with public news and with the day alone. So
    /// neither the bytes nor the tag tell the world that something private has changed.
    pub fn says_the_same(&self, other: &Rendered) -> bool {
        self.identity.bytes.as_ref() == other.html.as_bytes()
    }

    /// The fragments that someone who sees `earlier` has to be sent.
    pub fn changed_since<'a>(&'a self, earlier: &'a Rendition) -> impl Iterator<Item = &'a Fragment> {
        self.fragments.iter().filter(move |fragment| !earlier.fragments.contains(fragment))
    }

    /// Whether who has seen this position has seen more of the page's log than this shows. Of another log's life nothing can be said.
    pub fn is_older_than(&self, position: &str) -> bool {
        fn log(position: &str) -> Option<EventId<'_>> {
            EventId::parse(position.split('.').next()?)
        }
        matches!((log(&self.stamp.at), log(position)), (Some(here), Some(there)) if here.epoch == there.epoch && here.seq < there.seq)
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
    fn new(bytes: Bytes, encoding: Encoding, kept: &HeaderValue, security: &SecurityHeaders) -> Self {
        // Each encoding is a representation of its own, and so has a strong tag of its own.
        let hash: String = Sha256::digest(&bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("\"{hash}\"");

        let mut not_modified = HeaderMap::with_capacity(16);
        not_modified.insert(header::ETAG, HeaderValue::try_from(&etag).unwrap_or(HeaderValue::from_static("\"\"")));
        not_modified.insert(header::CACHE_CONTROL, kept.clone());
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

    const EMPTY: &str = "<div id=\"stale\"></div>";

    fn fragment(target: &'static str, html: &str) -> Fragment {
        Fragment { target, html: html.to_owned() }
    }

    fn rendered(number: u64, body: &str) -> Rendered {
        let html = format!("<html>{EMPTY}<p>{body}</p><i hx-sse:connect=\"/live?after={}\"></i></html>", at(number));
        Rendered { html, fragments: vec![fragment("banner", body), fragment("stale", EMPTY)] }
    }

    fn at(number: u64) -> String {
        format!("epoch:{number}.2026-03-01")
    }

    /// A rendition that says `body`, the `number`th of its process, of a page without a logo at `/p/acme`.
    pub(in super::super) fn rendition(number: u64, body: &str) -> Rendition {
        rendition_at("acme", number, body)
    }

    /// The same, elsewhere.
    pub(in super::super) fn rendition_at(slug: &str, number: u64, body: &str) -> Rendition {
        let (good_until, zone) = (Timestamp::from_millis(1), TimeZone::UTC);
        let stamp = Stamp { number, slug: slug.to_owned(), at: at(number), good_until, zone, is_stale: false };
        Rendition::make(rendered(number, body), stamp, &SecurityHeaders::new(true)).unwrap()
    }

    /// A copy of one that says that it can't be updated, the `number`th of its process.
    pub(in super::super) fn stale(original: &Rendition, number: u64) -> Rendition {
        let notice = fragment("stale", "<div id=\"stale\">It can't be updated.</div>");
        original.stale(notice, number, &SecurityHeaders::new(true)).unwrap()
    }

    fn text(answer: &Response<Bytes>) -> String {
        String::from_utf8(answer.body().to_vec()).unwrap()
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
        assert!(page.says_the_same(&rendered(1, "fine")));
        assert!(!page.says_the_same(&rendered(1, "fine.")));
    }

    #[test]
    fn only_what_changed_is_sent() {
        let (was, is) = (rendition(1, "fine"), rendition(2, "not fine"));
        assert_eq!(is.changed_since(&was).map(|fragment| fragment.target).collect::<Vec<_>>(), ["banner"]);
        assert_eq!(is.changed_since(&is).count(), 0);
    }

    #[test]
    fn who_has_seen_a_greater_number_of_the_same_log_has_seen_more() {
        let page = rendition(7, "fine");
        for more in ["epoch:8.2026-03-01", "epoch:8", "epoch:10.2026-02-28.1a2b3c4d", "epoch:8.2026-03-01.stale"] {
            assert!(page.is_older_than(more), "{more}");
        }
        for other in ["epoch:7.2026-03-02", "epoch:6.2026-03-01", "other:8.2026-03-01", "", "8", "epoch:", "epoch:-8", "epoch:8x"] {
            assert!(!page.is_older_than(other), "{other}");
        }
    }

    #[test]
    fn a_copy_that_says_that_it_can_not_be_updated_is_the_same_page_but_for_that() {
        // What people write may look like parts of the page, and is escaped.
        let page = rendition(7, "<p>&lt;div id=\"stale\"&gt; /live?after=epoch:7.2026-03-01\" fine</p>");
        let copy = stale(&page, 9);
        let (was, is) = (text(&page.answer(&HeaderMap::new())), text(&copy.answer(&HeaderMap::new())));
        let position = "hx-sse:connect=\"/live?after=epoch:7.2026-03-01";
        let expected = was.replace(EMPTY, "<div id=\"stale\">It can't be updated.</div>").replace(position, &format!("{position}.stale"));
        assert_eq!(is, expected);
        assert_ne!(is, was);
        assert_eq!((copy.stamp.number, copy.stamp.at.as_str(), copy.stamp.is_stale), (9, "epoch:7.2026-03-01.stale", true));
        assert_eq!(copy.changed_since(&page).map(|fragment| fragment.target).collect::<Vec<_>>(), ["stale"]);

        for encoding in ["identity", "gzip", "br"] {
            let asking = asking(&[(header::ACCEPT_ENCODING, encoding)]);
            let (before, after) = (page.answer(&asking), copy.answer(&asking));
            assert_ne!(before.headers()["etag"], after.headers()["etag"], "{encoding}");
            assert_eq!(after.headers()["cache-control"], "no-cache, s-maxage=5, stale-if-error=86400");
        }
    }

    #[test]
    fn who_sees_that_it_can_not_be_updated_is_told_when_it_can_and_the_other_way_round() {
        let page = rendition(7, "fine");
        let copy = stale(&page, 9);
        assert!(!page.is_seen_at(&copy.stamp.at) && !copy.is_seen_at(&page.stamp.at));
        assert!(copy.is_seen_at(&copy.stamp.at));
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
