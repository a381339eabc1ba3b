// The view without a mouse, filters that act at once, and a first page that follows a running study.
"use strict";

function links(selector) {
  return [...document.querySelectorAll(selector)];
}

// ── keys ────────────────────────────────────────────────────────────────────────────────────────

function step(by) {
  const stops = links(".rows .row, .level");
  const at = stops.findIndex((stop) => stop.contains(document.activeElement));
  const next = stops[Math.min(Math.max(at + by, 0), stops.length - 1)];
  if (!next) return;
  if (!next.matches("a")) next.tabIndex = -1;
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function turn(which) {
  const link = document.querySelector(`a[rel=${which}]`);
  if (link) location.assign(link.href);
}

const KEYS = { j: () => step(1), k: () => step(-1), n: () => turn("next"), p: () => turn("prev") };

addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

// ── filters ─────────────────────────────────────────────────────────────────────────────────────

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => form.requestSubmit());
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (!value) event.formData.delete(name);
  });
}

// ── a study that runs ───────────────────────────────────────────────────────────────────────────

async function follow() {
  const live = document.getElementById("live");
  const seconds = Number(live?.dataset.again);
  if (!seconds) return;
  await new Promise((go) => setTimeout(go, 1000 * seconds));
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    // what is focused stays: its page is drawn anew when the focus moves on
    if (answer.ok && fresh && !live.contains(document.activeElement)) {
      live.replaceWith(document.adoptNode(fresh));
      document.title = page.title;
    }
  } catch {
    document.documentElement.dataset.lost = "yes";
  }
  follow();
}

follow();
document.documentElement.dataset.ready = "yes";
