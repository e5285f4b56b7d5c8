// Ask for the parts of the page every 2 s; replace those that changed.
"use strict";
const EVERY_MS = 2000;
let chosen = "all";
let shown = {};

async function look() {
  try {
    const answer = await fetch("/status.json?window=" + chosen, {cache: "no-store"});
    if (!answer.ok) throw new Error(answer.status);
    const found = await answer.json();
    for (const [name, html] of Object.entries(found.parts)) {
      // what a person has selected stays until they let go of it
      const part = document.getElementById(name);
      const held = getSelection();
      if (shown[name] === html || (!held.isCollapsed && part.contains(held.anchorNode))) continue;
      part.innerHTML = html;
      shown[name] = html;
    }
    document.title = found.status.state + ": " + found.status.name;
    silent(false);
  } catch (error) {
    silent(true);
  }
}

function silent(is) {
  document.getElementById("silent").hidden = !is;
  document.body.classList.toggle("old", is);
}

for (const button of document.querySelectorAll("button[data-window]")) {
  button.addEventListener("click", () => {
    chosen = button.dataset.window;
    for (const other of document.querySelectorAll("button[data-window]"))
      other.setAttribute("aria-pressed", String(other === button));
    look();
  });
}

async function keepLooking() {
  await look();
  setTimeout(keepLooking, document.hidden ? 5 * EVERY_MS : EVERY_MS);
}
keepLooking();
