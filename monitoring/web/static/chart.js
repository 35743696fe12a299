"use strict";
// Draws the charts of a site with uPlot, from the numbers in data.json. Without this script the SVG of the server remains.
(() => {
  const data = document.querySelector("link[type='application/json']");
  if (!data || typeof uPlot === "undefined") return;
  const colour = name => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const seconds = it => it === null || it === undefined ? "—" : it >= 1 ? `${it.toFixed(2)} s` : `${(it * 1000).toFixed(1)} ms`;
  const utc = at => uPlot.tzDate(new Date(at * 1000), "Etc/UTC");
  const short = it => it >= 1 ? `${+it.toFixed(2)} s` : `${+(it * 1000).toFixed(1)} ms`;
  // Labels: dates for days; hours within a day, with the date at its beginning.
  const moments = (_, splits, __, ___, step) => splits.map((at, place) => {
    const [date, time] = [new Date(at * 1000).toISOString().slice(5, 10), new Date(at * 1000).toISOString().slice(11, 16)];
    return step >= 86400 ? date : place === 0 || time === "00:00" ? `${time}\n${date}` : time;
  });
  const axis = {stroke: colour("--soft"), grid: {stroke: colour("--line"), width: 1}, ticks: {stroke: colour("--line"), width: 1}};
  const FAILED = 44;

  const columns = marks => {
    const causes = [...new Set(marks.flatMap(it => Object.keys(it.causes)))].sort();
    const times = marks.map(it => Date.parse(it.from) / 1000);
    const share = (mark, upTo) => mark.checks ? causes.slice(0, upTo).reduce((sum, it) => sum + (mark.causes[it] || 0), 0) / mark.checks : 0;
    return {
      causes,
      times: [times, marks.map(it => it.p50), marks.map(it => it.p95)],
      failed: [times, ...causes.map((_, place) => marks.map(mark => share(mark, causes.length - place) || null))],
    };
  };

  const reading = (mark, place) => {
    const failed = Object.entries(mark.causes).map(([cause, count]) => `${cause} ${count}`).join(", ");
    place.textContent = `${mark.from.slice(0, 10)} ${mark.from.slice(11, 16)} UTC: ` + (mark.checks
      ? `p50 ${seconds(mark.p50)}, p95 ${seconds(mark.p95)}, ${mark.checks} checks, ${failed ? `failed: ${failed}` : "none failed"}`
      : "not measured");
  };

  class Chart {
    constructor(figure, marks) {
      this.figure = figure;
      this.place = figure.querySelector("[data-part^=chart]");
      this.place.removeAttribute("data-part");
      this.label = this.place.querySelector("svg").getAttribute("aria-label");
      this.draw(marks);
      new ResizeObserver(() => this.fit()).observe(this.place);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plots.forEach(it => it.redraw()));
    }

    draw(marks) {
      const wasAt = this.plots?.[0].cursor.idx, hadFocus = this.place.contains(document.activeElement);
      this.plots?.forEach(it => it.destroy());
      this.marks = marks;
      const {causes, times, failed} = this.columns = columns(marks);
      const sync = {key: `chart ${this.figure.dataset.place}`};
      const width = this.place.clientWidth;
      const frame = document.createElement("div");
      Object.assign(frame, {tabIndex: 0, className: "plots"});
      frame.setAttribute("role", "img");
      frame.setAttribute("aria-label", `${this.label}; arrow keys read it mark by mark`);
      this.place.replaceChildren(frame);
      const step = (marks[1] ? times[0][1] - times[0][0] : 60);
      const ends = () => [times[0][0] - step / 2, times[0].at(-1) + step / 2];
      const gaps = {spanGaps: false, points: {size: 5}};
      const common = {width, tzDate: utc, legend: {show: false}, padding: [8, 28, 8, 0]};
      this.plots = [new uPlot({
        ...common, height: 210,
        cursor: {sync, y: false, drag: {x: false, y: false}},
        scales: {x: {range: ends}, y: {range: (_, __, top) => [0, top > 0 ? top * 1.05 : 1]}},
        axes: [{...axis, values: moments, show: !causes.length}, {...axis, size: 76, values: (_, splits) => splits.map(short)}],
        series: [{}, {label: "p50", stroke: colour("--p50"), width: 2, ...gaps}, {label: "p95", stroke: colour("--p95"), width: 2, dash: [5, 3], ...gaps}],
        hooks: {setCursor: [plot => this.read(plot.cursor.idx)]},
      }, times, frame)];
      if (causes.length) this.plots.push(new uPlot({
        ...common, height: FAILED + 34, padding: [0, 28, 0, 0],
        cursor: {sync, y: false, points: {show: false}, drag: {x: false, y: false}},
        scales: {x: {range: ends}, y: {dir: -1, range: [0, 1]}},
        axes: [{...axis, values: moments}, {...axis, size: 76, grid: {show: false}, splits: [0, 1], values: () => ["", "all"]}],
        series: [{}, ...causes.map((_, place) => ({
          label: causes[causes.length - 1 - place],
          fill: colour(`--cause-${causes[causes.length - 1 - place]}`),
          width: 0, points: {show: false}, paths: uPlot.paths.bars({size: [0.9, 60]}),
        }))],
      }, failed, frame));
      frame.addEventListener("keydown", event => this.move(event));
      if (hadFocus) frame.focus();
      if (hadFocus && marks[wasAt]) this.point(wasAt);
    }

    point(at) {
      this.plots[0].setCursor({left: this.plots[0].valToPos(this.columns.times[0][at], "x"), top: 10});
    }

    move(event) {
      const by = {ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity}[event.key];
      if (by === undefined) return;
      event.preventDefault();
      const last = this.marks.length - 1;
      this.point(Math.max(0, Math.min(last, (this.plots[0].cursor.idx ?? (by < 0 ? last + 1 : -1)) + by)));
    }

    read(at) {
      const place = this.figure.querySelector(".reading");
      if (at === null || at === undefined) place.textContent = "";
      else if (this.marks[at]) reading(this.marks[at], place);
    }

    fit() {
      const width = this.place.clientWidth;
      this.plots.forEach(it => { if (it.width !== width) it.setSize({width, height: it.height}); });
    }
  }

  const charts = new Map();
  const show = async () => {
    const answer = await fetch(data.href);
    if (!answer.ok) return;
    const {places} = await answer.json();
    for (const figure of document.querySelectorAll("figure.chart")) {
      const marks = places[figure.dataset.place]?.marks;
      if (!marks?.length) continue;
      const before = charts.get(figure);
      if (!before) charts.set(figure, figure.chart = new Chart(figure, marks));
      else if (JSON.stringify(before.marks) !== JSON.stringify(marks)) before.draw(marks);
    }
  };
  // Paper is white: while the page is printed its charts have the light colours.
  const onPaper = isPrinted => () => {
    document.documentElement.classList.toggle("printed", isPrinted);
    charts.forEach(it => it.plots.forEach(plot => plot.redraw()));
  };
  addEventListener("beforeprint", onPaper(true));
  addEventListener("afterprint", onPaper(false));
  document.addEventListener("refreshed", () => show().catch(() => {}));
  show().catch(() => {});
})();
