// What script adds to the public page: the visitor's time zone, a title and an icon that follow the state, and a stream that comes back.
// Everything worth reading is in the HTML; without this file, or without JavaScript at all, the page says the same.
(() => {
  "use strict";

  const live = document.getElementById("live");
  const chip = document.getElementById("offline");
  const clock = (options) => new Intl.DateTimeFormat(undefined, options);
  const full = clock({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const short = clock({ hour: "2-digit", minute: "2-digit" });

  /** Moments turn to the visitor's zone and keep UTC in the tooltip; dates without a time are days in UTC and stay. */
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime*=T]:not([title])")) {
      time.title = time.textContent;
      time.textContent = full.format(new Date(time.dateTime));
    }
  };

  const tell = () => {
    const { title, icon } = document.getElementById("banner").dataset;
    document.title = title;
    const link = document.getElementById("favicon");
    if (link.getAttribute("href") !== icon) link.setAttribute("href", icon);
  };

  htmx.registerExtension("allclear", {
    // The incoming fragments are made like what stands there before they are compared: then only real differences are morphed, an open
    // details stays open, and the status region announces nothing that the visitor has heard already.
    htmx_before_swap: (_, { tasks }) => {
      for (const { fragment } of tasks) {
        localise(fragment);
        for (const details of fragment.querySelectorAll("details[id]")) {
          const shown = document.getElementById(details.id);
          if (shown) details.open = shown.open;
        }
      }
    },
    htmx_after_swap: tell,
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
      chip.textContent = `Connection lost since ${short.format(since)}. Trying again…`;
      chip.hidden = false;
    }, patience);
  };

  const found = (event) => {
    connection = event.detail.connection;
    clearTimeout(notice);
    clearTimeout(timer);
    attempts = timer = 0;
    since = null;
    chip.hidden = true;
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
  live.addEventListener("htmx:sse:error", lost);
  live.addEventListener("htmx:sse:close", retry);
  // Every way in which a first request can fail ends here: refused, an error status, an answer that is no stream.
  live.addEventListener("htmx:finally:request", () => {
    if (!connection) retry();
  });

  addEventListener("offline", lost);
  addEventListener("online", refresh);
  // A phone that slept holds a dead socket for minutes before it notices.
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hidden = Date.now();
    else if (hidden && Date.now() - hidden > 60000) refresh();
  });

  localise(document);
  document.getElementById("zone").textContent =
    `Times are in your time zone, ${full.resolvedOptions().timeZone}; a day begins at midnight UTC.`;
})();
