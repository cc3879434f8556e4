// Light or dark, before anything is painted; without a choice of the reader's, as the system has it.
(() => {
  let mode = null;
  try {
    mode = localStorage.getItem("mode");
  } catch {
    // a browser that keeps nothing
  }
  if (!["light", "dark"].includes(mode)) mode = "auto";
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.mode = mode;
  document.documentElement.dataset.theme = mode === "auto" ? system : mode;
})();

// Pages opened as files may not be fetched: the search shows titles alone.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
