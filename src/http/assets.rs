//! Embedded files under `/assets/`, with the hash of their content in their names: cached for ever, never stale.
//!
//! `build.rs` names and compresses them; nothing is compressed while serving. Large ones are embedded compressed alone, and unpacked when the first
//! client asks that takes no compression.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt::Write as _,
    io::Read as _,
    sync::{LazyLock, OnceLock},
};

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderValue, Method, StatusCode, header};
use poem::{
    Endpoint, Request, Response,
    error::{MethodNotAllowedError, NotFoundError},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use super::encoding::{Accepted, Encoding, has_fresh_copy};

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/assets"]
struct Embedded;

/// Name in `assets/` and URL, sorted by name.
static MANIFEST: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/assets_manifest.rs"));

/// Where a file of `assets/` is served: `url("page.css")` is `/assets/page.1a2b3c4d.css`.
///
/// # Panics
/// In debug builds, for a name that is not there; a release build returns a URL that answers 404.
pub fn url(name: &str) -> &'static str {
    match find(name) {
        Some(url) => url,
        None if cfg!(debug_assertions) => panic!("there is no assets/{name}"),
        None => {
            tracing::error!(name, "a template names an asset that is not embedded");
            "/assets/missing"
        }
    }
}

/// The URL of an asset, if it is there.
pub fn find(name: &str) -> Option<&'static str> {
    MANIFEST.binary_search_by(|(known, _)| (*known).cmp(name)).ok().map(|at| MANIFEST[at].1)
}

/// One file in each encoding that pays.
struct Asset {
    content_type: &'static str,
    name: &'static str,
    /// Filled by the first who asks for it.
    identity: OnceLock<Body>,
    gzip: Option<Body>,
    brotli: Option<Body>,
}

/// The bytes of one encoding; each has its own strong tag, since they are different representations.
struct Body {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Body {
    fn load(name: &str) -> Option<Self> {
        let file = Embedded::get(name)?;
        let bytes = match file.data {
            Cow::Borrowed(embedded) => Bytes::from_static(embedded),
            Cow::Owned(read) => Bytes::from(read),
        };
        Some(Self { bytes, etag: etag(&file.metadata.sha256_hash()) })
    }

    fn unpack(gzip: &Body) -> Self {
        let mut content = Vec::new();
        if let Err(error) = GzDecoder::new(gzip.bytes.as_ref()).read_to_end(&mut content) {
            tracing::error!(%error, "an embedded file can't be unpacked");
        }
        let hash = Sha256::digest(&content);
        Self { bytes: content.into(), etag: etag(&hash) }
    }
}

fn etag(hash: &[u8]) -> HeaderValue {
    let mut etag = String::from("\"");
    for byte in hash.iter().take(12) {
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// By the part of the path after `/assets/`.
static ASSETS: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| {
    MANIFEST
        .iter()
        .filter_map(|(_, url)| {
            let name = url.strip_prefix("/assets/")?;
            let asset = Asset {
                content_type: content_type(name),
                name,
                identity: OnceLock::new(),
                gzip: Body::load(&format!("{name}.gz")),
                brotli: Body::load(&format!("{name}.br")),
            };
            Some((name, asset))
        })
        .collect()
});

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Serves the embedded files. Belongs `at("/assets/*name", Assets)`, not in a `nest`, which would take `/assets` off the path; the whole
/// router may be nested below the base URL's own path.
#[derive(Debug, Clone, Copy, Default)]
pub struct Assets;

/// What is under a name with a hash never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// What stands in for something else must not be taken for it later.
const NOT_AT_ALL: &str = "no-store";

/// The file that has the same name but for its hash: while nodes of two versions run side by side, a page from one asks another for what it names,
/// and is better off with that than without.
fn successor(name: &str) -> Option<&'static Asset> {
    let (stem, extension) = name.rsplit_once('.')?;
    let (stem, hash) = stem.rsplit_once('.')?;
    let is_hash = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    ASSETS.get(find(&format!("{stem}.{extension}")).filter(|_| is_hash)?.strip_prefix("/assets/")?)
}

impl Endpoint for Assets {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let path = request.uri().path();
        let name = path.strip_prefix("/assets/").unwrap_or_default();
        let Some((asset, kept)) = ASSETS.get(name).map(|asset| (asset, FOR_EVER)).or_else(|| Some((successor(name)?, NOT_AT_ALL))) else {
            return Err(NotFoundError.into());
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(MethodNotAllowedError.into());
        }
        Ok(asset.answer(&request, kept))
    }
}

impl Asset {
    fn identity(&self) -> &Body {
        self.identity.get_or_init(|| {
            let plain = Body::load(self.name).or_else(|| self.gzip.as_ref().map(Body::unpack));
            // The manifest names what was embedded, in one way or the other.
            plain.unwrap_or_else(|| Body { bytes: Bytes::new(), etag: etag(&[]) })
        })
    }

