/* The browser of answers: the packed book, filters, a list of items, one item at every level. */
"use strict";
const answerBrowser = (function () {
  const MOST = 200;
  const byId = (id) => document.getElementById(id);
  let book = null, open = null, rows = null, labels = {};

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }
  // what cannot be seen, or reorders what stands around it, is written out
  const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u3164]/gu;
  function visible(text) {
    return text.replace(UNSEEN, (char) => {
      if (char === "\n") return "\u21b5\n";
      if (char === "\t") return "\\t";
      const code = char.codePointAt(0);
      if (code < 0x100) return "\\x" + code.toString(16).padStart(2, "0");
      return code < 0x10000 ? "\\u" + code.toString(16).padStart(4, "0") : "\\U" + code.toString(16).padStart(8, "0");
    });
  }
  function line(text) { return text === null || text === undefined ? "\u2013" : visible(String(text)).replace(/\u21b5\n/g, " "); }
  function levelName(level) {
    if (level === null) return "as it is";
    if (level === 0) return "intact";
    return level < 1 ? Number((level * 100).toFixed(2)) + " %" : level + " bits";
  }
  function damage(level) { return level === null ? 0.5 : level < 1 ? level : 100 - level; }

  async function load() {
    const packed = byId("book");
    if (!packed || book) return;
    book = await payload.unpack(packed.textContent);
    const given = book.answers;
    rows = book.items.map(() => []);
    given.item.forEach((item, i) => rows[item].push(i));
    const intact = new Map();
    given.cell.forEach((cell, i) => {
      const own = book.cells[cell];
      if (own.level === 0) intact.set(own.model + "\n" + given.item[i], i);
    });
    given.before = given.cell.map((cell, i) => intact.get(book.cells[cell].model + "\n" + given.item[i]));
    fill("level", [...new Set(book.cells.map((cell) => cell.level))].sort((a, b) => damage(a) - damage(b)).map((x) => [String(x), levelName(x)]));
    fill("outcome", book.outcomes.filter((x) => x).map((x) => [x, x.replace(/_/g, " ")]));
  }
  function fill(name, choices) {
    const select = document.querySelector("#browser select[name=" + name + "]");
    for (const [value, label] of choices) {
      const option = element("option", line(label));
      option.value = value;
      select.appendChild(option);
    }
  }
  // by the view of the filter bar: the likeliest option where there are options, else the text
  function byOption(state, i) { return state.view === "options" && book.options[book.answers.option[i]] !== null; }
  function score(state, i) {
    if (i === undefined) return undefined;
    const given = book.answers;
    return byOption(state, i) ? Number(book.options[given.option[i]] === book.items[given.item[i]].gold) : given.score[i];
  }
  function fits(state, i) {
    const given = book.answers, cell = book.cells[given.cell[i]];
    if (state.model && (labels[cell.model] || {}).slot !== state.model) return false;
    if (state.recipe && cell.level !== 0 && cell.recipe !== state.recipe) return false;
    if (state.level && String(cell.level) !== state.level) return false;
    if (state.outcome && book.outcomes[given.outcome[i]] !== state.outcome) return false;
    if (!state.flips) return true;
    const before = score(state, given.before[i]) === 1, after = score(state, i) === 1;
    return cell.level !== 0 && before !== after && (state.flips === "lost" ? before : after);
  }
  function items(state) {
    const words = state.words.toLowerCase();
    const kept = [];
    book.items.forEach((item, place) => {
      if (state.task && item.task !== state.task) return;
      if (words && !(item.item_id + " " + (item.prompt || "")).toLowerCase().includes(words)) return;
      const hits = rows[place].filter((i) => fits(state, i)).length;
      if (hits) kept.push([place, hits]);
    });
    return kept;
  }
  async function show(state) {
    await load();
    if (!book) return;
    for (const name of ["level", "outcome", "flips"]) {
      document.querySelector("#browser select[name=" + name + "]").value = state[name];
    }
    const kept = items(state), list = byId("answers-list");
    const more = kept.length > MOST ? " (the first " + MOST + " are listed)" : "";
    const part = book.of === null ? "" : "; this page has " + book.items.length + " of " + book.of + " items, `resect view` has all";
    byId("answers-count").textContent = kept.length + " items" + more + part + ".";
    list.textContent = "";
    let chosen = kept.find(([place]) => book.items[place].item_id === state.item);
    if (!chosen) chosen = kept[0];
    for (const [place, hits] of kept.slice(0, MOST)) {
      const item = book.items[place], entry = element("li"), button = element("button", line(item.item_id));
      button.type = "button";
      button.appendChild(element("small", line(item.task) + ", " + hits + (hits === 1 ? " answer" : " answers")));
      if (chosen && chosen[0] === place) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => { open({ item: item.item_id }); byId("answers-item").focus({ preventScroll: true }); });
      entry.appendChild(button);
      list.appendChild(entry);
    }
    byId("answers-item").textContent = "";
    if (chosen) byId("answers-item").append(...oneItem(state, chosen[0]));
  }
  function oneItem(state, place) {
    const item = book.items[place], given = book.answers;
    const head = element("h3", line(item.item_id));
    head.appendChild(element("small", " " + line(item.task) + ", key: " + line(item.gold)));
    const prompt = element("blockquote", visible(item.prompt || ""));
    prompt.dir = "auto";
    const shown = rows[place].filter((i) => {
      const cell = book.cells[given.cell[i]];
      return (!state.model || (labels[cell.model] || {}).slot === state.model) && (cell.level === 0 || !state.recipe || cell.recipe === state.recipe);
    });
    shown.sort((a, b) => damage(book.cells[given.cell[a]].level) - damage(book.cells[given.cell[b]].level));
    const models = [...new Set(shown.map((i) => book.cells[given.cell[i]].model))];
    const columns = element("div", undefined, "sides");
    for (const model of models) columns.appendChild(ofModel(state, model, shown.filter((i) => book.cells[given.cell[i]].model === model)));
    return [head, prompt, columns];
  }
  function ofModel(state, model, own) {
    const given = book.answers, column = element("div"), known = labels[model] || { label: model, slot: "0" };
    const title = element("h4", line(known.label), "who m" + (Number(known.slot) % 6));
    const strip = element("p", undefined, "strip");
    strip.setAttribute("aria-label", "Right or wrong at each level");
    column.append(title, strip);
    for (const i of own) {
      const cell = book.cells[given.cell[i]], answer = book.labels[given.label[i]];
      const silent = answer === null && !byOption(state, i);
      const mark = score(state, i) === 1 ? ["right", "\u2713"] : silent ? ["no-answer", "\u2013"] : ["wrong", "\u2717"];
      const step = element("i", mark[1], mark[0]);
      step.title = levelName(cell.level) + ": " + mark[0].replace("-", " ");
      strip.appendChild(step);
      const head = element("p");
      const seed = cell.seed ? ", seed " + cell.seed : "";
      head.append(element("b", levelName(cell.level) + seed), element("span", mark[1] + " " + mark[0].replace("-", " "), "chip " + mark[0]));
      const option = book.options[given.option[i]];
      head.appendChild(element("small", line(book.outcomes[given.outcome[i]]).replace(/_/g, " ") + "; read as " + line(answer) + (option === null ? "" : "; likeliest option " + line(option))));
      const text = book.texts[given.text[i]], raw = element("pre");
      raw.dir = "auto";
      const whole = book.lengths[given.text[i]];
      if (text === null) raw.appendChild(element("span", "no text was stored", "note"));
      else if (text === "") raw.appendChild(element("span", "nothing: the output was empty", "note"));
      else raw.appendChild(element("bdi", visible(text)));
      if (whole) raw.appendChild(element("span", "\u2026 cut here: " + text.length + " of " + whole + " characters shown", "note"));
      column.append(head, raw);
    }
    return column;
  }
  function begin(state, opener) {
    open = opener;
    for (const option of document.querySelectorAll(".kicker [data-name]")) {
      labels[option.dataset.name] = { label: option.dataset.label, slot: option.dataset.slot };
    }
  }
  return { begin: begin, show: show };
})();
