// Asks the host: JSON in and out, every failure as a sentence, and the session if the host wants a token.
import { heard, missed } from "./connection.js";
import { signal } from "./view.js";

/** An answer that is no success. `status` is 0 if there was none at all. */
export class Failure extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  /** The host was not reached, or something before it answered in its place. */
  get isLost() {
    return this.status === 0 || this.code === "gateway";
  }
}

/** Whether this browser may ask: `unknown`, `open` (no token wanted), `signed_in` or `signed_out`. */
export const session = signal("unknown");

/** Why the token is asked for again, as a sentence; null on a first visit, and for who has signed out. */
export const sessionEnd = signal(null);

/** The host does not know the session, or not any more. */
export function endSession() {
  // Before the first answer the host is asked whether it wants a token at all.
  if (session.peek() === "unknown") return;
  if (session.peek() === "signed_in") {
    sessionEnd.value = "The host does not take this session any more: it was started again, the token was taken away, or twelve hours have passed.";
  }
  session.value = "signed_out";
}

const PATIENCE_MS = 10_000;
// An upload is compiled, and an activation waits for its epoch: the host gives both a minute.
const PATIENCE_LONG_MS = 70_000;

/** The response of `path` (relative to the page), or throws a `Failure`. */
export async function respond(path, { method = "GET", body, type, accept = "application/json" } = {}) {
  const ending = new AbortController();
  const patience = method === "GET" ? PATIENCE_MS : PATIENCE_LONG_MS;
  const timer = setTimeout(() => ending.abort(), patience);
  const headers = { accept };
  if (type) headers["content-type"] = type;
  try {
    const response = await fetch(path, { method, body, headers, signal: ending.signal, cache: "no-store", redirect: "manual" });
    if (response.type === "opaqueredirect") throw sentElsewhere(method);
    if (!response.ok) throw await failureOf(response);
    return response;
  } catch (reason) {
    if (reason instanceof Failure) throw reason;
    const late = ending.signal.aborted;
    const message = late ? `The host did not answer within ${patience / 1000} s.` : "The host is not reachable.";
    throw new Failure(0, late ? "deadline" : "unreachable", message);
  } finally {
    clearTimeout(timer);
  }
}

/** The page asks its own host alone. A host that stands by sends to its leader what changes something. */
function sentElsewhere(method) {
  if (method === "GET") return new Failure(0, "gateway", "Something before the host sends this page elsewhere. A reload may help.");
  return new Failure(307, "not_leader", "Another host leads this pipeline now, so nothing was changed. Its console is linked on the pipeline's page.");
}

/** The JSON of `path`; null if the answer has no body. */
export async function ask(path, options) {
  const response = await respond(path, options);
  try {
    const text = await response.text();
    return text ? JSON.parse(text) : null;
  } catch {
    throw new Failure(0, "gateway", `The answer of ${path} broke off, or is no JSON.`);
  }
}

/** Sends `value` as JSON. */
export const send = (path, value, method = "POST") =>
  ask(path, { method, body: JSON.stringify(value), type: "application/json" });

async function failureOf(response) {
  if (response.status === 401) endSession();
  const told = await response.json().catch(() => null);
  if (told?.error?.message) return new Failure(response.status, told.error.code, sentence(told.error.message));
  const gateway = response.status >= 502 && response.status <= 504;
  return new Failure(
    response.status,
    gateway ? "gateway" : "unknown",
    `The host answered ${response.status} ${response.statusText} without saying why.`,
  );
}

/** Asks whether a token is wanted. A failure leaves the page as it is: the polls say what is wrong. */
export async function lookAtSession() {
  try {
    const told = await ask("v1/session");
    heard();
    session.value = !told.token_needed ? "open" : told.signed_in ? "signed_in" : "signed_out";
  } catch (failure) {
    if (failure.status === 404) session.value = "open";
    else if (failure.status === 401) session.value = "signed_out";
    else {
      missed(failure);
      setTimeout(lookAtSession, 2_000);
    }
  }
}

/** Trades the token for a cookie that scripts cannot read. */
export async function signIn(token) {
  await send("v1/session", { token });
  sessionEnd.value = null;
  session.value = "signed_in";
}

/** Ends the session on the host as well. Throws a `Failure` if the host was not reached: only it can end one. */
export async function signOut() {
  try {
    await ask("v1/session", { method: "DELETE" });
  } catch (failure) {
    // It has ended already.
    if (failure.status !== 401) throw failure;
  }
  sessionEnd.value = null;
  session.value = "signed_out";
}

/** The path of something of a pipeline, with its name escaped. */
export const pipelinePath = (name, rest = "") => `v1/pipelines/${encodeURIComponent(name)}${rest}`;

/** The path of a module, or of one of its versions. */
export const modulePath = (name, rest = "") => `v1/modules/${encodeURIComponent(name)}${rest}`;

/** A message of the host as a sentence: it begins with a capital and ends with a stop. */
export function sentence(message) {
  const text = String(message).trim();
  if (!text) return "";
  const begun = /^[a-z]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
