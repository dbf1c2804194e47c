//! The rules of this module, told from an operator's side.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::*;

/// One directory with the files of one story.
struct Desk {
    dir: tempfile::TempDir,
    flags: Flags,
    env: Vec<(OsString, OsString)>,
}

impl Desk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), flags: Flags::default(), env: Vec::new() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn toml(mut self, text: &str) -> Self {
        self.flags.config = Some(self.file("config.toml", text));
        self
    }

    fn flag(mut self, key: Key, text: &str) -> Self {
        self.flags.values.push((key, text.to_owned()));
        self
    }

    fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    fn env_file(self, name: &str, text: &str) -> Self {
        let path = self.file(name, text);
        self.env(name, path)
    }

    fn load(self) -> Result<Loaded, Problems> {
        Config::load(self.flags, self.env)
    }

    /// The complaints, with the directory's name taken out.
    fn refusal(self) -> Vec<String> {
        let dir = format!("{}/", self.dir.path().display());
        let problems = Config::load(self.flags, self.env).expect_err("this configuration should be refused");
        problems.iter().map(|problem| problem.to_string().replace(&dir, "")).collect()
    }
}

#[test]
fn nothing_said_is_the_default() {
    let config = Desk::new().load().unwrap().config;

    assert_eq!(config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.base_url.to_string(), "http://127.0.0.1:8080");
    assert_eq!(config.registration, Registration::Invite);
    assert_eq!((config.home_page, config.cors_origins.len(), config.trusted_proxies.len()), (None, 0, 0));
    assert_eq!((config.cache_size_mib, config.store_connections, config.max_connections), (1024, 16, 16_384));
    assert!(config.store.is_none() && config.key_file.is_none());
    assert_eq!((config.session_idle_days, config.session_absolute_days), (14, 90));
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
    assert_eq!((config.front_page, config.demo), (FrontPage::SignIn, false));
    assert!(config.smtp_url.is_none() && config.mail_from.is_none());
    assert!(config.bootstrap_email.is_none() && config.bootstrap_password.is_none());
    assert_eq!(Config::default().cache_size_bytes(), 1 << 30);
}

#[test]
fn the_stronger_source_wins() {
    let none = Desk::new;
    let toml = || none().toml("log = \"warn\"\n");
    let file = || toml().env_file("ALLCLEAR_LOG_FILE", "error\n");
    let env = || file().env("ALLCLEAR_LOG", "debug");
    let flag = || env().flag(Key::Log, "trace");

    let ladder = [(none(), "info"), (toml(), "warn"), (file(), "error"), (env(), "debug"), (flag(), "trace")];
    for (desk, expected) in ladder {
        let loaded = desk.load().unwrap();
        assert_eq!(loaded.config.log, expected, "from {:?}", loaded.origin(Key::Log));
    }
}

#[test]
fn each_value_knows_its_source() {
    let desk = Desk::new().toml("# a comment\nlog = \"warn\"\n").env("ALLCLEAR_LISTEN", "[::1]:90").flag(Key::DataDir, "/srv");
    let path = desk.flags.config.clone().unwrap();

    let loaded = desk.load().unwrap();

    assert_eq!(loaded.origin(Key::Log), &Origin::File { path, line: 2 });
    assert_eq!(loaded.origin(Key::Listen), &Origin::Variable);
    assert_eq!(loaded.origin(Key::DataDir), &Origin::Flag);
    assert_eq!(loaded.origin(Key::LogFormat), &Origin::Default);
}

#[test]
fn the_file_may_be_named_in_the_environment_and_the_flag_wins() {
    let desk = Desk::new();
    let (weak, strong) = (desk.file("weak.toml", "log = \"warn\""), desk.file("strong.toml", "log = \"error\""));

    let mut desk = desk.env("ALLCLEAR_CONFIG", weak);
    assert_eq!(Config::load(desk.flags.clone(), desk.env.clone()).unwrap().config.log, "warn");
    desk.flags.config = Some(strong);
    assert_eq!(desk.load().unwrap().config.log, "error");
}

