//! Content negotiation and conditional requests (RFC 9110, 12.5.3 and 13.1.2), without allocating.

use http::{HeaderMap, header};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip.
    Gzip,
    /// Brotli.
    Brotli,
}

impl Encoding {
    /// What `Content-Encoding` says of it; nothing for identity.
    pub fn token(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

/// The best encoding for a client, when all of them are there.
pub fn negotiate(headers: &HeaderMap) -> Encoding {
    Accepted::of(headers).best(true, true)
}

/// How much a client likes each encoding, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted {
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Accepted {
    /// Reads `Accept-Encoding`. What can't be read is not wanted.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        for line in headers.get_all(header::ACCEPT_ENCODING) {
            let Ok(line) = line.to_str() else { continue };
            for part in line.split(',') {
                let (coding, parameters) = part.split_once(';').map_or((part, None), |(coding, rest)| (coding, Some(rest)));
                let weight = Some(parameters.map_or(1000, |text| weight(text).unwrap_or(0)));
                match coding.trim() {
                    "*" => accepted.any = weight,
                    name if name.eq_ignore_ascii_case("br") => accepted.brotli = weight,
                    name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => accepted.gzip = weight,
                    name if name.eq_ignore_ascii_case("identity") => accepted.identity = weight,
                    _ => {}
                }
            }
        }
        accepted
    }

    /// The best of what is there. Among equals the smaller; identity if nothing is wanted, which serves people better than a 406.
    pub fn best(self, has_brotli: bool, has_gzip: bool) -> Encoding {
        let any = self.any.unwrap_or(0);
        // Identity that is not spoken of is acceptable, but never preferred (RFC 9110, 12.5.3).
        let identity = self.identity.unwrap_or(if self.any == Some(0) { 0 } else { 1 });
        let mut best = (Encoding::Identity, identity);
        for (encoding, weight, there) in
            [(Encoding::Gzip, self.gzip.unwrap_or(any), has_gzip), (Encoding::Brotli, self.brotli.unwrap_or(any), has_brotli)]
        {
            if there && weight > 0 && weight >= best.1 {
                best = (encoding, weight);
            }
        }
        best.0
    }
}

/// The `q` of a coding's parameters in thousandths; `None` if malformed.
fn weight(parameters: &str) -> Option<u16> {
    let value = parameters.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3).fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

/// Whether the client has this representation already (`If-None-Match`): then a GET or HEAD is 304.
///
/// `etag` is quoted, as in the header. The comparison is weak, as the RFC asks here: a `W/` on either side does not matter.
pub fn has_fresh_copy(headers: &HeaderMap, etag: &str) -> bool {
    let ours = etag.strip_prefix("W/").unwrap_or(etag);
    headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok()).any(|line| lists(line, ours))
}

/// Whether a list of entity tags holds this one. A tag may contain commas, so the list can't just be split.
fn lists(line: &str, ours: &str) -> bool {
    if line.trim() == "*" {
        return true;
    }
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        let Some(end) = tag.strip_prefix('"').and_then(|inner| inner.find('"')) else { return false };
        let (quoted, after) = tag.split_at(end + 2);
        if quoted == ours {
            return true;
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asking(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn the_best_that_the_client_takes() {
        for (accept, expected) in [
            ("", Encoding::Identity),
            ("gzip, deflate, br, zstd", Encoding::Brotli),
            ("gzip", Encoding::Gzip),
            ("GZIP", Encoding::Gzip),
            ("br;q=0.5, gzip", Encoding::Gzip),
            ("br;q=0.5,gzip;q=0.5", Encoding::Brotli),
            ("br;q=0, gzip;q=0.001", Encoding::Gzip),
            ("br;q=0, gzip;q=0", Encoding::Identity),
            ("*", Encoding::Brotli),
            ("*, br;q=0", Encoding::Gzip),
            ("*;q=0", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("identity;q=0, *", Encoding::Brotli),
            ("identity;q=0, gzip;q=0.2", Encoding::Gzip),
            ("identity;q=1, gzip;q=0.5", Encoding::Identity),
            ("gzip ; q = 0.8 , br ; Q=0.7", Encoding::Gzip),
            ("deflate, zstd", Encoding::Identity),
            ("brotli", Encoding::Identity),
        ] {
            assert_eq!(negotiate(&asking(accept)), expected, "{accept:?}");
        }
        assert_eq!(negotiate(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn nonsense_is_not_wanted() {
        for accept in ["br;q=2", "br;q=0.1234", "br;q=", "br;q=-1", "br;q=a", "br;level=9", ";;;", ",,,", "br;q=1.001"] {
            assert_eq!(negotiate(&asking(accept)), Encoding::Identity, "{accept:?}");
        }
    }

    #[test]
    fn only_what_is_there_is_chosen() {
        let accepted = Accepted::of(&asking("br, gzip;q=0.5"));
        assert_eq!(accepted.best(false, true), Encoding::Gzip);
        assert_eq!(accepted.best(false, false), Encoding::Identity);
    }

    fn fresh(if_none_match: &str, etag: &str) -> bool {
        has_fresh_copy(&HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_str(if_none_match).unwrap())]), etag)
    }

    #[test]
    fn a_known_tag_is_recognised() {
        assert!(fresh(r#""abc""#, r#""abc""#));
        assert!(fresh(r#"W/"abc""#, r#""abc""#));
        assert!(fresh(r#""abc""#, r#"W/"abc""#));
        assert!(fresh(r#""x", W/"y" ,"abc""#, r#""abc""#));
        assert!(fresh(r#""a,b", "abc""#, r#""abc""#));
        assert!(fresh("*", r#""abc""#));
        assert!(!has_fresh_copy(&HeaderMap::new(), r#""abc""#));
    }

    #[test]
    fn another_tag_or_nonsense_is_not() {
        for other in [r#""abd""#, r#""ABC""#, "abc", r#""abc"#, "", ",", r#"w/"abc""#, r#""x, "abc"#, "W/", "\""] {
            assert!(!fresh(other, r#""abc""#), "{other:?}");
        }
        assert!(!fresh(r#""a", "abc"#, r#""abc""#), "an unfinished tag is none");
    }
}
