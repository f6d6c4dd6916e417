// The service, asked from the page: with its key where it needs one, and errors as it says them.
import { say } from "./words.js";

const KEY = "interlingua-key";
let asking = null;

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("ask-key");
    const field = document.getElementById("key");
    field.value = "";
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, field.value.trim());
      asking = null;
      resolve(dialog.returnValue === "ok");
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

async function fetched(path, options) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, { ...options, headers: headers(options.headers) });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error(say("failed"));
    }
    if (answer.status === 401 && (await askForKey())) continue;
    if (!answer.ok) throw new Error(await detail(answer));
    return answer;
  }
}

async function detail(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

export async function get(path) {
  return (await fetched(path, {})).json();
}

export async function post(path, body) {
  const options = { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  return (await fetched(path, options)).json();
}

export async function remove(path) {
  await fetched(path, { method: "DELETE" });
}

// Send a file, telling how far it is; `signal` ends it.
export function send(path, file, told, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => told(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      let body = {};
      try {
        body = JSON.parse(request.responseText);
      } catch { /* said below */ }
      if (request.status < 300) resolve(body);
      else reject(new Error(body.detail ?? `${request.status}`));
    };
    request.onerror = () => reject(new Error(say("failed")));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

// The states of a job as they come; EventSource cannot send a key.
export async function* events(path) {
  const answer = await fetched(path, {});
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const parts = held.split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}
