"use strict";
// The dashboard. Everything remote reaches the page as textContent only.

const $ = (id) => document.getElementById(id);
const KEEP_EVENTS = 200;
let members = [];  // gateways of the colony, in case this one goes
const state = { access: null, refresh: null, role: null, user: null, resume: null, stream: null, timer: null };

// Tokens live in this tab only.
const stored = JSON.parse(sessionStorage.getItem("aware") || "null");
if (stored) Object.assign(state, stored);

function remember() {
  const { access, refresh, role, user } = state;
  sessionStorage.setItem("aware", JSON.stringify({ access, refresh, role, user }));
}

class Problem extends Error {
  constructor(status, document) {
    super([document.detail, document.hint].filter(Boolean).join(" – ") || `HTTP ${status}`);
    this.status = status;
  }
}

// A node that is not queen redirects logins and writes. She is another origin, so the whole page has to go there.
async function call(path, options) {
  const response = await fetch(path, { ...options, redirect: "manual" });
  if (response.type === "opaqueredirect") await toQueen();
  return response;
}

async function toQueen() {
  let queen = null;
  try { queen = (await (await fetch("/v1/council")).json()).queen; } catch { /* looked for again after the reload */ }
  if (queen && queen !== location.origin) location.assign(`${queen}/`); else location.reload();
  await new Promise(() => {});
}

