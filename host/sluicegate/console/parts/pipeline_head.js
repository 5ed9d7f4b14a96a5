// The head that all pages of a pipeline share: its name, phase and problem, and the way to its other pages.
import { Heading } from "./frame.js";
import { Course, StandsBy } from "./leadership.js";
import { Phase, Problem } from "./phase.js";
import { route, toPipeline } from "./route.js";
import { short } from "./format.js";
import { html, useEffect, useRef } from "./view.js";
import { Standing } from "./watermark.js";

/** The pages of a pipeline: the end of the address, and what it is called. */
export const PAGES = [
  ["", "Flow"],
  ["results", "Results"],
  ["windows", "Open windows"],
  ["dead-letters", "Dead letters"],
  ["late-rows", "Late rows"],
];

/** `poll` is that of the pipeline's status. */
export function PipelineHead({ name, poll, title }) {
  const status = poll.data;
  const tabs = useRef(null);
  // On a phone the tabs are wider than the page.
  useEffect(() => tabs.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), []);
  const here = route.value.page === "pipeline" ? "" : route.value.page;
  const counts = { "dead-letters": status?.records?.dead_lettered, "late-rows": status?.records?.late };
  return html`<p class="crumbs"><a href="#/">Pipelines</a>${title && html` <span aria-hidden="true">/</span> <a href=${toPipeline(name)}>${name}</a>`}</p>
    <div class="page-head">
      <${Heading} title=${title ? `${title} of ${name}` : name}>${title ? html`${title} <span class="of">of ${name}</span>` : name}<//>
      ${status && html`<${Phase} phase=${status.phase} />
        <${Course} line=${status} />`}
    </div>
    ${status && html`<${StandsBy} line=${status} route=${route.value.path} /><${Problem} line=${status} /><${Standing} status=${status} />`}
    <nav class="tabs" ref=${tabs} aria-label=${`Pipeline ${name}`}>
      ${PAGES.map(([page, label]) => html`<a key=${page} href=${toPipeline(name, page)} aria-current=${page === here ? "page" : undefined}>
        ${label}${counts[page] > 0 && html` <span class="badge" title=${`${counts[page]} since the pipeline's beginning`}>${short(counts[page])}</span>`}
      </a>`)}
    </nav>`;
}
