/* The page's tabs, filters and switches; hover, saving as SVG, PNG and CSV. */
window.onerror = function (message) {
  document.documentElement.setAttribute("data-error", String(message));
};
(function () {
  const root = document.documentElement;
  const all = (query, from) => Array.from((from || document).querySelectorAll(query));
  let summary = null, figures = [];
  const forms = all(".controls");
  const tip = document.querySelector(".tip");
  const state = {
    tab: "verdict", task: "", recipe: "", model: "", view: "both", metric: "accuracy", marks: "off",
    overlay: "", bias: "", trust: "", open: "",
    level: "", outcome: "", flips: "", words: "", item: "",
  };
  const free = ["level", "outcome", "words", "item"];
  const tabs = all("[role=tab]");
  let plain = {};

  // ── what is shown: stored in the address, so that a link shows the same view ──

  function choices(name) {
    return all('.controls input[name="' + name + '"], .controls select[name="' + name + '"] option')
      .map((choice) => choice.value);
  }
  function readAddress() {
    if (!location.hash.includes("=")) return;
    for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
      const known = key === "tab" ? tabs.map((tab) => tab.dataset.tab) : choices(key);
      if (key in state && (free.includes(key) || known.includes(value))) state[key] = value;
    }
  }
  function writeAddress() {
    const changed = new URLSearchParams();
    for (const key in state) if (state[key] && state[key] !== plain[key]) changed.set(key, state[key]);
    const hash = changed.toString();
    try {
      history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
    } catch (error) { /* a page opened from some places may not change its address */ }
  }
  function isShown(own) {
    return !(
      (state.model && own.slot && own.slot !== state.model) ||
      (state.recipe && own.recipe && own.recipe !== state.recipe) ||
      (own.kind === "curves" && own.metric !== state.metric) ||
      (state[own.kind] && own.metric !== state[own.kind]) ||
      (own.task && state.task && own.task !== state.task)
    );
  }
  function show() {
    document.body.dataset.view = state.view;
    document.body.dataset.model = state.model;
    document.body.dataset.tab = state.tab;
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab.dataset.tab === state.tab));
      tab.tabIndex = tab.dataset.tab === state.tab ? 0 : -1;
    }
    for (const panel of all("[data-panel]")) panel.hidden = panel.dataset.panel !== state.tab;
    for (const block of all("[data-matrix]")) {
      const worst = all("[data-matrix]").some((other) => other.dataset.matrix === "");
      const task = state.task || (worst ? "" : block.dataset.matrix);
      block.hidden = block.dataset.matrix !== task || Boolean(state.model && block.dataset.slot !== state.model);
    }
    for (const tile of all(".tile")) {
      tile.hidden = Boolean((state.task && tile.dataset.task !== state.task) ||
        (state.model && tile.dataset.slot !== state.model));
    }
    figures.filter(isShown).forEach(make);
    for (const figure of all("figure")) figure.hidden = !isShown(figure.dataset);
    for (const part of all("[data-for]")) part.hidden = part.dataset.for !== state.recipe;
    document.body.dataset.marks = state.marks;
    for (const line of all(".says[data-metric]")) line.hidden = line.dataset.metric !== state[line.dataset.group];
    for (const input of all(".controls input, .controls select")) {
      if (input.type === "radio") input.checked = state[input.name] === input.value;
      else if (input.value !== state[input.name]) input.value = state[input.name];
    }
    for (const grid of all(".grid")) {
      grid.classList.toggle("one", all("figure", grid).filter((figure) => !figure.hidden).length === 1);
    }
    tip.hidden = true;
    if (state.tab === "answers") answerBrowser.show(state);
  }

  // ── figures that the page did not open with ──

  function open(changed) {
    Object.assign(state, changed);
    writeAddress();
    show();
  }

  function make(figure) {
    if (drawn.has(figure.place)) return;
    drawn.add(figure.place);
    const grid = document.querySelector('.grid[data-kind="' + figure.kind + '"]');
    const template = document.createElement("template");
    template.innerHTML = figure.html;
    const after = all("figure", grid).find((other) => Number(other.dataset.place) > figure.place);
    const added = template.content.firstElementChild;
    grid.insertBefore(added, after || grid.querySelector(".reading"));
    readable(added.querySelector(".plot"));
  }
  const drawn = new Set(all("figure").map((figure) => Number(figure.dataset.place)));

  // ── reading a figure: pointer or arrow keys pick a level, its row of the table is shown ──

  function stops(plot) {
    const group = plot.querySelector(".stops");
    return group && group.dataset.x ? group.dataset.x.split(" ").map(Number) : [];
  }
  function pick(plot, index) {
    const places = stops(plot);
    if (!places.length) return;
    const at = Math.max(0, Math.min(places.length - 1, index));
    const svg = plot.querySelector("svg");
    const cursor = plot.querySelector(".cursor");
    plot.dataset.at = at;
    cursor.setAttribute("x1", places[at]);
    cursor.setAttribute("x2", places[at]);
    cursor.setAttribute("visibility", "visible");
    const table = plot.parentElement.querySelector("table");
    const row = table && table.tBodies[0].rows[at];
    if (!row) return;
    const heads = Array.from(table.tHead.rows[0].cells);
    const hides = { text: "v-options", options: "v-text" }[state.view];
    tip.textContent = "";
    Array.from(row.cells).forEach((cell, i) => {
      if (hides && cell.classList.contains(hides)) return;
      const line = document.createElement(i ? "span" : "b");
      line.textContent = i ? heads[i].textContent + ": " + cell.textContent : cell.textContent;
      tip.appendChild(line);
    });
    tip.hidden = false;
    const box = svg.getBoundingClientRect();
    const x = box.left + (places[at] / svg.viewBox.baseVal.width) * box.width;
    const wide = tip.offsetWidth;
    const left = x + 14 + wide > root.clientWidth ? x - 14 - wide : x + 14;
    tip.style.left = Math.max(6, left) + "px";
    tip.style.top = Math.max(6, Math.min(box.top + 30, root.clientHeight - tip.offsetHeight - 6)) + "px";
  }
  function leave(plot) {
    const cursor = plot.querySelector(".cursor");
    if (cursor) cursor.setAttribute("visibility", "hidden");
    tip.hidden = true;
  }
  function nearest(plot, event) {
    const svg = plot.querySelector("svg");
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    let best = 0;
    stops(plot).forEach((place, i, places) => {
      if (Math.abs(place - x) < Math.abs(places[best] - x)) best = i;
    });
    return best;
  }
  function readable(plot) {
    if (!stops(plot).length) return;
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    const label = plot.querySelector("title").textContent;
    plot.setAttribute("aria-label", label + ". Left and right arrow keys read out each level.");
    plot.addEventListener("pointermove", (event) => pick(plot, nearest(plot, event)));
    plot.addEventListener("pointerleave", () => leave(plot));
    plot.addEventListener("blur", () => leave(plot));
    plot.addEventListener("keydown", (event) => {
      const now = Number(plot.dataset.at || -1);
      const last = stops(plot).length - 1;
      const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: last }[event.key];
      if (to !== undefined) {
        event.preventDefault();
        pick(plot, to);
      } else if (event.key === "Escape") leave(plot);
    });
  }

  // ── saving ──

  function save(name, type, content) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: type }));
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 5000);
  }
  function svgText(figure) {
    const source = figure.querySelector("svg");
    const copy = source.cloneNode(true);
    const pairs = all("*", source).map((node, i) => [node, all("*", copy)[i]]);
    for (const [node, twin] of pairs) {
      if (node.classList.contains("cursor") || node.classList.contains("stops")) twin.remove();
      else if (node.tagName === "g" && getComputedStyle(node).display === "none") twin.remove();
      else if (node.classList.contains("labels")) twin.removeAttribute("display");
    }
    const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    paper.setAttribute("width", "100%");
    paper.setAttribute("height", "100%");
    paper.setAttribute("fill", "#ffffff");
    copy.insertBefore(paper, copy.firstChild);
    return new XMLSerializer().serializeToString(copy);
  }
  function savePng(name, figure) {
    const box = figure.querySelector("svg").viewBox.baseVal;
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = box.width * 3;
      canvas.height = box.height * 3;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(name, "image/png", blob));
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(svgText(figure));
  }
  function quoted(value) {
    let shown = value === null || value === undefined ? "" : String(value);
    const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(shown);
    if (!number && /^(\s*[=+@＝＋－＠-]|[\t\r])/.test(shown)) shown = "'" + shown; // no formula
    return /[",\r\n]/.test(shown) ? '"' + shown.replace(/"/g, '""') + '"' : shown;
  }
  function csvRows(own) {
    const who = ["model", "role", "recipe", "seed", "task", "view"];
    if (own.kind === "differences") {
      const keys = ["task", "view", "metric", "kind", "recipe", "a", "b", "difference", "low", "high", "verdict"];
      const rows = summary.comparisons.filter((r) => r.kind === own.metric && r.recipe === own.recipe);
      return [keys, ...rows.map((row) => keys.map((key) => row[key]))];
    }
    if (own.kind !== "curves" && own.kind !== "outcomes") return null;
    const rows = summary.curves.filter(
      (r) => r.task === own.task && (r.recipe === own.recipe || r.recipe === "none"));
    const keys = [...who, "level", "measured_level", "n", "status"];
    if (own.kind === "outcomes") {
      const names = [...new Set(rows.flatMap((row) => Object.keys(row.outcomes || {})))];
      const text = rows.filter((row) => row.view === "text");
      return [[...keys, ...names, "accuracy"],
        ...text.map((r) => [...keys.map((k) => r[k]), ...names.map((k) => r.outcomes[k]), r.accuracy])];
    }
    return [[...keys, own.metric, "low", "high"], ...rows.map((row) => {
      const estimate = own.metric === "accuracy"
        ? { value: row.accuracy, low: row.accuracy_low, high: row.accuracy_high }
        : (row.metrics || {})[own.metric] || {};
      return [...keys.map((key) => row[key]), estimate.value, estimate.low, estimate.high];
    })];
  }
  function tableRows(figure) {
    return Array.from(figure.querySelector("table").rows, (row) => Array.from(row.cells, (cell) => cell.textContent));
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-save]");
    if (!button) return;
    if (button.dataset.save === "json") {
      save("summary.json", "application/json", JSON.stringify(summary, null, 1));
      return;
    }
    const figure = button.closest("figure");
    const own = figure.dataset;
    const name = [own.kind, own.task, own.recipe, own.metric].filter(Boolean).join("-").replace(/[^\w.-]+/g, "_");
    if (button.dataset.save === "svg") save(name + ".svg", "image/svg+xml", svgText(figure));
    else if (button.dataset.save === "png") savePng(name + ".png", figure);
    else save(name + ".csv", "text/csv", (csvRows(own) || tableRows(figure)).map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n");
  });

  // ── begin ──

  async function begin() {
    all(".plot").forEach(readable);
    document.querySelector(".tabs").hidden = false;
    const first = document.querySelector("figure, [data-for]");
    state.recipe = choices("recipe")[0] || (first && (first.dataset.recipe || first.dataset.for)) || "";
    for (const name of ["overlay", "bias", "trust", "open"]) {
      const line = document.querySelector('.says[data-group="' + name + '"]');
      state[name] = line ? line.dataset.metric : "";
    }
    plain = Object.assign({}, state);
    show();
    ({ summary, figures } = await payload.unpack(document.getElementById("payload").textContent));
    readAddress();
    for (const tab of tabs) tab.addEventListener("click", () => open({ tab: tab.dataset.tab }));
    document.querySelector(".tabs").addEventListener("keydown", (event) => {
      const at = tabs.indexOf(event.target);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      const tab = tabs[(to + tabs.length) % tabs.length];
      open({ tab: tab.dataset.tab });
      tab.focus();
    });
    for (const form of forms) {
      form.hidden = !form.elements.length;
      form.addEventListener("change", (event) => {
        open({ [event.target.name]: event.target.value, item: "" });
      });
      form.addEventListener("input", (event) => {
        if (event.target.type === "search") open({ words: event.target.value, item: "" });
      });
      form.addEventListener("submit", (event) => event.preventDefault());
    }
    window.addEventListener("hashchange", () => {
      const target = !location.hash.includes("=") && document.getElementById(location.hash.slice(1));
      const panel = target && target.closest("[data-panel]");
      if (panel) {
        open({ tab: panel.dataset.panel });
        target.scrollIntoView();
        return;
      }
      Object.assign(state, plain);
      readAddress();
      show();
    });
    const target = !location.hash.includes("=") && document.getElementById(location.hash.slice(1));
    const panel = target && target.closest("[data-panel]");
    if (panel) state.tab = panel.dataset.panel;
    answerBrowser.begin(state, open, plain);
    show();
    if (panel) target.scrollIntoView();
    root.dataset.ready = "yes";
  }
  begin().catch((error) => root.setAttribute("data-error", String(error)));
})();
