import { decode, duration, explain, glimpse } from "./decoded.js";

start(document.getElementById("playground"));

// The tokens live in this closure and nowhere else: no storage, no cookie, no global.
function start(root) {
  const { api, audience, clientId, scope } = root.dataset;
  const part = (id) => document.getElementById(id);
  let accessToken = null;
  let refreshToken = null;
  let oldRefreshToken = null;
  let timer = null;

  part("sign-in").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    act(event.submitter, part("sign-in-outcome"), async (outcome) => {
      const { username, passphrase } = form.elements;
      const answer = await ask("POST", "/session", {
        username: username.value, password: passphrase.value, scope, resource: audience,
      });
      if (!answer.ok) return show(outcome, "POST /session", answer);
      passphrase.value = "";
      oldRefreshToken = null;
      hold(answer.body);
      for (const id of ["api-outcome", "refresh-outcome", "end-outcome"]) part(id).replaceChildren();
      for (const section of root.querySelectorAll("[data-step]")) section.hidden = false;
      for (const id of ["refresh", "log-out"]) part(id).disabled = false;
      part("repeat").disabled = true;
      say(outcome, `Signed in as ${username.value}. Your session is open; go on below.`, "good");
    });
  });

  part("list-orders").addEventListener("click", (event) => callApi(event.currentTarget, part("api-outcome")));
  part("call-again").addEventListener("click", (event) => callApi(event.currentTarget, part("end-outcome")));
  part("place-order").addEventListener("submit", (event) => {
    event.preventDefault();
    callApi(event.submitter, part("api-outcome"), { item: event.currentTarget.elements.order.value });
  });

  part("refresh").addEventListener("click", (event) => {
    act(event.currentTarget, part("refresh-outcome"), async (outcome) => {
      const presented = refreshToken;
      const answer = await refresh(presented);
      if (!answer.ok) return show(outcome, "POST /session/refresh", answer);
      oldRefreshToken = presented;
      part("repeat").disabled = false;
      hold(answer.body);
      say(outcome, `New tokens. ${glimpse(presented)} was replaced by ${glimpse(refreshToken)}.`, "good");
    });
  });

  part("repeat").addEventListener("click", (event) => {
    act(event.currentTarget, part("refresh-outcome"), async (outcome) => {
      const answer = await refresh(oldRefreshToken);
      if (!answer.ok) return show(outcome, "POST /session/refresh, with the old token", answer);
      const same = answer.body.refresh_token === refreshToken;
      hold(answer.body);
      say(outcome, same
        ? `The same successor again: ${glimpse(refreshToken)}. Nobody was logged out by a lost answer.`
        : `A successor: ${glimpse(refreshToken)}.`, "good");
    });
  });

  part("log-out").addEventListener("click", (event) => {
    const button = event.currentTarget;
    act(button, part("end-outcome"), async (outcome) => {
      const answer = await ask("DELETE", "/session", { refresh_token: refreshToken });
      if (!answer.ok) return show(outcome, "DELETE /session", answer);
      for (const id of ["refresh", "repeat", "log-out"]) part(id).disabled = true;
      say(outcome, "Logged out. Now call the API with the same access token.", "good");
      return "over";
    });
  });

  function hold(tokens) {
    accessToken = tokens.access_token;
    refreshToken = tokens.refresh_token;
    const { header, claims } = decode(accessToken);
    list(part("header"), header);
    list(part("claims"), claims);
    part("token").textContent = accessToken;
    part("refresh-token").textContent = glimpse(refreshToken);
    clearInterval(timer);
    const tick = () => {
      const left = Math.max(0, Math.ceil(claims.exp - Date.now() / 1000));
      part("countdown").textContent = left > 0 ? `Expires in ${duration(left)}` : "Expired: refresh, and go on";
      part("countdown").classList.toggle("bad", left === 0);
    };
    tick();
    timer = setInterval(tick, 1000);
  }

  function refresh(token) {
    return ask("POST", "/session/refresh", { refresh_token: token });
  }

  function ask(method, path, members) {
    return send(path, {
      method,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ client_id: clientId, ...members }),
    });
  }

  function callApi(button, place, order = null) {
    act(button, place, async (outcome) => {
      const headers = { Authorization: `Bearer ${accessToken}` };
      const request = order === null
        ? { headers }
        : { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(order) };
      show(outcome, `${request.method ?? "GET"} /orders`, await send(`${api}/orders`, request));
    });
  }
}

// One act at a time for each button; an act that answers "over" leaves its button disabled.
async function act(button, outcome, perform) {
  button.disabled = true;
  outcome.setAttribute("aria-busy", "true");
  let ending = null;
  try {
    ending = await perform(outcome);
  } catch {
    say(outcome, "No answer came: is the demo still running in its terminal?", "bad");
  }
  outcome.removeAttribute("aria-busy");
  button.disabled = ending === "over";
}

async function send(url, request) {
  const response = await fetch(url, { cache: "no-store", credentials: "omit", ...request });
  const text = await response.text();
  return { ok: response.ok, status: response.status, body: text === "" ? null : JSON.parse(text) };
}

function show(place, request, { ok, status, body }) {
  const code = body?.code;
  say(place, `${request} → ${status}${code ? ` ${code}` : ""}`, ok ? "good" : "bad");
  if (body === null) return;
  const text = document.createElement("pre");
  text.textContent = JSON.stringify(body, null, 2);
  place.append(text);
}

function say(place, sentence, tone) {
  const line = document.createElement("p");
  line.className = tone;
  line.textContent = sentence;
  place.replaceChildren(line);
}

function list(place, members) {
  const now = Date.now() / 1000;
  place.replaceChildren(...Object.entries(members).flatMap(([name, value]) => {
    const term = document.createElement("dt");
    term.textContent = name;
    const description = document.createElement("dd");
    description.textContent = typeof value === "string" ? value : JSON.stringify(value);
    const meaning = explain(name, value, now);
    if (meaning !== "") {
      const words = document.createElement("small");
      words.textContent = meaning;
      description.append(words);
    }
    return [term, description];
  }));
}
