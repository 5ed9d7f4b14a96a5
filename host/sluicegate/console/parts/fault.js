// Faults of the page itself become a sentence. A page that fails leaves the rest usable.
import { forget } from "./poll.js";
import { Component, html, signal } from "./view.js";

/** A sentence, or null. */
const fault = signal(null);

const ownFault = (what) => `The console met a fault of its own: ${what}. What is shown may be old; a reload mends it.`;

/** Says what could not be done where nothing else on the page has a place for it. */
export const complain = (sentence) => (fault.value = sentence);

addEventListener("error", (event) => {
  // Browsers report a resize observer that had to wait as an error; nothing is wrong then.
  if (String(event.message).includes("ResizeObserver")) return;
  fault.value = ownFault(event.message || "a script failed");
});
addEventListener("unhandledrejection", (event) => {
  fault.value = ownFault(String(event.reason?.message ?? event.reason));
});

/** Above the page, until it is put away. */
export function FaultNotice() {
  if (fault.value === null) return null;
  return html`<div class="notice bad" role="alert">
    <span>${fault.value}</span>
    <button onClick=${() => location.reload()}>Reload</button>
    <button onClick=${() => (fault.value = null)}>Put away</button>
  </div>`;
}

/** Around a page: what fails while it is drawn is told in its place. */
export class Guard extends Component {
  constructor() {
    super();
    this.state = { failed: null };
  }

  static getDerivedStateFromError(failed) {
    return { failed };
  }

  componentDidCatch(failed) {
    console.error(failed);
  }

  /** An answer that could not be drawn is kept by its poll, and would fail the page again. */
  componentWillUnmount() {
    if (this.state.failed) forget();
  }

  render({ children }, { failed }) {
    if (!failed) return children;
    return html`<h1 tabindex="-1">This page could not be drawn</h1>
      <p>${String(failed.message ?? failed)}</p>
      <p>The other pages still work. Please report it with the address of this page.</p>
      <button onClick=${() => { forget(); this.setState({ failed: null }); }}>Draw it again</button>`;
  }
}