    fn answer(&self, request: &Request, kept: &'static str) -> Response {
        let chosen = Accepted::of(request.headers()).best(self.brotli.is_some(), self.gzip.is_some());
        let body = match chosen {
            Encoding::Brotli => self.brotli.as_ref(),
            Encoding::Gzip => self.gzip.as_ref(),
            Encoding::Identity => None,
        };
        let (encoding, body) = body.map_or_else(|| (Encoding::Identity, self.identity()), |body| (chosen, body));
        let fresh = has_fresh_copy(request.headers(), body.etag.to_str().unwrap_or_default());

        let mut response = if fresh {
            Response::from(StatusCode::NOT_MODIFIED)
        } else {
            // The server drops the body of an answer to HEAD and keeps its length.
            Response::from(poem::Body::from_bytes(body.bytes.clone()))
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, body.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if !fresh {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if let Some(token) = encoding.token() {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(token));
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    fn request(method: Method, path: &str, list: &[(&'static str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri_str(path);
        for (name, value) in list {
            request = request.header(*name, *value);
        }
        request.finish()
    }

    /// The largest text there is: worth compressing.
    fn sample() -> (&'static str, &'static Asset) {
        ASSETS.iter().map(|(name, asset)| (*name, asset)).max_by_key(|(_, asset)| asset.identity().bytes.len()).unwrap()
    }

    async fn get(path: &str, list: &[(&'static str, &str)]) -> Response {
        Assets.get_response(request(Method::GET, path, list)).await
    }

    #[test]
    fn every_name_in_the_manifest_is_served_and_hashed() {
        assert!(!MANIFEST.is_empty());
        assert_eq!(ASSETS.len(), MANIFEST.len());
        for (name, url) in MANIFEST {
            assert_eq!(find(name), Some(*url));
            let (stem, extension) = name.rsplit_once('.').unwrap();
            let middle = url.strip_prefix(&format!("/assets/{stem}.")).and_then(|rest| rest.strip_suffix(&format!(".{extension}")));
            assert!(middle.is_some_and(|hash| hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())), "{url}");
        }
    }

    #[test]
    fn papers_are_not_served() {
        for (name, _) in MANIFEST {
            assert!(!["LICENSE", "NOTICE", ".md", "vendor.toml"].iter().any(|word| name.contains(word)), "{name}");
        }
    }

    #[test]
    #[should_panic(expected = "there is no assets/nonsense.css")]
    fn an_unknown_name_is_noticed() {
        url("nonsense.css");
    }

    #[test]
    fn every_name_used_in_templates_and_code_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut unread = vec![root.join("templates"), root.join("src/pages"), root.join("src/api")];
        while let Some(path) = unread.pop() {
            if path.is_dir() {
                unread.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if let Ok(text) = fs::read_to_string(&path) {
                for call in ["assets::url(\"", ".asset(\""].iter().flat_map(|start| text.split(start).skip(1)) {
                    let name = call.split('"').next().unwrap();
                    assert!(find(name).is_some(), "{} names {name}", path.display());
                }
            }
        }
    }

    #[tokio::test]
    async fn a_file_is_kept_for_ever_in_the_encoding_that_the_client_takes() {
        let (name, asset) = sample();
        let path = format!("/assets/{name}");

        let plain = get(&path, &[]).await;
        assert_eq!(plain.status(), StatusCode::OK);
        assert_eq!(plain.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        assert_eq!(plain.header("content-type"), Some(asset.content_type));
        assert_eq!(plain.header("content-encoding"), None);
        let plain_tag = plain.header("etag").unwrap().to_owned();
        let plain = plain.into_body().into_bytes().await.unwrap();

        let gzip = get(&path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(gzip.header("content-encoding"), Some("gzip"));
        assert_ne!(gzip.header("etag").unwrap(), plain_tag);
        let gzip = gzip.into_body().into_bytes().await.unwrap();
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut inflated).unwrap();
        assert!(inflated == plain);

        let brotli = get(&path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(brotli.header("content-encoding"), Some("br"));
        let brotli = brotli.into_body().into_bytes().await.unwrap();
        let mut inflated = Vec::new();
        brotli::Decompressor::new(&brotli[..], 4096).read_to_end(&mut inflated).unwrap();
        assert!(inflated == plain);
        assert!(brotli.len() < plain.len() && gzip.len() < plain.len());
    }

    #[tokio::test]
    async fn a_known_copy_is_not_sent_again() {
        let (name, _) = sample();
        let path = format!("/assets/{name}");
        let tag = get(&path, &[]).await.header("etag").unwrap().to_owned();
        let again = get(&path, &[("if-none-match", tag.as_str())]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.header("etag"), Some(tag.as_str()));
        assert!(again.into_body().is_empty());

        let other_encoding = get(&path, &[("if-none-match", tag.as_str()), ("accept-encoding", "br")]).await;
        assert_eq!(other_encoding.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_page_of_another_version_gets_the_file_that_has_its_names_place() {
        let (name, url) = MANIFEST.iter().find(|(name, _)| *name == "page.css").unwrap();
        let (stem, extension) = name.rsplit_once('.').unwrap();
        let (ours, theirs) = (get(url, &[]).await, get(&format!("/assets/{stem}.0badcafe.{extension}"), &[]).await);
        assert_eq!((theirs.status(), &theirs.headers()["etag"]), (StatusCode::OK, &ours.headers()["etag"]));
        assert_eq!(theirs.headers()["cache-control"], "no-store", "nobody may take it for the other later");
    }

    #[tokio::test]
    async fn nothing_else_is_there() {
        let (name, _) = sample();
        for path in ["/assets/", "/assets/../Cargo.toml", "/assets/%2e%2e/Cargo.toml", "/assets/vendor.toml", "/other"] {
            assert_eq!(get(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(get(&format!("/assets/{name}.gz"), &[]).await.status(), StatusCode::NOT_FOUND);
        let post = Assets.get_response(request(Method::POST, &format!("/assets/{name}"), &[])).await;
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
