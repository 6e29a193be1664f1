"use strict";
// Everything here is a comfort: without it the pictures are links and the process tree is read by reloading.

const shown = () => [...document.querySelectorAll(".grid a")];
const viewer = document.querySelector("dialog");
let current = -1;

function show(index) {
  const links = shown();
  if (!links.length) return;
  current = (index + links.length) % links.length;
  const link = links[current];
  const picture = viewer.querySelector("img");
  picture.src = link.href;
  picture.alt = link.querySelector("bdi").textContent;
  viewer.querySelector("figcaption").textContent = `${picture.alt} · ${current + 1} of ${links.length}`;
  if (!viewer.open) viewer.showModal();
}

if (viewer) {
  document.querySelector(".grid")?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(shown().indexOf(link));
  });
  viewer.querySelector("#previous").onclick = () => show(current - 1);
  viewer.querySelector("#next").onclick = () => show(current + 1);
  viewer.querySelector("#close").onclick = () => viewer.close();
  viewer.addEventListener("close", () => shown()[current]?.focus());
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") show(current - 1);
    if (event.key === "ArrowRight") show(current + 1);
  });
}

const message = document.querySelector(".message");
function say(text) {
  message.textContent = text;
  message.hidden = false;
}

async function upload(files) {
  const refused = [];
  let done = 0;
  for (const file of files) {
    say(`Adding ${file.name} …`);
    const answer = await fetch(`/file/${encodeURIComponent(file.name)}`, { method: "PUT", body: file })
      .then(async (reply) => (reply.ok ? "" : (await reply.text()).trim()), () => "the connection broke");
    if (answer) refused.push(`${file.name}: ${answer}`); else done += 1;
  }
  if (!refused.length) location.reload();
  else say(`${done} added. Not taken: ${refused.join(" · ")}`);
}

const chooser = document.querySelector("input[type=file]");
if (chooser) {
  chooser.closest("label").hidden = false;
  chooser.addEventListener("change", () => upload(chooser.files));
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", () => document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    document.body.classList.remove("dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    upload(event.dataTransfer.files);
  });
}

// A thumbnail that met a restart is asked for once more.
document.querySelectorAll(".grid img").forEach((picture) => {
  picture.addEventListener("error", () => setTimeout(() => {
    picture.srcset = picture.srcset;
    picture.src = picture.src;
  }, 1500), { once: true });
});

const live = document.querySelector("[data-live]");
if (live) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const reply = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!reply.ok) return;
      const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
      live.replaceChildren(...fresh.querySelector("[data-live]").childNodes);
    } catch { /* The front itself is being restarted; the next round shows it again. */ }
  }, 1000);
}
