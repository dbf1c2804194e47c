//! What pages read of a large organization: some hundred rows each, however many there are.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use poem::{Endpoint, Request};

use crate::config::Config;
use crate::domain::incident::{self, Affected, OpenIncident};
use crate::domain::service::{ServicePatch, Visibility};
use crate::domain::session::Origin;
use crate::domain::status::{IncidentStatus, ServiceStatus};
use crate::domain::testing::TestOrg;
use crate::http::{SecurityHeaders, SessionCookie, Shutdown};
use crate::store::{Reads, read_since};
use crate::web::{Web, endpoint};

/// How many services and how many incidents there are. No page may read as many rows, whichever they are.
const MANY: usize = 400;

#[test]
fn no_page_reads_all_rows() {
    let mut org = TestOrg::new();
    let (group, mut made) = (org.group("Core"), Vec::new());
    for number in 0..MANY {
        let service = org.service(&format!("Service {number}"), Visibility::Public, ServiceStatus::Operational);
        if number % 2 == 0 {
            org.patch(service, ServicePatch { group_id: Some(Some(group)), ..ServicePatch::default() });
        }
        let affected = vec![Affected { service_id: service, status: Some(ServiceStatus::MajorOutage) }];
        let status = Some(IncidentStatus::ALL[number % IncidentStatus::ALL.len()]);
        let (title, message) = (format!("Incident {number}"), "We are looking.".to_owned());
        let input = OpenIncident { title, message, status, affected, ..OpenIncident::default() };
        made.push((service, org.change(move |tx| incident::open(tx, input)).unwrap().id));
    }
    let (service, incident) = made[0];
    let mut paths = vec![format!("/services/{service}"), format!("/groups/{group}")];
    paths.extend(["", "/team", "/page", "/settings", "/services/new", "/groups/new", "/incidents/new"].map(str::to_owned));
    paths.extend(["", "/edit"].map(|rest| format!("/incidents/{incident}{rest}")));
    paths.extend(["", "q=service", "q=ervice", "state=operational"].map(|query| format!("/services?{query}")));
    paths.extend(["", "q=ervice", "q=zzz", "state=unknown"].map(|query| format!("/services?group={group}&{query}")));
    paths.extend(["", "state=open", "q=incident", "q=ncident", "q=zzz"].map(|query| format!("/incidents?{query}")));
    paths.extend(["", "type=incident", "actor=system"].map(|query| format!("/timeline?{query}")));
    paths.extend(["/timeline?service=", "/incidents?service="].map(|list| format!("{list}{service}")));
    paths.push(format!("/timeline?subject={incident}"));
    paths.extend(["se", "zzz"].map(|query| format!("/find?q={query}")));

    // What is read is counted by thread: here one thread reads all of it.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().max_blocking_threads(1).thread_keep_alive(Duration::from_secs(3_600)).build().unwrap();
    let slug = org.read(|view| Ok(view.get(view.org())?.slug));
    runtime.block_on(async {
        let (app, here, password) = (&org.app, IpAddr::V4(Ipv4Addr::LOCALHOST), "tangerine-otter-plinth".to_owned());
        let link = app.reset_link("ada@example.com").await.unwrap();
        app.reset_password(link.rsplit('/').next().unwrap(), password.clone(), here).await.unwrap();
        let ada = app.sign_in("ada@example.com", password, here, Origin::default()).await.unwrap();
        let config = Config::default();
        let cookie = format!("{}={}", SessionCookie::new(config.base_url.https()).name(), ada.token);
        let web = endpoint(Web::new(app.clone(), &config, SecurityHeaders::new(false), Shutdown::new()));
        for path in paths {
            let uri = format!("/o/{slug}{path}").parse().unwrap();
            tokio::task::spawn_blocking(read_since).await.unwrap();
            let answer = web.call(Request::builder().uri(uri).header("cookie", cookie.as_str()).finish()).await.unwrap();
            let read = tokio::task::spawn_blocking(read_since).await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            assert!(read > 0 && read < MANY, "{path} reads {read} rows");
        }
    });
}
