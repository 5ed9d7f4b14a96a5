// Activating a module: the question before it, the request, the history of it, and the way back.
import { Failure, pipelinePath, send } from "./api.js";
import { Dialog } from "./dialog.js";
import { Value } from "./figures.js";
import { digest } from "./format.js";
import { Waiting } from "./frame.js";
import { OnlyTheLeader, standsBy } from "./leadership.js";
import { askAgain, usePoll } from "./poll.js";
import { route, toModule, toPipeline } from "./route.js";
import { said } from "./said.js";
import { Table } from "./table.js";
import { Term } from "./term.js";
import { html, signal, useState } from "./view.js";

/** What the last activation came to: `{text, pipeline}`. It is said to screen readers and stays until the next one. */
const outcome = signal(null);

/** Runs a module in a stage; `version` is a number or a digest. Throws a `Failure`. */
async function activate({ pipeline, stage, module, version }) {
  const answer = await send(pipelinePath(pipeline, "/releases"), { stage, module, version });
  const label = typeof version === "number" ? `${module} version ${version}` : `${module} ${digest(answer.digest)}`;
  outcome.value = {
    pipeline,
    text: answer.changed
      ? `Stage ${stage} of ${pipeline} runs ${label} after epoch ${answer.epoch}.`
      : `Stage ${stage} of ${pipeline} ran ${label} already: nothing was changed.`,
  };
  askAgain();
}

/** A place where the outcome is said; it exists before there is one, so that it is heard. */
export function Outcome() {
  const told = outcome.value;
  return html`<div role="status" aria-label="Outcome" class=${told ? "notice good outcome" : "none"}>
    ${told && html`${told.text} <a href=${toPipeline(told.pipeline)}>See it on the charts</a>
      <button class="quiet" aria-label="Put the message away" onClick=${() => (outcome.value = null)}>×</button>`}
  </div>`;
}

/** Names pipeline, stage, old and new, and asks once. `wanted` is `{pipeline, stage, module, version, now, note}`. */
export function Confirm({ wanted, onDone }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(null);
  const run = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await activate(wanted);
      onDone();
    } catch (reason) {
      setFailure(asFailure(reason));
      setBusy(false);
      askAgain();
    }
  };
  return html`<${Dialog} title="Activate this module?" confirm="Activate" busy=${busy} failure=${failure} onConfirm=${run} onClose=${onDone}>
    <dl class="swap">
      <dt>Pipeline</dt><dd>${wanted.pipeline}</dd>
      <dt>Stage</dt><dd>${wanted.stage}</dd>
      <dt>Runs now</dt><dd>${wanted.now ?? "not known"}</dd>
      <dt>Will run</dt><dd><strong>${wanted.module} version ${wanted.version}</strong>${wanted.digest && ` (${digest(wanted.digest)})`}</dd>
    </dl>
    <p>${wanted.note ?? "Rows after the change go through the new module. Nothing stops, and open windows are kept."}</p>
  <//>`;
}

const asFailure = (reason) => (reason instanceof Failure ? reason : new Failure(0, "page", String(reason.message ?? reason)));

/** The history of a pipeline's activations, newest first, with one click back from the newest of each stage. */
export function Activations({ pipeline, leadership }) {
  const poll = usePoll(pipelinePath(pipeline, "/activations"), 3_000);
  const [state, setState] = useState({ busy: null, failure: null });
  const rows = poll.data?.activations ?? [];
  const newest = rows.filter((row, place) => row.previous && rows.findIndex(({ stage }) => stage === row.stage) === place);
  const back = async (row) => {
    setState({ busy: row, failure: null });
    try {
      await activate({ pipeline, stage: row.stage, module: row.previous_module ?? row.module, version: row.previous });
      setState({ busy: null, failure: null });
    } catch (reason) {
      setState({ busy: null, failure: asFailure(reason) });
    }
  };
  if (poll.data === null && poll.failure && !poll.failure.isLost) return html`<${Waiting} poll=${poll} what="the history of activations" />`;
  if (standsBy({ leadership })) return html`<p><${OnlyTheLeader} leadership=${leadership} route=${route.value.path} /></p>`;
  return html`${state.failure && html`<p class="notice bad" role="alert">${said(state.failure.message)}</p>`}
    ${newest.length > 0 && html`<ul class="ways-back">
      ${newest.map((row) => html`<li key=${row.stage}>
        <span>Stage <strong>${row.stage}</strong> runs ${label(row.module, row.version, row.digest)} since epoch ${row.epoch}.</span>
        <button disabled=${state.busy !== null} onClick=${() => back(row)}>
          ${state.busy === row ? "Waiting for the epoch …" : `Go back to ${row.previous_module ?? row.module} ${row.previous_version ? `version ${row.previous_version}` : digest(row.previous)}`}
        </button>
      </li>`)}
    </ul>`}
    <${Table} name="Activations" rows=${rows} keyOf=${({ epoch, stage }) => `${epoch} ${stage}`}
      empty="No module has taken another's place since the pipeline's beginning."
      columns=${[
        { id: "at", head: "When", cell: ({ at }) => html`<${Value} value=${at} of="time" />` },
        { id: "epoch", head: html`<${Term} id="epoch">Epoch<//>`, cell: ({ epoch }) => epoch },
        { id: "stage", head: html`<${Term} id="stage">Stage<//>`, cell: ({ stage }) => stage },
        { id: "module", head: html`<${Term} id="module">Module<//>`, cell: (row) => label(row.module, row.version, row.digest) },
        { id: "previous", head: "Before", cell: (row) => label(row.previous_module ?? row.module, row.previous_version, row.previous) },
      ]} />`;
}

function label(module, version, whole) {
  if (!whole) return "–";
  return html`<a href=${toModule(module)}>${module}</a>${version ? html`<span class="unit"> version ${version}</span>` : ""} <code title=${whole}>${digest(whole)}</code>`;
}