#[test]
fn every_fault_of_a_file_is_told_at_once_with_its_line() {
    let refusal = Desk::new()
        .toml("lisen = \"127.0.0.1:1\"\nlisten = 8080\n\ncache_size_mib = \"big\"\nmax_connections = 0x2\ncors_origins = [1]\n[server]\nport = 1\n")
        .env("ALLCLEAR_REGISTRATION", "sometimes")
        .refusal();

    assert_eq!(
        refusal,
        [
            "lisen (in config.toml line 1): unknown key; did you mean listen?",
            "listen (in config.toml line 2): must be a string in quotes",
            "cache_size_mib (in config.toml line 4): must be a whole number without quotes",
            "cors_origins (in config.toml line 6): must be an array of strings, such as [\"…\", \"…\"]",
            "server (in config.toml line 7): unknown section; all settings stand at the top level",
            "ALLCLEAR_REGISTRATION: \"sometimes\" is none of open, invite, closed",
            "max_connections (in config.toml line 5): \"2\" is not a whole number from 16 to 1000000",
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_refused_with_the_line() {
    let refusal = Desk::new().toml("log = \"warn\"\nlisten = \n").refusal();
    assert!(refusal[0].starts_with("config.toml line 2: "), "{refusal:?}");

    let doubled = Desk::new().toml("log = \"warn\"\nlog = \"info\"\n").refusal();
    assert!(doubled[0].starts_with("config.toml line 2: "), "{doubled:?}");
}

#[test]
fn a_file_that_was_named_must_exist() {
    let mut desk = Desk::new();
    desk.flags.config = Some(desk.dir.path().join("none.toml"));
    assert_eq!(desk.refusal(), ["--config: none.toml doesn't exist; `allclear config init none.toml` writes one"]);
}

#[test]
fn impossible_values_are_refused_by_name() {
    let refused = [
        (Key::Listen, "8080"),
        (Key::Listen, "localhost:8080"),
        (Key::DataDir, " "),
        (Key::Store, "./data"),
        (Key::Store, "redb:"),
        (Key::Store, "postgres://db.example.com"),
        (Key::KeyFile, " "),
        (Key::BaseUrl, "status.example.com"),
        (Key::Registration, "Open"),
        (Key::HomePage, "/p/acme"),
        (Key::FrontPage, "home"),
        (Key::Demo, "yes"),
        (Key::CorsOrigins, "*"),
        (Key::CorsOrigins, "https://a.example/app"),
        (Key::TrustedProxies, "10.0.0.0/40"),
        (Key::TrustedProxies, "10.0.0.1/8"),
        (Key::CacheSizeMib, "0"),
        (Key::CacheSizeMib, "1GiB"),
        (Key::StoreConnections, "3"),
        (Key::StoreConnections, "501"),
        (Key::MaxConnections, "-1"),
        (Key::SessionIdleDays, "0"),
        (Key::SessionIdleDays, "91"),
        (Key::SessionAbsoluteDays, "366"),
        (Key::Log, "inof"),
        (Key::Log, "allclear=loud"),
        (Key::LogFormat, "xml"),
        (Key::BootstrapEmail, "ada"),
        (Key::BootstrapEmail, "ada@example.com"),
    ];
    for (key, text) in refused {
        let problems = Desk::new().flag(key, text).load().expect_err(text);
        assert_eq!(problems.iter().count(), 1, "{problems}");
        assert!(problems.to_string().starts_with(&format!("{}: ", key.flag())), "{problems}");
        assert!(problems.is_usage());
    }
}

#[test]
fn possible_values_are_taken_and_put_into_one_spelling() {
    let config = Desk::new()
        .toml("trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::1\"]\ncache_size_mib = 1_024\nhome_page = \"acme-2\"")
        .env("ALLCLEAR_CORS_ORIGINS", "https://App.Example.com:443/, http://localhost:3000")
        .env("ALLCLEAR_BASE_URL", "https://example.com/status/")
        .flag(Key::Log, "info,allclear=debug,off")
        .load()
        .unwrap()
        .config;

    assert_eq!(config.trusted_proxies, ["10.0.0.0/8", "2001:db8::1/128"]);
    assert_eq!(config.cors_origins, ["https://app.example.com", "http://localhost:3000"]);
    assert_eq!(config.base_url.to_string(), "https://example.com/status");
    assert_eq!((config.cache_size_mib, config.home_page.as_deref()), (1024, Some("acme-2")));
}

#[test]
fn a_switch_is_a_word_of_its_own_in_toml_and_a_text_elsewhere() {
    assert!(Desk::new().toml("demo = true").load().unwrap().config.demo);
    assert!(Desk::new().env("ALLCLEAR_DEMO", "true").load().unwrap().config.demo);
    assert!(!Desk::new().toml("demo = true").env("ALLCLEAR_DEMO", "false").load().unwrap().config.demo);
    assert_eq!(Desk::new().toml("demo = \"true\"").refusal(), ["demo (in config.toml line 1): must be true or false, without quotes"]);

    let printed = Desk::new().flag(Key::Demo, "true").flag(Key::FrontPage, "pages").load().unwrap().print();
    let again = Desk::new().toml(&printed).load().unwrap().config;
    assert_eq!((again.demo, again.front_page), (true, FrontPage::Pages));
}

#[test]
fn a_base_url_that_nobody_named_follows_the_bound_port() {
    let bound = "127.0.0.1:41234".parse().unwrap();

    let derived = Desk::new().flag(Key::Listen, "127.0.0.1:0").load().unwrap().config.bound_to(bound);
    assert_eq!(derived.base_url.to_string(), "http://127.0.0.1:41234");

    let named = Desk::new().flag(Key::BaseUrl, "https://status.example.com").load().unwrap().config.bound_to(bound);
    assert_eq!(named.base_url.to_string(), "https://status.example.com");
    assert_eq!(named.listen, bound);
}

#[test]
fn unknown_variables_are_refused_and_others_left_alone() {
    let refusal = Desk::new()
        .env("ALLCLEAR_LISTEN_PORT", "80")
        .env("ALLCLEAR_BASEURL", "x")
        .env("ALLCLEAR_CONFG", "x")
        .env("ALLCLEAR_DATA_DIRS_FILE", "x")
        .env("ALLCLEAR_KEYS_FILE", "x")
        .env("ALLCLEAR_listen", "x")
        .env("ALLCLEARLY", "x")
        .env("PATH", "x")
        .refusal();

    assert_eq!(
        refusal,
        [
            "ALLCLEAR_BASEURL: no such setting; did you mean ALLCLEAR_BASE_URL?",
            "ALLCLEAR_CONFG: no such setting; did you mean ALLCLEAR_CONFIG?",
            "ALLCLEAR_DATA_DIRS_FILE: no such setting; did you mean ALLCLEAR_DATA_DIR_FILE?",
            "ALLCLEAR_KEYS_FILE: no such setting; did you mean ALLCLEAR_KEY_FILE?",
            "ALLCLEAR_LISTEN_PORT: no such setting; `allclear config print` lists them all",
            "ALLCLEAR_listen: no such setting; did you mean ALLCLEAR_LISTEN?",
        ]
    );
}

#[test]
fn what_kubernetes_makes_of_services_is_ignored() {
    let config = Desk::new()
        .env("ALLCLEAR_PORT", "tcp://10.0.0.1:8080")
        .env("ALLCLEAR_PORT_8080_TCP", "tcp://10.0.0.1:8080")
        .env("ALLCLEAR_PORT_8080_TCP_ADDR", "10.0.0.1")
        .env("ALLCLEAR_SERVICE_HOST", "10.0.0.1")
        .env("ALLCLEAR_SERVICE_PORT_HTTP", "8080")
        .env("ALLCLEAR_POSTGRES_SERVICE_HOST", "10.0.0.2")
        .env("ALLCLEAR_POSTGRES_PORT", "tcp://10.0.0.2:5432")
        .env("ALLCLEAR_POSTGRES_PORT_5432_TCP_PROTO", "tcp")
        .load()
        .unwrap()
        .config;
    assert_eq!(config.listen.port(), 8080);
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let desk = Desk::new().toml("home_page = \"acme\"").env("ALLCLEAR_HOME_PAGE", "").env("ALLCLEAR_CONFIG", "");
    assert_eq!(desk.load().unwrap().config.home_page.as_deref(), Some("acme"));
}

#[test]
fn the_first_password_comes_from_a_file_only_and_is_never_shown() {
    let loaded = Desk::new()
        .env("ALLCLEAR_BOOTSTRAP_EMAIL", "ada@example.com")
        .env_file("ALLCLEAR_BOOTSTRAP_PASSWORD_FILE", " correct horse \n")
        .load()
        .unwrap();
    assert_eq!(loaded.config.bootstrap_password.as_ref().unwrap().expose_secret(), " correct horse ");
    for shown in [loaded.print(), format!("{loaded:?}")] {
        assert!(!shown.contains("correct horse"), "{shown}");
    }

    let in_the_open = Desk::new().toml("bootstrap_password = \"correct horse\"").env("ALLCLEAR_BOOTSTRAP_PASSWORD", "correct horse");
    let refusal = in_the_open.refusal();
    assert_eq!(refusal.len(), 2, "{refusal:?}");
    for problem in refusal {
        assert!(problem.contains("ALLCLEAR_BOOTSTRAP_PASSWORD_FILE") && !problem.contains("horse"), "{problem}");
    }

    let alone = Desk::new().env_file("ALLCLEAR_BOOTSTRAP_PASSWORD_FILE", "correct horse").refusal();
    assert!(alone[0].contains("ALLCLEAR_BOOTSTRAP_EMAIL"), "{alone:?}");
}

#[test]
fn a_relay_and_a_sender_come_together_and_the_relays_password_is_never_shown() {
    const URL: &str = "smtps://ada:hunter2@mail.example.com";
    const FROM: &str = "Allclear <status@example.com>";
    let in_file = Desk::new().toml(&format!("smtp_url = \"{URL}\"\nmail_from = \"{FROM}\""));
    let in_environment = Desk::new().env("ALLCLEAR_SMTP_URL", URL).env("ALLCLEAR_MAIL_FROM", FROM);
    let in_secret = Desk::new().env_file("ALLCLEAR_SMTP_URL_FILE", &format!("{URL}\n")).flag(Key::MailFrom, FROM);
    for (desk, source) in [(in_file, "line 1"), (in_environment, "ALLCLEAR_SMTP_URL"), (in_secret, "ALLCLEAR_SMTP_URL_FILE")] {
        let loaded = desk.load().unwrap();
        assert_eq!(loaded.config.smtp_url.as_ref().unwrap().expose_secret(), URL);
        assert_eq!(loaded.config.mail_from.as_deref(), Some(FROM));
        let shown = loaded.print();
        assert!(shown.lines().any(|line| line.starts_with("# smtp_url is set and not shown") && line.ends_with(source)), "{shown}");
        for shown in [shown, format!("{loaded:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    for (desk, missing) in [
        (Desk::new().env("ALLCLEAR_SMTP_URL", URL), "needs mail_from"),
        (Desk::new().env("ALLCLEAR_MAIL_FROM", FROM), "needs smtp_url"),
        (Desk::new().env("ALLCLEAR_SMTP_URL", "smtp://ada:hunter2@mail.example.com").env("ALLCLEAR_MAIL_FROM", FROM), "?tls=required"),
        (Desk::new().toml("smtp_url = \"ada:hunter2@mail.example.com\""), "smtps://user:password@mail.example.com"),
        (Desk::new().env("ALLCLEAR_SMTP_URL", URL).env("ALLCLEAR_MAIL_FROM", "Allclear"), "Allclear <status@example.com>"),
    ] {
        let refusal = desk.refusal();
        assert_eq!(refusal.len(), 1, "{refusal:?}");
        assert!(refusal[0].contains(missing) && !refusal[0].contains("hunter2"), "{refusal:?}");
    }
}

#[test]
fn store_and_keys_are_in_the_data_directory_unless_they_have_a_place_of_their_own() {
    let nothing_said = Desk::new().flag(Key::DataDir, "/srv/status").load().unwrap();
    assert_eq!(nothing_said.config.store_place(), StorePlace::Redb("/srv/status/allclear.redb".into()));
    assert_eq!(nothing_said.config.key_path(), Path::new("/srv/status/keys"));
    let shown = nothing_said.print();
    for line in ["store = \"redb:/srv/status/allclear.redb\" ", "key_file = \"/srv/status/keys\" "] {
        assert!(shown.lines().any(|shown| shown.starts_with(line) && shown.ends_with("# from data_dir")), "{line}: {shown}");
    }

    let named = Desk::new().toml("store = \"redb:a.redb\"\nkey_file = \"b\"\nstore_connections = 40").load().unwrap();
    assert_eq!(named.config.store_place().redb_path(), Some(Path::new("a.redb")));
    assert_eq!((named.config.key_path().as_path(), named.config.store_connections), (Path::new("b"), 40));
    let again = Desk::new().toml(&named.print()).load().unwrap().config;
    assert_eq!((again.store, again.key_file, again.store_connections), (named.config.store, named.config.key_file, 40));
}

#[test]
fn the_key_file_is_what_its_variable_says_and_not_what_stands_in_that_file() {
    let desk = Desk::new();
    let keys = desk.file("keys", "session 00");
    let loaded = desk.env("ALLCLEAR_KEY_FILE", &keys).load().unwrap();
    assert_eq!((loaded.config.key_path(), loaded.origin(Key::KeyFile)), (keys, &Origin::Variable));

    let loaded = Desk::new().env_file("ALLCLEAR_KEY_FILE_FILE", "/srv/keys\n").load().unwrap();
    assert_eq!((loaded.config.key_path().as_path(), loaded.origin(Key::KeyFile)), (Path::new("/srv/keys"), &Origin::VariableFile));
}

#[test]
fn a_shared_database_is_named_by_a_url_whose_password_is_never_shown() {
    const URL: &str = "postgres://ada:hunter2@db.example.com:6432/status?sslmode=require";
    const SHOWN: &str = "store = \"postgres://ada:***@db.example.com:6432/status?sslmode=require\" ";
    let in_file = || Desk::new().toml(&format!("store = \"{URL}\""));
    let in_secret = || Desk::new().env_file("ALLCLEAR_STORE_FILE", &format!("{URL}\n"));
    for (desk, source) in [
        (in_file(), "line 1"),
        (Desk::new().env("ALLCLEAR_STORE", URL), "ALLCLEAR_STORE"),
        (Desk::new().flag(Key::Store, URL), "--store"),
        (in_secret(), "ALLCLEAR_STORE_FILE"),
    ] {
        let loaded = desk.load().unwrap();
        let Some(StorePlace::Postgres(url)) = &loaded.config.store else { panic!("{:?}", loaded.config.store) };
        assert_eq!((url.config().get_password(), url.tls().mode), (Some(&b"hunter2"[..]), SslMode::Require));
        assert_eq!(loaded.config.store_place().redb_path(), None);
        let shown = loaded.print();
        assert!(shown.lines().any(|line| line.starts_with(SHOWN) && line.ends_with(source)), "{shown}");
        for shown in [shown, format!("{loaded:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    // What is shown can be used along with the secret, and is refused without it rather than taken for another store.
    let printed = in_secret().load().unwrap().print();
    let with_secret = in_secret().toml(&printed).load().unwrap();
    assert_eq!(with_secret.origin(Key::Store), &Origin::VariableFile);
    let without = Desk::new().toml(&printed).refusal();
    assert!(
        without.len() == 1 && without[0].starts_with("store (in config.toml line 3): ") && without[0].contains("hidden"),
        "{without:?}"
    );

    for (text, says) in [
        ("postgres://ada:hunter2@db.example.com", "names no database"),
        ("postgres://ada:hunter2@db.example.com/status?sslmode=hunter2", "verify-full"),
        ("postgres://ada:hunter2/@db.example.com/status", "%2F"),
        ("ada:hunter2@db.example.com/status", "redb:/var/lib/allclear/allclear.redb"),
    ] {
        for desk in [Desk::new().env("ALLCLEAR_STORE", text), Desk::new().toml(&format!("store = \"{text}\""))] {
            let refusal = desk.refusal();
            assert!(refusal.len() == 1 && refusal[0].contains(says) && !refusal[0].contains("hunter2"), "{refusal:?}");
        }
    }
}

#[test]
fn a_file_variable_whose_file_is_missing_is_refused() {
    let refusal = Desk::new().env("ALLCLEAR_LISTEN_FILE", "/nonexistent/listen").refusal();
    assert!(refusal[0].starts_with("ALLCLEAR_LISTEN_FILE: can't read /nonexistent/listen: "), "{refusal:?}");
}

#[test]
fn what_print_shows_can_be_used_as_a_file() {
    let first = Desk::new()
        .env("ALLCLEAR_CORS_ORIGINS", "https://a.example,https://b.example")
        .flag(Key::DataDir, "/srv/\"odd\"\\dir")
        .flag(Key::HomePage, "acme")
        .load()
        .unwrap()
        .print();

    let again = Desk::new().toml(&first).load().unwrap();

    assert_eq!(again.config.data_dir, Path::new("/srv/\"odd\"\\dir"));
    assert_eq!(again.config.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(again.config.home_page.as_deref(), Some("acme"));
    assert!(first.lines().any(|line| line.starts_with("home_page = \"acme\" ") && line.ends_with("# --home-page")), "{first}");
    assert!(first.lines().any(|line| line.starts_with("base_url = ") && line.ends_with("# from listen")), "{first}");
    assert_eq!(first.lines().count(), Key::ALL.len());
}

/// The example with its settings uncommented: those are the lines `# key = value`.
fn example_in_force() -> String {
    let setting = |line: &str| line.split_once(" = ").and_then(|(name, _)| Key::from_name(name.strip_prefix("# ")?));
    EXAMPLE.lines().map(|line| if setting(line).is_some() { &line[2..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_changes_nothing_as_it_is() {
    let mut problems = Problems::default();
    assert!(file::parse(EXAMPLE, Path::new("example"), &mut problems).is_empty());
    assert_eq!(problems, Problems::default());
}

#[test]
fn the_example_shows_every_key_with_its_default() {
    let mut problems = Problems::default();
    let entries = file::parse(&example_in_force(), Path::new("example"), &mut problems);
    assert_eq!(problems, Problems::default());

    let shown: Vec<Key> = entries.iter().map(|(key, _)| *key).collect();
    let expected: Vec<Key> = Key::ALL.into_iter().filter(|key| *key != Key::BootstrapPassword).collect();
    assert_eq!(shown, expected);
    for (key, given) in entries {
        let default = if key == Key::BaseUrl { Some("http://127.0.0.1:8080") } else { key.default_text() };
        if let Some(default) = default {
            assert_eq!(given.text, default, "{}", key.name());
        }
    }
}
