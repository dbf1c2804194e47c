// Pictures of every page: phone and desktop, light and dark, empty and full. `scripts/screenshots` runs it.
//
// usage: node screens.mjs FULL EMPTY UNCLAIMED FOLDER [PART]: the addresses of a demonstration, of an instance with open registration, whose operator has
// OPERATOR's address, PASSWORD, and the link RESET to a new one (all in the environment), and of an instance that nobody has set up yet and that sends
// mail; PART picks the pages whose names contain it.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

const [full, empty, unclaimed, folder, part = ""] = process.argv.slice(2);
const { OPERATOR, PASSWORD, RESET } = process.env;
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const SCHEMES = ["light", "dark"];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** Someone's cookies, and a way to ask the API and to send forms. */
const person = async (base, way_in) => {
  const context = await browser.newContext({ baseURL: base });
  const good = async (answer) => {
    if (answer.status() >= 400) throw new Error(`${answer.url()}: ${answer.status()} ${await answer.text()}`);
    return answer;
  };
  await good(await way_in(context));
  const state = await context.storageState();
  const send = async (method, path, options) => good(await context.request.fetch(path, { method, maxRedirects: 0, ...options }));
  const get = async (path) => (await send("GET", path)).json();
  const profile = state.cookies.length ? await get("/api/users/auth/profile") : undefined;
  const own = profile?.organizations?.[0];
  return {
    base,
    state,
    id: profile?.user.id,
    email: profile?.user.email,
    org: own?.id,
    slug: own?.slug,
    get,
    post: async (path, data) => (await send("POST", path, { data })).json(),
    remove: (path) => send("DELETE", path),
    /** Sends a form; where it leads to. */
    form: async (path, form) => (await send("POST", path, { form })).headers().location,
    upload: (path, multipart) => send("POST", path, { multipart }),
  };
};
const enter = (base, path, data) => person(base, (context) => context.request.post(path, { data }));
const found = (base, email, full_name, organization_name) => enter(base, "/api/users/auth/signup", { email, password: PASSWORD, full_name, organization_name });
/** Joins as a new person, by an invitation. */
const join = (base, { email, token }, full_name) => enter(base, "/api/users/auth/signup", { email, password: PASSWORD, full_name, invite_token: token });

const visitor = { base: full, state: undefined };
const nobody = { base: empty, state: undefined };
const admin = await person(full, (context) => context.request.post("/demo", { maxRedirects: 0 }));
const newcomer = await found(empty, "ada@example.com", "Ada Lovelace", "Engines");

const services = (await admin.get("/api/services?limit=5")).data;
const incidents = (await admin.get("/api/incidents?limit=50")).data;
const open = incidents.find(({ resolved_at }) => !resolved_at) ?? incidents[0];
const over = incidents.find(({ resolved_at, updates }) => resolved_at && updates.length > 3) ?? incidents[0];
const group = (await admin.get("/api/service-groups")).data[0];
const o = `/o/${admin.slug}`;
const n = `/o/${newcomer.slug}`;

// A team: its founder, somebody in each role, invitations that wait, somebody who was removed, and somebody whose own organization is suspended.
const operator = await enter(empty, "/api/users/auth/login", { email: OPERATOR, password: PASSWORD });
const founder = await found(empty, "mary@example.com", "Mary Somerville", "Skerry Light");
const t = `/o/${founder.slug}`;
const invite = (email, role) => founder.post(`/api/users/organizations/${founder.org}/invitations`, { email, role });
const viewer = await join(empty, await invite("george@example.com", "viewer"), "George Boole");
await join(empty, await invite("grace@example.com", "responder"), "Grace Brewster Murray Hopper");
await join(empty, await invite("fatima@example.com", "editor"), "\u0641\u0627\u0637\u0645\u0629 \u0627\u0644\u0641\u0647\u0631\u064a\u0629");
const removed = await join(empty, await invite("charles@example.com", "viewer"), "Charles Babbage");
await founder.remove(`/api/users/organizations/${founder.org}/members/${removed.id}`);
const suspended = await found(empty, "ida@example.com", "Ida Rhodes", "Bureau");
await operator.form(`/instance/organizations/${suspended.org}/suspend`, {});
await operator.post(`/api/users/invitations/${(await invite(OPERATOR, "responder")).token}/accept`, {});
const for_a_newcomer = await invite("sophie@example.com", "editor");
const for_ada = await invite(newcomer.email, "admin");
const made = (await operator.form("/instance/organizations", { name: "Harbour Office", email: "harbour@example.com" })).split("/invitation")[0];
const link = ({ token }) => `/invite/${token}`;

