// One module: its versions, what each wants and makes, where it fits, and the button that activates it there.
import { Activations, Confirm } from "../parts/activations.js";
import { modulePath } from "../parts/api.js";
import { Value } from "../parts/figures.js";
import { bytes, digest } from "../parts/format.js";
import { Heading, Section, Stale, Waiting } from "../parts/frame.js";
import { OnlyTheLeader, standsBy } from "../parts/leadership.js";
import { usePoll } from "../parts/poll.js";
import { route } from "../parts/route.js";
import { coded } from "../parts/said.js";
import { Table } from "../parts/table.js";
import { Term } from "../parts/term.js";
import { html, useState } from "../parts/view.js";
import { Runs } from "./modules.js";

export function Module({ name }) {
  const poll = usePoll(modulePath(name), 3_000);
  const [chosen, setChosen] = useState(null);
  const versions = poll.data?.modules ?? [];
  const shown = versions.find(({ version }) => version === chosen) ?? versions[0];
  return html`<p class="crumbs"><a href="#/modules">Modules</a></p>
    <div class="page-head"><${Heading} title=${name} /></div>
    <${Waiting} poll=${poll} what="the module" />
    <${Stale} poll=${poll} />
    ${shown && html`
      <${Section} title="Versions"><${Versions} versions=${versions} shown=${shown} onChoose=${setChosen} /><//>
      <${Version} key=${shown.version} module=${shown} />`}`;
}

