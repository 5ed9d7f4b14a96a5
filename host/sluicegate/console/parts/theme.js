// Light and dark: as the system has it, or as chosen here. The choice is kept by the browser.
import { effect, html, signal } from "./view.js";

const KEPT = "sluicegate-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(system.matches);
system.addEventListener("change", (event) => {
  systemIsDark.value = event.matches;
});

const chosen = signal(kept());

function kept() {
  try {
    const choice = localStorage.getItem(KEPT);
    return choice === "light" || choice === "dark" ? choice : "system";
  } catch {
    return "system";
  }
}

/** `light` or `dark`: what is seen. */
export const theme = signal("light");

effect(() => {
  const choice = chosen.value;
  theme.value = choice === "system" ? (systemIsDark.value ? "dark" : "light") : choice;
  document.documentElement.dataset.theme = theme.value;
});

function choose(choice) {
  chosen.value = choice;
  try {
    localStorage.setItem(KEPT, choice);
  } catch {
    // The choice then lasts as long as the page.
  }
}

export function ThemeSwitch() {
  return html`<select class="theme" aria-label="Theme" value=${chosen.value} onChange=${(event) => choose(event.target.value)}>
    <option value="system">System</option>
    <option value="light">Light</option>
    <option value="dark">Dark</option>
  </select>`;
}
