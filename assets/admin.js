// What script adds to the pages of those who work: a page that follows what happens, who else is here, notices, keys.
// Everything can be done without this file; it makes it quicker and keeps it true.
(() => {
  "use strict";

  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const app = () => document.getElementById("app");
  const toasts = document.getElementById("toasts");
  const chip = document.getElementById("offline");

  /** Makes an element; text is text, never HTML. */
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  // Moments: the reader's zone, UTC in the tooltip. Words and figures go together: the page's language, as the reader writes it if it is theirs.
  const locale = navigator.languages.find((language) => language.startsWith(document.documentElement.lang)) ?? "en-GB";
  const full = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const short = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
  const localise = (root) => {
    for (const time of all("time[datetime*=T]:not([title])", root)) {
      time.title = time.textContent;
      time.textContent = full.format(new Date(time.dateTime));
    }
  };

  // Notices. What the server says was done moves into a region that stays and is read out; the address forgets it, so that a reload does not say it again.
  const toast = (content, kind) => {
    const shown = make("div", { class: "toast", ...(kind && { "data-kind": kind }) });
    const close = make("button", { type: "button", class: "button quiet small icon-only", "aria-label": "Dismiss" }, "×");
    close.addEventListener("click", () => {
      shown.remove();
      document.getElementById("main")?.focus({ preventScroll: true });
    });
    shown.append(...content, close);
    toasts.append(shown);
    while (toasts.children.length > 3) toasts.firstElementChild.remove();
    // With something to do, it waits longer; under the pointer or the focus, it stays.
    let left = kind === "warn" || $("form", shown) ? 20 : 8;
    const tick = setInterval(() => {
      if (!shown.isConnected) clearInterval(tick);
      else if (!shown.matches(":hover, :focus-within") && !document.hidden && --left <= 0) shown.remove();
    }, 1000);
  };
  const say = (text, kind) => toast([make("p", {}, text)], kind);
  const tell = () => {
    const told = $("[data-told]");
    if (!told) return;
    told.remove();
    // What was told before is past, unless there is something in it to be done.
    for (const earlier of all(".toast[data-kind]:not([data-kind=wrong], :has(form))", toasts)) earlier.remove();
    toast([...told.childNodes], told.dataset.kind);
    const url = new URL(location);
    url.searchParams.delete("told");
    url.searchParams.delete("of");
    history.replaceState(history.state, "", url);
  };

  // Where a form was typed into, a refresh leaves it alone, hidden fields included: then the server sees which version was looked at.
  addEventListener("input", ({ target }) => {
    const form = target.closest?.("form");
    if (form && form.method === "post") form.dataset.dirty = "";
  });

  htmx.registerExtension("allclear", {
    // What comes is made like what stands there before they are compared, so that only real differences are touched.
    htmx_before_swap: (_, { tasks }) => {
      for (const { fragment, swapSpec } of tasks) {
        localise(fragment);
        if (swapSpec?.style !== "outerMorph") continue;
        for (const details of all("details[id]", fragment)) {
          const shown = document.getElementById(details.id);
          if (shown) details.open = shown.open;
        }
        const [here, next] = [$("[data-people]"), $("[data-people]", fragment)];
        if (here && next) next.replaceWith(here.cloneNode(true));
      }
    },
    htmx_before_morph_node: (_, { oldNode }) => !oldNode.matches?.("form[data-dirty], dialog[open]"),
  });

  // A refused form is shown at its own address: a reload then starts it anew, instead of asking for an address that only takes answers. What leads
  // back to the page that it came from is no step of its own.
  document.addEventListener("htmx:before:history:update", (event) => {
    const { history: action, sourceElement, response } = event.detail;
    if (sourceElement?.method !== "post") return;
    if (response?.status >= 400) event.preventDefault();
    const url = new URL(action.path, location.href);
    url.searchParams.delete("told");
    url.searchParams.delete("of");
    if (url.pathname + url.search === location.pathname + location.search) action.type = "replace";
  });

  // Requests are a person's own, or the page's: a refresh (`live`) never gets in the way of what somebody does.
  const is_page = (ctx) => ctx.target?.id === "app";
  const is_own = (ctx) => !ctx.live && (is_page(ctx) || ctx.request.method !== "GET");
  /** How many own requests are under way. */
  let busy = 0;
  /** Whether what is shown is the answer to a POST: asking for the address again would show something else. */
  let answered = false;
  let refreshing = false;
  let failed = false;
  let due = false;

  // A form is sent once, however often its button is pressed while it is under way: htmx would send the second after the first.
  addEventListener(
    "submit",
    (event) => {
      if (event.target.dataset.sending === undefined) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    true,
  );
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
    if (is_own(ctx)) {
      ctx.counted = true;
      busy++;
    }
    const { form } = ctx.request;
    // A preview, or a service to be found, is no sending of the form.
    if (!form || ctx.sourceElement !== form) return;
    ctx.sent = true;
    form.dataset.sending = "";
    for (const button of all("button:enabled", form)) {
      button.dataset.busy = "";
      // Disabled, it would lose the focus.
      if (button !== document.activeElement) button.disabled = true;
    }
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    const { form } = ctx.request;
    if (ctx.sent) {
      delete form.dataset.sending;
      for (const button of all("button[data-busy]", form)) {
        button.disabled = false;
        delete button.dataset.busy;
      }
      if (ctx.response?.status < 400) form.closest(".toast")?.remove();
    }
    if (ctx.counted && --busy === 0 && due) changed();
  });

  /** The page is not this person's any more: their role has changed, or their organization is shut. What they typed stays for them to keep. */
  const no_longer = () => {
    if ($("#app form[data-dirty]")) say("You may not do this any more: your role has changed. Copy what you typed, then reload the page.", "wrong");
    else location.reload();
  };
  /** What the page shows is not there any more: an invitation that was accepted, a colleague who left, a thing that was deleted; or all of it. */
  const gone = async () => {
    if (await left_out()) return;
    const team = location.pathname.match(/^.*\/o\/[^/]+\/team(?=\/(invitations|members)\/)/);
    if (team) location.assign(team[0]);
    else say("What this page shows is gone: somebody deleted it.", "wrong");
  };
  /** The room is closed to this person. Whether they are signed out or belong here no more, the organization's first page tells. */
  const left_out = async () => {
    const home = $(".bar .brand").href;
    try {
      const { status, redirected, url } = await fetch(home, { headers: { Accept: "text/html" } });
      if (redirected && new URL(url).pathname.endsWith("/login")) signed_out();
      else if (status === 404) location.assign(home.replace(/\/o\/[^/]*$/, "/organizations?told=out"));
      else if (status === 403) location.reload();
      else return false;
      return true;
    } catch {
      // Without an answer nothing is known yet.
      return false;
    }
  };

  const signed_out = () => say("You are signed out. Sign in in another tab, then go on here.", "wrong");

  // What can't be shown in place of a form must not take its place: what was typed would be gone.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const { status, raw } = ctx.response;
    if (ctx.live) {
      if (status < 400 && !(raw.redirected && new URL(raw.url).pathname.endsWith("/login"))) {
        // The organization has another address by now.
        if (raw.redirected) history.replaceState(history.state, "", raw.url);
        return;
      }
      event.preventDefault();
      if (raw.redirected) {
        answered = true;
        signed_out();
      } else if (status === 404) {
        answered = true;
        gone();
      } else if (status === 403) {
        answered = true;
        no_longer();
      } else failed = true;
      return;
    }
    if (is_page(ctx) && status < 400 && !ctx.text.includes('id="app"')) {
      // Not a page of this kind: a public page, the API's documentation.
      event.preventDefault();
      location.assign(raw.url);
      return;
    }
    if (ctx.request.method === "GET") return;
    const page = status < 400 ? null : new DOMParser().parseFromString(ctx.text, "text/html");
    if (!page || $("#app #problems, #app [data-kind=stale]", page)) {
      // It is answered by what is shown next, be it the same form.
      if (is_page(ctx)) delete ctx.request.form?.dataset.dirty;
      return;
    }
    event.preventDefault();
    if (status === 401) return signed_out();
    const words = all("main h1, main p:not(.meta, .brand)", page).map((element) => element.textContent.trim());
    say(words.filter(Boolean).join(": ") || `That did not work (${status}). Try again.`, "wrong");
  });
  document.addEventListener("htmx:error", ({ detail: { ctx, error } }) => {
    if (error?.name === "AbortError") return;
    if (ctx?.live) failed = true;
    else say("The server can't be reached. Nothing is lost; try again in a moment.", "wrong");
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (!is_page(ctx)) return;
    if (!ctx.live) answered = ctx.request.method !== "GET" && !ctx.response.raw.redirected;
    arrive(!ctx.live);
  });

  /** The role that the page was made for. */
  let role;

  /** A page is here: by a link, by a form, or refreshed. */
  const arrive = (is_new) => {
    for (const part of all("[data-scripted]")) part.hidden = false;
    tell();
    const before = role;
    role = $(".bar")?.dataset.role;
    if (!is_new && before && role && role !== before) say(`Your role is now ${role}.`);
    follow();
    people();
    if (!is_new) return;
    let place = null;
    try {
      place = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    } catch {
      // An address may end in anything.
    }
    const wanted = $("#app [autofocus]") ?? place;
    if (wanted) {
      (wanted.matches("form") ? ($("input:not([type=hidden]), select, textarea", wanted) ?? wanted) : wanted).focus();
      wanted.scrollIntoView({ block: "nearest" });
    } else if (document.activeElement === document.body) {
      document.getElementById("main")?.focus({ preventScroll: true });
    }
  };

  // "Resolve", while an update is being written on this very page: the text stays, and the status is chosen.
  addEventListener(
    "click",
    (event) => {
      const link = event.target.closest?.('a[href$="#update"]');
      const form = $("#update form[data-dirty]");
      if (!link || !form || link.pathname !== location.pathname || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      const status = new URL(link.href).searchParams.get("status");
      const radio = status && $(`[name=status][value="${CSS.escape(status)}"]`, form);
      if (radio) radio.checked = true;
      form.elements.message.focus();
    },
    true,
  );

  // The line: one WebSocket a tab. Browsers allow six connections to a host over HTTP/1.1, streams included, and people open more tabs than that.
  let socket = null;
  let joined = null; // the room and where the line stands in it
  let attended = null;
  let attempts = 0;
  let timer = 0;
  let since = null;
  let notice = 0;
  let watch = 0;
  let heard_at = null;
  let heard_of = null; // the last event that the line told of
  let present = null; // who is here, as last heard

  const position = (id) => {
    const [epoch, seq] = (id ?? "").split(":");
    return { epoch, seq: Number(seq) };
  };
  /** Whether the page that is shown knows of this event already: it may be our own change, answered before the line told of it. */
  const shown = (id) => {
    const [page, event] = [position(app().dataset.at), position(id)];
    return page.epoch === event.epoch && event.seq <= page.seq;
  };

  /** Asks for the page again. What is due waits: for the person's own request, for the window to be looked at, for the refresh under way. */
  const refresh = async () => {
    if (answered || document.hidden || busy || refreshing) {
      due = true;
      return;
    }
    // One's own change was answered before the line told of it.
    if (heard_of && shown(heard_of)) {
      due = false;
      return;
    }
    refreshing = true;
    due = failed = false;
    try {
      // From the chip: what a person asks for is queued at its own element, never behind this.
      await htmx.ajax("GET", location.pathname + location.search, { source: chip, live: true, target: "#app", select: "#app", swap: "outerMorph" });
    } finally {
      refreshing = false;
      if (failed) setTimeout(refresh, 5000 * (0.5 + Math.random()));
      else if (due) changed();
    }
  };
  let soon = 0;
  const changed = () => {
    clearTimeout(soon);
    soon = setTimeout(refresh, 60);
  };

  const send = (message) => {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  };

  /** Who else looks at what this page shows, as last heard. */
  const people = () => {
    const place = $("[data-people]");
    if (!place) return;
    const here = present?.subject === app().dataset.subject ? present : { people: [], more: 0 };
    const others = here.people.filter(({ id }) => id !== app().dataset.me);
    place.hidden = others.length === 0;
    const names = others.map(({ name }) => name).concat(here.more ? [`${here.more} more`] : []);
    place.replaceChildren(
      ...others.slice(0, 5).map(({ name }) => make("span", { class: "person", title: name, "aria-hidden": "true" }, [...name.trim()][0] ?? "?")),
      make("span", { dir: "auto" }, `${new Intl.ListFormat("en").format(names)} ${names.length > 1 ? "are" : "is"} here, too`),
    );
  };

  const hear = (message) => {
    // Of a room that was left, something may still be on its way.
    if (!joined || (message.room && message.room !== joined.room)) return;
    if (message.type === "event" || message.type === "joined") {
      joined.after = heard_of = message.type === "event" ? message.id : message.at;
      if (message.type === "joined") {
        back();
        attended = null;
        attend();
      }
      if (!shown(heard_of)) changed();
    } else if (message.type === "reset") {
      joined.after = message.at;
      heard_of = null;
      changed();
    } else if (message.type === "presence") {
      present = message;
      people();
    } else if (message.type === "error" && message.code === "unknown_room") {
      left_out().then((is_out) => {
        if (is_out) return;
        chip.textContent = "This page no longer follows: it may not be yours to see any more. Reload it.";
        chip.hidden = false;
      });
    } else if (message.type === "error" && message.code === "unavailable") {
      ended(socket);
    }
  };

  const attend = () => {
    const subject = app().dataset.subject ?? null;
    if (!joined || subject === attended) return;
    attended = subject;
    send({ action: "attend", room: joined.room, subject });
  };

  /** Follows the room of the page that is shown. */
  const follow = () => {
    const { live, room, at } = app().dataset;
    if (!room) {
      joined = null;
      clearTimeout(timer);
      timer = 0;
      back();
      socket?.close();
      return;
    }
    if (joined?.room !== room) {
      if (joined) send({ action: "leave", room: joined.room });
      joined = { room, after: at };
      heard_of = present = null;
      if (socket) send({ action: "join", room, after: at });
    }
    if (socket) attend();
    else if (!timer) connect(live);
  };

  /** The line stands. */
  const back = () => {
    attempts = 0;
    clearTimeout(notice);
    since = null;
    chip.hidden = true;
  };

  const heard = () => {
    heard_at = new Date();
    clearTimeout(watch);
    // A line may be dead though nobody said so: a phone that slept, a proxy that forgot.
    watch = setTimeout(() => {
      send({ action: "ping" });
      watch = setTimeout(() => ended(socket), 10000);
    }, 25000);
  };

  /** The line is lost. Closing it may take a minute of its own; nobody waits for that. */
  const ended = (line) => {
    if (!line || socket !== line) return;
    socket = null;
    line.close();
    attended = present = null;
    people();
    clearTimeout(watch);
    if (!joined) return;
    if (!since) {
      since = heard_at ?? new Date();
      notice = setTimeout(() => {
        chip.textContent = `Connection lost since ${short.format(since)}. Trying again…`;
        chip.hidden = false;
      }, 2500);
    }
    const delay = Math.min(30000, 1000 * 2 ** attempts++) * (0.5 + Math.random() / 2);
    timer = setTimeout(() => connect(app().dataset.live), delay);
  };

  const connect = (live) => {
    timer = 0;
    if (!joined || !live) return;
    const line = new WebSocket(new URL(live, location.href.replace(/^http/, "ws")));
    socket = line;
    line.addEventListener("open", () => {
      if (socket !== line) return;
      heard();
      if (joined) send({ action: "join", room: joined.room, after: joined.after });
    });
    line.addEventListener("message", ({ data }) => {
      if (socket !== line) return;
      heard();
      hear(JSON.parse(data));
    });
    line.addEventListener("close", () => ended(line));
  };

  addEventListener("offline", () => ended(socket));
  addEventListener("online", () => {
    if (socket || !timer || !joined) return;
    clearTimeout(timer);
    connect(app().dataset.live);
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (due) changed();
    if (socket) send({ action: "ping" });
  });

  // Copying what is in the field that a button names. Where the clipboard is closed to pages, the field is left selected for the person's own keys.
  addEventListener("click", async ({ target }) => {
    const field = document.getElementById(target.closest?.("[data-copy]")?.dataset.copy);
    if (!field) return;
    field.focus();
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      say("Copied.", "done");
    } catch {
      say("The browser does not let a page copy here. It is selected: press Ctrl+C or ⌘C.", "wrong");
    }
  });

  // Menus close as menus do.
  addEventListener("click", ({ target }) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(target)) menu.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = document.activeElement?.closest("details.menu[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });

  // Finding: the page of that name, in a dialog.
  const results = make("div", { id: "palette-results" });
  const wanted = make("input", { type: "search", id: "palette-q", name: "q", autocomplete: "off", "aria-label": "Find services, incidents, people, pages and actions", placeholder: "Services, incidents, people, pages, actions" });
  const count = make("p", { class: "visually-hidden", role: "status" });
  // A newer question replaces an older one that is still under way.
  const palette = make("dialog", { id: "palette", class: "dialog palette", "aria-label": "Find", "hx-sync": "replace" }, make("form", { method: "dialog" }, wanted), results, count);
  document.body.append(palette);
  let typed = 0;
  /** What the results answer; and whether Enter was pressed before they came. */
  let found = null;
  let go_first = false;
  const first = () => $("a[href]", results);
  const find = async () => {
    clearTimeout(typed);
    const asked = wanted.value;
    const url = new URL($("#find-open").href);
    url.searchParams.set("q", asked);
    await htmx.ajax("GET", url.pathname + url.search, { source: palette, target: "#palette-results", select: "#found", swap: "innerHTML" });
    if (asked !== wanted.value) return;
    found = asked;
    count.textContent = `${all("a[href]", results).length} found`;
    if (go_first) first()?.click();
    go_first = false;
  };
  wanted.addEventListener("input", () => {
    go_first = false;
    clearTimeout(typed);
    typed = setTimeout(find, 120);
  });
  palette.addEventListener("keydown", (event) => {
    const links = all("a[href]", results);
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = event.key === "ArrowDown" ? at + 1 : at - 1;
      (links[next] ?? (next < 0 ? wanted : links.at(-1)))?.focus();
    } else if (event.key === "Enter" && event.target === wanted) {
      event.preventDefault();
      if (found === wanted.value) first()?.click();
      else {
        go_first = true;
        find();
      }
    }
  });
  results.addEventListener("click", ({ target }) => {
    if (target.closest("a[href]")) palette.close();
  });
  const open_palette = () => {
    if (!$("#find-open") || palette.open) return;
    wanted.value = "";
    found = null;
    palette.showModal();
    find();
  };
  addEventListener(
    "click",
    (event) => {
      if (event.target.closest?.("#find-open") && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
        event.preventDefault();
        event.stopPropagation();
        open_palette();
      }
    },
    true,
  );

  // Keys. Single letters can be turned off (WCAG 2.1.4): speech input types them, too.
  const KEYS = [
    ["n", "Report an incident", () => go('a[href$="/incidents/new"]')],
    ["u", "Post an update", () => menu("#menu-update") || go('.bar-actions a[href$="#update"]')],
    ["o", "Overview", () => go(".tabs a:nth-child(1)")],
    ["i", "Incidents", () => go(".tabs a:nth-child(2)")],
    ["s", "Services", () => go(".tabs a:nth-child(3)")],
    ["t", "Timeline", () => go(".tabs a:nth-child(4)")],
    ["p", "Team", () => go(".tabs a:nth-child(5)")],
  ];
  const go = (selector) => $(selector)?.click();
  const menu = (selector) => {
    const summary = $(`${selector} > summary`);
    summary?.focus();
    summary?.click();
    return summary;
  };
  let letters = true;
  try {
    letters = localStorage.getItem("allclear-keys") !== "off";
  } catch {
    // Storage may be forbidden.
  }
  const toggle = make("input", { type: "checkbox", id: "keys-on" });
  toggle.checked = letters;
  toggle.addEventListener("change", () => {
    letters = toggle.checked;
    try {
      localStorage.setItem("allclear-keys", letters ? "on" : "off");
    } catch {
      // Storage may be forbidden.
    }
  });
  const row = (keys, what) => make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, what));
  const keys = make(
    "dialog",
    { id: "keys", class: "dialog", "aria-labelledby": "keys-title" },
    make("div", { class: "dialog-head" }, make("h2", { id: "keys-title" }, "Keys")),
    make("dl", { class: "keys" }, row(["Ctrl", "K"], "Find services, incidents, people, pages and actions"), ...KEYS.map(([key, what]) => row([key], what)), row(["?"], "This list")),
    make("label", { class: "choice" }, toggle, " Use the single letters"),
    make("form", { method: "dialog", class: "form-actions" }, make("button", { class: "second" }, "Close")),
  );
  document.body.append(keys);
  for (const dialog of [palette, keys]) {
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }
  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open_palette();
      return;
    }
    const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || event.defaultPrevented) return;
    if (event.key === "?") keys.showModal();
    else if (letters) KEYS.find(([key]) => key === event.key)?.[2]();
  });

  localise(document);
  arrive(location.hash.length > 1 || Boolean($("#app [autofocus]")));
})();
