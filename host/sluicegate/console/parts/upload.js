// Taking a module in: a file is dropped or chosen, looked at, named and uploaded; what the host says of it is shown.
import { Failure, ask, modulePath } from "./api.js";
import { bytes, many } from "./format.js";
import { askAgain } from "./poll.js";
import { toModule } from "./route.js";
import { coded, said } from "./said.js";
import { html, useEffect, useRef, useState } from "./view.js";

const BYTES_MAX = 10 * 1024 * 1024;
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const WASM = [0x00, 0x61, 0x73, 0x6d];

export function Upload({ known }) {
  const [file, setFile] = useState(null);
  const [over, setOver] = useState(false);
  const input = useRef(null);
  useEffect(() => guardDrops(), []);
  const take = async (files) => {
    setOver(false);
    if (files.length > 0) setFile(await look(files));
  };
  return html`<div class=${`drop ${over ? "is-over" : ""}`}
      onDragOver=${(event) => { event.preventDefault(); setOver(true); }}
      onDragLeave=${() => setOver(false)}
      onDrop=${(event) => { event.preventDefault(); take([...event.dataTransfer.files]); }}>
    <p>Drop a <code>.wasm</code> here, or${" "}
      <button onClick=${() => input.current.click()}>Choose a file</button>
      <input ref=${input} type="file" accept=".wasm,application/wasm" class="unseen" tabindex="-1" aria-label="Module file" onChange=${(event) => { take([...event.target.files]); event.target.value = ""; }} />
    </p>
    <p class="note">It is checked and stored. Nothing that runs changes until you activate it.</p>
    <div role="status" aria-label="Upload">
      ${file?.refusal && html`<p class="notice bad">${coded(file.refusal)}</p>`}
    </div>
    ${file && !file.refusal && html`<${Form} key=${file.key} file=${file} known=${known} onClose=${() => setFile(null)} />`}
  </div>`;
}

/** A file that is dropped beside the zone must not take the place of the page. */
function guardDrops() {
  const keep = (event) => event.preventDefault();
  addEventListener("dragover", keep);
  addEventListener("drop", keep);
  return () => {
    removeEventListener("dragover", keep);
    removeEventListener("drop", keep);
  };
}

/** What can be said of a file before the host sees it. */
async function look(files) {
  if (files.length > 1) return { refusal: `${many(files.length, "file")} at once: drop one module at a time.` };
  const [file] = files;
  const refuse = (why) => ({ refusal: `${file.name}: ${why}` });
  if (file.size > BYTES_MAX) return refuse(`it has ${bytes(file.size)}, and a module has at most ${bytes(BYTES_MAX)}.`);
  try {
    const body = await file.arrayBuffer();
    const first = new Uint8Array(body, 0, Math.min(4, body.byteLength));
    if (first.length < 4 || WASM.some((byte, place) => first[place] !== byte)) {
      return refuse("this is no WebAssembly. A module begins with the bytes 00 61 73 6d; `cargo build --release --target wasm32-unknown-unknown` makes one.");
    }
    return { body, file: file.name, size: file.size, key: `${file.name} ${file.size} ${Date.now()}`, name: nameFrom(file.name) };
  } catch {
    return refuse("it cannot be read. A folder, or a file that has gone, cannot be uploaded.");
  }
}

/** `valid_sale.wasm` is uploaded as `valid-sale` unless one says otherwise. */
const nameFrom = (file) =>
  file.replace(/\.wasm$/i, "").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "").slice(0, 63);

function Form({ file, known, onClose }) {
  const [name, setName] = useState(file.name);
  const [state, setState] = useState({ busy: false, failure: null, stored: null });
  const isName = NAME.test(name);
  const field = useRef(null);
  useEffect(() => field.current?.focus(), []);
  const upload = async (event) => {
    event.preventDefault();
    setState({ busy: true, failure: null, stored: null });
    try {
      const stored = await ask(modulePath(name), { method: "PUT", body: file.body, type: "application/wasm" });
      setState({ busy: false, failure: null, stored });
      askAgain();
    } catch (reason) {
      setState({ busy: false, failure: reason instanceof Failure ? reason.message : String(reason), stored: null });
    }
  };
  if (state.stored) return html`<${Stored} stored=${state.stored} onClose=${onClose} />`;
  const before = known.find((module) => module.name === name);
  return html`<form class="upload" onSubmit=${upload}>
    <p><strong>${file.file}</strong> <span class="note">${bytes(file.size)}</span></p>
    <label>Name <input ref=${field} value=${name} spellcheck="false" autocapitalize="off" aria-invalid=${isName ? undefined : "true"} aria-describedby="name-rule" onInput=${(event) => setName(event.target.value)} /></label>
    <button class="primary" disabled=${!isName || state.busy}>${state.busy ? "The host compiles it …" : "Upload"}</button>
    <button type="button" onClick=${onClose} disabled=${state.busy}>Cancel</button>
    <p id="name-rule" class=${isName ? "note" : "bad"}>${isName
      ? before ? `Version ${before.version + 1} of ${name}, if the bytes differ from version ${before.version}.` : "Version 1: there is no module of this name yet."
      : "A name has a-z, 0-9 and -, begins with a letter or digit, and has at most 63 characters."}</p>
    ${state.failure && html`<div role="alert" class="notice bad"><strong>The host refused it.</strong> ${said(state.failure)}</div>`}
  </form>`;
}

function Stored({ stored, onClose }) {
  const link = useRef(null);
  useEffect(() => link.current?.focus(), []);
  return html`<div class="notice good" role="status" aria-label="Uploaded">
    <p><strong>${stored.name} version ${stored.version}</strong> is stored: ${article(stored.plugin.kind)}, ${many(stored.plugin.inputs.length, "input column")}, ${many(stored.plugin.outputs.length, "output column")}.${" "}
      <a ref=${link} href=${`${toModule(stored.name)}`}>See where it fits</a> <button class="quiet" aria-label="Put the message away" onClick=${onClose}>×</button></p>
  </div>`;
}

const article = (kind) => (/^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`);
