// Drives a running server by nothing but the types made from its OpenAPI document.
import createClient, { type Middleware } from "openapi-fetch";
import type { paths } from "./generated.js";

declare const process: { argv: string[] };

const base = process.argv[2];
if (!base) throw new Error("usage: drive.js <base URL>");

/** Keeps the session cookie, as a browser would. */
function jar(): Middleware {
  let cookie = "";
  return {
    onRequest({ request }) {
      if (cookie) request.headers.set("cookie", cookie);
      return request;
    },
    onResponse({ response }) {
      for (const line of response.headers.getSetCookie()) cookie = line.split(";")[0] ?? "";
      return undefined;
    },
  };
}

function there<T>(value: T | undefined, what: string, error?: unknown): T {
  if (value === undefined) throw new Error(`${what}: ${JSON.stringify(error)}`);
  return value;
}

function same<T>(actual: T, expected: T, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)} where ${String(expected)} was expected`);
}

const api = createClient<paths>({ baseUrl: `${base}/api` });
api.use(jar());

const signedUp = await api.POST("/users/auth/signup", {
  body: { email: "linus@example.com", password: "tangerine-otter-plinth", full_name: "Linus", organization_name: "Kernels" },
});
const { organization, role } = there(signedUp.data, "sign-up", signedUp.error);
same(signedUp.response.status, 201, "sign-up");
same<string>(role, "admin", "the founder's role");

const made = await api.POST("/services", { body: { name: "API" } });
const service = there(made.data, "a service", made.error);
same(service.organization_id, organization.id, "the service's organization");

const opened = await api.POST("/services/{service_id}/incidents", {
  params: { path: { service_id: service.id } },
  body: { title: "Nothing works", message: "Looking.", service_status: "major_outage" },
});
const incident = there(opened.data, "an incident", opened.error);
same<string>(incident.impact, "critical", "its impact");

const listed = await api.GET("/services", { params: { query: { limit: 10 } } });
const services = there(listed.data, "the services", listed.error);
same(services.data.length, 1, "how many services there are");
same<string | undefined>(services.data[0]?.status, "major_outage", "the derived status");

const resolved = await api.POST("/incidents/{id}/updates", {
  params: { path: { id: incident.id } },
  body: { message: "All clear.", status: "resolved" },
});
there(resolved.data, "an update", resolved.error);
const after = await api.GET("/services/{id}", { params: { path: { id: service.id } } });
same<string>(there(after.data, "the service", after.error).status, "operational", "the status afterwards");

const refused = await api.POST("/services", { body: { name: "" } });
same(refused.response.status, 422, "a service without a name");
const problem = there(refused.error, "the problem");
same(problem.type, "urn:allclear:problem:invalid", "its type");
same(problem.errors?.[0]?.field, "name", "the field it names");

const unknown = await api.GET("/services/{id}", { params: { path: { id: "svc_nobody" } } });
same(unknown.response.status, 404, "an unknown service");

// A colleague comes in by an invitation, and is given another role.
const invited = await api.POST("/users/organizations/{id}/invitations", {
  params: { path: { id: organization.id } },
  body: { email: "grace@example.com", role: "responder" },
});
const { token, mail } = there(invited.data, "an invitation", invited.error);
same<string>(mail, "off", "what became of the mail");
const looked = await api.GET("/users/invitations/{token}", { params: { path: { token } } });
const offer = there(looked.data, "what the link offers", looked.error);
same(`${offer.organization.name} ${offer.email} ${offer.role}`, "Kernels grace@example.com responder", "the offer");

const colleague = createClient<paths>({ baseUrl: `${base}/api` });
colleague.use(jar());
const joined = await colleague.POST("/users/auth/signup", {
  body: { email: offer.email, password: "tangerine-otter-plinth", full_name: "Grace", invite_token: token },
});
const { user } = there(joined.data, "signing up by an invitation", joined.error);
const promoted = await api.PUT("/users/organizations/{id}/members/{user_id}", {
  params: { path: { id: organization.id, user_id: user.id } },
  body: { role: "editor" },
});
same<string>(there(promoted.data, "another role", promoted.error).role, "editor", "the role");
const team = await colleague.GET("/users/organizations/{id}/members", { params: { path: { id: organization.id } } });
same(there(team.data, "the members", team.error).data.length, 2, "how many members there are");
const removed = await api.DELETE("/users/organizations/{id}/members/{user_id}", {
  params: { path: { id: organization.id, user_id: user.id } },
});
same(removed.response.status, 204, "the removal");
same((await colleague.GET("/users/organizations")).data?.data.length, 0, "what is left to them");
