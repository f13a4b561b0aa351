const board = document.getElementById("board");
const editor = document.getElementById("editor");
const form = editor.querySelector("form");
const say = editor.querySelector(".say");
const news = document.getElementById("news");
const STEP = 15;
let etag = "";
let held = null;
let edited = null;
let released = 0;

/* The board keeps itself fresh; only what changed is replaced, and it is made to stand out. */

async function refresh() {
  if (held || document.hidden) return;
  const url = new URL(location.href);
  url.searchParams.set("fragment", "1");
  const answer = await fetch(url, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
  if (answer.status !== 200 || held) return;
  const first = !etag;
  etag = answer.headers.get("ETag");
  const text = await answer.text();
  if (first && text.trim() === board.innerHTML.trim()) return;
  replace(text, first);
}

function replace(text, first) {
  const before = new Map(bars().map((bar) => [bar.dataset.key, bar.dataset.etag]));
  const scrolled = [...board.querySelectorAll(".grid")].map((grid) => [grid.scrollLeft, grid.scrollTop]);
  const focused = board.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  board.innerHTML = text;
  board.querySelectorAll(".grid").forEach((grid, index) => {
    if (scrolled[index]) [grid.scrollLeft, grid.scrollTop] = scrolled[index];
  });
  if (focused) board.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  if (first) return;
  const changed = bars().filter((bar) => before.get(bar.dataset.key) !== bar.dataset.etag);
  changed.forEach((bar) => bar.classList.add("fresh"));
  if (changed.length) news.textContent = `${changed[0].dataset.title} changed`;
}

const bars = () => [...board.querySelectorAll(".bar")];

async function loop() {
  try {
    await refresh();
  } catch {
    etag = "";
  }
  setTimeout(loop, 2000);
}

/* The same booking in several calendars lights up together. */

function light(event) {
  const link = event.target.closest?.(".bar")?.dataset.link;
  bars().forEach((bar) => bar.classList.toggle("linked", Boolean(link) && bar.dataset.link === link));
}
board.addEventListener("pointerover", light);
board.addEventListener("focusin", light);
board.addEventListener("pointerleave", light);

/* What the hand does goes through the control API. */

async function act(words) {
  const answer = await fetch("/sandbox/google/human", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(words),
  });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  await refresh();
}

function open(bar, values) {
  edited = bar && { ...bar.dataset };
  editor.classList.toggle("new", !edited);
  editor.querySelector("h2").textContent = edited ? "Event" : "New event";
  say.textContent = "";
  offer();
  for (const [name, value] of Object.entries(values)) form.elements[name].value = value;
  editor.showModal();
  form.elements.title.focus();
}

/* A calendar may have come to be since the page was loaded. */
function offer() {
  const known = new Set([...form.elements.calendar.options].map((option) => option.value));
  for (const { calendar, name } of [...board.querySelectorAll("[data-axis]")].map((track) => track.dataset)) {
    if (!known.has(calendar)) form.elements.calendar.add(new Option(name, calendar));
    known.add(calendar);
  }
}

function words() {
  const value = (name) => form.elements[name].value;
  const [title, calendar, start, end] = ["title", "calendar", "start", "end"].map(value);
  if (!edited) return [{ verb: "create", calendar, title, start, end }];
  const found = [];
  let home = edited.calendar;
  if (calendar !== home) {
    found.push({ verb: "move", calendar: home, event: edited.event, to_calendar: calendar });
    home = calendar;
  }
  if (start !== edited.start) found.push({ verb: "drag", calendar: home, event: edited.event, start, end });
  else if (end !== edited.end) found.push({ verb: "resize", calendar: home, event: edited.event, end });
  if (title !== edited.title) found.push({ verb: "rename", calendar: home, event: edited.event, title });
  return found;
}

form.addEventListener("click", async (event) => {
  const verb = event.target.closest("[data-act]")?.dataset.act;
  if (!verb) return;
  event.preventDefault();
  if (verb === "save" && !form.reportValidity()) return;
  try {
    if (verb === "save") for (const each of words()) await act(each);
    else if (verb !== "close") await act({ verb, calendar: edited.calendar, event: edited.event });
    editor.close();
  } catch (error) {
    say.textContent = error.message;
  }
});

