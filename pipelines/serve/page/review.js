// The review of doubtful links: one beside the other with its evidence, decided by keyboard, learnt from, exported.
import { post } from "./api.js";
import { $, download, make, notice, trying } from "./dom.js";
import { number, onTongue, percent, say } from "./words.js";

let links = [];
let place = 0;

export function showReview() {
  if (links.length) show();
}

async function link() {
  const mentions = $("names").value.split("\n").map((each) => each.trim()).filter(Boolean);
  if (!mentions.length || !$("entities").value) return;
  const entities = $("entities").value;
  const found = await trying(() => post("/v1/link", { mentions, entities, k: 3 }));
  if (!found) return;
  const doubt = (each) => Math.abs((each.candidates[0]?.probability ?? 0) - found.threshold);
  begin(found.results.map((each) => ({ ...each, entities, choice: 0, decision: "" })).sort((a, b) => doubt(a) - doubt(b)));
}

// Rows of `link -o`, of `graph align -o` or of a reconciled table: a name and an id, or two names, and a probability.
function parsed(text) {
  const sign = text.split("\n")[0].includes("\t") ? "\t" : ",";
  const rows = text.replace(/^\ufeff/, "").split(/\r?\n/).filter(Boolean).map((line) => line.split(sign));
  const head = rows[0].map((each) => each.trim().toLowerCase());
  const column = (...names) => head.findIndex((each) => names.includes(each));
  const left = column("mention", "left_name", "left", "source", "name_left");
  const right = column("id", "right", "target");
  if (left < 0 || right < 0) return [];
  const named = column("name", "right_name", "name_right");
  const sure = column("probability", "confidence", "score");
  const rest = head.map((name, at) => [name, at]).filter(([, at]) => ![left, right, named, sure].includes(at));
  return rows.slice(1).map((cells) => ({
    mention: cells[left] ?? "",
    nil: !cells[right],
    choice: 0,
    decision: "",
    candidates: cells[right]
      ? [{ id: cells[right], name: cells[named] ?? cells[right], probability: sure < 0 || cells[sure] === "" ? null : Number(cells[sure]), description: "", features: Object.fromEntries(rest.map(([name, at]) => [name, cells[at] ?? ""])) }]
      : [],
  }));
}

async function open() {
  const file = $("links").files[0];
  if (!file) return;
  const rows = parsed(await file.text());
  if (!rows.length) {
    notice(say("nothing_to_review"));
    return;
  }
  notice();
  begin(rows.sort((a, b) => Math.abs((a.candidates[0]?.probability ?? 0) - 0.5) - Math.abs((b.candidates[0]?.probability ?? 0) - 0.5)));
}

function begin(found) {
  [links, place] = [found, 0];
  $("deck").hidden = !links.length;
  show();
  $("card").focus();
}

function show() {
  const each = links[place];
  if (!each) return;
  const left = links.filter((one) => !one.decision).length;
  $("place").textContent = say("place", { place: number(place + 1), n: number(links.length), left: number(left) });
  const decided = each.decision ? make("p", { class: each.decision }, say(each.decision)) : null;
  $("card").replaceChildren(
    make("div", {}, make("h2", {}, say("mention")), make("p", { class: "big" }, make("bdi", {}, each.mention)), decided),
    make("div", {}, make("h2", {}, say("candidates")),
      ...(each.candidates.length ? each.candidates.map((one, at) => candidate(one, at, each)) : [make("p", {}, say("nil"))]),
      evidence(each.candidates[each.choice])));
}

function candidate(one, at, each) {
  return make("button", { type: "button", "aria-pressed": String(at === each.choice), onclick: () => choose(at) },
    `${at + 1}. `, make("bdi", {}, one.name), ` (${one.id}) · ${percent(one.probability)}`);
}

function evidence(one) {
  if (!one) return null;
  const rows = Object.entries(one.features).filter(([, value]) => value !== "" && value != null);
  const shown = (value) => (typeof value === "number" ? number(value, { maximumFractionDigits: 3 }) : String(value));
  return make("div", {},
    one.description ? make("p", {}, make("bdi", {}, one.description)) : null,
    make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, named(name)), make("dd", {}, make("bdi", {}, shown(value)))])));
}

// What a feature is called: ours in the language of the page, those of a file as they are.
function named(name) {
  const said = say(`feature_${name}`);
  return said === `feature_${name}` ? name : said;
}

function choose(at) {
  const each = links[place];
  if (!each?.candidates[at]) return;
  each.choice = at;
  show();
  $("card").focus();
}

async function decide(decision) {
  const each = links[place];
  if (!each || (decision === "accepted" && !each.candidates.length)) return;
  if (decision === "accepted" && each.entities) {
    const told = { mention: each.mention, id: each.candidates[each.choice].id, entities: each.entities };
    if (!(await trying(() => post("/v1/link/accept", told)))) return;
  }
  each.decision = decision;
  const open = links.findIndex((one, at) => at > place && !one.decision);
  move(open < 0 ? Math.min(place + 1, links.length - 1) - place : open - place);
}

function move(by) {
  place = Math.max(0, Math.min(links.length - 1, place + by));
  show();
  $("card").focus();
}

function exported() {
  const clean = (value) => String(value ?? "").replace(/[\t\n\r]/g, " ");
  const rows = links.map((each) => {
    const one = each.candidates[each.choice];
    return [each.mention, one?.id, one?.name, one?.probability, each.decision].map(clean).join("\t");
  });
  download("reviewed.tsv", ["mention\tid\tname\tprobability\tdecision", ...rows].join("\n") + "\n");
}

$("mentions").addEventListener("submit", (event) => {
  event.preventDefault();
  link();
});
$("links").addEventListener("change", open);
$("accept").addEventListener("click", () => decide("accepted"));
$("reject").addEventListener("click", () => decide("rejected"));
$("back").addEventListener("click", () => move(-1));
$("next").addEventListener("click", () => move(1));
$("export").addEventListener("click", exported);
$("card").addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.toLowerCase();
  const done = { a: () => decide("accepted"), r: () => decide("rejected"), n: () => move(1), p: () => move(-1), 1: () => choose(0), 2: () => choose(1), 3: () => choose(2) }[key];
  if (!done) return;
  event.preventDefault();
  done();
});
onTongue(() => links.length && show());
