/* The case page: which source cells a list field comes from, and what was typed and not yet saved.
   Attributes it knows:
     data-src="a b"     on a value or a problem: tokens of the source cells it comes from
     data-from="…"      the way from the source in words, shown in #lineage
     data-cell="a b"    on a source cell: the tokens it answers to
     data-line="n[0]"   on a table row: one line of the list, current while the focus is in it
     data-opens="id"    a button that opens the value with this id; when its row is not listed
                        yet, the row of data-path is listed first
     data-close="#id"   a button that empties an element
     data-goes="a b"    a button that leads to the first of these values that is there
     data-charge="7"    a button that leads to a charge line (counted from 0), listed first if need be
     data-drops         a button that drops what was typed in the form around it
   What is typed is kept in this tab's session storage until it is saved or dropped. */
(() => {
  "use strict";

  const page = document.getElementById("case");
  if (!page) return;
  const byId = (id) => document.getElementById(id);
  const list = () => byId("list");

  /* ---- evidence ---- */

  let marked = [];
  function showEvidence(el, scroll) {
    const tokens = (el.dataset.src || "").split(" ").filter(Boolean);
    for (const cell of marked) cell.classList.remove("evidence");
    marked = [];
    for (const token of tokens) {
      const found = document.querySelectorAll(`#record [data-cell~="${CSS.escape(token)}"]`);
      for (const cell of found) {
        cell.classList.add("evidence");
        marked.push(cell);
      }
    }
    const words = byId("lineage");
    if (words) words.textContent = el.dataset.from || "这一格没有来源记录。";
    if (scroll && marked.length) center(byId("record"), marked[0]);
  }

  /* by hand: scrollIntoView would also move the panes beside */
  function center(pane, cell) {
    const room = pane.clientHeight;
    const at = cell.getBoundingClientRect().top - pane.getBoundingClientRect().top;
    if (at < 30 || at > room - 40) pane.scrollTop += at - room / 3;
  }

  function markLine(el) {
    const line = el.closest("[data-line]");
    for (const row of list().querySelectorAll("tr.cur")) if (row !== line) row.classList.remove("cur");
    if (!line || line.matches(".also")) return;
    line.classList.add("cur");
    line.classList.toggle("editing", Boolean(line.querySelector("form.edit")));
  }

  document.addEventListener("focusin", (event) => {
    const el = event.target.closest("[data-src], [data-path]");
    if (!el || !list().contains(el)) return;
    markLine(el);
    if (el.matches("[data-src]")) showEvidence(el, true);
  });

  let resting = 0;
  list().addEventListener("mouseover", (event) => {
    const el = event.target.closest("[data-src]");
    clearTimeout(resting);
    if (el) resting = setTimeout(() => el.isConnected && showEvidence(el, true), 120);
  });

  document.addEventListener("desk:current", (event) => {
    const problem = event.target;
    const cell = byId((problem.dataset.shows || "").split(" ")[0]);
    if (cell) {
      cell.focus({ preventScroll: true });
      markLine(cell);
    } else if (document.activeElement && document.activeElement.matches(".cell")) {
      document.activeElement.blur();
    }
    showEvidence(problem, true);
  });

  /* ---- from a piece of evidence to its place ---- */

  function lead(button) {
    for (const id of (button.dataset.goes || "").split(" ").filter(Boolean)) {
      const cell = byId(id);
      if (!cell) continue;
      const fold = cell.closest("details");
      if (fold) fold.open = true;
      cell.focus({ preventScroll: true });
      center(list(), cell);
      return;
    }
  }

  let wantedLine = "";
  function leadToCharge(line) {
    const token = `charge.${line}`;
    if (document.querySelector(`#record [data-cell~="${CSS.escape(token)}"]`)) {
      showEvidence({ dataset: { src: token, from: `收费第 ${Number(line) + 1} 行。` } }, true);
      return;
    }
    if (wantedLine === token || !byId("charges")) return;
    wantedLine = token;
    window.htmx.ajax("GET", `${page.dataset.url}/charges?rows=${Number(line) + 1}`, { target: "#charges", swap: "innerHTML" }).then(() => {
      leadToCharge(line);
      wantedLine = "";
    });
  }

  /* the open editor with all that hangs below it stays in sight */
  document.addEventListener("htmx:after:settle", () => {
    const box = document.querySelector("#edit .editbox");
    if (!box) return;
    const pane = list().getBoundingClientRect();
    const under = box.getBoundingClientRect().bottom + 6 - pane.bottom;
    const room = byId("edit").getBoundingClientRect().top - pane.top - 40;
    if (under > 0 && room > 0) list().scrollTop += Math.min(under, room);
  });

  /* ---- buttons ---- */

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest("[data-opens], [data-close], [data-drops], [data-goes], [data-charge]");
    if (!button) return;
    if (button.dataset.charge) leadToCharge(button.dataset.charge);
    else if (button.dataset.goes) lead(button);
    if (button.dataset.opens) {
      const cell = byId(button.dataset.opens);
      if (cell) cell.click();
      else window.htmx.ajax("GET", `${page.dataset.url}/list?show=${encodeURIComponent(button.dataset.path)}`, { target: "#list", swap: "innerHTML" });
    }
    if ("drops" in button.dataset) forget(button.closest("form"));
    if (button.dataset.close) {
      const box = document.querySelector(button.dataset.close);
      if (box) box.replaceChildren();
    }
  });

  /* leaving a proposed fix: the strip goes back to what is saved */
  let back = 0;
  function settle() {
    clearTimeout(back);
    back = setTimeout(() => {
      if (byId("edit") || document.querySelector(".try:hover, .try:focus-within")) return;
      const strip = byId("strip");
      if (strip && strip.querySelector(".arrow")) window.htmx.ajax("GET", `${page.dataset.url}/strip`, { target: "#strip", swap: "outerHTML" });
    }, 250);
  }
  for (const name of ["mouseout", "focusout"]) {
    document.addEventListener(name, (event) => {
      if (event.target instanceof Element && event.target.closest(".try")) settle();
    });
  }

  /* the option under the cursor is tried at once; a hand-typed text forgets the option */
  document.addEventListener("keyup", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const form = event.target instanceof Element && event.target.closest("#edit");
    const chosen = form && form.querySelector('[role=option][aria-selected="true"][data-fill]');
    if (!chosen) return;
    form.elements.namedItem("code").value = JSON.parse(chosen.dataset.fill).code || "";
    form.dispatchEvent(new CustomEvent("case:try"));
  });

  /* ---- typed and not saved ---- */

  const KEY = `dipgate:${page.dataset.user}:${page.dataset.case}`;
  const drafts = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY) || "{}");
    } catch {
      return {};
    }
  };
  function keep(all) {
    if (Object.keys(all).length) sessionStorage.setItem(KEY, JSON.stringify(all));
    else sessionStorage.removeItem(KEY);
  }
  function texts(form) {
    const found = {};
    for (const field of form.elements) if (field.name && field.type !== "hidden" && field.matches("input")) found[field.name] = field.value;
    return found;
  }
  function forget(form) {
    if (!form || !form.dataset.path) return;
    const all = drafts();
    delete all[form.dataset.path];
    keep(all);
  }

  document.addEventListener("input", (event) => {
    const form = event.target instanceof Element && event.target.closest("form[data-path]");
    if (!form) return;
    const code = form.elements.namedItem("code");
    if (code && event.target.name === "q") code.value = "";
    const all = drafts();
    all[form.dataset.path] = { place: form.dataset.place, texts: texts(form) };
    keep(all);
  });

  /* somebody is logging in again: trials and searches wait, and none of theirs replaces that form */
  const signingIn = () => byId("notice") && byId("notice").querySelector(".sign-again");
  document.addEventListener("htmx:config:request", (event) => {
    const { request, sourceElement } = event.detail.ctx;
    const trial = request.method === "GET" || request.action.includes("/simulate");
    if (trial && signingIn() && !byId("notice").contains(sourceElement)) event.preventDefault();
  });

  /* saved: the answer to the form's own request was taken */
  document.addEventListener("htmx:before:response", (event) => {
    const { ctx } = event.detail;
    if (ctx.response.status === 401 && signingIn() && !byId("notice").contains(ctx.sourceElement)) event.preventDefault();
    if (ctx.request.method === "POST" && ctx.sourceElement.matches("form[data-path]") && ctx.response.status < 300) forget(ctx.sourceElement);
  });

  function offer() {
    const notice = byId("notice");
    const open = Object.entries(drafts());
    if (!notice || !open.length || notice.querySelector("form")) return;
    const line = document.createElement("p");
    line.className = "note";
    const said = document.createElement("span");
    said.textContent = "上次打了没有存：";
    line.append(said);
    for (const [path, draft] of open) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${draft.place || path}“${draft.texts.q || draft.texts.question || draft.texts.reason || ""}” 接着改`;
      button.addEventListener("click", () => resume(path));
      line.append(button);
    }
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "quiet";
    drop.textContent = "不要了";
    drop.addEventListener("click", () => {
      keep({});
      line.remove();
    });
    line.append(drop);
    notice.replaceChildren(line);
  }

  function fill(form, draft) {
    for (const [name, value] of Object.entries(draft.texts)) {
      const field = form.elements.namedItem(name);
      if (field) field.value = value;
    }
    const first = form.querySelector("[autofocus]");
    if (first) first.dispatchEvent(new Event("input", { bubbles: true }));
  }

  let waiting = "";
  function resume(path) {
    waiting = path;
    const url = page.dataset.url;
    if (path.startsWith("ask:")) return window.htmx.ajax("GET", `${url}/ask?path=${encodeURIComponent(path.slice(4))}`, { target: "#drawer", swap: "innerHTML" });
    if (path === "hold") return window.htmx.ajax("GET", `${url}/hold`, { target: "#drawer", swap: "innerHTML" });
    const cell = document.querySelector(`#list [data-path="${CSS.escape(path)}"]`) || byId(`s-add-${path.split("[")[0]}`)?.querySelector("button");
    if (!cell) return;
    const fold = cell.closest("details");
    if (fold) fold.open = true;
    cell.click();
  }
  document.addEventListener("htmx:after:settle", () => {
    const form = waiting && document.querySelector(`form[data-path="${CSS.escape(waiting)}"]`);
    if (!form) return;
    const draft = drafts()[waiting];
    waiting = "";
    byId("notice").replaceChildren();
    if (draft) fill(form, draft);
  });

  /* ---- at the start ---- */

  const first = document.querySelector('#findings [aria-current="true"]');
  if (first) {
    const cell = byId((first.dataset.shows || "").split(" ")[0]);
    if (cell) {
      center(list(), cell);
      markLine(cell);
    }
    showEvidence(first, true);
  }
  offer();
})();