async function request(method, path, body, again = true) {
  const headers = { accept: "application/json" };
  if (state.access) headers.authorization = `Bearer ${state.access}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await call(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  if (response.status === 401 && again && state.refresh && (await renew())) return request(method, path, body, false);
  let document = {};
  try { document = text ? JSON.parse(text) : {}; } catch { document = { detail: "the answer was not JSON" }; }
  if (!response.ok) throw new Problem(response.status, document);
  return document;
}

let renewing = null;
function renew() {
  renewing ||= (async () => {
    try {
      const response = await call("/v1/auth/refresh", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ refresh_token: state.refresh }),
      });
      if (!response.ok) return false;
      take(await response.json());
      return true;
    } catch {
      return false;
    } finally {
      renewing = null;
    }
  })();
  return renewing;
}

function take(tokens) {
  state.access = tokens.access_token;
  state.refresh = tokens.refresh_token;
  state.role = tokens.role;
  remember();
}

// ---- small helpers

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function since(seconds) {
  const age = Math.max(0, Date.now() / 1000 - seconds);
  if (age < 90) return `${Math.round(age)} s`;
  if (age < 5400) return `${Math.round(age / 60)} min`;
  if (age < 129600) return `${Math.round(age / 3600)} h`;
  return `${Math.round(age / 86400)} d`;
}

const TONE = {
  ready: "good", healthy: "good", suspect: "warn", forming: "warn", degraded: "bad", dead: "bad", left: "calm",
  notice: "good", warning: "warn", error: "bad",
};

function notice(text) {
  $("notice").textContent = text || "";
  $("notice").hidden = !text;
}

function link(text, tone) {
  $("link").textContent = text;
  $("link").className = `pill ${tone}`;
  $("link").hidden = false;
}

// ---- drawing

function draw(cluster, nodes) {
  $("colony").textContent = cluster.colony;
  document.title = `${cluster.colony}: ${cluster.status} – AWARE`;
  $("health").textContent = cluster.status;
  $("health").className = `big ${TONE[cluster.status] || ""}`;
  $("reason").textContent = cluster.reason;
  $("queen").textContent = cluster.queen ? cluster.queen.name : "none";
  const heir = cluster.heir ? `, heir ${cluster.heir.name}` : ", no heir";
  $("reign").textContent = cluster.queen ? `term ${cluster.queen.term}, since ${since(cluster.queen.since)}${heir}` : "";
  const size = cluster.size;
  $("count").textContent = size.wanted > size.ready ? `${size.ready} of ${size.wanted} ready` : `${size.ready} ready`;
  const others = ["suspect", "dead", "left", "cordoned"].filter((key) => size[key]).map((key) => `${size[key]} ${key}`);
  $("counts").textContent = others.join(", ") || "none in trouble";
  members = nodes.nodes.filter((node) => node.status === "ready" && isWeb(node.url)).slice(0, 10);
  drawCastes(cluster.castes);
  $("nodes").replaceChildren(...nodes.nodes.map(row));
  drawThrone(cluster, nodes.nodes);
}

function drawCastes(castes) {
  const items = castes.map((caste) => {
    const item = make("li");
    item.append(make("span", "", caste.name));
    const text = `${caste.assigned.length} of ${caste.wanted}` + (caste.missing ? `, ${caste.missing} missing` : "");
    const count = make("span", caste.missing ? "warn" : "good", text);
    count.title = caste.assigned.join(", ");
    item.append(count);
    return item;
  });
  $("castes").replaceChildren(...(items.length ? items : [make("li", "muted", "no spec yet")]));
}

function row(node) {
  const line = make("tr");
  const name = make("td", "name", node.name);
  name.title = node.id;
  const status = make("td");
  status.append(make("span", `pill ${TONE[node.status] || ""}`, node.status));
  if (node.cordoned) status.append(" ", make("span", "pill calm", "cordoned"));
  const role = node.role === "queen" ? "♛ queen" : node.role;
  const memory = `${(node.capabilities.ram_mib / 1024).toFixed(1)} GiB`;
  line.append(
    name, status, make("td", "", role), make("td", "", node.caste), make("td", "", node.address),
    make("td", "", node.capabilities.zone), make("td", "number", String(node.capabilities.vcpus)),
    make("td", "number", memory), make("td", "", node.version),
  );
  return line;
}

function drawThrone(cluster, nodes) {
  $("reign").hidden = !["admin", "security-admin"].includes(state.role);
  const candidates = nodes.filter((node) => node.candidate && node.status === "ready" && node.role !== "queen");
  const chosen = $("successor").value;
  $("successor").replaceChildren(...candidates.map((node) => {
    const option = make("option", "", node.name);
    option.value = node.id;
    option.selected = node.id === chosen;
    return option;
  }));
  $("transfer").disabled = $("step-down").disabled = candidates.length === 0;
}

function addEvent(event) {
  const item = make("li", TONE[event.severity] || "");
  item.append(make("p", "", event.message));
  const when = new Date(event.time * 1000).toLocaleString();
  item.append(make("small", "", `${when} · ${event.type} · ${event.actor} · revision ${event.revision}`));
  const list = $("events");
  list.prepend(item);
  while (list.children.length > KEEP_EVENTS) list.lastElementChild.remove();
}

// ---- staying current

async function refreshBoard() {
  const [cluster, nodes] = await Promise.all([request("GET", "/v1/cluster"), request("GET", "/v1/nodes")]);
  draw(cluster, nodes);
}

let pending = false;
function refreshSoon() {
  if (pending) return;
  pending = true;
  setTimeout(() => { pending = false; refreshBoard().catch(failed); }, 150);
}

async function loadHistory() {
  // Walk to the newest events; pages are bounded, so is what stays on the page.
  let after = 0;
  $("events").replaceChildren();
  for (let round = 0; round < 100; round += 1) {
    const page = await request("GET", `/v1/events?limit=1000&since=${after}`);
    page.events.slice(-KEEP_EVENTS).forEach(addEvent);
    after = page.events.length ? page.events[page.events.length - 1].revision : page.revision;
    if (!page.more) break;
  }
  state.resume = after;
}

async function follow() {
  const controller = new AbortController();
  state.stream = controller;
  while (!controller.signal.aborted) {
    try {
      await readStream(controller);
      link("reconnecting", "warn");
    } catch (error) {
      if (controller.signal.aborted) return;
      if (error instanceof Problem && error.status === 401 && !(await renew())) return logOut();
      if (error instanceof Problem && error.status === 410) await loadHistory().catch(failed);
      link("no connection", "bad");
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function readStream(controller) {
  const response = await call(`/v1/events/stream?since=${state.resume}`, {
    headers: { authorization: `Bearer ${state.access}` },
    signal: controller.signal,
  });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  link("live", "good");
  refreshSoon();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    parts.forEach(takeMessage);
  }
}

function takeMessage(text) {
  const fields = {};
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  if (fields.id) state.resume = Number(fields.id);
  if (!fields.data) return;
  if (fields.event === "aware.end") return notice(JSON.parse(fields.data).reason);
  notice("");
  addEvent(JSON.parse(fields.data));
  refreshSoon();
}

function failed(error) {
  if (error instanceof Problem && error.status === 401) return logOut();
  notice(error instanceof TypeError ? "This node does not answer; trying again. Other ways in: " : error.message);
  if (error instanceof TypeError) $("notice").append(...members.flatMap((member) => [anchor(member), " "]));
  return undefined;
}

function anchor(node) {
  const element = make("a", "", node.name);
  element.href = node.url;
  return element;
}

function isWeb(url) {
  try { return ["http:", "https:"].includes(new URL(url).protocol); } catch { return false; }
}

// ---- log in and out

async function start() {
  $("login").hidden = true;
  $("board").hidden = false;
  $("logout").hidden = false;
  $("who").textContent = `${state.user} (${state.role})`;
  try {
    await loadHistory();
    await refreshBoard();
  } catch (error) {
    failed(error);
    if (!state.access) return;
    state.resume ||= 0;
  }
  state.timer = setInterval(() => refreshBoard().catch(failed), 15000);
  follow();
}

function logOut() {
  if (state.stream) state.stream.abort();
  clearInterval(state.timer);
  if (state.access) {
    fetch("/v1/auth/token", { method: "DELETE", headers: { authorization: `Bearer ${state.access}` } }).catch(() => {});
  }
  Object.assign(state, { access: null, refresh: null, role: null, user: null });
  sessionStorage.removeItem("aware");
  for (const id of ["board", "logout", "link"]) $(id).hidden = true;
  $("who").textContent = "";
  $("login").hidden = false;
}

$("logout").addEventListener("click", logOut);

$("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  $("login-error").textContent = "";
  try {
    const username = $("username").value.trim();
    take(await request("POST", "/v1/auth/token", { username, password: $("password").value }, false));
    state.user = username;
    remember();
    $("password").value = "";
    await start();
  } catch (error) {
    $("login-error").textContent = error instanceof TypeError ? "The gateway cannot be reached." : error.message;
  } finally {
    button.disabled = false;
  }
});

// ---- the reign

function ask(question) {
  $("question").textContent = question;
  $("confirm").returnValue = "no";
  $("confirm").showModal();
  return new Promise((resolve) => {
    $("confirm").addEventListener("close", () => resolve($("confirm").returnValue === "yes"), { once: true });
  });
}

async function handOver(path, body) {
  try {
    const result = await request("POST", path, body);
    notice(`${result.from.name} hands over` + (result.to ? ` to ${result.to.name}.` : "."));
  } catch (error) {
    failed(error);
  }
}

$("step-down").addEventListener("click", async () => {
  if (await ask("Shall the queen step down in favour of the heir?")) await handOver("/v1/queen/step-down");
});

$("transfer").addEventListener("click", async () => {
  const option = $("successor").selectedOptions[0];
  if (option && (await ask(`Shall ${option.textContent} be the next queen?`))) {
    await handOver("/v1/queen/transfer", { node: option.value });
  }
});

// ---- light and dark

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
}
theme(localStorage.getItem("aware-theme"));
$("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme;
  const dark = now ? now === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const next = dark ? "light" : "dark";
  localStorage.setItem("aware-theme", next);
  theme(next);
});

if (state.access) start(); else $("login").hidden = false;
