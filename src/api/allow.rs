//! Which methods a path takes, read from the API's own description; for the `Allow` of a 405.

use std::sync::LazyLock;

use http::{HeaderValue, Method};
use poem_openapi::OpenApi;

use super::Resources;

/// A path in segments, and its methods.
struct Row {
    segments: Vec<String>,
    methods: Vec<Method>,
}

static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let paths = <Resources as OpenApi>::meta().into_iter().flat_map(|api| api.paths);
    let described = paths.map(|path| Row {
        segments: segments(&path.path),
        methods: path.operations.into_iter().map(|operation| operation.method).collect(),
    });
    let own = ["docs", "openapi.json"].map(|path| Row { segments: segments(path), methods: vec![Method::GET] });
    described.chain(own).collect()
});

/// The methods of a path or route such as `/api/services/:id`, also below a prefix; `None` for those of others.
pub(super) fn methods(path: &str) -> Option<HeaderValue> {
    let (_, below) = path.split_once("/api/")?;
    let asked = segments(below);
    let row = TABLE.iter().find(|row| fits(&row.segments, &asked))?;
    let mut words = Vec::new();
    for method in &row.methods {
        words.push(method.as_str());
        if method == Method::GET {
            words.push("HEAD");
        }
    }
    HeaderValue::try_from(words.join(", ")).ok()
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

fn fits(pattern: &[String], path: &[String]) -> bool {
    pattern.len() == path.len() && pattern.iter().zip(path).all(|(pattern, segment)| pattern.starts_with('{') || pattern == segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_its_methods() {
        let of = |path: &str| methods(path).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(of("/api/services").as_deref(), Some("GET, HEAD, POST"));
        assert_eq!(of("/api/incidents/:param0/updates").as_deref(), Some("POST"));
        assert_eq!(of("/status/api/docs").as_deref(), Some("GET, HEAD"));
        assert_eq!(of("/api/nothing"), None);
        assert_eq!(of("/p/acme"), None);
    }
}
