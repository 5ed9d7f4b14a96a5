// A question that must be answered before anything else: the browser's own dialog, with its focus and its Escape.
import { said } from "./said.js";
import { html, useEffect, useRef } from "./view.js";

/** Shown while it is in the page. `onClose` is called for Cancel and Escape. */
export function Dialog({ title, children, confirm, onConfirm, onClose, busy, failure }) {
  const box = useRef(null);
  useEffect(() => {
    const dialog = box.current;
    // The dialog leaves the document before it could give the focus back by itself.
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  const cancelled = (event) => {
    event.preventDefault();
    if (!busy) onClose();
  };
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onCancel=${cancelled}>
    <h2 id="dialog-title">${title}</h2>
    ${children}
    ${failure && html`<p class="notice bad" role="alert">${said(failure.message)}</p>`}
    <div class="buttons">
      <button onClick=${onClose} disabled=${busy}>Cancel</button>
      <button class="primary" onClick=${onConfirm} disabled=${busy} aria-busy=${busy ? "true" : undefined}>${busy ? "Waiting for the epoch …" : confirm}</button>
    </div>
  </dialog>`;
}
