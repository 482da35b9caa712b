"""What the README and the docs point to exists: files, headings, make targets, commands and their options."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from orchestration.embedded.cli.main import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")
COMMAND = re.compile(r"(?:^|[\s`(])(?:\.venv/bin/)?landfall (?:--[a-z]+ \S+ )*([a-z][a-z-]*)((?: (?!&&)\S+)*)")
TARGET = re.compile(r"`make ([a-z]+)|^make ([a-z]+)", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def code(page: Path) -> str:
    """Return all code of a page, inline and in blocks, a piece a line."""
    text = page.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for path, anchor in LINK.findall(page.read_text()):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_is_one(page: Path) -> None:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {one or other for one, other in TARGET.findall(page.read_text())}
    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_is_one(page: Path) -> None:
    everywhere = {option for parameter in cli.params for option in parameter.opts}
    unknown = []
    for name, rest in COMMAND.findall(code(page)):
        command = cli.commands.get(name)
        if command is None:
            unknown.append(name)
            continue
        known = everywhere | {o for p in command.params if isinstance(p, click.Option) for o in p.opts}
        unknown += [f"{name} {word}" for word in re.findall(r"(?<=[\s\[])--[a-z-]+", rest) if word not in known]
    assert unknown == []
