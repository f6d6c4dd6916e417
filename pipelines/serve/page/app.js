// The page: its sections, its language, its colours, and what is served.
import { get } from "./api.js";
import { $, fill, trying } from "./dom.js";
import { say, speak, TONGUES } from "./words.js";
import { showAudit } from "./audit.js";
import { showReview } from "./review.js";
import { showSearch } from "./search.js";
import { hideSpace, showSpace } from "./space.js";
import { showUpload } from "./upload.js";

const VIEWS = ["search", "upload", "space", "audit", "review"];
const served = { collections: [], served: {}, uploads: false };

export async function refresh(chosen) {
  const found = await trying(() => get("/v1/collections"));
  if (!found) return;
  Object.assign(served, found);
  const names = found.collections.map((each) => each.name);
  for (const id of ["where-collection", "space-collection", "audit-collection"]) {
    fill($(id), names, say("none"));
    if (chosen && names.includes(chosen)) $(id).value = chosen;
  }
  fill($("entities"), found.served.entities ?? [], say("no_entities"));
  showSearch(served);
  showUpload(served, refresh);
}

function route() {
  const wanted = location.hash.slice(1);
  const view = VIEWS.includes(wanted) ? wanted : "search";
  if (wanted === "main") return;
  for (const each of VIEWS) $(`view-${each}`).hidden = each !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${say(view)} · interlingua`;
  if (view === "space") showSpace(served);
  else hideSpace();
  if (view === "audit") showAudit(served);
  if (view === "review") showReview(served);
}

function theme(wanted) {
  document.documentElement.dataset.theme = wanted;
  document.dispatchEvent(new Event("themed"));
}

const dark = matchMedia("(prefers-color-scheme: dark)");
theme(localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"));
dark.addEventListener("change", () => !localStorage.getItem("theme") && theme(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", next);
  theme(next);
});
$("tongue").addEventListener("change", () => {
  localStorage.setItem("tongue", speak($("tongue").value));
  refresh().then(route);
});
const browsers = navigator.languages.map((each) => each.slice(0, 2)).find((each) => TONGUES.includes(each));
$("tongue").value = speak(localStorage.getItem("tongue") ?? browsers ?? "en");
addEventListener("hashchange", route);
await refresh();
if (!served.collections.length && served.uploads && !location.hash) location.hash = "#upload";
route();
