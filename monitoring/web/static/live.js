"use strict";
// Asks every ten seconds for changes. Without this script the page is complete, but as old as when it was loaded.
(() => {
  const every = 10000;
  const main = document.getElementById("main");
  const isOverview = main && "version" in main.dataset;
  if (!isOverview && !(main && "refresh" in main.dataset)) return;
  const places = () => new Map([...document.querySelectorAll("[data-live]")].map(it => [it.dataset.live, it]));
  let known = places();
  const folds = () => new Map([...main.querySelectorAll("[data-fold]")].map(it => [it.dataset.fold, it]));
  const asToldNow = () => new Map([...folds()].map(([name, it]) => [name, it.open]));
  let told = asToldNow(); // what the server has opened: the difference is what somebody has opened or closed

  const reload = async () => {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const chosen = new Map([...folds()].filter(([name, it]) => it.open !== told.get(name)).map(([name, it]) => [name, it.open]));
    main.replaceChildren(...fresh.childNodes);
    told = asToldNow();
    folds().forEach((it, name) => { if (chosen.has(name)) it.open = chosen.get(name); });
    Object.assign(main.dataset, fresh.dataset);
    known = places();
  };

  // The page of a site or an incident is short: it is loaded completely, and the parts that differ are replaced. If its
  // parts are not the same as before (after the first checks), the whole page is replaced. Charts redraw themselves.
  const parts = root => new Map([...root.querySelectorAll("[data-part], [data-live]")]
    .map(it => [it.dataset.part || it.dataset.live, it]).filter(([name]) => !name.startsWith("chart")));
  const refresh = async () => {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = parts(fresh), shown = parts(document);
    if (String([...now.keys()]) !== String([...shown.keys()])) main.replaceChildren(...fresh.getElementById("main").childNodes);
    for (const [name, part] of shown) {
      const html = now.get(name)?.innerHTML;
      if (html !== undefined && html !== part.innerHTML) part.innerHTML = html;
    }
    document.title = fresh.title;
    document.dispatchEvent(new Event("refreshed"));
  };

  const ask = async () => {
    if (!isOverview) return refresh();
    const answer = await fetch(`updates?since=${main.dataset.version}`);
    if (!answer.ok) throw new Error(answer.status);
    const {version, layout, cells, worst, title} = await answer.json();
    document.title = title;
    if (layout !== main.dataset.layout) return document.activeElement?.id === "q" ? undefined : reload();
    for (const [key, html] of Object.entries(cells)) {
      const place = known.get(key);
      if (place && place.innerHTML !== html) place.innerHTML = html;
    }
    for (const key of ["ongoing", "expiries", "lately"]) {
      const list = known.get(key);
      list?.parentElement.classList.toggle("none", !list.childElementCount);
    }
    const summary = main.querySelector(".summary");
    if (summary) summary.className = `summary ${worst}`;
    main.dataset.version = version;
    document.querySelector("link[rel=icon]").href = `favicon.svg?${worst}`;
  };

  const away = () => {
    const line = known.get("source");
    if (line && !line.querySelector(".away"))
      line.insertAdjacentHTML("afterbegin", '<span class="note away">the page cannot be reached: these numbers are old</span> · ');
  };

  setInterval(() => { if (!document.hidden) ask().catch(away); }, every);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask().catch(away); });
})();
