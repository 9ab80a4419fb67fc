"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  document.documentElement.classList.add("js");

  // Copy what is clicked.
  document.addEventListener("click", async (event) => {
    const code = event.target.closest("code[data-copy]");
    if (!code) return;
    try {
      await navigator.clipboard.writeText(code.dataset.copy);
      code.classList.add("done");
      setTimeout(() => code.classList.remove("done"), 1200);
    } catch {
      getSelection().selectAllChildren(code);
    }
  });

  // Show only some steps.
  const search = document.querySelector("input[type=search]");
  const chips = all(".chip");
  const rows = all("tr[data-step], .row[data-step]");
  const names = new Map(all("tr[data-step]").map((row) => [row.dataset.step, row.textContent.toLowerCase()]));
  const wanted = new Set();
  const filter = () => {
    const text = search.value.trim().toLowerCase();
    for (const row of rows) {
      const fits = (!wanted.size || [...wanted].some((word) => row.classList.contains(word))) &&
        (!text || (names.get(row.dataset.step) || "").includes(text));
      row.classList.toggle("away", !fits);
    }
  };
  search.hidden = false;
  search.addEventListener("input", filter);
  for (const chip of chips) {
    chip.setAttribute("aria-pressed", "false");
    chip.addEventListener("click", () => {
      const word = chip.dataset.outcome;
      const is_on = !wanted.delete(word);
      if (is_on) wanted.add(word);
      chip.setAttribute("aria-pressed", String(is_on));
      filter();
    });
  }

  // The first steps stand in the middle.
  for (const picture of all(".picture")) picture.scrollLeft = (picture.scrollWidth - picture.clientWidth) / 2;

  // Light what a step waits for and what waits for it.
  const dag = document.querySelector(".dag");
  if (!dag) return;
  const steps = new Map(all(".step", dag).map((step) => [step.dataset.step, step]));
  const edges = all(".edge", dag).map((group) => ({
    group,
    from: group.dataset.from.split(" "),
    to: group.dataset.to.split(" "),
  }));
  const into = new Map(), out = new Map();
  const add = (map, step, edge) => map.get(step)?.push(edge) ?? map.set(step, [edge]);
  for (const edge of edges) {
    edge.from.forEach((step) => add(out, step, edge));
    edge.to.forEach((step) => add(into, step, edge));
  }
  const light = (start, map, end) => {
    const seen = new Set([start]);
    const waiting = [start];
    while (waiting.length) {
      const step = waiting.pop();
      steps.get(step)?.classList.add("lit");
      for (const edge of map.get(step) || []) {
        if (edge.group.classList.contains("lit") && edge.used === map) continue;
        edge.used = map;
        edge.group.classList.add("lit");
        for (const next of edge[end]) if (!seen.has(next)) { seen.add(next); waiting.push(next); }
      }
    }
  };
  const dark = () => {
    dag.classList.remove("looking");
    all(".lit", dag).forEach((one) => one.classList.remove("lit"));
    edges.forEach((edge) => { edge.used = null; });
  };
  const look = (event) => {
    const step = event.target.closest(".step");
    dark();
    if (!step) return;
    dag.classList.add("looking");
    light(step.dataset.step, into, "from");
    light(step.dataset.step, out, "to");
  };
  dag.addEventListener("mouseover", look);
  dag.addEventListener("focusin", look);
  dag.addEventListener("mouseleave", dark);
})();
