"use strict";
// The wall's news. Without this script the pages are the same, as they were when they were loaded.
// Tiles and counts come as HTML from the console, which makes them from text; the policy of the page lets no script in them run.
(() => {
  const wall = document.getElementById("wall");
  if (!wall || !window.EventSource) return;
  const counts = document.getElementById("counts");
  const trouble = document.getElementById("trouble");
  const made = (html) => new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
  const of = (host) => document.getElementById("tile-" + host);
  let counted = "";
  const keep = (change) => {
    // Whoever goes by keyboard stays where they are.
    const tile = document.activeElement && document.activeElement.closest(".tile");
    const host = tile && tile.id.slice("tile-".length);
    change();
    const link = host && of(host) && of(host).querySelector("a");
    if (link && document.activeElement !== link) link.focus({ preventScroll: true });
  };
  // The old picture stays until the new one is there, so that the wall does not flicker.
  const replace = (before, tile) => {
    const image = tile.querySelector("img");
    const old = before.querySelector("img");
    if (!image || !old || image.getAttribute("src") === old.getAttribute("src")) {
      if (image && old) image.replaceWith(old);
      before.replaceWith(tile);
      return;
    }
    const next = image.getAttribute("src");
    const fresh = new Image();
    const show = () => { if (image.dataset.next === next) image.src = next; };
    image.dataset.next = next;
    image.src = old.currentSrc || old.src;
    fresh.addEventListener("load", show);
    fresh.addEventListener("error", show);
    fresh.src = next;
    before.replaceWith(tile);
  };
  const news = new EventSource(wall.dataset.live);
  news.addEventListener("news", (event) => {
    const { counts: words, troubled, order, tiles } = JSON.parse(event.data);
    trouble.textContent = "";
    if (counted !== words) counts.replaceChildren(made(words));
    counted = words;
    document.title = (troubled ? "(" + troubled + ") " : "") + "All clients – Ghost4Linux";
    keep(() => {
      for (const [host, html] of tiles) {
        const tile = made(html);
        const before = of(host);
        if (before) replace(before, tile); else wall.append(tile);
      }
      if (!order) return;
      const known = new Set(order);
      for (const tile of [...wall.children]) {
        if (!known.has(tile.id.slice("tile-".length))) tile.remove();
      }
      order.forEach((host, place) => {
        const tile = of(host);
        if (tile && wall.children[place] !== tile) wall.insertBefore(tile, wall.children[place] || null);
      });
    });
  });
  news.addEventListener("trouble", (event) => { trouble.textContent = event.data; });
  news.addEventListener("error", () => { trouble.textContent = "The console does not answer; what is shown may be old."; });
})();
