// Files: sent with their progress, made to collections, which are listed and deleted here.
import { events, remove, send } from "./api.js";
import { $, make, notice, trying } from "./dom.js";
import { number, onTongue, say } from "./words.js";

const TABLES = { csv: ",", tsv: "\t", tab: "\t" };
let served = { collections: [] };
let refresh = async () => {};
let ending = null;

export function showUpload(found, again) {
  [served, refresh] = [found, again];
  list();
}

function list() {
  $("collections").replaceChildren(...served.collections.map((each) => make("li", {},
    make("b", { dir: "auto" }, each.name),
    make("span", { class: "quiet" }, `${say("passages", { n: number(each.passages) })} · ${Object.keys(each.languages).slice(0, 12).join(", ")}`),
    make("span", { class: "buttons" },
      make("button", { type: "button", onclick: () => searchIn(each.name) }, say("search")),
      each.deletable ? make("button", { type: "button", class: "danger", "aria-label": `${say("delete")}: ${each.name}`, onclick: () => drop(each.name) }, say("delete")) : null))));
}

function searchIn(name) {
  $("where-collection").value = name;
  $("where-collection").dispatchEvent(new Event("change"));
  location.hash = "#search";
  $("query").focus();
}

async function drop(name) {
  if (!confirm(say("sure_delete", { name }))) return;
  await trying(() => remove(`/v1/collections/${encodeURIComponent(name)}`));
  await refresh();
}

async function chosen() {
  const file = $("file").files[0];
  $("columns").hidden = true;
  if (!file) return;
  const [stem, ending] = [file.name.replace(/\.[^.]*$/, ""), file.name.split(".").pop().toLowerCase()];
  $("name").value = stem.toLowerCase().replace(/[^a-z0-9_]+/g, "-").replace(/^[-_]+|[-_]+$/g, "").slice(0, 64) || "collection";
  if (!(ending in TABLES)) return;
  const head = (await file.slice(0, 65536).text()).split(/\r?\n/)[0];
  const names = columnsOf(head, TABLES[ending]);
  for (const meant of ["text", "language", "id"]) {
    const select = $(`column-${meant}`);
    const none = meant === "text" ? [] : [make("option", { value: "" }, say("none"))];
    select.replaceChildren(...none, ...names.map((name) => make("option", { value: name }, name)));
    const like = { text: /^(text|content|body|sentence|satz|文本|نص)/i, language: /^(language|lang|sprache|语言|لغة)/i, id: /^(id|key|nr|编号)$/i };
    select.value = names.find((name) => name === meant) ?? names.find((name) => like[meant].test(name)) ?? (meant === "text" ? names[0] : "");
  }
  $("columns").hidden = names.length < 2;
}

function columnsOf(head, separator) {
  const sign = separator === "," && !head.includes(",") && head.includes(";") ? ";" : separator;
  return head.replace(/^\ufeff/, "").split(sign).map((each) => each.trim().replace(/^"|"$/g, "")).filter(Boolean);
}

async function upload() {
  const file = $("file").files[0];
  if (!file) {
    notice(say("choose"));
    return;
  }
  const said = new URLSearchParams({ filename: file.name, name: $("name").value });
  if ($("language").value.trim()) said.set("language", $("language").value.trim());
  if (!$("columns").hidden) {
    for (const meant of ["text", "language", "id"]) {
      if ($(`column-${meant}`).value) said.set(`${meant}_column`, $(`column-${meant}`).value);
    }
  }
  const aborting = new AbortController();
  ending = () => aborting.abort();
  $("work").hidden = false;
  tell(say("sending", { percent: 0 }), 0);
  await trying(async () => {
    const sent = await send(`/v1/collections?${said}`, file, (part) => tell(say("sending", { percent: number(Math.round(100 * part)) }), part), aborting.signal);
    ending = () => trying(() => remove(`/v1/jobs/${sent.job.id}`));
    for await (const job of events(sent.events)) {
      if (job.problem) throw new Error(job.problem.detail);
      tell(stage(job), job.total ? job.done / job.total : null);
      if (job.state === "done") {
        await refresh(job.collection);
        $("collections").querySelector("button")?.focus();
      }
    }
  });
  $("cancel").hidden = true;
  if ($("notice").textContent) $("work").hidden = true;
}

function stage(job) {
  const values = { done: number(job.done), total: number(job.total), rows: number(job.rows) };
  return say(job.state === "running" ? job.stage : job.state, values);
}

function tell(text, part) {
  $("cancel").hidden = false;
  $("stage").textContent = text;
  if (part === null) $("progress").removeAttribute("value");
  else $("progress").value = part;
}

$("file").addEventListener("change", chosen);
$("send").addEventListener("submit", (event) => {
  event.preventDefault();
  upload();
});
$("cancel").addEventListener("click", () => ending?.());
for (const name of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) {
      $("file").files = event.dataTransfer.files;
      chosen();
    }
  });
}
onTongue(list);
