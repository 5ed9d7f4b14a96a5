// All modules of the store: newest version of each, where it runs, and a place to drop another.
import { Value } from "../parts/figures.js";
import { digest } from "../parts/format.js";
import { Heading, Stale, Waiting } from "../parts/frame.js";
import { usePoll } from "../parts/poll.js";
import { toModule, toPipeline } from "../parts/route.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { Upload } from "../parts/upload.js";
import { html } from "../parts/view.js";

export function Modules() {
  const poll = usePoll("v1/modules", 3_000);
  const modules = poll.data?.modules ?? [];
  return html`<div class="page-head"><${Heading} title="Modules" /></div>
    <p class="lead">A <${Term} id="module" /> is a plugin that was uploaded. It runs in a <${Term} id="stage" /> once it is activated there.</p>
    <${Upload} known=${modules} />
    <${Waiting} poll=${poll} what="the modules" />
    <${Stale} poll=${poll} />
    ${poll.data && html`<${Table} name="Modules" rows=${modules} keyOf=${({ name }) => name} noun="module" empty="No module was uploaded yet."
      order=${{ id: "name", down: false }} columns=${[
        { id: "name", head: "Name", sort: ({ name }) => name, cell: ({ name }) => html`<a href=${toModule(name)}>${name}</a>` },
        { id: "version", head: html`<${Term} id="version">Newest<//>`, cell: ({ version }) => `version ${version}` },
        { id: "runs", head: "Runs in", cell: ({ runs }) => html`<${Runs} runs=${runs} />` },
        { id: "uploaded", head: "Uploaded", cell: ({ uploaded }) => html`<${Value} value=${uploaded} of="time" />` },
        { id: "bytes", head: "Size", number: true, cell: ({ bytes }) => html`<${Value} value=${bytes} of="bytes" />` },
        { id: "digest", head: html`<${Term} id="digest">Digest<//>`, cell: (row) => html`<code title=${row.digest}>${digest(row.digest)}</code>` },
      ]} />`}`;
}

/** The stages that run a module, each with a link to its pipeline. */
export function Runs({ runs }) {
  if (!runs?.length) return html`<span class="note">nowhere</span>`;
  return runs.map(({ pipeline, stage }, place) => html`${place > 0 && ", "}<a key=${`${pipeline} ${stage}`} href=${toPipeline(pipeline)}>${stage} of ${pipeline}</a>`);
}