function Versions({ versions, shown, onChoose }) {
  return html`<${Table} name="Versions" rows=${versions} keyOf=${({ version }) => version} noun="version"
    rowClass=${({ version }) => (version === shown.version && versions.length > 1 ? "is-marked" : "")} columns=${[
      { id: "version", head: html`<${Term} id="version">Version<//>`, cell: ({ version }) => html`<button class="link" aria-pressed=${version === shown.version ? "true" : "false"} onClick=${() => onChoose(version)}>version ${version}</button>` },
      { id: "runs", head: "Runs in", cell: ({ runs }) => html`<${Runs} runs=${runs} />` },
      { id: "uploaded", head: "Uploaded", cell: ({ uploaded }) => html`<${Value} value=${uploaded} of="time" />` },
      { id: "bytes", head: "Size", number: true, cell: (row) => html`<${Value} value=${row.bytes} of="bytes" />` },
      { id: "digest", head: html`<${Term} id="digest">Digest<//>`, cell: (row) => html`<code title=${row.digest}>${digest(row.digest)}</code>` },
    ]} />`;
}

function Version({ module }) {
  const about = usePoll(modulePath(module.name, `/${module.version}`), 10_000);
  const fit = usePoll(modulePath(module.name, `/${module.version}/fit`), 3_000);
  const lines = usePoll("v1/pipelines", 3_000).data?.pipelines ?? [];
  const leaderships = Object.fromEntries(lines.map((line) => [line.name, line.leadership]));
  const [wanted, setWanted] = useState(null);
  const plugin = about.data?.plugin;
  const label = `Version ${module.version}`;
  const concerned = [...new Set((fit.data?.fits ?? []).filter(({ verdict }) => verdict !== "refused").map(({ pipeline }) => pipeline))];
  return html`
    <${Section} title=${`${label}: what it is`} id="what-it-is">
      <${Waiting} poll=${about} what="what the module says of itself" />
      ${plugin && html`<${Facts} plugin=${plugin} module=${module} />`}
    <//>
    <${Section} title=${`${label}: where it fits`} id="where-it-fits">
      <${Waiting} poll=${fit} what="the pipelines" />
      <${Stale} poll=${fit} />
      ${fit.data && html`<${Fits} module=${module} fits=${fit.data.fits} leaderships=${leaderships} onActivate=${setWanted} />`}
    <//>
    ${wanted && html`<${Confirm} wanted=${wanted} onDone=${() => setWanted(null)} />`}
    ${concerned.map((pipeline) => html`<${Section} key=${pipeline} title=${`Activations of ${pipeline}`} id=${`activations-${pipeline}`}><${Activations} pipeline=${pipeline} leadership=${leaderships[pipeline]} /><//>`)}`;
}

function Facts({ plugin, module }) {
  return html`<dl class="plugin">
    <div><dt>Kind</dt><dd><${Term} id=${plugin.kind === "process" ? "process" : plugin.kind}>${plugin.kind}<//></dd></div>
    <div><dt>Made with</dt><dd>${plugin.sdk}</dd></div>
    <div><dt><${Term} id="state_version">State version<//></dt><dd>${plugin.state_version}</dd></div>
    <div><dt>Size</dt><dd>${bytes(module.bytes)}</dd></div>
    <div class="whole"><dt>Wants</dt><dd><${Columns} columns=${plugin.inputs} none="no column" /></dd></div>
    <div class="whole"><dt>Makes</dt><dd><${Columns} columns=${plugin.outputs} none=${plugin.kind === "filter" ? "no column: it keeps rows or drops them" : "no column"} /></dd></div>
    <div class="whole"><dt><${Term} id="digest">Digest<//></dt><dd><code class="whole-digest">${module.digest}</code></dd></div>
  </dl>`;
}

function Columns({ columns, none }) {
  if (!columns?.length) return html`<span class="note">${none}</span>`;
  return html`<ul class="schema">${columns.map(({ name, type, nullable }) => html`<li key=${name}><code>${name}</code> <span class="unit">${type}${nullable ? ", may be null" : ""}</span></li>`)}</ul>`;
}

const VERDICTS = {
  runs: ["good", "runs here"],
  fits: ["good", "fits"],
  migrates: ["warn", "fits, and migrates the state"],
  refused: ["calm", "does not fit"],
};

function Fits({ module, fits, leaderships, onActivate }) {
  const ask = ({ pipeline, stage, verdict, now }) => onActivate({
    pipeline, stage, module: module.name, version: module.version, digest: module.digest, now,
    note: verdict === "migrates" ? "The module takes over the state that is there and changes its layout. The way back is a module that migrates back." : undefined,
  });
  return html`<${Table} name="Fit" rows=${fits} keyOf=${({ pipeline, stage }) => `${pipeline} ${stage}`} noun="stage" empty="No pipeline has a stage." columns=${[
    { id: "stage", head: html`<${Term} id="stage">Stage<//>`, cell: ({ pipeline, stage }) => `${stage} of ${pipeline}` },
    { id: "verdict", head: "Verdict", wide: true, cell: ({ verdict, reason }) => html`<span class=${`verdict ${VERDICTS[verdict]?.[0] ?? ""}`}>${VERDICTS[verdict]?.[1] ?? verdict}</span>${reason && html`<span class="fine">: ${coded(reason)}</span>`}` },
    {
      id: "activate",
      head: html`<span class="unseen">Activate</span>`,
      cell: (row) => (row.verdict === "fits" || row.verdict === "migrates") && html`<${ActivateButton} module=${module} row=${row} leadership=${leaderships[row.pipeline]} onActivate=${ask} />`,
    },
  ]} />`;
}

/** The question names what runs now, so the pipeline's status is asked for beside it. */
function ActivateButton({ module, row, leadership, onActivate }) {
  const status = usePoll(`v1/pipelines/${encodeURIComponent(row.pipeline)}`, 2_000);
  const running = status.data?.stages.find(({ stage }) => stage === row.stage);
  const now = running && `${running.module}${running.version ? ` version ${running.version}` : ""} (${digest(running.digest)})`;
  const elsewhere = standsBy({ leadership });
  return html`<button class="primary" disabled=${elsewhere} aria-label=${`Activate ${module.name} version ${module.version} in ${row.stage} of ${row.pipeline}`} onClick=${() => onActivate({ ...row, now })}>Activate …</button>
    ${elsewhere && html`<p><${OnlyTheLeader} leadership=${leadership} route=${route.value.path} /></p>`}`;
}
