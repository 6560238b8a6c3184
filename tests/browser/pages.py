"""The HTML of the tests: the bank's own pages, and those of whoever attacks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_FRAME: Final = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>%s</title>%s'


def document(title: str, body: str) -> str:
    """A page that asks for no icon."""
    return _FRAME % (title, body)


HOME: Final = document(
    "Bank",
    """
<form method="post" action="login">
  <label>User <input name="user"></label>
  <label>Password <input name="password" type="password"></label>
  <button>Log in</button>
</form>
""",
)

ACCOUNT: Final = document(
    "Account",
    """
<h1>Account of {subject}</h1>
<p id="result"></p>
<button id="transfer">Transfer</button>
<form method="post" action="transfer"><input name="to" value="bob"><button>Transfer by form</button></form>
<form method="post" action="logout"><button>Log out</button></form>
<script>
document.getElementById("transfer").onclick = async () => {
  const answer = await fetch("transfer", {method: "POST"});
  document.getElementById("result").textContent = answer.status + " " + await answer.text();
};
</script>
""",
)

_START: Final = """<script>
const target = new URLSearchParams(location.search).get("target");
const done = () => { document.title = "done"; };
</script>
"""

_SUBMIT: Final = """<script>
const form = document.querySelector("form");
form.action = target;
form.submit();
</script>
"""

_ATTACKS: Final = {
    "form": '<form method="post"><input name="to" value="mallory"></form>' + _SUBMIT,
    "text_form": """<form method="post" enctype="text/plain">
<input name='{"to": "mallory", "x": "' value='"}'></form>"""
    + _SUBMIT,
    "framed_form": """<iframe name="frame"></iframe><form method="post" target="frame"></form>
<script>document.querySelector("iframe").onload = done;</script>"""
    + _SUBMIT,
    "sandboxed_form": """<iframe sandbox="allow-scripts allow-forms"></iframe><script>
const frame = document.querySelector("iframe");
let loads = 0;
frame.onload = () => { loads += 1; if (loads === 2) done(); };
frame.srcdoc = '<form method="post" action="' + target + '"></form>'
  + '<script>onload = () => setTimeout(() => document.forms[0].submit())</' + 'script>';
</script>""",
    "anonymous_form": '<meta name="referrer" content="no-referrer"><form method="post"></form>' + _SUBMIT,
    "fetch_no_cors": """<script>
fetch(target, {method: "POST", mode: "no-cors", credentials: "include", body: "to=mallory"}).finally(done);
</script>""",
    "fetch_cors": """<script>
fetch(target, {method: "POST", mode: "cors", credentials: "include", body: "to=mallory"})
  .then((answer) => { document.body.append("read " + answer.status); }, () => {}).finally(done);
</script>""",
    "fetch_json": """<script>
fetch(target, {method: "POST", mode: "cors", credentials: "include", body: "{}",
               headers: {"Content-Type": "application/json"}})
  .then((answer) => { document.body.append("read " + answer.status); }, () => {}).finally(done);
</script>""",
    "beacon": '<script>navigator.sendBeacon(target, "to=mallory"); done();</script>',
    "image": """<img><script>
const image = document.querySelector("img");
image.onload = image.onerror = done;
image.src = target;
</script>""",
    "script": """<script>
const script = document.createElement("script");
script.onload = script.onerror = done;
script.src = target;
document.head.append(script);
</script>""",
    "frame": """<iframe></iframe><script>
const frame = document.querySelector("iframe");
frame.onload = done;
frame.src = target;
</script>""",
    "link": """<a>You won</a><script>
const link = document.querySelector("a");
link.href = target;
link.click();
</script>""",
    "websocket": """<script>
const socket = new WebSocket(target.replace("http", "ws"));
socket.onopen = () => { document.body.append("open"); done(); };
socket.onerror = done;
</script>""",
}

ATTACK_PAGES: Final[Mapping[str, str]] = {
    name: document("attack", _START + "<body>" + body) for name, body in _ATTACKS.items()
}
"""What a foreign site serves: each attacks the address in its ``target`` parameter as soon as it is opened."""

READ_EVERYTHING: Final = """async (paths) => {
  const kept = async () => ({
    cookie: document.cookie,
    cookieStore: await cookieStore.getAll(),
    localStorage: {...localStorage},
    sessionStorage: {...sessionStorage},
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
    page: document.documentElement.outerHTML,
    history: history.state,
    name: window.name,
    timing: performance.getEntries().map((entry) => entry.toJSON()),
    address: location.href,
  });
  const before = await kept();
  const answers = [];
  for (const path of paths) {
    const [method, address] = path.split(" ");
    const answer = await fetch(address, {method});
    answers.push([path, answer.status, [...answer.headers], await answer.text()]);
  }
  return JSON.stringify({before, answers, after: await kept()});
}"""
"""All that a script injected into a page of the bank could lay its hands on."""
