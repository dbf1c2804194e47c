//! What a browser calls itself, in words: enough to tell one's own sessions apart, and no more. All of it can be made up, so nothing relies on it.

/// Programs by a mark of theirs. Order matters: most browsers also claim to be those further down.
const PROGRAMS: [(&str, &str); 12] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
];

/// Systems, likewise: Android says Linux, an iPhone "like Mac OS X".
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

/// The program's own name, where it is none of those known: what stands before the slash.
const NAME_MAX: usize = 30;

/// `Chrome on Linux`, as far as it can be told.
pub(super) fn in_words(agent: &str) -> String {
    let known = |table: &[(&str, &'static str)]| table.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let program = known(&PROGRAMS).map_or_else(|| own_name(agent), str::to_owned);
    match known(&SYSTEMS) {
        Some(system) => format!("{program} on {system}"),
        None => program,
    }
}

fn own_name(agent: &str) -> String {
    let name: String = agent.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(NAME_MAX).collect();
    // Nearly every browser begins like that.
    if name.is_empty() || name == "Mozilla" { "Unknown program".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_told_apart() {
        for (agent, words) in [
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "Chrome on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPhone",
            ),
            ("Mozilla/5.0 (Android 15; Mobile; rv:143.0) Gecko/143.0 Firefox/143.0", "Firefox on Android"),
            ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox on Linux"),
            ("curl/8.15.0", "curl"),
            ("python-requests/2.32", "python-requests"),
            ("Mozilla/5.0 (compatible)", "Unknown program"),
            ("<script>", "Unknown program"),
            ("", "Unknown program"),
        ] {
            assert_eq!(in_words(agent), words, "{agent}");
        }
        assert_eq!(in_words(&"x".repeat(200)).len(), NAME_MAX);
    }
}