function blank(track, event) {
  const minute = Math.min(at(track, event), Number(track.dataset.to) - 60);
  const start = local(track.dataset.date, minute);
  open(null, { title: "", calendar: track.dataset.calendar, start, end: local(track.dataset.date, minute + 60) });
}

document.querySelector("[data-new]").addEventListener("click", () => {
  const track = board.querySelector("[data-axis]");
  if (track) open(null, { title: "", calendar: track.dataset.calendar, start: local(track.dataset.date, 720), end: local(track.dataset.date, 780) });
});

board.addEventListener("click", (event) => {
  if (performance.now() - released < 60) return;
  const bar = event.target.closest(".bar");
  if (bar) {
    const { title, calendar, start, end } = bar.dataset;
    open(bar, { title, calendar, start, end });
  } else if (event.target.matches("[data-axis]")) blank(event.target, event);
});

/* Dragging: along the axis changes the time, across it the calendar or the day; an end pulls the length. */

board.addEventListener("pointerdown", (event) => {
  const bar = event.target.closest(".bar:not(.whole)");
  const track = bar?.closest("[data-axis]");
  if (!track || event.button || event.pointerType === "touch") return;
  const box = bar.getBoundingClientRect();
  const edge = track.dataset.axis === "x" ? box.right - event.clientX : box.bottom - event.clientY;
  const offset = at(track, event, 1) - minutes(bar.dataset.start);
  held = { bar, track, x: event.clientX, y: event.clientY, offset, pulls: edge < 7, moved: false };
});

addEventListener("pointermove", (event) => {
  if (!held) return;
  const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
  if (!held.moved && Math.hypot(dx, dy) < 5) return;
  held.moved = true;
  held.bar.classList.add("held");
  if (!held.pulls) held.bar.style.transform = `translate(${dx}px, ${dy}px)`;
  else if (held.track.dataset.axis === "x") held.bar.style.paddingRight = `${Math.max(dx, 0)}px`;
});

addEventListener("pointerup", async (event) => {
  if (!held) return;
  const { bar, moved } = held;
  const wanted = moved ? dropped(event) : null;
  held = null;
  if (!moved) return;
  released = performance.now();
  try {
    if (wanted) await act(wanted);
  } catch (error) {
    news.textContent = error.message;
  }
  bar.style.transform = "";
  bar.classList.remove("held");
});

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !held) return;
  held.bar.style.transform = "";
  held.bar.classList.remove("held");
  held = null;
});

function dropped(event) {
  const { bar, pulls, offset } = held;
  const { calendar, event: id, start } = bar.dataset;
  const under = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-axis]");
  const track = pulls ? held.track : under;
  if (!track) return null;
  if (pulls) {
    const end = local(track.dataset.date, at(track, event));
    return end > start ? { verb: "resize", calendar, event: id, end } : null;
  }
  const to = local(track.dataset.date, snap(at(track, event, 1) - offset));
  if (track.dataset.calendar !== calendar) {
    return { verb: "move", calendar, event: id, to_calendar: track.dataset.calendar, start: to };
  }
  return to === start ? null : { verb: "drag", calendar, event: id, start: to };
}

function at(track, event, step = STEP) {
  const box = track.getBoundingClientRect();
  const share = track.dataset.axis === "x" ? (event.clientX - box.left) / box.width : (event.clientY - box.top) / box.height;
  const [from, to] = [Number(track.dataset.from), Number(track.dataset.to)];
  return snap(from + share * (to - from), step);
}

const snap = (minute, step = STEP) => Math.round(minute / step) * step;
const minutes = (text) => Number(text.slice(11, 13)) * 60 + Number(text.slice(14, 16));

function local(day, minute) {
  const moment = new Date(`${day}T00:00:00Z`);
  moment.setUTCMinutes(minute);
  return moment.toISOString().slice(0, 16);
}

function arrive() {
  const bar = location.hash && board.querySelector(`[data-key="${CSS.escape(decodeURIComponent(location.hash.slice(1)))}"]`);
  if (!bar) return;
  bar.scrollIntoView({ block: "center" });
  bar.focus({ preventScroll: true });
}

arrive();
loop();