const logo = async () => {
  const page = await browser.newPage({ viewport: { width: 300, height: 80 } });
  await page.setContent('<p style="margin: 20px; font: 600 32px sans-serif; color: #1f6feb">Skerry Light</p>');
  const buffer = await page.screenshot({ omitBackground: true });
  await page.close();
  return { name: "logo.png", mimeType: "image/png", buffer };
};
await founder.upload(`${t}/page/logo`, { logo: await logo() });

/** Fills a form with something that is refused, and sends it. */
const refused = (fill) => async (page) => {
  await fill(page);
  await page.locator("form[method=post]:not(.bar form) button.primary, main form button").last().click();
  await page.locator("#problems").waitFor();
};
/** Sends the form of this id, after something was done to its fields; the server is to judge it, not the browser. */
const sent = (id, values = {}, mark = "#problems") => async (page) => {
  await page.evaluate(
    ([id, values]) => {
      const form = document.getElementById(id);
      for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
      form.noValidate = true;
      form.requestSubmit();
    },
    [id, values],
  );
  await page.locator(mark).waitFor();
};
const opened = (id) => (page) => page.evaluate((id) => (document.getElementById(id).open = true), id);
const key = (keys, selector) => async (page) => {
  await page.keyboard.press(keys);
  await page.locator(selector).first().waitFor();
};

