// The audit: whose questions find whose texts, before and after alignment.
import { get } from "./api.js";
import { $, make, trying } from "./dom.js";
import { languageName, percent, say } from "./words.js";

export function showAudit(served) {
  $("measure").disabled = !served.collections.length;
}

async function measure() {
  const name = $("audit-collection").value;
  $("verdict").setAttribute("aria-busy", "true");
  const found = name && (await trying(() => get(`/v1/collections/${encodeURIComponent(name)}/audit`)));
  $("verdict").removeAttribute("aria-busy");
  if (!found || $("audit-collection").value !== name) return;
  const parts = ["before", "after"].filter((stage) => found[stage]).map((stage) => part(stage, found[stage]));
  $("verdict").replaceChildren(make("p", { lang: "en", dir: "ltr" }, make("strong", {}, found.advice)), ...parts);
}

function part(stage, about) {
  return make("div", {},
    make("h2", {}, say(stage)),
    ...about.verdict.map((line) => make("p", { lang: "en", dir: "ltr" }, line)),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${say("audit_title")} ${say(stage)}` }, chart(about)));
}

function chart({ languages, shares }) {
  const table = make("table", {},
    make("caption", {}, `${say("rows_ask")} … ${say("columns_find")}`),
    make("tr", {}, make("td", {}), ...languages.map((code) => make("th", { scope: "col" }, languageName(code)))),
    ...languages.map((code, row) => make("tr", {},
      make("th", { scope: "row" }, languageName(code)),
      ...shares[row].map((share) => cell(share)))));
  return table;
}

function cell(share) {
  const made = make("td", {}, percent(share));
  const dark = document.documentElement.dataset.theme === "dark";
  const strength = Math.min(1, share);
  made.style.backgroundColor = dark ? `hsl(205 60% ${15 + 18 * strength}%)` : `hsl(205 70% ${97 - 32 * strength}%)`;
  return made;
}

$("measure").addEventListener("click", measure);
