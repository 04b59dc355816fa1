/* The explanation drawer, the pickers and the search box. Everything works without this file, on plain pages. */
(() => {
  "use strict";
  const drawer = document.getElementById("drawer");
  const body = document.getElementById("drawer-body");
  const back = drawer.querySelector("[data-drawer=back]");
  const whole = drawer.querySelector("[data-drawer=page]");
  const trail = [];

  const isExplain = (link) => link && (link.pathname === "/explain" || link.hasAttribute("data-opens")) && link.origin === location.origin;
  const plain = (event) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;

  async function open(href, remember = true) {
    if (remember) trail.push(href);
    back.hidden = trail.length < 2;
    whole.href = href;
    if (!drawer.open) drawer.showModal();
    body.classList.add("loading");
    body.setAttribute("aria-busy", "true");
    try {
      await htmx.ajax("GET", href, { target: "#drawer-body", swap: "innerHTML" });
    } finally {
      body.classList.remove("loading");
      body.removeAttribute("aria-busy");
      body.scrollTop = 0;
      body.focus({ preventScroll: true });
    }
  }
  window.openExplanation = (href) => open(href);

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (isExplain(link) && plain(event) && !link.matches("[data-drawer]") && !document.body.dataset.plain) {
      event.preventDefault();
      if (!drawer.open) trail.length = 0;
      open(link.href);
    }
  });
  drawer.addEventListener("click", (event) => {
    const what = event.target.closest("[data-drawer]");
    if (event.target === drawer || what?.dataset.drawer === "close") drawer.close();
    if (what?.dataset.drawer === "back") {
      trail.pop();
      open(trail[trail.length - 1], false);
    }
  });
  drawer.addEventListener("close", () => { trail.length = 0; body.replaceChildren(); });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    // Problems are shown where the answer was expected: in the drawer, below a form.
    const answers = event.detail.target === body || event.detail.requestConfig?.elt.hasAttribute("data-answer");
    if (answers && event.detail.xhr.status >= 400) event.detail.shouldSwap = true;
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  // Long tables show their first rows; the rest is one press away, or already there without this script.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-more]");
    if (!button) return;
    const table = document.getElementById(button.dataset.more);
    table.classList.add("all");
    button.remove();
    table.querySelector(".more a, .more th")?.focus?.();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-toggle]");
    if (!link) return;
    event.preventDefault();
    const shown = document.getElementById(link.hash.slice(1)).classList.toggle("open");
    link.setAttribute("aria-expanded", String(shown));
  });
  // On a phone the navigation scrolls sideways: the page one is on is in sight.
  const here = document.querySelector(".nav [aria-current]");
  const nav = here?.parentElement;
  if (nav) nav.scrollLeft = here.offsetLeft - nav.offsetLeft + (here.offsetWidth - nav.clientWidth) / 2;

  const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (wanted?.matches(".more")) {
    wanted.closest("table").classList.add("all");
    wanted.scrollIntoView({ block: "center" });
  }

  const box = document.getElementById("q");
  const found = document.getElementById("found");
  const links = () => [...found.querySelectorAll("a")];
  const away = () => found.replaceChildren();
  document.addEventListener("keydown", (event) => {
    if ((event.key === "k" && (event.metaKey || event.ctrlKey)) || (event.key === "/" && !/INPUT|SELECT|TEXTAREA/.test(document.activeElement.tagName))) {
      event.preventDefault();
      box.focus();
      box.select();
    }
    const inside = document.activeElement === box || found.contains(document.activeElement);
    if (!inside) return;
    const all = [box, ...links()];
    const at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      all[(at + (event.key === "ArrowDown" ? 1 : all.length - 1)) % all.length].focus();
    } else if (event.key === "Escape") {
      away();
      box.focus();
    } else if (event.key === "Enter" && at === 0 && all.length > 1) {
      event.preventDefault();
      all[1].click();
    }
  });
  document.addEventListener("click", (event) => { if (!event.target.closest(".search")) away(); });
})();
