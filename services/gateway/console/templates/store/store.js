// Makes the store's pages live: they follow the work, keep taps made offline, and read scanners. Every page works
// without it. Words come from the page; nothing is remembered but acts that could not be sent.

const KEPT = "oms.kept";
const RETRY_MS = 4000;
const SCANNER_PAUSE_MS = 400;
const words = document.body.dataset;
const screen = () => document.getElementById("screen");

// -- acts that wait for the network -----------------------------------------------------------------------

const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "[]");

function keep(acts) {
  localStorage.setItem(KEPT, JSON.stringify(acts));
  showKept();
}

function showKept(problem = "") {
  const acts = kept();
  const place = document.getElementById("kept");
  const told = acts.length ? `${words.wordsOffline} ${words.wordsKept} ${acts.map((one) => one.label).join(", ")}` : "";
  place.textContent = [problem, told].filter(Boolean).join(" ");
  place.hidden = !place.textContent;
  for (const card of document.querySelectorAll("[data-work]")) {
    const waits = acts.some((one) => one.url.endsWith(`/${card.dataset.work}`));
    card.classList.toggle("waits", waits);
    for (const button of card.querySelectorAll("button")) button.disabled = waits;
  }
  for (const form of document.querySelectorAll("form[data-plain] button")) form.disabled = acts.length > 0;
}

const send = (act) =>
  fetch(act.url, {
    method: "POST",
    body: new URLSearchParams(act.fields),
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });

// A server that answers nothing useful is a network that is away: the act has a key, so that it is done once.
const isAway = (answer) => answer.status >= 502 && answer.status <= 504;

let isSending = false;

async function sendKept() {
  if (isSending || !kept().length) return;
  isSending = true;
  let problem = "";
  try {
    while (kept().length) {
      const [act] = kept();
      const answer = await send(act);
      if (isAway(answer)) break;
      const page = parsed(await answer.text());
      const alert = page.querySelector("[role=alert]");
      if (alert) problem += `${act.label}: ${alert.textContent.trim()} `;
      keep(kept().slice(1));
    }
    await refresh();
  } catch {
    // Still no network.
  } finally {
    isSending = false;
    showKept(problem);
  }
}

// -- pages ------------------------------------------------------------------------------------------------

const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

// How many pages were shown: who fetched one meanwhile has an old one.
let shown = 0;

// Without an address: the page of the present one.
function show(page, address = "") {
  shown += 1;
  const next = page.getElementById("screen");
  if (!next) {
    location.assign(address);
    return;
  }
  if (address) history.replaceState(null, "", address);
  document.title = page.title;
  document.querySelector("header.top").replaceWith(page.querySelector("header.top"));
  screen().replaceWith(next);
  wake();
}

let isFetching = false;
let nextTry = 0;
// What is being fetched may be older than what was told meanwhile, or shown.
let isStale = false;

async function refresh() {
  isStale = true;
  if (isFetching) return;
  isFetching = true;
  clearTimeout(nextTry);
  try {
    while (isStale) {
      isStale = false;
      await fetchPage();
    }
  } catch {
    // No network, or a server in trouble: what is shown stays until there is something else to show.
    nextTry = setTimeout(refresh, RETRY_MS);
  } finally {
    isFetching = false;
  }
}

async function fetchPage() {
  const before = shown;
  const answer = await fetch(location.href.replace(/[?&]done=[^&]*/, ""));
  if (answer.status >= 500) throw new TypeError("away");
  const page = parsed(await answer.text());
  if (shown !== before) {
    isStale = true;
    return;
  }
  const next = page.getElementById("screen");
  if (next?.dataset.state === screen().dataset.state) return;
  // What was just done stays said.
  const said = screen().querySelector(".notice.good");
  if (next && said && !next.querySelector(".notice")) next.prepend(said);
  show(page);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.plain !== undefined || form.method !== "post") return;
  event.preventDefault();
  const fields = [...new FormData(form, event.submitter).entries()];
  const act = { url: form.action, fields, label: form.dataset.label };
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  if (kept().length) {
    keep([...kept(), act]);
    return;
  }
  try {
    const answer = await send(act);
    if (isAway(answer)) throw new TypeError("away");
    show(parsed(await answer.text()), answer.redirected ? answer.url : "");
  } catch {
    keep([...kept(), act]);
  }
});

