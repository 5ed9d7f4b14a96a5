// The console: head, navigation, and the page that the address names.
import { DeadLetters } from "./pages/dead_letters.js";
import { Glossary } from "./pages/glossary.js";
import { LateRows } from "./pages/late_rows.js";
import { Module } from "./pages/module.js";
import { Modules } from "./pages/modules.js";
import { Overview } from "./pages/overview.js";
import { Pipeline } from "./pages/pipeline.js";
import { Results } from "./pages/results.js";
import { Windows } from "./pages/windows.js";
import { Outcome } from "./parts/activations.js";
import { lookAtSession, session, signOut } from "./parts/api.js";
import { ConnectionLost, ConnectionMark } from "./parts/connection.js";
import { complain, FaultNotice, Guard } from "./parts/fault.js";
import { Heading } from "./parts/frame.js";
import { Login } from "./parts/login.js";
import { route } from "./parts/route.js";
import { Tip } from "./parts/term.js";
import { ThemeSwitch } from "./parts/theme.js";
import { html, render, useEffect } from "./parts/view.js";

const PAGES = {
  overview: Overview,
  pipeline: Pipeline,
  results: Results,
  windows: Windows,
  "dead-letters": DeadLetters,
  "late-rows": LateRows,
  modules: Modules,
  module: Module,
  glossary: Glossary,
  nowhere: Nowhere,
};

const NAVIGATION = [
  ["#/", "Pipelines", ["overview", "pipeline", "results", "windows", "dead-letters", "late-rows"]],
  ["#/modules", "Modules", ["modules", "module"]],
  ["#/glossary", "Glossary", ["glossary"]],
];

function Nowhere({ name }) {
  return html`<${Heading} title="There is no such page" /><p>The console has no page <code>${name}</code>. <a href="#/">See the pipelines</a>.</p>`;
}

function App() {
  const { page, name, path } = route.value;
  const where = page === "glossary" ? "#/glossary" : path;
  useEffect(() => scrollTo(0, 0), [where]);
  const state = session.value;
  return html`
    <a class="skip" href="#main" onClick=${toMain}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/"><${Gate} />Sluicegate</a>
      <nav aria-label="Main">
        ${NAVIGATION.map(([to, label, pages]) => html`<a key=${to} href=${to} aria-current=${pages.includes(page) ? (path === to.slice(1) || pages.length === 1 ? "page" : "true") : undefined}>${label}</a>`)}
      </nav>
      <${ConnectionMark} />
      <${ThemeSwitch} />
      ${state === "signed_in" && html`<button class="quiet" onClick=${leave}>Sign out</button>`}
    </header>
    <${ConnectionLost} />
    <${FaultNotice} />
    <main id="main" tabindex="-1">
      <${Outcome} />
      <${Guard} key=${where}>
        ${state === "signed_out" ? html`<${Login} />` : state === "unknown" ? html`<p class="waiting">Connecting to the host …</p>` : html`<${PAGES[page]} key=${where} name=${name} />`}
      <//>
    </main>
    <footer><span>All times are UTC.</span> <a href="#/glossary">What the words mean</a></footer>
    <${Tip} />`;
}

function leave() {
  signOut().catch((failure) => complain(`You are still signed in. ${failure.message}`));
}

function toMain(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

/** The mark of the project: a gate in its frame above water. */
function Gate() {
  return html`<svg class="gate" viewBox="0 0 16 16" aria-hidden="true">
    <path d="M3 1.5v13M13 1.5v13" class="frame" /><path d="M5.2 3.2h5.6v5H5.2z" class="door" /><path d="M5.2 11.6q1.4-1.2 2.8 0t2.8 0" class="water" />
  </svg>`;
}

if (!document.documentElement.dataset.missing) {
  const place = document.getElementById("app");
  place.textContent = "";
  render(html`<${App} />`, place);
  lookAtSession();
}
