"""When a test generation is allowed: every rule, on both of its sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporters.ollama_names import parse_name
from exporters.ollama_parse import Installed, Loaded
from exporters.ollama_rules import (
    LEAVING_S,
    RECENT_S,
    RELOAD_PAUSE_S,
    RELOADED_S,
    Lists,
    Seen,
    Watch,
    due,
    ended,
    load_options,
    look,
    obstacle,
)

NAME = parse_name("tinyllama")
CLOCK, NOW = 1_790_000_000.0, 1000.0
LOADED = Loaded(NAME, digest="abc", context_tokens=4096, expires=CLOCK + 300)
PINNED = replace(LOADED, expires=CLOCK + 292 * 365.25 * 86400)
HERE = (Installed(NAME, digest="abc"),)
USED, IDLE = Watch(used=True), Watch()


def lists(loaded: Loaded | None = LOADED, tags: tuple[Installed, ...] | None = HERE) -> Lists:
    """Return what Ollama said."""
    return Lists(tags, () if loaded is None else (loaded,), NOW, CLOCK)


OBSTACLES: dict[str, tuple[str | None, Watch, Lists]] = {
    "used by somebody just now": (None, USED, lists()),
    "idle": ("would_pin", IDLE, lists()),
    "idle, but to be asked again after a failure": (None, Watch(repeat=True), lists()),
    "pinned anyway": (None, IDLE, lists(PINNED)),
    "not in memory": ("not_loaded", USED, lists(None)),
    "another one is in memory": (
        "not_loaded", USED, lists(replace(LOADED, name=parse_name("tinyllama:1b"))),
    ),
    "in memory, spelled otherwise": (
        None, USED, lists(replace(LOADED, name=parse_name("Library/TinyLlama:latest"))),
    ),
    "about to leave": ("not_loaded", USED, lists(replace(LOADED, expires=CLOCK + LEAVING_S))),
    "not about to leave": (None, USED, lists(replace(LOADED, expires=CLOCK + LEAVING_S + 0.1))),
    "its time is over and it is still there": (
        "busy", USED, lists(replace(LOADED, expires=CLOCK - 1)),
    ),
    "no list of what is in memory": ("busy", USED, Lists(HERE, None, NOW, CLOCK)),
    "no list of what is installed": ("busy", USED, lists(tags=None)),
    "a stub of a cloud model": (
        "remote", USED, lists(tags=(Installed(NAME, remote_host="https://ollama.com:443"),)),
    ),
    "a stub that names only the model": (
        "remote", USED, lists(tags=(Installed(NAME, remote_model="gpt-oss:120b"),)),
    ),
    "loaded by an Ollama that does not tell the context": (
        "would_reload", USED, lists(replace(LOADED, context_tokens=None)),
    ),
    "another file is installed by now": (
        "would_reload", USED, lists(tags=(Installed(NAME, digest="def"),)),
    ),
    "no longer installed": (
        "would_reload", USED, lists(tags=(Installed(parse_name("tinyllama:1b"), digest="abc"),)),
    ),
    "which file is loaded is not told": (
        "would_reload", USED, Lists((Installed(NAME),), (replace(LOADED, digest=""),), NOW, CLOCK),
    ),
    "loaded anew by us a while ago": (
        "would_reload", replace(USED, reloaded_at=NOW - RELOAD_PAUSE_S + 1), lists(),
    ),
    "loaded anew by us long ago": (None, replace(USED, reloaded_at=NOW - RELOAD_PAUSE_S), lists()),
}  # fmt: skip


@pytest.mark.parametrize("case", OBSTACLES)
def test_a_generation_is_allowed_only_where_it_changes_nothing(case: str) -> None:
    """Each state of the server has exactly the stated obstacle."""
    why, watch, said = OBSTACLES[case]

    assert obstacle(watch, NAME, said) == why


@pytest.mark.parametrize("name", ["gpt-oss:cloud", "gpt-oss:120b-cloud", "GPT-OSS:Cloud"])
def test_a_name_that_says_cloud_is_never_asked(name: str) -> None:
    """A cloud model is remote by its name alone, even when the lists cannot be had."""
    assert obstacle(USED, parse_name(name), Lists(None, None, NOW, CLOCK)) == "remote"


@pytest.mark.parametrize(
    ("context", "longest", "stated", "sent"),
    [
        (512, 8192, {}, {"num_ctx": 512}),
        (4096, 8192, {}, {"num_ctx": 4096}),
        (512, 8192, {"num_ctx": 4096, "num_thread": 2}, {"num_ctx": 512, "num_thread": 2}),
        (16384, 8192, {}, {"num_ctx": 16384}),  # before v0.13 it was not cut
        (512, None, {}, {"num_ctx": 512}),
        (2048, 2048, {}, {}),
        (2048, 2048, {"use_mmap": False}, {"use_mmap": False}),
        (2048, 2048, {"num_ctx": 4096}, {"num_ctx": 4096}),
        (2048, 2048, {"num_ctx": 2048}, {"num_ctx": 2048}),
        (2048, 2048, {"num_ctx": 1024}, None),
    ],
)
def test_the_options_of_the_loading_are_those_it_has(
    context: int, longest: int | None, stated: dict[str, int], sent: dict[str, int] | None
) -> None:
    """What is stated, with the loaded context where that is known, and num_gpu left to Ollama."""
    options = load_options(replace(LOADED, context_tokens=context), longest, stated)

    assert options == (None if sent is None else {"num_gpu": -1, **sent})


USES: dict[str, tuple[bool, Watch, Loaded | None]] = {
    "first look": (False, Watch(), LOADED),
    "as before": (False, Watch(seen=Seen(NOW - 15, LOADED.expires)), LOADED),
    "its end has moved on": (True, Watch(seen=Seen(NOW - 15, CLOCK + 285)), LOADED),
    "its end has come nearer": (True, Watch(seen=Seen(NOW - 15, CLOCK + 3600)), LOADED),
    "it was not there before": (True, Watch(seen=Seen(NOW - 15, None)), LOADED),
    "it has left": (False, Watch(seen=Seen(NOW - 15, CLOCK + 1)), None),
    "moved on since a look too long ago": (
        False, Watch(seen=Seen(NOW - RECENT_S - 1, CLOCK + 100)), LOADED,
    ),
    "moved while our own generation settles": (
        False, Watch(seen=Seen(NOW - 15, CLOCK + 285), settled_at=NOW + 1), LOADED,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", USES)
def test_only_a_use_by_somebody_else_counts_as_one(case: str) -> None:
    """Between two looks, the model was used exactly where somebody else's request shows."""
    used, watch, model = USES[case]

    assert look(watch, model, NOW).used == used


