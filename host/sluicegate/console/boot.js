// Runs before anything else, in any browser: sets the theme, and puts a sentence where the page cannot start.
(function () {
  "use strict";
  var root = document.documentElement;

  var theme = null;
  try {
    theme = localStorage.getItem("sluicegate-theme");
  } catch (refused) {
    // A browser that keeps nothing shows the theme of the system.
  }
  if (theme !== "light" && theme !== "dark") {
    theme = window.matchMedia && matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  root.setAttribute("data-theme", theme);

  function missing() {
    if (!("noModule" in document.createElement("script"))) return "ES modules";
    if (!window.EventSource) return "server-sent events (EventSource)";
    if (!window.fetch || !window.AbortController) return "fetch";
    if (!window.HTMLDialogElement) return "dialogs";
    if (!window.ResizeObserver) return "ResizeObserver";
    return null;
  }

  // app.js draws nothing over the sentence then.
  var lacking = missing();
  if (lacking) root.setAttribute("data-missing", lacking);

  function say(sentence) {
    var place = document.getElementById("boot-text");
    if (place) place.textContent = sentence;
  }

  // Until app.js has drawn something, an error has no other place to be seen.
  function failed(what) {
    say("The console could not start: " + what + ". Reload the page. If that does not help, " +
      "`sluicegate status` shows the same on a terminal.");
  }
  window.addEventListener("error", function (event) {
    if (event.target && event.target.src) failed(event.target.src + " was not loaded");
    else failed(event.message || "a script failed");
  }, true);
  window.addEventListener("unhandledrejection", function (event) {
    failed(String((event.reason && event.reason.message) || event.reason));
  });

  document.addEventListener("DOMContentLoaded", function () {
    if (lacking) say("This browser lacks " + lacking + ", which the console needs. Any browser of the last three years has it.");
    else setTimeout(function () {
      var place = document.getElementById("boot-text");
      if (place && !place.textContent) place.textContent = "The console is loading.";
    }, 400);
  });
})();
