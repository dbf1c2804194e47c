//! Gathering: flags, environment and files become one text per setting, the strongest source winning.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::key::Kind;
use super::{Key, Problems, file, similar};

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The TOML file to read.
    pub config: Option<PathBuf>,
    /// Settings, as typed; a list's values joined by commas.
    pub values: Vec<(Key, String)>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The command line.
    Flag,
    /// `ALLCLEAR_…`.
    Variable,
    /// The file that `ALLCLEAR_…_FILE` names.
    VariableFile,
    /// The TOML file.
    File {
        /// The file, as it was named.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl Origin {
    /// The source alone, for `config print`.
    pub fn source(&self, key: Key) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Flag => key.flag(),
            Self::Variable => key.variable(),
            Self::VariableFile => format!("{}_FILE", key.variable()),
            Self::File { path, line } => format!("{} line {line}", path.display()),
        }
    }

    /// The setting and its source, as an error names them.
    pub(super) fn place(&self, key: Key) -> String {
        match self {
            Self::Flag | Self::Variable | Self::VariableFile => self.source(key),
            Self::Default | Self::File { .. } => format!("{} (in {})", key.name(), self.source(key)),
        }
    }
}

/// A value before it is understood. No `Debug`: it may be a password.
pub(super) struct Given {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The strongest word on each setting, empty environment variables counting as unset (compose files make such).
pub(super) fn gather(flags: Flags, env: impl IntoIterator<Item = (OsString, OsString)>, problems: &mut Problems) -> BTreeMap<Key, Given> {
    let environment = Environment::read(env, problems);

    // Weakest first: whatever comes later replaces it.
    let mut given = BTreeMap::new();
    let named = flags.config.map(|path| ("--config", path));
    if let Some((source, path)) = named.or(environment.config.map(|path| ("ALLCLEAR_CONFIG", path))) {
        given.extend(file::read(source, &path, problems));
    }
    for (key, path) in environment.files {
        match std::fs::read_to_string(&path) {
            // Editors and `echo` end a file with a newline that is no part of the secret; other white space may be.
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                given.insert(key, Given { text, origin: Origin::VariableFile });
            }
            Err(error) => {
                let says = format!("can't read {}: {error}; name a file that this user may read", path.display());
                problems.add(key, Origin::VariableFile, says);
            }
        }
    }
    let variables = environment.values.into_iter().map(|(key, text)| (key, Given { text, origin: Origin::Variable }));
    given.extend(variables);
    given.extend(flags.values.into_iter().map(|(key, text)| (key, Given { text, origin: Origin::Flag })));
    given
}

/// Our variables, told apart by what they give.
#[derive(Default)]
struct Environment {
    config: Option<PathBuf>,
    values: Vec<(Key, String)>,
    files: Vec<(Key, PathBuf)>,
}

/// What a variable's name promises.
enum Variable {
    Config,
    Value(Key),
    File(Key),
}

impl Environment {
    fn read(env: impl IntoIterator<Item = (OsString, OsString)>, problems: &mut Problems) -> Self {
        let mut environment = Self::default();
        // The order of an environment is an accident; the order of complaints should not be.
        let mut ours: Vec<_> = env.into_iter().filter_map(|(name, value)| Some((stem(&name)?, value))).collect();
        ours.sort();
        for (name, value) in ours {
            if made_by_kubernetes(&name, &value) {
                continue;
            }
            match Variable::named(&name) {
                None => problems.add_at(format!("ALLCLEAR_{name}"), unknown(&name)),
                Some(_) if value.is_empty() => {}
                Some(Variable::Config) => environment.config = Some(value.into()),
                Some(Variable::File(key)) => environment.files.push((key, value.into())),
                Some(Variable::Value(key)) if key.kind() == Kind::Secret => {
                    let says = "put the secret into a file and name that in ALLCLEAR_BOOTSTRAP_PASSWORD_FILE; \
                                the environment is read by too many";
                    problems.add(key, Origin::Variable, says);
                }
                Some(Variable::Value(key)) => match value.into_string() {
                    Ok(text) => environment.values.push((key, text)),
                    Err(_) => problems.add(key, Origin::Variable, "must be UTF-8"),
                },
            }
        }
        environment
    }
}

impl Variable {
    /// Takes the name without `ALLCLEAR_`.
    fn named(name: &str) -> Option<Self> {
        // A variable has one spelling; `ALLCLEAR_listen` is not it.
        let key_of = |name: &str| Key::from_name(&name.to_lowercase()).filter(|_| !name.contains(char::is_lowercase));
        if name == "CONFIG" {
            return Some(Self::Config);
        }
        // The whole name first: a setting's own may end like the suffix (`key_file`).
        key_of(name).map(Self::Value).or_else(|| name.strip_suffix("_FILE").and_then(key_of).map(Self::File))
    }
}

/// The rest of a name that begins with `ALLCLEAR_`.
fn stem(name: &OsStr) -> Option<String> {
    name.to_str()?.strip_prefix("ALLCLEAR_").map(str::to_owned)
}

/// Whether Kubernetes made the variable for a service called `allclear`, or `allclear-something` beside it: it puts
/// `<NAME>_SERVICE_HOST`, `<NAME>_SERVICE_PORT…`, `<NAME>_PORT` and `<NAME>_PORT_<number>_<protocol>…` into every container.
fn made_by_kubernetes(name: &str, value: &OsStr) -> bool {
    if name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_") {
        return true;
    }
    // A sibling's `ALLCLEAR_DB_PORT` is told from a mistyped `ALLCLEAR_LISTEN_PORT` by its value, which is a URL.
    let is_url = value.to_str().is_some_and(|value| value.starts_with("tcp://") || value.starts_with("udp://"));
    let words: Vec<&str> = name.split('_').collect();
    (name.ends_with("_PORT") && is_url)
        || words.windows(2).any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]))
        || words.windows(3).any(|three| matches!(three, ["PORT", number, "TCP" | "UDP" | "SCTP"] if number.parse::<u16>().is_ok()))
}

fn unknown(name: &str) -> String {
    let known = || Key::ALL.into_iter().map(|key| key.name().to_uppercase()).chain(["CONFIG".to_owned()]);
    if let Some(near) = similar::nearest(&name.to_uppercase(), known().filter(|name| name.ends_with("_FILE"))) {
        return format!("no such setting; did you mean ALLCLEAR_{near}?");
    }
    let (stem, suffix) = name.strip_suffix("_FILE").map_or((name, ""), |stem| (stem, "_FILE"));
    match similar::nearest(&stem.to_uppercase(), known()) {
        Some(near) if near == "CONFIG" => "no such setting; did you mean ALLCLEAR_CONFIG?".to_owned(),
        Some(near) => format!("no such setting; did you mean ALLCLEAR_{near}{suffix}?"),
        None => "no such setting; `allclear config print` lists them all".to_owned(),
    }
}