def test_after_our_own_generation_the_next_look_is_a_beginning() -> None:
    """What moved by our own generation is not taken for a use: not now, not at the look after."""
    watch = replace(look(Watch(seen=Seen(NOW - 15, CLOCK)), LOADED, NOW), last_run=NOW)
    after = ended(watch, failed=False, load_s=0.01, timeout_s=30, now=NOW)
    moved = replace(LOADED, expires=CLOCK + 315)

    early = look(after, moved, NOW + 0.5)
    first = look(early, moved, NOW + 15)
    second = look(first, moved, NOW + 30)

    assert [w.used for w in (watch, after, early, first, second)] == [True] + [False] * 4


def test_a_failure_is_asked_once_more_and_no_more() -> None:
    """A failed generation is due again at once; when that fails too, only after the interval."""
    first = replace(ended(USED, failed=True, load_s=0, timeout_s=30, now=NOW), last_run=NOW)
    second = replace(ended(first, failed=True, load_s=0, timeout_s=30, now=NOW + 1), last_run=NOW)

    assert due(first, 300, NOW + 1)
    assert not due(second, 300, NOW + 299)
    assert due(second, 300, NOW + 300)


def test_a_generation_that_had_to_load_is_remembered() -> None:
    """Getting ready for half a second or more is a load; for less it is not."""
    quick = ended(USED, failed=False, load_s=RELOADED_S - 0.01, timeout_s=30, now=NOW)
    slow = ended(USED, failed=False, load_s=RELOADED_S, timeout_s=30, now=NOW)

    assert (quick.reloaded_at, slow.reloaded_at) == (None, NOW)
