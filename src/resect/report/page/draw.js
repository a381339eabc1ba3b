/* Figures and tables from the data that the page embeds: what charts/*.py draws, as text of SVG.
   Nothing here touches the document. */
"use strict";
const draw = (function () {
  const COLOURS = ["#0067b1", "#d1570a", "#0b8a6a", "#a3559e", "#6b6b6b", "#8c6d00"];
  const GREY = "#6a737d", GRID = "#e3e6ea", WIDTH = 424, LABELS = 10;
  const SOFT = { fill: GREY, class: "soft" };
  const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
  const DASH = "–";

  // ── data: columns back to rows ──

  function unpacked(value) {
    if (Array.isArray(value)) return value.map(unpacked);
    if (value === null || typeof value !== "object") return value;
    if (!("#" in value && "columns" in value)) {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, unpacked(entry)]));
    }
    const rows = Array.from({ length: value["#"] }, () => ({}));
    for (const [key, column] of Object.entries(value.columns)) {
      const values = unpacked(column.values);
      values.forEach((entry, i) => { rows[column.at ? column.at[i] : i][key] = entry; });
    }
    return rows;
  }
  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const data = JSON.parse(await new Response(stream).text());
    return { summary: unpacked(data.summary), figures: unpacked(data.figures) };
  }

  // ── pieces of SVG ──

  const escaped = (value) => String(value).replace(/&/g, "&amp;").replace(/</g, "&lt;")
    .replace(/>/g, "&gt;").replace(/'/g, "&#39;").replace(/"/g, "&#34;");
  function number(value) {
    const shown = value.toFixed(1).replace(/\.0$/, "");
    return shown === "-0" ? "0" : shown;
  }
  function el(name, attributes, ...children) {
    let head = name;
    for (const [key, value] of Object.entries(attributes)) {
      if (value === null || value === undefined) continue;
      head += " " + key + '="' + escaped(typeof value === "number" ? number(value) : value) + '"';
    }
    const inside = children.flat().join("");
    return inside || children.length ? "<" + head + ">" + inside + "</" + name + ">" : "<" + head + "/>";
  }
  const text = (x, y, value, look) => el("text", { x: x, y: y, ...look }, escaped(value));
  const polyline = (spots) => "M" + spots.map(([x, y]) => number(x) + " " + number(y)).join("L");
  const colour = (slot) => COLOURS[slot % COLOURS.length];
  const scale = (low, high, start, end) => (value) =>
    start + (Math.min(Math.max(value, low), high) - low) / ((high - low) || 1) * (end - start);
  const CORNERS = [
    [[0, -1.25], [1.15, 0.85], [-1.15, 0.85]], [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
    [[0, 1.25], [1.15, -0.85], [-1.15, -0.85]], [[1.25, 0], [-0.85, 1.15], [-0.85, -1.15]],
    [[-1.5, -0.6], [1.5, -0.6], [1.5, 0.6], [-1.5, 0.6]], [[-1.25, 0], [0.85, 1.15], [0.85, -1.15]],
  ];
  function marker(slot, x, y, r) {
    const shape = slot % (CORNERS.length + 2);
    if (shape === 0) return el("circle", { cx: x, cy: y, r: r });
    if (shape === 1) {
      const s = r * 0.9;
      return el("rect", { x: x - s, y: y - s, width: 2 * s, height: 2 * s });
    }
    return el("path", { d: polyline(CORNERS[shape - 2].map(([a, b]) => [x + a * r, y + b * r])) + "Z" });
  }
  function svg(height, title, description, children) {
    const head = {
      xmlns: "http://www.w3.org/2000/svg", viewBox: "0 0 " + number(WIDTH) + " " + number(height),
      role: "img", "aria-label": title + ". " + description, "font-family": FONT, "font-size": "11",
      fill: "#24292f", class: "figure",
    };
    return el("svg", head, el("title", {}, escaped(title)), el("desc", {}, escaped(description)), children);
  }
  function readingAid(xs, top, bottom) {
    const hidden = { class: "cursor", visibility: "hidden", stroke: GREY };
    return el("line", { x1: 0, x2: 0, y1: top, y2: bottom, ...hidden }) +
      el("g", { class: "stops", "data-x": xs.map(number).join(" ") });
  }
  function spread(wanted, gap, low, high) {
    const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
    const placed = [];
    for (const i of order) {
      placed.push(Math.max(wanted[i], placed.length ? placed[placed.length - 1] + gap : low));
    }
    let limit = high;
    for (let k = placed.length - 1; k >= 0; k--) limit = (placed[k] = Math.min(placed[k], limit)) - gap;
    const result = [];
    order.forEach((i, k) => { result[i] = placed[k]; });
    return result;
  }

  // ── the frame: title, grid, axis of levels, names at the ends of lines ──

  function ticks(low, high) {
    const span = (high - low) || 1, power = 10 ** Math.floor(Math.log10(span / 6));
    const step = [1, 2, 2.5, 5, 10, 20, 25, 50].map((n) => n * power)
      .find((size) => span / size <= 5 + 1e-9);
    const found = [];
    for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) found.push(i * step);
    return found;
  }
  function heading(title, subtitle, note) {
    const parts = [text(0, 13, title, { "font-size": "14", "font-weight": "600", class: "ink" })];
    if (subtitle) parts.push(text(0, 29, subtitle, { "font-size": "11", ...SOFT }));
    if (note) parts.push(text(WIDTH, 13, note, { "text-anchor": "end", ...SOFT }));
    return parts;
  }
  function valueGrid(plot, low, high, share) {
    return ticks(low, high).map((value) => {
      const y = plot.y(value);
      const shown = share ? (value * 100).toFixed(0) : value.toFixed(2).replace(/0$/, "");
      return el("line", { x1: plot.left, x2: plot.right + 6, y1: y, y2: y, class: "grid", stroke: GRID }) +
        text(plot.left - 6, y + 3.8, shown.replace("-", "−"), { "text-anchor": "end", ...SOFT });
    });
  }
  function levelAxis(plot, axis, bottom) {
    const [kind, , , labelled] = axis, every = Math.max(1, Math.ceil(labelled.length / LABELS));
    const parts = labelled.filter((_, i) => i % every === 0).map(([position, label]) => {
      const x = plot.x(position);
      const line = { x1: x, x2: x, y1: plot.bottom, y2: bottom + 4, class: "grid", stroke: "#c9ced4" };
      return el("line", line) + text(x, bottom + 16, label, { "text-anchor": "middle", ...SOFT });
    });
    const name = kind === "fraction" ? "share removed, as asked" : "level, in rising damage";
    parts.push(text((plot.left + plot.right) / 2, bottom + 31, name, { "text-anchor": "middle", ...SOFT }));
    return parts;
  }
  function endNames(plot, ends) {
    const placed = spread(ends.map((end) => end.y), 13, plot.top + 4, plot.bottom);
    const edge = Math.max(...ends.map((end) => end.x)) + 12;
    return ends.map((end, i) => {
      const y = placed[i], shade = colour(end.slot);
      const line = {
        d: polyline([[end.x + 5, end.y], [edge, y]]), class: "lead", stroke: shade, fill: "none",
        "stroke-width": "0.7", "stroke-dasharray": edge - end.x > 20 ? "1 3" : null,
      };
      const name = end.label.length <= 11 ? end.label : end.label.slice(0, 10) + "…";
      return el("g", { class: "m" + (end.slot % 6) }, el("path", line),
        el("g", { fill: shade, class: "solid" }, marker(end.slot, edge + 5, y, 3.2)),
        text(edge + 12, y + 3.8, name, { fill: shade, "font-weight": "600", class: "name" }));
    });
  }

  // ── lines by level ──

  function spotsOf(line) {
    const status = Object.fromEntries(line.status);
    return line.x.map((x, i) => ({
      x: x, level: line.level[i], value: line.value[i], low: line.low[i], high: line.high[i],
      status: status[i] || "success",
    }));
  }
  function runs(spots) {
    const found = [[]];
    for (const spot of spots) {
      if (spot.value === null) found.push([]);
      else found[found.length - 1].push(spot);
    }
    return found.filter((run) => run.length);
  }
  function band(line, plot) {
    const paths = [];
    for (const run of runs(line.spots)) {
      const ends = run.filter((s) => s.low !== null && s.high !== null)
        .map((s) => [plot.x(s.x), plot.y(s.low), plot.y(s.high)]);
      if (ends.length > 1) {
        const around = [...ends.map(([x, y]) => [x, y]), ...ends.map(([x, , y]) => [x, y]).reverse()];
        paths.push(el("path", { d: polyline(around) + "Z" }));
      } else if (ends.length) {
        const [x, low, high] = ends[0];
        paths.push(el("rect", { x: x - 1.5, y: high, width: 3, height: low - high }));
      }
    }
    const look = {
      fill: colour(line.slot), "fill-opacity": line.view === "options" ? "0.08" : "0.16",
      class: "band m" + (line.slot % 6) + " v-" + line.view,
    };
    return paths.length ? el("g", look, paths) : "";
  }
  function reference(line, plot) {
    if (line.reference === null) return "";
    const y = plot.y(line.reference);
    return el("g", { class: "m" + (line.slot % 6) }, el("line", {
      class: "lead", x1: plot.left, x2: plot.right + 6, y1: y, y2: y, stroke: colour(line.slot),
      "stroke-dasharray": "1 3", "stroke-width": "1.2",
    }));
  }
  function curve(line, plot) {
    const shade = colour(line.slot), hollow = line.view === "options";
    const paths = [], markers = [], rings = [];
    for (const run of runs(line.spots)) {
      const places = run.map((spot) => [plot.x(spot.x), plot.y(spot.value)]);
      paths.push(el("path", { d: polyline(places) }));
      places.forEach(([x, y], i) => {
        markers.push(marker(line.slot, x, y, 2.6));
        if (run[i].status !== "success") rings.push(el("circle", { cx: x, cy: y, r: "5.5" }));
      });
    }
    const stroke = {
      fill: "none", "stroke-width": "1.8", "stroke-dasharray": hollow ? "5 3.5" : null,
      "stroke-linejoin": "round",
    };
    const dots = { fill: hollow ? "#ffffff" : shade, "stroke-width": "1.2", class: hollow ? "hollow" : "solid" };
    return el("g", { stroke: shade, class: "curve m" + (line.slot % 6) + " v-" + line.view },
      el("g", stroke, paths), el("g", dots, markers),
      rings.length ? el("g", { fill: "none", stroke: GREY, class: "ring" }, rings) : "");
  }
  function floors(chart, plot, lines) {
    if (!chart.floors.length) return "";
    const spots = lines.flatMap((line) => line.spots).filter((spot) => spot.value !== null)
      .map((spot) => [plot.x(spot.x), plot.y(spot.value)]);
    const taken = { start: Infinity, end: Infinity };
    const parts = chart.floors.map(([label, value]) => {
      const height = plot.y(value), width = 5.2 * label.length;
      const room = (low, high) => Math.min(...spots.filter(([x]) => low <= x && x <= high)
        .map(([, y]) => Math.abs(y - height + 5)), spots.some(([x]) => low <= x && x <= high) ? Infinity : 99);
      const start = room(plot.left, plot.left + 8 + width), end = room(plot.right - width, plot.right + 4);
      const side = start >= Math.min(end, 16) ? "start" : "end";
      const y = taken[side] = Math.min(height - 4, taken[side] - 11);
      return el("line", {
        class: "floor", x1: plot.left, x2: plot.right + 6, y1: height, y2: height, stroke: "#57606a",
        "stroke-width": "1", "stroke-dasharray": "1 3",
      }) + text(side === "start" ? plot.left + 8 : plot.right + 4, y, label, {
        stroke: "#ffffff", "stroke-width": "3", "paint-order": "stroke", "text-anchor": side,
        fill: "#57606a", "font-size": "10", class: "halo soft",
      });
    });
    return el("g", { class: "floors" }, parts);
  }
  function names(lines, plot) {
    const sides = { text: new Map(), options: new Map() };
    for (const line of lines) {
      const known = line.spots.filter((spot) => spot.value !== null), last = known[known.length - 1];
      const side = sides[line.view === "options" ? "options" : "text"], key = line.label + "\n" + line.slot;
      const end = { label: line.label, slot: line.slot, x: plot.x(last.x), y: plot.y(last.value) };
      if (!side.has(key)) side.set(key, end);
    }
    const alone = [...sides.options].filter(([key]) => !sides.text.has(key)).map(([, end]) => end);
    const first = [...alone, ...sides.text.values()], parts = [];
    const name = sides.text.size ? "labels lab-text" : "labels lab-options";
    if (first.length) parts.push(el("g", { class: name }, endNames(plot, first)));
    if (sides.text.size && sides.options.size) {
      const look = { class: "labels lab-options", display: "none" };
      parts.push(el("g", look, endNames(plot, [...sides.options.values()])));
    }
    return parts;
  }

  // ── marks: flags above the plot, a strip of cliffs below it ──

  const ROW = 9, FLAG = 11;
  const WORDS = { passed: "passed", onset: "onset", half: "half", divergence: "diverges" };
  const marksOf = (chart) => chart.marks.map(([slot, view, kind, x, low, high, censored]) =>
    ({ slot: slot, view: view, kind: kind, x: x, low: low, high: high, censored: censored }));
  function flagged(marks) {
    const found = [];
    for (const slot of new Set(marks.map((mark) => mark.slot))) {
      const own = marks.filter((m) => m.slot === slot && m.kind in WORDS && !m.censored);
      const view = own.some((m) => m.kind !== "passed" && m.view === "text") ? "text" : "options";
      const chosen = new Map();
      for (const mark of [...own].sort((a, b) => a.x - b.x)) {
        if ((mark.kind === "passed" || mark.view === view) && !chosen.has(mark.kind)) chosen.set(mark.kind, mark);
      }
      if (chosen.size) found.push([...chosen.values()]);
    }
    return found.slice(0, 4);
  }
  function apart(wanted, widths, low, high) {
    const placed = [];
    wanted.forEach((x, i) => {
      placed.push(Math.max(x, i ? placed[i - 1] + (widths[i - 1] + widths[i]) / 2 : low));
    });
    let limit = high;
    for (let i = placed.length - 1; i >= 0; i--) {
      placed[i] = Math.min(placed[i], limit);
      limit = placed[i] - (widths[i] + widths[i ? i - 1 : widths.length - 1]) / 2;
    }
    return placed;
  }
  function flags(rows, plot, top) {
    const parts = rows.flatMap((own, i) => {
      const y = top + FLAG * i + 4, widths = own.map((mark) => 4.9 * WORDS[mark.kind].length + 6);
      const wanted = own.map((mark) => plot.x(mark.x));
      const centres = apart(wanted, widths, plot.left + 14, WIDTH - 60);
      return own.map((mark, k) => {
        const shade = colour(mark.slot), foremost = mark.kind === "passed";
        const line = polyline([[centres[k], y + 3], [wanted[k], y + 9], [wanted[k], plot.bottom]]);
        const path = {
          d: line, fill: "none", "stroke-width": foremost ? "1.3" : "0.8", "stroke-dasharray": foremost ? null : "2 3",
        };
        const look = {
          fill: shade, "font-size": "9", "text-anchor": "middle", class: "name",
          "font-weight": foremost ? "700" : "400",
        };
        return el("g", { class: "m" + (mark.slot % 6) + " k-" + mark.kind },
          el("g", { stroke: shade, "stroke-opacity": "0.65", class: "lead" }, el("path", path)),
          text(centres[k], y, WORDS[mark.kind], look));
      });
    });
    return parts.length ? el("g", { class: "marks flags" }, parts) : "";
  }
  function stripRows(marks) {
    const keys = new Set(marks.filter((m) => m.kind === "half" || m.kind === "steepest")
      .map((m) => m.slot + " " + m.view));
    return [...keys].map((key) => marks.filter((m) => m.slot + " " + m.view === key));
  }
  function pieces(mark, plot, y, shade) {
    const span = mark.low !== null && mark.high !== null, x = plot.x(mark.x);
    const ends = { x1: plot.x(mark.low || 0), x2: plot.x(mark.high || 0), y1: y, y2: y };
    if (mark.kind === "steepest" && span) {
      return el("line", { "stroke-width": "6", "stroke-opacity": "0.3", ...ends });
    }
    if (mark.kind !== "half") return "";
    if (mark.censored) {
      const arrow = polyline([[x + 2, y - 3.5], [x + 8, y], [x + 2, y + 3.5]]);
      return el("path", { d: arrow, fill: "none", "stroke-width": "1.6" });
    }
    const text_ = mark.view === "text";
    const look = { fill: text_ ? shade : "#ffffff", class: text_ ? "solid" : "hollow" };
    return (span ? el("line", { "stroke-width": "1.6", ...ends }) : "") +
      el("g", look, marker(mark.slot, x, y, 3));
  }
  function strip(rows, plot) {
    if (!rows.length) return "";
    const top = plot.bottom + 6;
    const parts = rows.map((own, i) => {
      const shade = colour(own[0].slot), name = "half m" + (own[0].slot % 6) + " v-" + own[0].view;
      return el("g", { stroke: shade, class: name },
        own.map((mark) => pieces(mark, plot, top + ROW * i + 2, shade)));
    });
    const middle = Math.max(top + ROW * (rows.length - 1) / 2 + 5.5, top + 19);
    const words = rows.length === 1 ? ["half-level"] : ["half-level,", "steepest drop"];
    words.forEach((word, i) => {
      const y = middle + 11 * i - 5 * (words.length - 1);
      parts.push(text(plot.right + 16, y, word, { "font-size": "10", ...SOFT }));
    });
    return el("g", { class: "marks halves" }, parts);
  }

  // ── whole figures ──

  function lineChart(chart) {
    const lines = chart.lines.map((line) => ({ ...line, spots: spotsOf(line) }));
    const marks = marksOf(chart), flagRows = flagged(marks), rows = stripRows(marks);
    const top = 44 + (flagRows.length ? FLAG * flagRows.length + 4 : 0), height = chart.tall ? 196 : 150;
    const [, low, high] = chart.axis, left = 36, right = WIDTH - 92;
    const plot = {
      left: left, right: right, top: top, bottom: top + height, x: scale(low, high, left + 6, right),
      y: scale(chart.range[0], chart.range[1], top + height, top),
    };
    const bottom = plot.bottom + (rows.length ? ROW * rows.length + 6 : 0);
    const drawn = lines.filter((line) => line.spots.some((spot) => spot.value !== null));
    const stops = [...new Set(lines.flatMap((line) => line.spots.map((spot) => plot.x(spot.x))))]
      .sort((a, b) => a - b);
    const inner = [
      ...heading(chart.title, chart.subtitle, chart.note),
      el("g", { class: "axes" }, valueGrid(plot, chart.range[0], chart.range[1], chart.share),
        levelAxis(plot, chart.axis, bottom)),
      flags(flagRows, plot, 44),
      ...drawn.map((line) => band(line, plot)),
      ...drawn.map((line) => reference(line, plot)),
      ...drawn.map((line) => curve(line, plot)),
      floors(chart, plot, lines),
      ...names(drawn, plot),
      strip(rows, plot),
      readingAid(stops, top, bottom),
    ];
    if (!drawn.length) inner.push(text(left + 60, top + height / 2, "not available", SOFT));
    const summary = drawn.length + " lines at " + stops.length + " levels; the numbers are in the table below";
    return svg(bottom + 36, chart.title + ", " + chart.subtitle, summary, inner);
  }
  function barChart(chart) {
    const count = Math.max(chart.levels.length, 1), top = 34, bottom = 154, left = 38, right = WIDTH - 12;
    const x = scale(-0.5, count - 0.5, left, right), y = scale(0, 1, bottom, top);
    const width = count > 1 ? x(1) - x(0) : WIDTH - left - 12, bars = chart.names.map(() => []);
    chart.shares.forEach((shares, i) => {
      let floor = 0;
      shares.forEach((share, k) => {
        if (!(share > 0)) return;
        bars[k].push(el("rect", {
          x: x(i) - width * 0.44, y: y(floor + share), width: width * 0.88, height: y(floor) - y(floor + share),
        }));
        floor += share;
      });
    });
    const grid = [0, 0.5, 1].map((share) =>
      el("line", { x1: left, x2: right, y1: y(share), y2: y(share), stroke: GRID, class: "grid" }) +
      text(left - 5, y(share) + 3.8, (share * 100).toFixed(0) + " %", { "text-anchor": "end", ...SOFT }));
    const spots = chart.right.map((value, i) => [x(i), value]).filter(([, value]) => value !== null)
      .map(([at, value]) => [at, y(value)]);
    const line = spots.length ? [
      el("path", { d: polyline(spots), fill: "none", stroke: "#ffffff", "stroke-width": "4", "stroke-opacity": "0.85" }),
      el("path", { d: polyline(spots), fill: "none", stroke: "#111418", "stroke-width": "1.6" }),
    ] : [];
    const every = Math.max(1, Math.ceil(chart.levels.length / LABELS));
    const look = { "text-anchor": "middle", "font-size": "10", ...SOFT };
    const inner = [
      ...heading(chart.title), ...grid,
      ...chart.names.map((name, k) => bars[k].length
        ? el("g", { fill: chart.colours[k], class: "o-" + name }, bars[k]) : ""),
      ...line,
      ...chart.levels.map((at, i) => i % every ? "" : text(x(i), bottom + 15, level(at), look)),
      readingAid(chart.levels.map((_, i) => x(i)), top, bottom),
    ];
    const summary = "Shares of " + chart.names.length + " outcomes at " + chart.levels.length +
      " levels; the numbers are in the table below";
    return svg(bottom + 22, chart.title + ": what came back", summary, inner);
  }

  // ── tables ──

  const minus = (shown) => (Number(shown) === 0 ? shown.replace("-", "") : shown).replace("-", "−");
  const trim = (value) => value.toFixed(1).replace(/\.?0+$/, "").replace("-", "−");
  function level(value) {
    if (value === null) return "fixed";
    if (value === 0) return "intact";
    return value < 1 ? trim(value * 100) + " %" : trim(value) + " bits";
  }
  function interval(value, low, high, share) {
    if (value === null || value === undefined) return DASH;
    const factor = share ? 100 : 1, digits = share ? 1 : 2;
    const body = minus((value * factor).toFixed(digits)) + (share ? " %" : "");
    if (low === null || high === null || low === undefined || high === undefined) return body;
    return body + " [" + minus((low * factor).toFixed(digits)) + ", " + minus((high * factor).toFixed(digits)) + "]";
  }
  function lineTable(chart) {
    const heads = [["Level", ""]], columns = [], levels = new Map();
    for (const line of chart.lines) {
      const view = line.view ? ", " + line.view : "", seeds = line.seeds > 1 ? ", " + line.seeds + " seeds" : "";
      heads.push([line.label + view + seeds, line.view]);
      const cells = new Map();
      for (const spot of spotsOf(line)) {
        const troubled = spot.status === "success" ? "" : " (" + spot.status + ")";
        cells.set(spot.x, interval(spot.value, spot.low, spot.high, chart.share) + troubled);
        levels.set(spot.x, spot.level);
      }
      columns.push(cells);
    }
    const body = [...levels.keys()].sort((a, b) => a - b).map((x) =>
      [level(levels.get(x)), ...columns.map((cells) => cells.has(x) ? cells.get(x) : DASH)]);
    return { caption: chart.title + ": " + chart.subtitle, heads: heads, body: body };
  }
  function barTable(chart) {
    const heads = ["Level", ...chart.labels, "right"].map((head) => [head, ""]);
    const body = chart.levels.map((at, i) =>
      [level(at), ...chart.shares[i].map((share) => interval(share, null, null, true)),
        interval(chart.right[i], null, null, true)]);
    return { caption: "Outcomes: " + chart.title, heads: heads, body: body };
  }
  return {
    unpack: unpack,
    unpacked: unpacked,
    figure: (chart) => chart.lines ? lineChart(chart) : barChart(chart),
    table: (chart) => chart.lines ? lineTable(chart) : barTable(chart),
  };
})();
if (typeof module !== "undefined") module.exports = draw;
