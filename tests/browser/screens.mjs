// Pictures of every page: phone and desktop, light and dark, empty and full. `scripts/screenshots` runs it.
//
// usage: node screens.mjs FULL EMPTY UNCLAIMED FOLDER [PART]: the addresses of a demonstration, of an empty instance with open registration, and of one
// that nobody has set up yet; PART picks the pages whose names contain it.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

const [full, empty, unclaimed, folder, part = ""] = process.argv.slice(2);
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } };
const SCHEMES = ["light", "dark"];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** Someone's cookies, and a way to ask the API. */
const person = async (base, way_in) => {
  const context = await browser.newContext({ baseURL: base });
  const answer = await way_in(context);
  if (answer.status() >= 400) throw new Error(`no way into ${base}: ${answer.status()} ${await answer.text()}`);
  const ask = async (path) => (await context.request.get(path)).json();
  const state = await context.storageState();
  const cookie = state.cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const profile = cookie && (await ask("/api/users/auth/profile"));
  await context.close();
  const get = async (path) => (await fetch(base + path, { headers: { cookie } })).json();
  return { base, state, slug: profile?.organizations?.[0]?.slug, get };
};

const visitor = { base: full, state: undefined };
const admin = await person(full, (context) => context.request.post("/demo", { maxRedirects: 0 }));
const newcomer = await person(empty, (context) =>
  context.request.post("/api/users/auth/signup", {
    data: { email: "ada@example.com", password: "tangerine-otter-plinth", full_name: "Ada Lovelace", organization_name: "Engines" },
  }),
);

const services = (await admin.get("/api/services?limit=5")).data;
const incidents = (await admin.get("/api/incidents?limit=50")).data;
const open = incidents.find(({ resolved_at }) => !resolved_at) ?? incidents[0];
const over = incidents.find(({ resolved_at, updates }) => resolved_at && updates.length > 3) ?? incidents[0];
const group = (await admin.get("/api/service-groups")).data[0];
const o = `/o/${admin.slug}`;
const n = `/o/${newcomer.slug}`;

/** Fills a form with something that is refused, and sends it. */
const refused = (fill) => async (page) => {
  await fill(page);
  await page.locator("form[method=post]:not(.bar form) button.primary, main form button").last().click();
  await page.locator("#problems").waitFor();
};
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
