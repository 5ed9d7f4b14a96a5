// Who works, where several hosts run one pipeline: since when this one leads, or for whom it stands by and where that one is.
import { Value } from "./figures.js";
import { Term } from "./term.js";
import { html } from "./view.js";

/** Another host has the pipeline: this one knows nothing of the stream, and does nothing that changes it. */
export const standsBy = ({ leadership }) => leadership?.role === "standby";

/** Beside the phase: the last epoch, and since when this host leads. Nothing on a host that stands by. */
export function Course({ line }) {
  if (standsBy(line)) return null;
  return html`<span class="note">${line.epoch === null ? "no epoch committed yet" : `epoch ${line.epoch}`}</span><${Leads} line=${line} />`;
}

function Leads({ line }) {
  const { leadership, phase } = line;
  if (leadership?.role !== "leader" || phase === "finished") return null;
  const term = leadership.term === null ? "" : `, term ${leadership.term}`;
  return html`<span class="note" title=${leadership.leader ? `${leadership.leader}${term}` : undefined}><${Term} id="leader" /> since <${Value} value=${leadership.since} of="time" /></span>`;
}

/** On a host that stands by: for whom, since when, and the way there. `route` is a page of the console, such as `/modules`. */
export function StandsBy({ line, route, children }) {
  if (!standsBy(line)) return null;
  const { leadership } = line;
  return html`<p class="notice" role="note" aria-label="Leadership">
    This host <${Term} id="standby">stands by<//> since <${Value} value=${leadership.since} of="time" />${" "}
    ${leadership.leader ? html`for <strong>${leadership.leader}</strong>, which leads ${line.name}.` : html`for another host, which leads ${line.name}.`}${" "}
    ${children}${children && " "}<${WayToLeader} leadership=${leadership} route=${route} />
  </p>`;
}

/** Beside a button that only the leader can follow: why it does nothing here, and where it works. */
export function OnlyTheLeader({ leadership, route }) {
  return html`<span class="note">Only the leader${leadership.leader && html`, <strong>${leadership.leader}</strong>,`} activates modules. <${WayToLeader} leadership=${leadership} route=${route} /></span>`;
}

function WayToLeader({ leadership, route }) {
  const to = consoleOf(leadership.url, route);
  if (to) return html`<a href=${to}>Open its console</a>`;
  return html`<span class="note">It does not say where it can be reached: started with <code>--advertise URL</code>, it is linked here.</span>`;
}

/** The same page in the console at `url`; null if that is no address of the web. It comes from the store, so it is judged. */
export function consoleOf(url, route = "/") {
  let parsed;
  try {
    parsed = new URL(url);
  } catch {
    return null;
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return null;
  if (!parsed.pathname.endsWith("/")) parsed.pathname += "/";
  parsed.search = "";
  parsed.hash = route;
  return parsed.href;
}