// -- picking ----------------------------------------------------------------------------------------------

// Whose units of a line are, in the order in which they get them; on a list.
function sharesOf(line) {
  let before = 0;
  return (line.dataset.shares ?? "").split(" ").filter(Boolean).map((share) => {
    const [slot, quantity] = share.split(":");
    const from = before;
    before += Number(quantity);
    return { slot, from, to: before };
  });
}

// The container of the unit that was found last.
const containerOf = (line, found) => sharesOf(line).find((share) => found <= share.to)?.slot ?? "";

// How many units are missing of a line, or of the container that a place of it is about.
function missingAt(place, line, found) {
  const share = sharesOf(line)[place.dataset.share];
  return share ? share.to - Math.max(share.from, Math.min(found, share.to)) : Number(line.dataset.wanted) - found;
}

function countFound() {
  const lines = [...document.querySelectorAll(".line[data-wanted]")];
  if (!lines.length) return;
  let missing = 0;
  for (const line of lines) {
    const wanted = Number(line.dataset.wanted);
    const found = Number(line.querySelector("input[data-first]").value);
    missing += Math.max(0, wanted - found);
    line.classList.toggle("complete", found >= wanted);
    for (const why of line.querySelectorAll(".why")) {
      const lacking = missingAt(why, line, found);
      why.hidden = lacking <= 0;
      missing -= givenInstead(why, lacking);
    }
  }
  const done = document.querySelector("#pick button");
  done.textContent = missing ? `${words.wordsMissing} ${missing}. ${words.wordsFinishShort}` : done.dataset.words;
  done.classList.toggle("second", missing > 0);
  document.getElementById("short").hidden = missing === 0;
}

// What is given instead of missing units goes to nobody else; no more is given than is missing.
function givenInstead(place, lacking) {
  let given = 0;
  for (const input of place.querySelectorAll("input[data-other]")) {
    input.value = Math.max(0, Math.min(Number(input.value), lacking - given));
    given += Number(input.value);
  }
  return given;
}

// What is said already stays: of missing units and of free ones the rest is left.
function giveInstead(input, wanted) {
  const said = (among, which) => [...among.querySelectorAll("input[data-other]")]
    .filter((one) => one !== input && which(one)).reduce((sum, one) => sum + Number(one.value), 0);
  const place = input.closest(".why");
  const line = input.closest(".line");
  const lacking = missingAt(place, line, Number(line.querySelector("input[data-first]").value)) - said(place, () => true);
  const free = Number(input.dataset.free) - said(document, (one) => one.dataset.other === input.dataset.other);
  input.value = Math.max(0, Math.min(wanted, lacking, free));
  countFound();
}

function step(line, by) {
  const input = line.querySelector("input[data-first]");
  const after = Number(input.value) + by;
  if (after < 0 || after > Number(line.dataset.wanted)) return false;
  input.value = after;
  countFound();
  return true;
}

// A reason that is none of those named is written down.
function askNote(select) {
  select.closest(".why").querySelector("input[name^=note]").required = select.value === "other";
}

function nameChosen(form) {
  const button = form.querySelector("button");
  button.dataset.words ??= button.textContent;
  const isChosen = [...form.elements].some((one) => one.checked);
  button.textContent = isChosen ? button.dataset.chosen : button.dataset.words;
}

function heard(code) {
  const place = document.getElementById("heard");
  if (!place || !code) return;
  const lookup = document.querySelector("form[data-lookup]");
  if (lookup) {
    lookup.elements.code.value = code;
    lookup.submit();
    return;
  }
  const same = (one) => one === code || one.replace(/^0+/, "") === code.replace(/^0+/, "");
  const lines = [...document.querySelectorAll(".line[data-codes]")].filter((line) =>
    line.dataset.codes.split(" ").filter(Boolean).some(same),
  );
  const open = lines.find((line) => step(line, 1));
  place.className = open ? "good" : "bad";
  const shown = open ?? lines[0];
  const title = shown?.querySelector("strong").textContent ?? code;
  const found = shown?.querySelector("input[data-first]").value;
  const container = open ? containerOf(open, Number(found)) : "";
  place.textContent = open ? `${title}: ${found} / ${shown.dataset.wanted}${container && ` ${words.wordsInto} ${container}`}`
    : `${title}: ${lines.length ? words.wordsAllFound : words.wordsUnknownCode}`;
  navigator.vibrate?.(open ? 40 : [80, 60, 80]);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-step]");
  if (button) step(button.closest(".line"), Number(button.dataset.step));
  const instead = event.target.closest("button[data-instead]");
  if (instead) {
    const input = instead.closest(".stepper").querySelector("input");
    giveInstead(input, Number(input.value) + Number(instead.dataset.instead));
  }
});
document.addEventListener("input", (event) => {
  if (event.target.name?.startsWith("found.")) countFound();
  if (event.target.dataset.other) giveInstead(event.target, Number(event.target.value));
  if (event.target.name?.startsWith("reason.")) askNote(event.target);
  if (event.target.form?.id === "together") nameChosen(event.target.form);
});

