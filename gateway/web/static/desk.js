/* The desk's own script, the only client logic besides htmx. Loaded in the head, deferred.
   Attributes it knows:
     data-key="J ArrowDown"   the visible, enabled element that this key clicks (Ctrl+ArrowUp,
                              Shift+N, F8, Enter, Escape, /, ?); one inside the current row wins
     data-cursor              a list with a current item; items are its [data-row] elements
     data-move="#list 1"      a button that moves that list's cursor by 1 or -1
     data-rank                on an item: N-style order (small first), then place in the list
     data-shows="a b"         on an item: ids scrolled into view when it becomes current
     data-focus="#id"         a button that puts the focus into that field
     data-fold                an input whose full-width letters and digits are folded
     data-fill='{"name":""}'  an option of a listbox: fills the form's fields, then submits it
     data-print, data-keycard buttons that print, that show the key card */
(() => {
  "use strict";

  const fold = (text) =>
    text.replace(/[\uFF01-\uFF5E]/g, (c) => String.fromCharCode(c.charCodeAt(0) - 0xfee0)).replace(/\u3000/g, " ");
  const visible = (el) => el.getClientRects().length > 0;
  const usable = (el) => visible(el) && !el.disabled && el.getAttribute("aria-disabled") !== "true";
  const composing = (event) => event.isComposing || event.keyCode === 229;
  const TICKED = "[type=checkbox], [type=radio], [type=button], [type=submit]";
  const editing = (el) =>
    el instanceof Element && (el.isContentEditable || (el.matches("input, textarea, select") && !el.matches(TICKED)));

  /* ---- keys: each clicks a visible button, so mouse, key and screen reader take one path ---- */

  function nameOf(event) {
    let key = event.key.length === 1 ? fold(event.key).toUpperCase() : event.key;
    if (event.ctrlKey || event.metaKey) key = "Ctrl+" + key;
    if (event.altKey) key = "Alt+" + key;
    if (event.shiftKey && (event.key.length > 1 || /[A-Z]/.test(key))) key = "Shift+" + key;
    return key;
  }

  function bound(name, within) {
    const found = [...within.querySelectorAll("[data-key]")].filter(
      (el) => el.dataset.key.split(" ").includes(name) && usable(el),
    );
    return found.find((el) => el.closest('[aria-current="true"], .cur')) || found[0];
  }

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || composing(event)) return;
    const target = event.target;
    if (editing(target)) {
      if (target.getAttribute("role") === "combobox" && comboKey(event, target)) return;
      if (event.key === "Escape") {
        const drop = bound("Escape", target.closest("form, .edit") || document);
        event.preventDefault();
        if (drop) drop.click();
        else target.blur();
      }
      return;
    }
    const name = nameOf(event);
    const card = document.getElementById("keycard");
    if (name === "Escape" && card && !card.hidden) return keyCard();
    if (name === "Enter" && target instanceof Element && target.matches("a[href], button, summary, [role=option]")) return;
    const el = bound(name, document);
    if (!el) return;
    event.preventDefault();
    el.click();
  });

  /* ---- combobox: arrows choose, Enter takes, what is aria-disabled is seen but never taken ---- */

  function options(input) {
    const list = document.getElementById(input.getAttribute("aria-controls") || "");
    return list ? [...list.querySelectorAll("[role=option]")].filter((el) => el.getAttribute("aria-disabled") !== "true") : [];
  }

  function comboKey(event, input) {
    const all = options(input);
    const now = all.findIndex((el) => el.getAttribute("aria-selected") === "true");
    if ((event.key === "ArrowDown" || event.key === "ArrowUp") && !event.ctrlKey && all.length) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : (now + step + all.length) % all.length;
      all.forEach((el, i) => el.setAttribute("aria-selected", String(i === next)));
      if (all[next].id) input.setAttribute("aria-activedescendant", all[next].id);
      all[next].scrollIntoView({ block: "nearest" });
      event.preventDefault();
      return true;
    }
    if (event.key === "Enter" && now >= 0) {
      event.preventDefault();
      /* hits of an earlier text are not what is meant: those for this text are on their way */
      const list = all[now].closest("[role=listbox]");
      if (!("for" in list.dataset) || list.dataset.for === input.value) take(all[now], input.form);
      return true;
    }
    return false;
  }

  function take(option, form) {
    const fill = JSON.parse(option.dataset.fill || "{}");
    for (const [name, value] of Object.entries(fill)) {
      const field = form && form.elements.namedItem(name);
      if (field) field.value = value;
    }
    if (form) form.requestSubmit();
    else option.click();
  }

  /* ---- cursor: one current item per list; the row carries its own sentence ---- */

  function moveCursor(list, step) {
    const items = [...list.querySelectorAll("[data-row]")].filter(visible);
    if (!items.length) return;
    const ranked = items
      .map((el, place) => ({ el, place, rank: Number(el.dataset.rank || 0) }))
      .sort((a, b) => a.rank - b.rank || a.place - b.place)
      .map((item) => item.el);
    const now = ranked.findIndex((el) => el.matches('.cur, [aria-current="true"]'));
    const wanted = now + step;
    if (now >= 0 && wanted >= ranked.length && list.dataset.next) {
      const more = document.querySelector(list.dataset.next);
      if (more && usable(more)) return more.click();
    }
    setCurrent(list, ranked[Math.max(0, Math.min(ranked.length - 1, wanted))]);
  }

  function setCurrent(list, item) {
    for (const el of list.querySelectorAll("[data-row]")) {
      const current = el === item;
      if (current) el.setAttribute("aria-current", "true");
      else el.removeAttribute("aria-current");
      if (el.matches("tr")) {
        el.classList.toggle("cur", current);
        const more = el.nextElementSibling;
        if (more && more.matches("tr.more")) more.hidden = !current;
      }
    }
    item.scrollIntoView({ block: "nearest" });
    for (const id of (item.dataset.shows || "").split(" ").filter(Boolean)) {
      const el = document.getElementById(id);
      if (el) el.scrollIntoView({ block: "nearest" });
    }
    item.dispatchEvent(new CustomEvent("desk:current", { bubbles: true }));
  }

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const button = event.target.closest("[data-move], [data-focus], [data-print], [data-keycard], [role=option][data-fill]");
    const row = event.target.closest("[data-cursor] [data-row]");
    if (row && !event.target.closest("a, button, input, select, label")) setCurrent(row.closest("[data-cursor]"), row);
    if (!button) return;
    if (button.dataset.move) {
      const [where, step] = button.dataset.move.split(" ");
      const list = document.querySelector(where);
      if (list) moveCursor(list, Number(step));
    } else if (button.dataset.focus) {
      const field = document.querySelector(button.dataset.focus);
      if (field) {
        field.focus();
        if (field.select) field.select();
      }
    } else if ("print" in button.dataset) {
      window.print();
    } else if ("keycard" in button.dataset) {
      keyCard();
    } else {
      const list = button.closest("[role=listbox]");
      const input = list && document.querySelector(`[aria-controls="${CSS.escape(list.id)}"]`);
      if (button.getAttribute("aria-disabled") !== "true" && input) take(button, input.form);
    }
  });

  /* ---- key card: made from the buttons that are there, so it cannot be out of date ---- */

  function keyCard() {
    const card = document.getElementById("keycard");
    if (!card) return;
    card.hidden = !card.hidden;
    if (card.hidden) return;
    const list = document.createElement("ul");
    const seen = new Set();
    for (const el of document.querySelectorAll("[data-key]")) {
      const keys = el.dataset.key.split(" ");
      if (!usable(el) || seen.has(keys[0])) continue;
      seen.add(keys[0]);
      const item = document.createElement("li");
      for (const key of keys) {
        const cap = document.createElement("kbd");
        cap.textContent = key.replace("ArrowUp", "↑").replace("ArrowDown", "↓").replace("Escape", "Esc");
        item.append(cap);
      }
      const copy = el.cloneNode(true);
      copy.querySelectorAll("kbd").forEach((cap) => cap.remove());
      item.append(" " + (el.dataset.says || el.getAttribute("aria-label") || copy.textContent.trim()));
      list.append(item);
    }
    card.replaceChildren(list);
  }

  /* ---- typing: full-width letters and digits become half-width, and the field says so ---- */

  function foldField(field) {
    const folded = fold(field.value);
    if (folded === field.value) return;
    const at = field.selectionStart;
    field.value = folded;
    if (at !== null) field.setSelectionRange(at, at);
    const note = document.getElementById(field.dataset.fold);
    if (note) note.textContent = "全角字符已改成半角";
  }
  const folding = (event) => {
    const field = event.target;
    if (field instanceof HTMLInputElement && "fold" in field.dataset && !event.isComposing) foldField(field);
  };
  document.addEventListener("input", folding, true);
  document.addEventListener("compositionend", folding, true);

  /* ---- requests: the token of this session; timed requests say that nobody is there ---- */

  const meta = () => document.querySelector('meta[name="csrf"]');

  const notice = () => document.getElementById("notice");

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const timed = ctx.sourceEvent && ctx.sourceEvent.type === "every";
    if (timed && notice() && notice().querySelector("form")) {
      event.preventDefault(); /* somebody is logging in again: nothing may replace that form */
      return;
    }
    const body = ctx.request.body;
    const own = body && body.get && body.get("csrf");
    const token = own || (meta() && meta().content);
    if (token && ctx.request.method !== "GET") ctx.request.headers["X-CSRF-Token"] = token;
    if (timed) ctx.request.headers["X-Dipgate-Poll"] = "1";
  });

  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (notice() && ctx.request.method !== "GET" && !notice().contains(ctx.sourceElement)) notice().replaceChildren();
  });

  document.addEventListener("htmx:before:response", (event) => {
    const offline = notice() && notice().querySelector("[data-offline]");
    if (offline) offline.remove();
    const fresh = event.detail.ctx.response.headers.get("X-CSRF-Token");
    if (!fresh || !meta()) return;
    meta().content = fresh;
    document.querySelectorAll('input[name="csrf"]').forEach((field) => (field.value = fresh));
  });

  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!notice() || !ctx || notice().querySelector("form")) return;
    const reading = ctx.request.method === "GET";
    const box = document.createElement("article");
    box.className = "finding e-stop";
    box.setAttribute("role", "alert");
    box.dataset.offline = "";
    const head = document.createElement("h3");
    head.className = "grade g-stop";
    const say = document.createElement("p");
    say.className = "say";
    if (ctx.response) {
      head.textContent = "页面没有更新";
      say.textContent = reading ? "请刷新页面。" : "可能已经保存。请刷新页面看结果。";
    } else {
      head.textContent = reading ? "没有读到：连不上服务器" : "不知道有没有保存：服务器没有答复";
      say.textContent = reading
        ? "检查网络；还不行请告诉信息科。"
        : "输入的内容还在原处。检查网络，再做一次；还不行请告诉信息科。";
    }
    box.append(head, say);
    notice().replaceChildren(box);
  });

  /* htmx binds its elements in a timer that may fire after the page has loaded: a key pressed
     before that would be lost. Binding twice is harmless. */
  htmx.process(document.body);
})();
