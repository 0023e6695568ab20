"use strict";
// The page is complete without this script; it only filters, and opens the hosts for printing.
(() => {
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const buttons = [...document.querySelectorAll("[data-filter]")];
  const hosts = [...document.querySelectorAll("#checks .host")];
  let status = "all";

  function apply() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filtering = status !== "all" || words.length > 0;
    let total = 0;
    for (const host of hosts) {
      let inHost = 0;
      for (const group of host.querySelectorAll(".subject")) {
        let inGroup = 0;
        for (const check of group.querySelectorAll(".check")) {
          const fits = (status === "all" || check.dataset.status === status) && words.every((word) => check.dataset.text.includes(word));
          check.hidden = !fits;
          inGroup += fits ? 1 : 0;
        }
        group.hidden = inGroup === 0;
        inHost += inGroup;
      }
      host.hidden = filtering && inHost === 0;
      if (filtering && inHost > 0) host.open = true;
      total += inHost;
    }
    nothing.hidden = total > 0;
    shown.textContent = filtering ? `${total} shown` : "";
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      status = button.dataset.filter;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      apply();
    });
  }
  search.addEventListener("input", apply);
  window.addEventListener("beforeprint", () => hosts.forEach((host) => { host.open = true; }));
  function openTarget() {
    const target = location.hash.startsWith("#host-") && document.getElementById(location.hash.slice(1));
    if (target) target.open = true;
  }
  window.addEventListener("hashchange", openTarget);
  openTarget();
})();