// A field that is to be filled is seen.
document.addEventListener("invalid", (event) => event.target.closest("details")?.setAttribute("open", ""), true);

// A wedge scanner types faster than a person, and ends with Enter.
let typed = "";
let typedAt = 0;
document.addEventListener("keydown", (event) => {
  const isCode = event.target.id === "code";
  if (event.key === "Enter" && isCode) {
    event.preventDefault();
    heard(event.target.value.trim());
    event.target.value = "";
    return;
  }
  if (event.target.closest?.("input, textarea, select")) return;
  if (event.timeStamp - typedAt > SCANNER_PAUSE_MS) typed = "";
  typedAt = event.timeStamp;
  if (event.key === "Enter" && typed.length > 3) {
    event.preventDefault();
    heard(typed);
    typed = "";
  } else if (event.key.length === 1) typed += event.key;
});

// -- the camera, where the browser reads codes ------------------------------------------------------------

let camera = null;

async function toggleCamera() {
  const button = document.getElementById("camera");
  const video = document.getElementById("seen");
  if (camera) {
    stopCamera();
    return;
  }
  camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  video.srcObject = camera;
  video.hidden = false;
  button.dataset.words = button.textContent;
  button.textContent = words.wordsStopCamera;
  await video.play();
  const detector = new BarcodeDetector();
  let last = "";
  let lastAt = 0;
  while (camera && video.isConnected) {
    const [code] = await detector.detect(video);
    const now = performance.now();
    // The same label in front of the camera is one scan until it was away for a moment.
    if (code && (code.rawValue !== last || now - lastAt > 1500)) heard(code.rawValue);
    if (code) [last, lastAt] = [code.rawValue, now];
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  stopCamera();
}

function stopCamera() {
  for (const track of camera?.getTracks() ?? []) track.stop();
  camera = null;
  const video = document.getElementById("seen");
  const button = document.getElementById("camera");
  if (video) video.hidden = true;
  if (button?.dataset.words) button.textContent = button.dataset.words;
}

// -- time, and what others do -----------------------------------------------------------------------------

function tick() {
  for (const time of document.querySelectorAll("time[data-until]")) {
    const minutes = Math.floor((Date.parse(time.dataset.until) - Date.now()) / 60000);
    const left = minutes < 0 ? words.wordsLate : minutes < 90 ? `${minutes + 1} min` : "";
    time.dataset.left = left;
    time.classList.toggle("soon", minutes >= 0 && minutes < 15);
    time.classList.toggle("late", minutes < 0);
  }
}

function listen() {
  if (!words.live) return;
  const stream = new EventSource(words.live);
  stream.onmessage = (event) => {
    const [step, mark] = screen().dataset.state.split("/");
    if (step && mark === event.data) return;
    refresh();
  };
  stream.onopen = sendKept;
}

function wake() {
  for (const input of document.querySelectorAll("input[data-first]")) input.value = input.dataset.first;
  const button = document.getElementById("camera");
  if (button && "BarcodeDetector" in window) {
    button.hidden = false;
    button.addEventListener("click", toggleCamera);
  }
  // A list that has something stays the one that is shown, whatever comes into the others.
  const { pinned } = screen().dataset;
  if (pinned) history.replaceState(null, "", pinned);
  countFound();
  showKept();
  tick();
}

wake();
listen();
setInterval(tick, 1000);
setInterval(sendKept, RETRY_MS);
addEventListener("online", sendKept);
addEventListener("visibilitychange", () => document.hidden || refresh());
navigator.serviceWorker?.register("/console/store-worker.js", { scope: "/console/store" });
