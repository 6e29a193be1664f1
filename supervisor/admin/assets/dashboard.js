// Keeps the page up to date: when something happens, and every few seconds, its content is fetched again and what has
// changed is taken over. What has not changed stays the same element, and so keeps focus, scrolling and selection.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  const liveness = document.getElementById("liveness");
  if (!main || !window.EventSource) return;
  const PAUSE = 1000, EVERY = 5000;
  let source = null, timer = 0, due = 0, busy = false, again = false, last = 0;

  const key = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);

  // Whether `old` can become `now` without being replaced.
  const alike = (old, now) => old.nodeType === now.nodeType && old.nodeName === now.nodeName && key(old) === key(now);

  const attributes = (old, now) => {
    for (const { name } of [...old.attributes]) {
      // Whether something is folded open is for whoever reads to say.
      if (!now.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  const children = (old, now) => {
    const keyed = new Map();
    for (const child of old.childNodes) if (key(child) !== null) keyed.set(key(child), child);
    let at = old.firstChild;
    for (const wanted of [...now.childNodes]) {
      const known = key(wanted) === null ? null : keyed.get(key(wanted));
      if (known && known !== at && alike(known, wanted)) old.insertBefore(known, at);
      const here = known && alike(known, wanted) ? known : at;
      if (here && alike(here, wanted)) {
        if (here === at) at = at.nextSibling;
        become(here, wanted);
      } else {
        old.insertBefore(wanted, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  const become = (old, now) => {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== now.nodeValue) old.nodeValue = now.nodeValue;
      return;
    }
    attributes(old, now);
    children(old, now);
  };

  const say = (text) => {
    if (liveness && liveness.textContent !== text) liveness.textContent = text;
  };

  const refresh = async () => {
    due = 0;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { "X-Fragment": "1" }, cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      children(main, page.body);
      say("Kept up to date.");
    } catch {
      say("Not connected: what is shown may be old.");
    }
    busy = false;
    if (again) {
      again = false;
      soon();
    }
  };

  const soon = () => {
    if (!due) due = setTimeout(refresh, Math.max(0, last + PAUSE - Date.now()));
  };

  const listen = () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      clearInterval(timer);
      clearTimeout(due);
      due = 0;
    } else if (!source) {
      source = new EventSource("/api/v1/events");
      source.onmessage = soon;
      source.onopen = soon;
      source.onerror = () => {
        say("Not connected: what is shown may be old.");
        // An answer that is no stream ends it for good.
        const ended = source;
        if (ended && ended.readyState === EventSource.CLOSED) {
          setTimeout(() => {
            if (source === ended) source = null;
            listen();
          }, EVERY);
        }
      };
      clearInterval(timer);
      timer = setInterval(soon, EVERY);
      soon();
    }
  };

  document.addEventListener("visibilitychange", listen);
  listen();
})();
