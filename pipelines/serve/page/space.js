// The map: up to 100,000 points in WebGL, before and after alignment, with zoom, hover and lasso.
import { get, post } from "./api.js";
import { $, make, notice, trying } from "./dom.js";
import { languageName, number, onTongue, say } from "./words.js";
import { Geometry, Mesh, Program, Renderer } from "./ogl.js";

const VERTEX = `
attribute vec2 before; attribute vec2 after; attribute vec4 colour;
uniform float stage; uniform vec2 centre; uniform vec2 scale; uniform float size;
varying vec4 shade;
void main() {
  vec2 point = mix(before, after, stage);
  gl_Position = vec4((point - centre) * scale, 0.0, 1.0);
  gl_PointSize = colour.a > 0.0 ? size : 0.0;
  shade = colour;
}`;
const FRAGMENT = `
precision mediump float;
varying vec4 shade;
void main() {
  if (length(gl_PointCoord - 0.5) > 0.5 || shade.a == 0.0) discard;
  gl_FragColor = vec4(shade.rgb, 0.85);
}`;
const SHOWN = 100;
const NEAR = 14; // pixels within which a point is hovered
const MOVING = 600; // milliseconds
const still = matchMedia("(prefers-reduced-motion: reduce)");

let drawing = null; // renderer, program, mesh
let held = null; // what the service gave, with points as arrays
let view = { x: 0, y: 0, zoom: 1 };
let hidden = new Set();
let stage = 1;
let lasso = null;
let grid = null;
let hovered = -1;

export async function showSpace(served) {
  if (!served.collections.length) {
    notice(say("no_collection"));
    return;
  }
  await load();
}

export function hideSpace() {
  $("tip").hidden = true;
}

async function load() {
  const name = $("space-collection").value;
  if (!name) return;
  const found = await trying(() => get(`/v1/collections/${encodeURIComponent(name)}/map`));
  if (!found || $("space-collection").value !== name) return; // another one has been chosen meanwhile
  const after = points(found.after);
  held = { ...found, name, after, before: found.before ? points(found.before) : after, aligned: Boolean(found.before) };
  view = { x: 0, y: 0, zoom: 1 };
  hidden = new Set();
  $("caught").replaceChildren();
  for (const each of document.querySelectorAll("[name=stage]")) each.disabled = !held.aligned;
  if (!held.aligned) document.querySelector("[name=stage][value=after]").checked = true;
  stage = wanted();
  tell();
  prepare();
  legend();
  draw();
}

const wanted = () => (document.querySelector("[name=stage]:checked").value === "after" ? 1 : 0);

function tell() {
  if (!held) return;
  const said = say("points", { n: number(held.ids.length), total: number(held.passages) });
  $("space-told").textContent = held.aligned ? said : `${said} ${say("no_before")}`;
}

