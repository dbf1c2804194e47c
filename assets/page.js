// What script adds to the public page: the visitor's time zone, how long things last, a title and an icon that follow the state, and a
// stream that comes back.
// Everything worth reading is in the HTML; without this file, or without JavaScript at all, the page says the same.
(() => {
  "use strict";

  const element = (id) => document.getElementById(id);
  const [live, online, chip, zoneChoice] = ["live", "online", "offline", "zone-choice"].map(element);

  // Words and figures go together: the page's language, as the visitor writes it if it is theirs.
  const { lang } = document.documentElement;
  const locale = navigator.languages.find((language) => language.startsWith(lang)) ?? "en-GB";
  const clock = (timeZone) => {
    const moment = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short", timeZone };
    const thisYear = new Intl.DateTimeFormat(locale, moment);
    const anyYear = new Intl.DateTimeFormat(locale, { ...moment, year: "numeric" });
    return (at) => (at.getFullYear() === new Date().getFullYear() ? thisYear : anyYear).format(at);
  };
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const own = clock(here);
  // The page's zone and its clock; whoever owns the page may change it meanwhile.
  let there, theirs;
  const zoneKey = "allclear-zone";
  let asThere = false;
  // Storage may be forbidden.
  try {
    asThere = !!localStorage.getItem(zoneKey);
  } catch {}

  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  /** "2 hours 5 minutes", as the server says it of what is over. */
  const duration = (since) => {
    const minutes = Math.floor((Date.now() - since) / 60000);
    if (minutes < 1) return "less than a minute";
    const units = [[Math.floor(minutes / 1440), "day"], [Math.floor(minutes / 60) % 24, "hour"], [minutes % 60, "minute"]];
    const first = units.findIndex(([number]) => number);
    const said = units.slice(first, first + 2).filter(([number]) => number);
    return said.map(([number, unit]) => `${number} ${unit}${number === 1 ? "" : "s"}`).join(" ");
  };

  /** How long it has lasted is only said here: on a page in a cache it would be wrong. */
  const elapse = (root) => {
    for (const span of root.querySelectorAll("[data-since]")) write(span, `, for ${duration(new Date(span.dataset.since))}`);
  };

  /** Moments turn to the visitor's zone with the page's in the tooltip, or the other way round; dates without a time are the page's days. */
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime*=T]")) {
      const at = new Date(time.dateTime);
      time.title = asThere ? own(at) : theirs(at);
      write(time, asThere ? theirs(at) : own(at));
    }
    elapse(root);
  };

  /** Says whose clock tells the times, by the page's zone as it is now. */
  const showZone = () => {
    const line = element("zone");
    const { zone } = line.dataset;
    if (zone !== there) {
      try {
        theirs = clock((there = zone));
      } catch {
        // A browser may be older than the zone's name.
        theirs = clock((there = "UTC"));
      }
    }
    localise(document);
    write(line, `Times are in ${asThere ? there : `your time zone, ${here}`}; days are in ${zone}.`);
    zoneChoice.options[1].text = there;
    zoneChoice.closest("label").hidden = here === there;
  };

  zoneChoice.options[0].text = here;
  zoneChoice.value = asThere ? "page" : "";
  zoneChoice.addEventListener("change", () => {
    asThere = !!zoneChoice.value;
    try {
      localStorage.setItem(zoneKey, zoneChoice.value);
    } catch {}
    showZone();
  });

  const tell = () => {
    const { title, icon } = element("banner").dataset;
    document.title = title;
    const link = element("favicon");
    if (link.getAttribute("href") !== icon) link.setAttribute("href", icon);
  };

  htmx.registerExtension("allclear", {
    // The incoming fragments are made like what stands there before they are compared: then only real differences are morphed, an open
    // details stays open, and the status region announces nothing that the visitor has heard already.
    htmx_before_swap: (_, { tasks }) => {
      for (const { fragment } of tasks) {
        localise(fragment);
        for (const details of fragment.querySelectorAll("details[id]")) {
          const shown = element(details.id);
          if (shown) details.open = shown.open;
        }
      }
    },
    htmx_after_swap: () => {
      tell();
      showZone();
    },
  });

  // The line. hx-sse reconnects a stream that broke, but does not retry a first connection that was refused, nor one that ended for good.
  const patience = 2500; // a reconnect within this long is nobody's business
  let since = null;
  let notice = 0;
  let attempts = 0;
  let timer = 0;
  let connection = null;

  const lost = () => {
    if (since) return;
    since = new Date();
    notice = setTimeout(() => {
      write(chip, `Connection lost since ${(asThere ? theirs : own)(since)}. Trying again…`);
      chip.hidden = false;
      online.hidden = true;
    }, patience);
  };

  const found = (event) => {
    connection = event.detail.connection;
    clearTimeout(notice);
    clearTimeout(timer);
    attempts = timer = 0;
    since = null;
    chip.hidden = true;
    online.hidden = false;
    // From here on what comes in is news, and may catch the eye.
    document.body.dataset.live = "";
  };

  const retry = () => {
    connection = null;
    lost();
    if (timer) return;
    const delay = Math.min(30000, 1000 * 2 ** attempts++) * (0.5 + Math.random() / 2);
    timer = setTimeout(() => {
      timer = 0;
      htmx.trigger(live, "retry");
    }, delay);
  };

  /** The page itself is gone: deleted, or shut. Asked for anew it says so; not by everyone who watches in the same moment. */
  let leaving;
  const gone = (status) => {
    if (status === 404) leaving ??= setTimeout(() => location.reload(), 5000 * Math.random());
  };

  /** Ends a stream that may be dead without having said so, or a wait for the next attempt; hx-sse opens it anew and misses nothing. */
  const refresh = () => {
    if (connection) {
      connection.reader?.cancel();
      connection.delayCanceller?.();
    } else if (timer) {
      clearTimeout(timer);
      timer = attempts = 0;
      htmx.trigger(live, "retry");
    }
  };

  // The server says `alive` every 20 s. Two of them missing: the line is dead, though nobody said so.
  let watch = 0;
  const heard = () => {
    // Whatever changes is told at once, so what is shown is true as of the last sign of life; unless the page says until when it was.
    const until = element("stale").querySelector("time");
    element("asof").firstElementChild.dateTime = until?.dateTime ?? new Date().toISOString();
    localise(element("asof"));
    clearTimeout(watch);
    watch = setTimeout(() => {
      lost();
      refresh();
    }, 50000);
  };
  for (const sign of ["alive", "htmx:sse:after:message", "htmx:sse:after:connection"]) live.addEventListener(sign, heard);

  live.addEventListener("htmx:sse:after:connection", found);
  live.addEventListener("htmx:sse:before:connection", (event) => {
    if (event.detail.connection.attempt > 0) lost();
  });
  live.addEventListener("htmx:sse:error", ({ detail: { status } }) => {
    lost();
    gone(status);
  });
  live.addEventListener("htmx:sse:close", retry);
  // Every way in which a first request can fail ends here: refused, an error status, an answer that is no stream.
  live.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    if (connection) return;
    retry();
    gone(ctx.response?.status);
  });

  addEventListener("offline", lost);
  addEventListener("online", refresh);
  // A phone that slept holds a dead socket for minutes before it notices.
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hidden = Date.now();
    else if (hidden && Date.now() - hidden > 60000) refresh();
  });

  showZone();
  setInterval(elapse, 15000, document);
})();
