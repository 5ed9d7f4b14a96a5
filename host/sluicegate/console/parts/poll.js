// Asks for the same thing again and again while somebody looks, and says how old the last answer is.
import { ask, session } from "./api.js";
import { heard, missed } from "./connection.js";
import { signal, useEffect } from "./view.js";

// Answers of pages that are not shown any more; the next look at such a page begins with them.
const KEPT_MAX = 24;
const WAIT_MAX_MS = 5_000;

const polls = new Map();

class Poll {
  constructor(path, every, address, fold) {
    this.path = path;
    this.every = every;
    this.address = address ?? (() => path);
    this.fold = fold ?? ((_, answer) => answer);
    this.users = 0;
    this.timer = null;
    this.asking = false;
    this.failures = 0;
    // `data` stays what it was when an answer fails; `at` is when it came, in milliseconds.
    this.state = signal({ data: null, at: null, failure: null });
  }

  begin() {
    this.users += 1;
    if (this.users === 1) this.round();
  }

  end() {
    this.users -= 1;
    if (this.users === 0) clearTimeout(this.timer);
  }

  /** Asks now, whatever the clock says. */
  async round() {
    clearTimeout(this.timer);
    if (this.asking) return;
    this.asking = true;
    try {
      const before = this.state.peek().data;
      const data = this.fold(before, await ask(this.address(before)));
      this.failures = 0;
      this.state.value = { data, at: Date.now(), failure: null };
      heard();
    } catch (failure) {
      this.failures += 1;
      this.state.value = { ...this.state.peek(), failure };
      if (failure.isLost) missed(failure);
      else heard();
    }
    this.asking = false;
    this.wait();
  }

  wait() {
    // A hidden tab asks for nothing. It asks at once when it is seen again.
    if (this.users === 0 || document.hidden || session.peek() === "signed_out") return;
    const wait = Math.min(this.every * 2 ** Math.min(this.failures, 4), Math.max(WAIT_MAX_MS, this.every));
    this.timer = setTimeout(() => this.round(), wait);
  }
}

function pollOf(path, every, { address, fold } = {}) {
  let poll = polls.get(path);
  if (!poll) {
    for (const [old, kept] of polls) {
      if (polls.size < KEPT_MAX) break;
      if (kept.users === 0) polls.delete(old);
    }
    poll = new Poll(path, every, address, fold);
    polls.set(path, poll);
  }
  poll.every = every;
  return poll;
}

/**
 * What `path` answers, asked every `every` milliseconds while the component is shown: `{data, at, failure}`.
 * `address(data)` says where to ask for what is missing, `fold(data, answer)` puts the answer to what is there.
 */
export function usePoll(path, every = 1_000, how) {
  const poll = pollOf(path, every, how);
  useEffect(() => {
    poll.begin();
    return () => poll.end();
  }, [poll]);
  return poll.state.value;
}

/** Asks all that is shown at once: something was changed, or the tab is seen again. */
export function askAgain() {
  for (const poll of polls.values()) {
    if (poll.users > 0) poll.round();
  }
}

/** Forgets the answers of what is not shown, so that nothing is drawn from them. */
export function forget() {
  for (const [path, poll] of polls) {
    if (poll.users === 0) polls.delete(path);
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) askAgain();
});
addEventListener("online", askAgain);
