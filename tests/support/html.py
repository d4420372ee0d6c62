"""A page as a test reads it without a browser."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "input", "br", "link", "rect", "polyline"}
SECTIONING = {"header": "banner", "main": "main", "footer": "contentinfo", "nav": "navigation"}


class Element:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements below of that tag, with these attributes, in order; ``_`` stands for ``-``."""
        wanted = {name.strip("_").replace("_", "-"): value for name, value in attributes.items()}
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if tag in ("", child.tag) and wanted.items() <= child.attributes.items():
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str = "", **attributes: str) -> Element:
        [found] = self.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        """What it shows, with single spaces."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> list[str]:
        if self.tag in ("script", "style", "template"):
            return []
        return [
            text
            for child in self.children
            for text in ([child] if isinstance(child, str) else [*child._texts(), " "])
        ]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Element:
    """The page; every element must be ended where it is to be."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [reader.root]
    return reader.root


def landmarks(page: Element) -> list[tuple[str, str]]:
    """The role and the name of each landmark."""
    ids = {element.attributes["id"]: element for element in page.all() if "id" in element.attributes}
    found = []
    for element in page.all():
        label = element.attributes.get("aria-labelledby", "")
        name = ids[label].text if label else element.attributes.get("aria-label", "")
        role = element.attributes.get("role") or SECTIONING.get(element.tag, "")
        if element.tag == "section" and name:
            role = "region"
        if role in ("banner", "main", "contentinfo", "navigation", "region", "search"):
            found.append((role, name))
    return found
