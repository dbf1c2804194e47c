//! What every page needs to know about the place it is served from.

use crate::http::assets;

/// Where this instance is reached, for the links that a page carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// The configured address without a trailing slash, a sub-path included: `https://example.org/status`.
    pub base_url: String,
}

impl Shell {
    /// The sub-path in front of every link: empty, or `/status`.
    ///
    /// Links within the site start with this path and not with the whole address: a page that was opened as `localhost` and configured as
    /// `127.0.0.1` would otherwise load its scripts from another origin, which the content security policy forbids.
    pub fn path(&self) -> &str {
        let rest = self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, rest)| rest);
        rest.find('/').map_or("", |start| rest[start..].trim_end_matches('/'))
    }

    /// The link to an embedded asset, named by its path below `assets/`.
    pub fn asset(&self, name: &str) -> String {
        format!("{}{}", self.path(), assets::url(name))
    }

    /// The whole address of a path that starts with a slash, for what leaves the site: canonical links, previews, curl examples.
    pub fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.base_url.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base_url: &str) -> Shell {
        Shell { base_url: base_url.to_owned() }
    }

    #[test]
    fn the_sub_path_is_what_follows_the_host() {
        assert_eq!(at("http://127.0.0.1:8080").path(), "");
        assert_eq!(at("http://127.0.0.1:8080/").path(), "");
        assert_eq!(at("https://example.org/status/").path(), "/status");
        assert_eq!(at("https://example.org/a/b").path(), "/a/b");
    }

    #[test]
    fn absolute_addresses_have_one_slash_at_the_seam() {
        assert_eq!(at("https://example.org/status/").absolute("/p/acme"), "https://example.org/status/p/acme");
        assert_eq!(at("https://example.org").absolute("/p/acme"), "https://example.org/p/acme");
    }
}
