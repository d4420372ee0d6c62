"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  function answerOnce() {
    const forms = document.querySelectorAll("#decision form");
    for (const form of forms) {
      form.addEventListener("submit", () => {
        for (const button of document.querySelectorAll("#decision button")) button.disabled = true;
        byId("sent").textContent = "Sent. The answer takes as long as the deletions do.";
      });
    }
    // Back from the answer: the plan may not be open any more.
    if (forms.length) window.addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  function size(bytes) {
    if (bytes < 1024) return `${bytes} B`;
    const units = ["KB", "MB", "GB", "TB"];
    let unit = -1;
    do { bytes /= 1024; unit += 1; } while (bytes >= 1024 && unit < units.length - 1);
    return `${bytes.toFixed(1)} ${units[unit]}`;
  }

  function unpack({ texts, rows }) {
    return rows.map(([image_id, repository, tags, digest, created, bytes, outcome, reason, guard, note]) => {
      const row = {
        image_id, tags, digest, created, bytes,
        repository: texts[repository], outcome: texts[outcome],
        reason: texts[reason], guard: texts[guard], note: texts[note],
      };
      row.words = [row.repository, tags.join(" "), digest, image_id, created, row.outcome, row.reason, row.guard, row.note]
        .join("\n").toLowerCase();
      return row;
    });
  }

  function filled(template, row) {
    const made = template.content.firstElementChild.cloneNode(true);
    const put = (field, text) => { made.querySelector(`[data-field=${field}]`).textContent = text; };
    made.dataset.outcome = row.outcome;
    for (const field of ["repository", "image_id", "outcome", "guard", "note", "reason"]) put(field, row[field]);
    put("created", row.created.slice(0, 10));
    put("size", size(row.bytes));
    put("digest", row.digest);
    made.querySelector("[data-field=tags]").append(...row.tags.flatMap((tag) => {
      const code = document.createElement("code");
      code.textContent = tag;
      return [code, " "];
    }));
    return made;
  }

  const compare = new Intl.Collator("en", { numeric: true }).compare;
  const ORDERS = {
    image: (a, b) => compare(a.repository, b.repository) || compare(a.tags[0] || "", b.tags[0] || "") || compare(a.digest, b.digest),
    created: (a, b) => (a.created < b.created ? -1 : Number(a.created > b.created)),
    size: (a, b) => a.bytes - b.bytes,
    outcome: (a, b) => compare(a.outcome, b.outcome),
    why: (a, b) => compare(a.guard, b.guard) || compare(a.reason, b.reason) || compare(a.note, b.note),
  };
  const AT_ONCE = 25;

  function tableOfImages() {
    const all = unpack(JSON.parse(byId("rows").textContent));
    const table = document.querySelector("table.images");
    const body = table.tBodies[0];
    const tools = document.querySelector(".tools");
    const pager = document.querySelector(".pager");
    const number = (count) => count.toLocaleString("en");
    const view = { rows: all, found: all, first: 0, most: AT_ONCE };

    function show() {
      const { found, first, most } = view;
      const last = Math.min(first + most, found.length);
      const template = byId("row");
      body.replaceChildren(...found.slice(first, last).map((row) => filled(template, row)));
      const of = found.length === all.length ? "" : `, of ${number(all.length)}`;
      const place = last - first < found.length ? `${number(first + 1)} to ${number(last)} of ` : "";
      byId("count").textContent = `${place}${number(found.length)} ${found.length === 1 ? "image" : "images"}${of}`;
      byId("none").hidden = found.length > 0;
      pager.hidden = found.length <= most;
      pager.querySelector("span").textContent =
        `Page ${number(first / most + 1)} of ${number(Math.ceil(found.length / most))}`;
      const [back, on] = pager.querySelectorAll("button");
      // A disabled button would lose the focus.
      back.setAttribute("aria-disabled", String(first === 0));
      on.setAttribute("aria-disabled", String(last >= found.length));
    }

    function find() {
      const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
      const outcome = byId("outcome").value;
      const repository = byId("repository") ? byId("repository").value : "";
      view.found = view.rows.filter((row) => (!outcome || row.outcome === outcome)
        && (!repository || row.repository === repository)
        && words.every((word) => row.words.includes(word)));
      view.first = 0;
      show();
    }

    function sort(header) {
      const down = header.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = ORDERS[header.dataset.column];
      view.rows = [...all].sort(down ? (a, b) => order(b, a) : order);
      find();
    }

    function turn(by) {
      const first = view.first + by * view.most;
      if (first < 0 || first >= view.found.length) return;
      view.first = first;
      show();
      byId("count").scrollIntoView({ block: "nearest" });
    }

    function clear() {
      for (const field of tools.querySelectorAll("input, select")) field.value = "";
      find();
      byId("find").focus();
    }

    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      button.addEventListener("click", () => sort(header));
      header.replaceChildren(button);
    }
    for (const button of pager.querySelectorAll("button")) {
      button.addEventListener("click", () => turn(Number(button.dataset.turn)));
    }
    tools.addEventListener("input", find);
    byId("none").querySelector("button").addEventListener("click", clear);
    // Paper has no pages to turn.
    const print = (most) => () => { Object.assign(view, { first: 0, most }); show(); };
    window.addEventListener("beforeprint", print(Infinity));
    window.addEventListener("afterprint", print(AT_ONCE));
    tools.hidden = false;
    show();
  }

  answerOnce();
  if (byId("rows")) tableOfImages();
})();
