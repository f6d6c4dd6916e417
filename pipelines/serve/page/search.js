// The search: a question in, passages out, mixed or by language.
import { post } from "./api.js";
import { $, make, notice, trying } from "./dom.js";
import { languageName, number, onTongue, percent, say } from "./words.js";

let served = { collections: [] };
let chosen = new Set();
let last = null;

const current = () => served.collections.find((each) => each.name === $("where-collection").value);

export function showSearch(found) {
  served = found;
  chips();
}

function chips() {
  const about = current();
  const languages = Object.entries(about?.languages ?? {});
  chosen = new Set([...chosen].filter((each) => each in (about?.languages ?? {})));
  const all = make("button", { type: "button", "aria-pressed": String(!chosen.size), onclick: () => pick(null) }, say("all"));
  $("chips").replaceChildren(all, ...languages.map(([code, count]) => make(
    "button",
    { type: "button", "aria-pressed": String(chosen.has(code)), lang: document.documentElement.lang, onclick: () => pick(code) },
    `${languageName(code)} ${number(count)}`,
  )));
}

function pick(code) {
  const place = [...$("chips").children].indexOf(document.activeElement);
  if (code === null) chosen.clear();
  else if (!chosen.delete(code)) chosen.add(code);
  chips();
  $("chips").children[place]?.focus();
  if (last) ask();
}

async function ask() {
  const about = current();
  if (!about) {
    notice(say("no_collection"));
    return;
  }
  const query = $("query").value.trim();
  if (!query) return;
  const form = { query, k: Number($("k").value), collection: about.name };
  const prefer = $("prefer").value;
  if (prefer === "balance") form.balance = true;
  else if (prefer) form.prefer = prefer;
  if ($("hybrid").value) form.hybrid = $("hybrid").value;
  if (chosen.size) form.languages = [...chosen];
  if ($("filter").value.trim()) form.where = $("filter").value.trim();
  $("results").setAttribute("aria-busy", "true");
  const found = await trying(() => post("/v1/search", form));
  $("results").removeAttribute("aria-busy");
  if (found) {
    last = { query, found, ranking: about.ranking };
    show();
  }
}

function show() {
  if (!last) return;
  const { query, found } = last;
  const values = { n: number(found.hits.length), language: languageName(found.language) };
  $("told").textContent = found.hits.length ? say("found", values) : say("nothing");
  const words = wordsOf(query);
  if (!$("grouped").checked) {
    $("results").replaceChildren(make("ol", { class: "plain" }, ...found.hits.map((hit) => item(hit, words))));
    return;
  }
  const groups = Map.groupBy ? Map.groupBy(found.hits, (hit) => hit.language) : grouped(found.hits);
  $("results").replaceChildren(...[...groups].flatMap(([code, hits]) => [
    make("h2", {}, languageName(code)), make("ol", { class: "plain" }, ...hits.map((hit) => item(hit, words))),
  ]));
}

function grouped(hits) {
  const groups = new Map();
  for (const hit of hits) groups.set(hit.language, [...(groups.get(hit.language) ?? []), hit]);
  return groups;
}

function item(hit, words) {
  const shown = hit.window ? partOf(hit) : hit.text;
  const language = hit.language === "und" ? null : hit.language;
  const meta = Object.entries(hit.metadata);
  return make("li", { class: "hit" },
    make("p", { class: "text", dir: "auto", lang: language }, ...marked(shown, words)),
    make("p", { class: "about" },
      make("span", { class: "tag" }, languageName(hit.language)),
      make("span", {}, say("likely", { sure: percent(hit.probability) })),
      make("bdi", {}, hit.copies?.length ? `${hit.id} +${number(hit.copies.length)}` : hit.id)),
    make("details", {},
      make("summary", {}, say("why")),
      make("dl", {},
        make("dt", {}, say("score")),
        make("dd", {}, `${number(hit.score, { maximumFractionDigits: 3 })} — ${say(last.ranking === "csls" ? "score_csls" : "score_cosine")}`),
        make("dt", {}, say("cosine")), make("dd", {}, number(hit.cosine, { maximumFractionDigits: 3 })),
        make("dt", {}, say("probability")), make("dd", {}, percent(hit.probability)),
        ...meta.flatMap(([key, value]) => [make("dt", {}, make("bdi", {}, key)), make("dd", {}, make("bdi", {}, String(value)))]))));
}

// The window of a long text that was found, with a mark where the text goes on.
function partOf(hit) {
  const letters = [...hit.text]; // subtle: offsets count characters, and a string of JavaScript has two for some
  const [start, end] = hit.window;
  return (start > 0 ? "… " : "") + letters.slice(start, end).join("").trim() + (end < letters.length ? " …" : "");
}

// Words of the question that a text holds as well; of scripts without blanks, the parts that a segmenter finds.
function wordsOf(text) {
  return new Set(segments(text).filter((each) => each.isWordLike).map((each) => fold(each.segment)).filter((each) => each.length > 1 || /[\u3040-\u9fff]/.test(each)));
}

function segments(text) {
  if (!globalThis.Intl?.Segmenter) return text.split(/(\s+)/).map((segment) => ({ segment, isWordLike: /\S/.test(segment) }));
  return [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)];
}

const fold = (word) => word.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function marked(text, words) {
  return segments(text).map((each) => (each.isWordLike && words.has(fold(each.segment)) ? make("mark", {}, each.segment) : each.segment));
}

$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
$("where-collection").addEventListener("change", () => {
  chosen.clear();
  chips();
});
$("grouped").addEventListener("change", show);
for (const id of ["prefer", "hybrid"]) $(id).addEventListener("change", () => last && ask());
onTongue(() => {
  chips();
  show();
});
