"use strict";
// Asks every ten seconds for what has changed. Without this script the page is whole, and as old as when it was loaded.
(() => {
  const every = 10000;
  const main = document.getElementById("main");
  if (!main || !main.dataset.version) return;
  const places = () => new Map([...document.querySelectorAll("[data-live]")].map(it => [it.dataset.live, it]));
  let known = places();

  const reload = async () => {
    const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    const closed = new Set([...main.querySelectorAll("details:not([open]) h3")].map(it => it.textContent));
    main.replaceChildren(...fresh.childNodes);
    main.querySelectorAll("details").forEach(it => { if (closed.has(it.querySelector("h3").textContent)) it.open = false; });
    Object.assign(main.dataset, fresh.dataset);
    known = places();
  };

  const ask = async () => {
    const answer = await fetch(`updates?since=${main.dataset.version}`);
    if (!answer.ok) throw new Error(answer.status);
    const {version, layout, cells, worst, title} = await answer.json();
    document.title = title;
    if (layout !== main.dataset.layout) return document.activeElement?.id === "q" ? undefined : reload();
    for (const [key, html] of Object.entries(cells)) {
      const place = known.get(key);
      if (place && place.innerHTML !== html) place.innerHTML = html;
    }
    const list = known.get("ongoing");
    list?.parentElement.classList.toggle("none", !list.childElementCount);
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
