// A module: the token is in no global, no storage, no cookie, no element. It ends with the page.
const API = "http://127.0.0.1:8000";
let token = null;

const at = (id) => document.getElementById(id);
const say = (text) => { at("said").textContent = text; };

at("login").onsubmit = async (event) => {
  event.preventDefault();
  const form = Object.fromEntries(new FormData(event.target));
  event.target.reset();
  const answer = await fetch(`${API}/login`, {
    method: "POST",
    headers: {"Content-Type": "application/json"},
    body: JSON.stringify(form),
  });
  token = answer.ok ? (await answer.json()).access_token : null;
  say(token ? "logged in" : "wrong");
};

at("read").onclick = async () => {
  const answer = await fetch(`${API}/reports`, {headers: token ? {Authorization: `Bearer ${token}`} : {}});
  if (answer.status === 401) token = null;
  say(answer.ok ? await answer.json() : "please log in");
};

at("logout").onclick = () => {
  token = null;
  say("logged out");
};
