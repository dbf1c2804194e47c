// The colour scheme that someone chose, set before anything is painted; without a choice the system's holds.
(() => {
  "use strict";

  const key = "allclear-theme";
  const root = document.documentElement;

  // Storage may be forbidden; then a choice holds until the page is left.
  const chosen = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };
  const keep = (theme) => {
    try {
      if (theme) localStorage.setItem(key, theme);
      else localStorage.removeItem(key);
    } catch {}
  };

  const apply = (choice) => {
    const theme = choice === "light" || choice === "dark" ? choice : "";
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    // The browser's own bars.
    for (const meta of document.querySelectorAll("meta[data-scheme]")) {
      const { scheme } = meta.dataset;
      meta.media = theme ? (theme === scheme ? "all" : "not all") : `(prefers-color-scheme: ${scheme})`;
    }
    offer();
  };

  /** Shows the choice where a page offers one: without script it could choose nothing. */
  const offer = () => {
    for (const select of document.querySelectorAll("[data-theme-choice]")) {
      select.closest("[hidden]")?.removeAttribute("hidden");
      select.value = root.dataset.theme ?? "";
    }
  };

  apply(chosen());
  addEventListener("DOMContentLoaded", offer);
  // Pages that replace their content bring the choice anew.
  addEventListener("htmx:after:swap", offer);
  addEventListener("change", ({ target }) => {
    if (!target.matches?.("[data-theme-choice]")) return;
    keep(target.value);
    apply(target.value);
  });
  // Another window of the site.
  addEventListener("storage", (event) => {
    if (event.key === key || event.key === null) apply(chosen());
  });
})();
