// Signing in: the token goes to the host once, in the body of a request, and is kept nowhere in the page.
import { sessionEnd, signIn } from "./api.js";
import { Heading } from "./frame.js";
import { askAgain } from "./poll.js";
import { html, useState } from "./view.js";

export function Login() {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState(null);
  const submit = async (event) => {
    event.preventDefault();
    const field = event.target.elements.token;
    setBusy(true);
    setFailure(null);
    try {
      await signIn(field.value.trim());
      askAgain();
    } catch (reason) {
      setFailure(reason.message);
      setBusy(false);
      field.select();
    }
  };
  return html`<div class="login">
    <${Heading} title="Sign in" />
    ${sessionEnd.value && html`<p class="notice warn spaced" role="status">${sessionEnd.value}</p>`}
    <p>This host wants a token: a line of the file that <code class="unbroken">--token-file</code> names.</p>
    <form onSubmit=${submit}>
      <label for="token">Token</label>
      <input id="token" name="token" type="password" autocomplete="current-password" required autofocus aria-describedby="token-failure" />
      <button class="primary" disabled=${busy}>${busy ? "Signing in …" : "Sign in"}</button>
      <p id="token-failure" role="alert" class="bad">${failure}</p>
    </form>
    <p class="note">It is kept for twelve hours in a cookie that scripts cannot read. It is in no address, and in no storage of the browser.</p>
  </div>`;
}
