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

  // Moments: the reader's zone, UTC in the tooltip.
  const full = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
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
    close.addEventListener("click", () => shown.remove());
    shown.append(...content, close);
    toasts.append(shown);
    while (toasts.children.length > 3) toasts.firstElementChild.remove();
    // With something to do in it, it waits longer; under the pointer or the focus, it stays.
    let left = $("form", shown) ? 20 : 8;
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
    toast([...told.childNodes], "done");
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

  // A refused form is shown at its own address: a reload then starts it anew, instead of asking for an address that only takes answers.
  document.addEventListener("htmx:before:history:update", (event) => {
    if (event.detail.response?.status >= 400) event.preventDefault();
  });

  /** Whether what is shown is the answer to a POST: asking for the address again would show something else. */
  let answered = false;
  let refreshing = false;

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
    const { form } = ctx.request;
    if (!form) return;
    if (ctx.sourceElement === form) form.dataset.sending = "";
    for (const button of all("button:enabled", form)) {
      button.dataset.busy = "";
      // Disabled, it would lose the focus.
      if (button !== document.activeElement) button.disabled = true;
    }
  });
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    const { form } = ctx.request;
    if (!form) return;
    delete form.dataset.sending;
    for (const button of all("button[data-busy]", form)) {
      button.disabled = false;
      delete button.dataset.busy;
    }
  });

  // What can't be shown in place of a form must not take its place: what was typed would be gone.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    const { status } = ctx.response;
    const is_form = ctx.request.method !== "GET";
    if (status < 400 || (!is_form && !refreshing)) return;
    const page = new DOMParser().parseFromString(ctx.text, "text/html");
    if (is_form && $("#app #problems, #app [data-kind=stale]", page)) return;
    event.preventDefault();
    if (!is_form) {
      if (status === 404) say("What this page shows is gone: somebody deleted it.", "wrong");
      return;
    }
    const words = all("main h1, main p:not(.meta, .brand)", page).map((element) => element.textContent.trim());
    const why = status === 401 ? "You are signed out. Sign in in another tab, then send this again." : words.filter(Boolean).join(": ");
    say(why || `That did not work (${status}). Nothing was sent twice; try again.`, "wrong");
  });
  document.addEventListener("htmx:error", ({ detail }) => {
    if (refreshing || detail.error?.name === "AbortError") return;
    say("The server can't be reached. Nothing is lost; try again in a moment.", "wrong");
  });

  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (!ctx.target?.isConnected && !app()) return;
    const is_page = ctx.select === "#app" || ctx.select === "[hx-history-elt]";
    if (!is_page) return;
    answered = ctx.request.method !== "GET" && !ctx.response.raw.redirected;
    arrive(!refreshing);
  });

  /** A page is here: by a link, by a form, or refreshed. */
  const arrive = (is_new) => {
    tell();
    follow();
    if (!is_new) return;
    const wanted = $("#app [autofocus]") ?? (location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null);
    if (wanted) {
      wanted.focus();
      wanted.scrollIntoView({ block: "nearest" });
    } else if (document.activeElement === document.body) {
      document.getElementById("main")?.focus({ preventScroll: true });
    }
  };

  // The line: one WebSocket a tab. Browsers allow six connections to a host over HTTP/1.1, streams included, and people open more tabs than that.
  let socket = null;
  let joined = null; // the room and where the line stands in it
  let attended = null;
  let attempts = 0;
  let timer = 0;
  let since = null;
  let notice = 0;
  let watch = 0;

  const position = (id) => {
    const [epoch, seq] = (id ?? "").split(":");
    return { epoch, seq: Number(seq) };
  };
  /** Whether the page that is shown knows of this event already: it may be our own change, answered before the line told of it. */
  const shown = (id) => {
    const [page, event] = [position(app().dataset.at), position(id)];
    return page.epoch === event.epoch && event.seq <= page.seq;
  };

  let due = 0;
  const refresh = async () => {
    if (answered || document.hidden) {
      due = 1;
      return;
    }
    if (refreshing) {
      due = 1;
      return;
    }
    refreshing = true;
    due = 0;
    try {
      await htmx.ajax("GET", location.pathname + location.search, { target: "#app", select: "#app", swap: "outerMorph" });
    } finally {
      refreshing = false;
      if (due) setTimeout(refresh, 250);
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

  const people = (list, more) => {
    const place = $("[data-people]");
    if (!place) return;
    const others = list.filter(({ id }) => id !== app().dataset.me);
    place.hidden = others.length === 0;
    const names = others.map(({ name }) => name).concat(more ? [`${more} more`] : []);
    place.replaceChildren(
      ...others.slice(0, 5).map(({ name }) => make("span", { class: "person", title: name, "aria-hidden": "true" }, [...name.trim()][0] ?? "?")),
      make("span", { dir: "auto" }, `${new Intl.ListFormat("en").format(names)} ${names.length > 1 ? "are" : "is"} here, too`),
    );
  };

  const hear = (message) => {
    if (message.type === "event") {
      joined.after = message.id;
      if (!shown(message.id)) changed();
    } else if (message.type === "reset") {
      joined.after = message.at;
      changed();
    } else if (message.type === "joined") {
      joined.after = message.at;
      attended = null;
      attend();
    } else if (message.type === "presence" && message.subject === app().dataset.subject) {
      people(message.people, message.more);
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
      socket?.close();
      return;
    }
    if (joined?.room !== room) {
      if (joined) send({ action: "leave", room: joined.room });
      joined = { room, after: at };
      if (socket) send({ action: "join", room, after: at });
    }
    if (socket) attend();
    else if (!timer) connect(live);
  };

  const heard = () => {
    clearTimeout(watch);
    // A line may be dead though nobody said so: a phone that slept, a proxy that forgot.
    watch = setTimeout(() => {
      send({ action: "ping" });
      watch = setTimeout(() => socket?.close(), 10000);
    }, 25000);
  };

  const connect = (live) => {
    timer = 0;
    const line = new WebSocket(new URL(live, location.href.replace(/^http/, "ws")));
    socket = line;
    line.addEventListener("open", () => {
      attempts = 0;
      clearTimeout(notice);
      since = null;
      chip.hidden = true;
      heard();
      if (joined) send({ action: "join", room: joined.room, after: joined.after });
    });
    line.addEventListener("message", ({ data }) => {
      heard();
      hear(JSON.parse(data));
    });
    line.addEventListener("close", () => {
      if (socket !== line) return;
      socket = null;
      attended = null;
      clearTimeout(watch);
      if (!joined) return;
      if (!since) {
        since = new Date();
        notice = setTimeout(() => {
          chip.textContent = `Connection lost since ${short.format(since)}. Trying again…`;
          chip.hidden = false;
        }, 2500);
      }
      const delay = Math.min(30000, 1000 * 2 ** attempts++) * (0.5 + Math.random() / 2);
      timer = setTimeout(() => connect(live), delay);
    });
  };

  addEventListener("online", () => {
    if (!socket && timer && joined) {
      clearTimeout(timer);
      connect(app().dataset.live);
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    if (due && !answered) refresh();
    if (socket) send({ action: "ping" });
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
  const wanted = make("input", { type: "search", id: "palette-q", name: "q", autocomplete: "off", "aria-label": "Find a service, an incident or a page", placeholder: "Find a service, an incident or a page" });
  const palette = make("dialog", { id: "palette", class: "dialog palette", "aria-label": "Find" }, make("form", { method: "dialog" }, wanted), results);
  document.body.append(palette);
  let typed = 0;
  const find = () => {
    const url = new URL($("#find-open").href);
    url.searchParams.set("q", wanted.value);
    htmx.ajax("GET", url.pathname + url.search, { source: palette, target: "#palette-results", select: "#found", swap: "innerHTML" });
  };
  wanted.addEventListener("input", () => {
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
      links[0]?.click();
    }
  });
  results.addEventListener("click", ({ target }) => {
    if (target.closest("a[href]")) palette.close();
  });
  const open_palette = () => {
    if (!$("#find-open") || palette.open) return;
    wanted.value = "";
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
    ["u", "Post an update", () => $("#menu-update > summary")?.click() ?? go('.bar-actions a[href$="#update"]')],
    ["o", "Overview", () => go(".tabs a:nth-child(1)")],
    ["i", "Incidents", () => go(".tabs a:nth-child(2)")],
    ["s", "Services", () => go(".tabs a:nth-child(3)")],
    ["t", "Timeline", () => go(".tabs a:nth-child(4)")],
  ];
  const go = (selector) => $(selector)?.click();
  let letters = true;
  try {
    letters = localStorage.getItem("allclear-keys") !== "off";
  } catch {
    // As above.
  }
  const toggle = make("input", { type: "checkbox", id: "keys-on" });
  toggle.checked = letters;
  toggle.addEventListener("change", () => {
    letters = toggle.checked;
    try {
      localStorage.setItem("allclear-keys", letters ? "on" : "off");
    } catch {
      // As above.
    }
  });
  const row = (keys, what) => make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, what));
  const keys = make(
    "dialog",
    { id: "keys", class: "dialog", "aria-labelledby": "keys-title" },
    make("div", { class: "dialog-head" }, make("h2", { id: "keys-title" }, "Keys")),
    make("dl", { class: "keys" }, row(["Ctrl", "K"], "Find a service, an incident or a page"), ...KEYS.map(([key, what]) => row([key], what)), row(["?"], "This list")),
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
