"""What tests of pages share: names that would be markup, a parser, and a check that nothing in a page runs or loads."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

NASTY = (
    "<img src=x onerror=alert(1)>",
    '"><script>document.title="pwned"</script>',
    "' onmouseover='alert(1)",
    "\u202egpj.exe\u2066",
    "</style></title><script src=https://evil.example/x.js></script>",
    "{{ 7 * 7191 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;b&gt; a\x00b \x1b[31m",
)


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.style = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def check_inert(text: str) -> Page:
    """Nothing that runs, loads, sends or hides; the one style sheet is the one that the policy names."""
    found = Page(text)
    assert not {"script", "iframe", "object", "embed", "form", "base", "foreignobject", "audio", "video"} & {
        t for t, _ in found.tags
    }
    assert text.count("<style") == 1
    for _, attributes in found.tags:
        assert not any(name.startswith("on") or name == "style" or name == "srcset" for name in attributes)
        for name in ("href", "src", "xlink:href", "action", "data"):
            if name in attributes:
                assert re.match(r"#[a-z]+$|data:,$|data:image/jpeg;base64,", attributes[name]), attributes[name]
    policy = next(m["content"] for m in found.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(found.style.encode()).digest()).decode()
    assert (
        policy == f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert not re.search("[\u0000-\u0008\u000e-\u001f\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)
    return found