function points(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// Hues as far apart as they can be, of a lightness that both grounds bear.
function colour(label) {
  const dark = document.documentElement.dataset.theme === "dark";
  return [(label * 137.508) % 360, 0.72, dark ? 0.66 : [0.36, 0.45, 0.52][label % 3]];
}

function rgb([hue, saturation, lightness]) {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  return [0, 8, 4].map((n) => {
    const k = (n + hue / 30) % 12;
    return lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  });
}

function prepare() {
  try {
    drawing ??= started();
  } catch {
    notice(say("no_webgl"));
    return;
  }
  const { gl, program } = drawing;
  if (drawing.mesh) drawing.mesh.geometry.remove();
  const geometry = new Geometry(gl, {
    before: { size: 2, data: held.before }, after: { size: 2, data: held.after }, colour: { size: 4, data: colours() },
  });
  drawing.mesh = new Mesh(gl, { geometry, program, mode: gl.POINTS, frustumCulled: false });
}

function started() {
  const renderer = new Renderer({ canvas: $("points"), alpha: true, antialias: false, dpr: Math.min(devicePixelRatio, 2) });
  if (!renderer.gl) throw new Error("no WebGL");
  const { gl } = renderer;
  gl.clearColor(0, 0, 0, 0);
  const uniforms = { stage: { value: 1 }, centre: { value: [0, 0] }, scale: { value: [1, 1] }, size: { value: 5 } };
  const program = new Program(gl, { vertex: VERTEX, fragment: FRAGMENT, uniforms, transparent: true, depthTest: false, cullFace: false });
  return { renderer, gl, program, mesh: null };
}

function colours() {
  const of = held.languages.map((_, label) => [...rgb(colour(label)), hidden.has(label) ? 0 : 1]);
  const data = new Float32Array(4 * held.label.length);
  held.label.forEach((label, at) => data.set(of[label], 4 * at));
  return data;
}

function recolour() {
  if (!drawing?.mesh || !held) return;
  const { colour: attribute } = drawing.mesh.geometry.attributes;
  attribute.data = colours();
  attribute.needsUpdate = true;
  grid = null;
  legend();
  draw();
}

function size() {
  const box = $("points").parentElement.getBoundingClientRect();
  return [box.width, box.height];
}

function scales() {
  const [width, height] = size();
  const least = Math.min(width, height);
  return [(0.94 * view.zoom * least) / width, (0.94 * view.zoom * least) / height];
}

function draw() {
  if (!drawing?.mesh || $("view-space").hidden) return;
  const [width, height] = size();
  if (drawing.width !== width || drawing.height !== height) { // makes the picture anew, which takes long
    Object.assign(drawing, { width, height });
    drawing.renderer.setSize(width, height);
    $("points").style.width = $("points").style.height = "";
  }
  const { uniforms } = drawing.program;
  uniforms.stage.value = stage;
  uniforms.centre.value = [view.x, view.y];
  uniforms.scale.value = scales();
  const count = held.ids.length;
  uniforms.size.value = drawing.renderer.dpr * Math.min(12, Math.max(2.5, (count > 20000 ? 3 : count > 2000 ? 5 : 8) * Math.sqrt(view.zoom)));
  drawing.renderer.render({ scene: drawing.mesh });
  outline();
}

function legend() {
  $("legend").replaceChildren(...held.languages.map((code, label) => {
    const dot = make("span", { class: "dot", "aria-hidden": "true" });
    const [h, s, l] = colour(label);
    dot.style.backgroundColor = `hsl(${h} ${100 * s}% ${100 * l}%)`;
    const off = hidden.has(label);
    return make("button", { type: "button", class: off ? "off" : null, "aria-pressed": "false", onclick: () => toggle(label) }, dot, languageName(code));
  }));
}

function toggle(label) {
  if (!hidden.delete(label)) hidden.add(label);
  recolour();
  $("legend").children[label]?.focus();
}

function slide() {
  const [from, to, begun] = [stage, wanted(), performance.now()];
  grid = null;
  const step = (now) => {
    const part = still.matches ? 1 : Math.min(1, (now - begun) / MOVING);
    stage = from + (to - from) * part * part * (3 - 2 * part);
    draw();
    if (part < 1) requestAnimationFrame(step);
    else grid = null;
  };
  requestAnimationFrame(step);
}

const at = (index) => {
  const [a, b] = [held.before, held.after];
  return [a[2 * index] + stage * (b[2 * index] - a[2 * index]), a[2 * index + 1] + stage * (b[2 * index + 1] - a[2 * index + 1])];
};

function toSpace(x, y) {
  const [width, height] = size();
  const [sx, sy] = scales();
  return [((2 * x) / width - 1) / sx + view.x, (1 - (2 * y) / height) / sy + view.y];
}

// Cells of points, so that hovering looks at few.
function cells() {
  if (grid) return grid;
  grid = new Map();
  for (let index = 0; index < held.ids.length; index++) {
    if (hidden.has(held.label[index])) continue;
    const key = cell(...at(index));
    if (grid.has(key)) grid.get(key).push(index);
    else grid.set(key, [index]);
  }
  return grid;
}

const cell = (x, y) => Math.floor((x + 2) * 50) * 1000 + Math.floor((y + 2) * 50);

function nearest(px, py) {
  const [x, y] = toSpace(px, py);
  const [width] = size();
  const reach = (2 * NEAR) / width / scales()[0];
  let [best, least] = [-1, reach * reach];
  const wide = Math.min(60, Math.ceil(reach * 50));
  for (let dx = -wide; dx <= wide; dx++) {
    for (let dy = -wide; dy <= wide; dy++) {
      for (const index of cells().get(cell(x + dx / 50, y + dy / 50)) ?? []) {
        const [a, b] = at(index);
        const far = (a - x) ** 2 + (b - y) ** 2;
        if (far < least) [best, least] = [index, far];
      }
    }
  }
  return best;
}

async function hover(px, py) {
  const index = nearest(px, py);
  if (index === hovered) return;
  hovered = index;
  if (index < 0) {
    $("tip").hidden = true;
    return;
  }
  const shown = `${languageName(held.languages[held.label[index]])} · ${held.ids[index]}`;
  place(px, py, shown);
  try {
    const { rows } = await post(`/v1/collections/${encodeURIComponent(held.name)}/rows`, { ids: [held.ids[index]] });
    if (hovered === index && rows[0]) place(px, py, `${shown}: ${rows[0].text}`);
  } catch { /* the point is named all the same */ }
}

function place(px, py, text) {
  const tip = $("tip");
  const [width, height] = size();
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(px + 12, width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(py + 12, height - tip.offsetHeight - 4))}px`;
}

function outline() {
  const canvas = $("drawn");
  const [width, height] = size();
  const dpr = Math.min(devicePixelRatio, 2);
  canvas.width = width * dpr;
  canvas.height = height * dpr;
  if (!lasso?.length) return;
  const pen = canvas.getContext("2d");
  pen.scale(dpr, dpr);
  pen.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--main");
  pen.lineWidth = 2;
  pen.beginPath();
  lasso.forEach(([x, y], n) => (n ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.stroke();
}

function inside(x, y, ring) {
  let found = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) found = !found;
  }
  return found;
}

async function caught() {
  const ring = lasso.map(([x, y]) => toSpace(x, y));
  const found = [];
  for (let index = 0; index < held.ids.length; index++) {
    if (!hidden.has(held.label[index]) && inside(...at(index), ring)) found.push(index);
  }
  const ids = found.slice(0, SHOWN).map((index) => held.ids[index]);
  const given = ids.length ? await trying(() => post(`/v1/collections/${encodeURIComponent(held.name)}/rows`, { ids })) : { rows: [] };
  if (!given) return;
  $("caught").replaceChildren(
    make("li", { class: "quiet" }, say("caught", { n: number(found.length), shown: number(given.rows.length) })),
    ...given.rows.map((row) => make("li", {}, make("span", { class: "tag" }, languageName(row.language)), " ", make("bdi", { lang: row.language }, row.text))));
}

function zoom(by, px, py) {
  const [width, height] = size();
  const [x, y] = [px ?? width / 2, py ?? height / 2];
  const before = toSpace(x, y);
  view.zoom = Math.min(400, Math.max(0.5, view.zoom * by));
  const after = toSpace(x, y);
  view.x += before[0] - after[0];
  view.y += before[1] - after[1];
  draw();
}

function listen() {
  const canvas = $("points");
  const fingers = new Map();
  const where = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, where(event));
    if (canvas.classList.contains("lasso")) lasso = [where(event)];
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = where(event);
    if (!held) return;
    if (!fingers.has(event.pointerId)) {
      hover(...now);
      return;
    }
    const last = fingers.get(event.pointerId);
    if (lasso) {
      lasso.push(now);
      outline();
    } else if (fingers.size === 2) {
      const [other] = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
      zoom(far(now, other) / Math.max(1, far(last, other)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else {
      const [from, to] = [toSpace(...last), toSpace(...now)];
      view.x += from[0] - to[0];
      view.y += from[1] - to[1];
      draw();
    }
    fingers.set(event.pointerId, now);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      fingers.delete(event.pointerId);
      if (lasso && name === "pointerup" && lasso.length > 2) caught();
      if (lasso) pressed(false, true);
    });
  }
  canvas.addEventListener("pointerleave", () => {
    hovered = -1;
    $("tip").hidden = true;
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), ...where(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = 0.15 / view.zoom;
    const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    if (move) {
      view.x += move[0];
      view.y += move[1];
      draw();
    } else if (event.key === "+" || event.key === "=") zoom(1.3);
    else if (event.key === "-") zoom(1 / 1.3);
    else return;
    event.preventDefault();
  });
}

function pressed(on, keep = false) {
  $("lasso").setAttribute("aria-pressed", String(on));
  $("points").classList.toggle("lasso", on);
  if (!keep) outline();
  if (!on) setTimeout(() => { lasso = null; }, 0);
}

listen();
$("space-collection").addEventListener("change", load);
for (const each of document.querySelectorAll("[name=stage]")) each.addEventListener("change", slide);
$("lasso").addEventListener("click", () => pressed($("lasso").getAttribute("aria-pressed") !== "true"));
$("nearer").addEventListener("click", () => zoom(1.5));
$("farther").addEventListener("click", () => zoom(1 / 1.5));
$("whole").addEventListener("click", () => {
  view = { x: 0, y: 0, zoom: 1 };
  draw();
});
addEventListener("resize", draw);
document.addEventListener("themed", recolour);
onTongue(() => {
  if (!held) return;
  tell();
  legend();
});
