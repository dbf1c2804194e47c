//! What every answer says to browsers and caches (OWASP ASVS 5.0, 3.4).

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// No inline scripts or styles, nothing from elsewhere, no framing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers that an answer gets unless it says otherwise itself.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    https: bool,
    list: Vec<(HeaderName, HeaderValue)>,
}

impl SecurityHeaders {
    /// `https`: whether the base URL is; then browsers are told to stay with it.
    pub fn new(https: bool) -> Self {
        let fixed = HeaderValue::from_static;
        let mut list = vec![
            (header::CONTENT_SECURITY_POLICY, fixed(CONTENT_SECURITY_POLICY)),
            (header::X_CONTENT_TYPE_OPTIONS, fixed("nosniff")),
            // One-time links must not leave in a Referer: it names the origin alone. Not `no-referrer`: under it browsers send `Origin: null` with a
            // form, and over plain HTTP no Sec-Fetch-Site either, so that one's own forms could not be told from another site's.
            (header::REFERRER_POLICY, fixed("strict-origin")),
            (HeaderName::from_static("cross-origin-opener-policy"), fixed("same-origin")),
            (HeaderName::from_static("permissions-policy"), fixed("camera=(), geolocation=(), microphone=(), payment=(), usb=()")),
            // What may be kept says so itself; forgetting must be safe.
            (header::CACHE_CONTROL, fixed("no-store")),
        ];
        if https {
            // Not includeSubDomains: the neighbours are not ours to decide for.
            list.push((header::STRICT_TRANSPORT_SECURITY, fixed("max-age=31536000")));
        }
        Self { https, list }
    }

    /// Whether the base URL is https.
    pub fn https(&self) -> bool {
        self.https
    }

    /// Adds those that are missing.
    pub fn apply(&self, headers: &mut HeaderMap) {
        headers.reserve(self.list.len());
        for (name, value) in &self.list {
            if !headers.contains_key(name) {
                headers.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(https: bool, own: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in own {
            headers.insert(name, HeaderValue::from_static(value));
        }
        SecurityHeaders::new(https).apply(&mut headers);
        headers
    }

    #[test]
    fn every_answer_gets_them() {
        let headers = applied(false, &[]);
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "strict-origin");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(headers.contains_key("permissions-policy"));
        assert!(!headers.contains_key("strict-transport-security"));
    }

    #[test]
    fn https_is_kept() {
        assert_eq!(applied(true, &[])["strict-transport-security"], "max-age=31536000");
    }

    #[test]
    fn an_answer_may_say_otherwise() {
        let headers = applied(false, &[("cache-control", "public, max-age=5"), ("content-security-policy", "sandbox")]);
        assert_eq!(headers["cache-control"], "public, max-age=5");
        assert_eq!(headers["content-security-policy"], "sandbox");
        assert_eq!(headers.get_all("cache-control").iter().count(), 1);
    }
}
