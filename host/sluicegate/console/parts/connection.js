// Whether the host answers, since when it does not, and a clock for «how old».
import { computed, html, signal, useEffect } from "./view.js";
import { duration } from "./format.js";

/** When the last answer came, in milliseconds; null before the first. */
export const lastHeard = signal(null);
/** Why the last question had no answer; null if it had one. */
const failing = signal(null);
/** The time, as often as somebody needs it. */
export const now = signal(Date.now());

// One answer that is missing is no loss: the next one comes a second later.
const LOST_AFTER_MS = 3_000;

export function heard() {
  lastHeard.value = Date.now();
  failing.value = null;
}

export function missed(failure) {
  failing.value ??= { since: Date.now(), failure };
}

export const isLost = computed(() => {
  const failed = failing.value;
  if (!failed) return false;
  return lastHeard.value === null || now.value - lastHeard.value > LOST_AFTER_MS;
});

/** Lets the clock go while a component is shown. */
export function useClock() {
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) now.value = Date.now();
    }, 1_000);
    return () => clearInterval(timer);
  }, []);
  return now.value;
}

/** In the head of the page: a word and a mark that says whether what is shown is live. */
export function ConnectionMark() {
  useClock();
  const lost = isLost.value;
  const text = lost ? "no connection" : lastHeard.value === null ? "connecting" : "live";
  const tone = lost ? "is-lost" : lastHeard.value === null ? "" : "is-live";
  return html`<span class=${`connection ${tone}`} role="status" aria-label="Connection">
    <span class="dot" aria-hidden="true"></span>${text}
  </span>`;
}

/** Above the page while the connection is lost. It goes away by itself. */
export function ConnectionLost() {
  const lost = isLost.value;
  const shown = lost && lastHeard.value !== null;
  const age = shown ? duration(Math.max(0, now.value - lastHeard.value) / 1_000, { whole: true }) : "";
  return html`<div role="alert" class=${lost ? "notice bad" : "none"}>
    ${lost && html`<strong>Connection lost.</strong> `}
    ${lost && failing.value?.failure.message}
    ${lost && html`<span aria-live="off"> ${shown ? `What you see is ${age} old. ` : ""}The page keeps trying.</span>`}
  </div>`;
}
