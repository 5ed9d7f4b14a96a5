// Where the page is: the hash of the address, taken apart. Nothing is sent to the host for it.
import { signal } from "./view.js";

const ROUTES = [
  [/^\/?$/, "overview"],
  [/^\/pipelines\/([^/]+)$/, "pipeline"],
  [/^\/pipelines\/([^/]+)\/(results|windows|dead-letters|late-rows)$/, null],
  [/^\/modules$/, "modules"],
  [/^\/modules\/([^/]+)$/, "module"],
  [/^\/glossary(?:\/([^/]+))?$/, "glossary"],
];

function read() {
  const path = location.hash.replace(/^#/, "").split("?")[0];
  for (const [pattern, page] of ROUTES) {
    const found = pattern.exec(path);
    if (found) return { page: page ?? found[2], name: decode(found[1]), path };
  }
  return { page: "nowhere", name: path, path };
}

function decode(text) {
  try {
    return text === undefined ? "" : decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `{page, name}`: which page, and of which pipeline, module or term. */
export const route = signal(read());
addEventListener("hashchange", () => {
  route.value = read();
});

export const toPipeline = (name, page = "") => `#/pipelines/${encodeURIComponent(name)}${page && `/${page}`}`;
export const toModule = (name) => `#/modules/${encodeURIComponent(name)}`;