const PAGES = [
  ["public", visitor, `/p/${admin.slug}`],
  ["public-empty", newcomer, `/p/${newcomer.slug}`],
  ["demo-front", visitor, "/"],
  ["unclaimed", { base: unclaimed }, "/"],
  ["login", { base: empty }, "/login"],
  ["login-refused", { base: empty }, "/login", refused((page) => page.fill("#email", "ada@example.com").then(() => page.fill("#password", "wrong but long enough")))],
  ["signup", { base: empty }, "/signup"],
  ["organizations", admin, "/organizations"],
  ["not-found", admin, "/nothing/here"],
  ["overview", admin, o],
  ["overview-empty", newcomer, n],
  ["services", admin, `${o}/services`],
  ["services-empty", newcomer, `${n}/services`],
  ["service-new", admin, `${o}/services/new`],
  ["service", admin, `${o}/services/${services[0].id}`],
  ["service-refused", admin, `${o}/services/new`, refused((page) => page.fill("#name", "x".repeat(300)))],
  ["group-new", admin, `${o}/groups/new`],
  ["group", admin, `${o}/groups/${group.id}`],
  ["incidents", admin, `${o}/incidents`],
  ["incidents-empty", newcomer, `${n}/incidents`],
  ["incident-new", admin, `${o}/incidents/new`],
  ["incident-refused", admin, `${o}/incidents/new`, refused((page) => page.fill("#title", "x".repeat(300)).then(() => page.fill("#message", "Looking into it.")))],
  ["incident-open", admin, `${o}/incidents/${open.id}`],
  ["incident-over", admin, `${o}/incidents/${over.id}`],
  ["incident-edit", admin, `${o}/incidents/${open.id}/edit`],
  ["incident-correct", admin, `${o}/incidents/${over.id}/updates/${over.updates[0].id}`],
  ["timeline", admin, `${o}/timeline`],
  ["timeline-empty", newcomer, `${n}/timeline?type=incident`],
  ["find", admin, `${o}/find?q=a`],
  ["palette", admin, o, key("Control+k", "#palette[open] #palette-results a")],
  ["keys", admin, o, key("?", "#keys[open]")],
  ["account", admin, "/account"],
  ["styleguide", admin, "/styleguide"],
  ["team", founder, `${t}/team`],
  ["team-of-viewer", viewer, `${t}/team`],
  ["team-empty", newcomer, `${n}/team`],
  ["team-invite", founder, `${t}/team/invite`],
  ["team-invite-refused", founder, `${t}/team/invite`, sent("invite", { email: "sophie" })],
  ["team-invite-again-refused", founder, `${t}/team/invite`, sent("invite", { email: for_a_newcomer.email })],
  ["team-invitation", founder, `${t}/team/invitations/${for_a_newcomer.id}`],
  ["team-member", founder, `${t}/team/members/${viewer.id}`],
  ["team-member-remove", founder, `${t}/team/members/${viewer.id}`, opened("remove")],
  ["team-member-stale-refused", founder, `${t}/team/members/${viewer.id}`, sent("role-form", { version: "99", role: "editor" }, "[data-kind=stale]")],
  ["team-member-last-refused", founder, `${t}/team/members/${founder.id}`, sent("role-form", { role: "viewer" })],
  ["team-member-of-viewer", viewer, `${t}/team/members/${founder.id}`],
  ["team-leave", viewer, `${t}/team/leave`],
  ["team-leave-last", founder, `${t}/team/leave`],
  ["team-leave-alone", newcomer, `${n}/team/leave`],
  ["team-timeline", founder, `${t}/timeline`],
  ["switcher", operator, t, opened("menu-person")],
  ["forbidden", viewer, `${t}/settings`],
  ["settings-page", founder, `${t}/page`],
  ["settings-page-empty", newcomer, `${n}/page`],
  ["settings-page-refused", founder, `${t}/page`, sent("texts", { slug: "Not one", time_zone: "Mars/Olympus" })],
  ["settings-page-stale-refused", founder, `${t}/page`, sent("texts", { version: "99", description: "What shines." }, "[data-kind=stale]")],
  ["settings-logo-refused", founder, `${t}/page`, sent("logo-new")],
  ["settings-organization", founder, `${t}/settings`],
  ["settings-organization-refused", founder, `${t}/settings`, sent("edit", { name: "", slug: "admin" })],
  ["settings-delete", founder, `${t}/settings/delete`],
  ["settings-delete-refused", founder, `${t}/settings/delete`, sent("delete", { name: "Another" })],
  ["public-logo", nobody, `/p/${founder.slug}`],
  ["invitation-new", nobody, link(for_a_newcomer)],
  ["invitation-new-refused", nobody, link(for_a_newcomer), sent("signup", { full_name: "Sophie Germain", password: "short" })],
  ["invitation-account", nobody, link(for_ada)],
  ["invitation-mine", newcomer, link(for_ada)],
  ["invitation-not-mine", founder, link(for_ada)],
  ["invitation-dead", nobody, "/invite/x"],
  ["forgot", nobody, "/forgot"],
  ["forgot-mail", { base: unclaimed }, "/forgot"],
  ["forgot-mail-told", { base: unclaimed }, "/forgot?told=reset-requested"],
  ["forgot-mail-refused", { base: unclaimed }, "/forgot", sent("forgot", { email: "ada" })],
  ["reset", nobody, new URL(RESET).pathname],
  ["reset-refused", nobody, new URL(RESET).pathname, sent("reset", { new_password: "short" })],
  ["reset-dead", nobody, "/reset/x"],
  ["organizations-one", newcomer, "/organizations"],
  ["organizations-many", operator, "/organizations"],
  ["organizations-empty", removed, "/organizations?told=out"],
  ["organizations-suspended", suspended, "/organizations"],
  ["suspended", suspended, `/o/${suspended.slug}`],
  ["account-many", operator, "/account"],
  ["instance", operator, "/instance"],
  ["instance-new", operator, "/instance/organizations"],
  ["instance-new-refused", operator, "/instance/organizations", sent("new-organization")],
  ["instance-waiting", operator, made],
  ["instance-invitation", operator, `${made}/invitation?told=organization-made`],
  ["instance-organization", operator, `/instance/organizations/${founder.org}`],
  ["instance-suspended", operator, `/instance/organizations/${suspended.org}`],
  ["instance-delete", operator, `/instance/organizations/${founder.org}/delete`],
  ["instance-delete-refused", operator, `/instance/organizations/${founder.org}/delete`, sent("delete", { name: "Another" })],
];

await mkdir(folder, { recursive: true });
const wrong = [];
for (const [name, who, path, act] of PAGES.filter(([name]) => name.includes(part))) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of SCHEMES) {
      const context = await browser.newContext({ baseURL: who.base, storageState: who.state, viewport, colorScheme, deviceScaleFactor: 1 });
      const page = await context.newPage();
      try {
        const answer = await page.goto(path, { waitUntil: "load" });
        if (name === "styleguide" && answer.status() === 404) continue; // debug builds alone have it
        await act?.(page);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (overflow > 0) wrong.push(`${name} ${size}: ${overflow} px wider than the window`);
        await page.screenshot({ path: `${folder}/${name}-${size}-${colorScheme}.png`, fullPage: !act || name.includes("refused"), animations: "disabled" });
      } catch (error) {
        wrong.push(`${name} ${size} ${colorScheme}: ${error.message.split("\n")[0]}`);
      } finally {
        await context.close();
      }
    }
  }
}
await browser.close();
for (const line of wrong) console.error(line);
process.exit(wrong.length ? 1 : 0);
