// Small helpers for elements; text is always text, never mark-up.
export const $ = (id) => document.getElementById(id);

export function make(name, about = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function notice(text = "") {
  $("notice").textContent = text;
}

export async function trying(work) {
  notice();
  try {
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") notice(error.message);
    return undefined;
  }
}

export function fill(select, names, empty) {
  const chosen = select.value;
  select.replaceChildren(...(names.length ? names.map((name) => make("option", { value: name }, name)) : [make("option", { value: "" }, empty)]));
  if (names.includes(chosen)) select.value = chosen;
}

export function download(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/tab-separated-values" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
