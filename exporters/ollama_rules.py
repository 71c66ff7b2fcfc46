"""
When a test generation is allowed: only if it loads, reloads, pins and sends away nothing. Pure.

What a generation does to Ollama (server/sched.go at v0.17.4) decides the rules:
- A model that is not in memory would be loaded: so it must be in /api/ps a moment before, not
  about to leave, and the one that is installed under its name: after a pull that is another.
- It is loaded anew when the request's loading options differ from those it was loaded with
  (needsReload). /api/ps shows only the context of them. So generations are made only where the
  configuration states the options that callers send, and we send the same (`load_options`).
- It is loaded anew when its process does not say within ten seconds that it is well. So that is
  asked first, and given up in half the time (exporters.ollama_generate.ready).
- Should it be loaded anew all the same, the time shows it, and the model is left alone for a day.
- The time until it leaves memory starts again after every use, ours too. So we ask only within
  one scrape of somebody else's use, which /api/ps shows as a new expires_at. Who is idle is never
  asked. A pinned model has no such time. `keep_alive` is never sent: it would bind later users.
- A model of the cloud would be asked in the cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from exporters.ollama_models import Ps, Tags, pinned
from exporters.ollama_names import Name
from exporters.ollama_parse import Loaded

SKIPS = ("busy", "not_loaded", "remote", "unsupported", "would_pin", "would_reload")
LEAVING_S = 5.0  # a generation begins within milliseconds; this is for stalls
RECENT_S = 120.0  # an older look does not tell when a use was; scrapes come every 15 to 60 s
RELOADED_S = 0.5  # getting a loaded model ready takes 1 to 50 ms, measured on two busy cores
AUTOMATIC = -1  # num_gpu: left to Ollama, which then does not compare it
RELOAD_PAUSE_S = 86400.0
SAME_MOMENT_S = 0.001


@dataclass(frozen=True, slots=True)
class Seen:
    """How the model looked at *at* (our monotonic clock); *expires* None: it was not in memory."""

    at: float
    expires: float | None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of the model that is to be asked, from scrape to scrape."""

    seen: Seen | None = None
    used: bool = False  # by somebody else, between the look before and the last one
    settled_at: float = 0.0  # until then expires_at may still move from our own generation
    last_run: float | None = None  # end of the last generation
    repeat: bool = False  # the last one failed for the first time: ask once more to be sure
    reloaded_at: float | None = None


@dataclass(frozen=True, slots=True)
class Lists:
    """What Ollama said (None: not to be had), at *now*, our monotonic clock, and *clock*, its own."""

    tags: Tags | None
    ps: Ps | None
    now: float
    clock: float


def find(name: Name, loaded: Ps) -> Loaded | None:
    """Return the model *name* of *loaded*."""
    return next((model for model in loaded if model.name.key == name.key), None)


def look(watch: Watch, model: Loaded | None, now: float) -> Watch:
    """Return *watch* after an answer of /api/ps with *model* (None: not in memory) at *now*."""
    if now < watch.settled_at:
        return replace(watch, seen=None, used=False)
    before, expires = watch.seen, model.expires if model else None
    recent = before is not None and now - before.at <= RECENT_S
    used = recent and expires is not None and _moved(before, expires)
    return replace(watch, seen=Seen(now, expires), used=used)


def _moved(before: Seen | None, expires: float) -> bool:
    if before is None or before.expires is None:
        return True
    return abs(expires - before.expires) > SAME_MOMENT_S


def due(watch: Watch, interval_s: float, now: float) -> bool:
    """Whether it is time for a generation."""
    return watch.repeat or watch.last_run is None or now - watch.last_run >= interval_s


def obstacle(watch: Watch, name: Name, lists: Lists) -> str | None:
    """Return why *name* must not be asked now, one of SKIPS; None if it may; *watch* is after `look`."""
    if name.says_cloud or any(m.remote for m in lists.tags or () if m.name.key == name.key):
        return "remote"
    if lists.tags is None or lists.ps is None:
        return "busy"
    model = find(name, lists.ps)
    if model is None or model.expires is None:
        return "not_loaded"
    return _residency(watch, model, lists.clock) or _reload(watch, model, lists)


def _residency(watch: Watch, model: Loaded, clock: float) -> str | None:
    if model.expires is None or pinned(model, clock):
        return None
    if model.expires <= clock:
        return "busy"  # its time is over and it is still there: somebody is using it
    if model.expires <= clock + LEAVING_S:
        return "not_loaded"
    return None if watch.used or watch.repeat else "would_pin"


def _reload(watch: Watch, model: Loaded, lists: Lists) -> str | None:
    if model.context_tokens is None:
        return "would_reload"  # 0.6.5 does not show it, 0.11.10 does
    installed = next((m for m in lists.tags or () if m.name.key == model.name.key), None)
    if installed is None or not model.digest or installed.digest != model.digest:
        return "would_reload"  # pulled, made anew or deleted since it was loaded
    paused = watch.reloaded_at is not None and lists.now - watch.reloaded_at < RELOAD_PAUSE_S
    return "would_reload" if paused else None


def load_options(
    model: Loaded, longest: int | None, stated: Mapping[str, int | bool]
) -> dict[str, int | bool] | None:
    """
    Return the loading options that keep *model* as it is; None: there are none that surely do.

    *stated* are those that callers send. The context that /api/ps shows is what was asked for,
    whatever is stated, except that from v0.13 on it is cut to the *longest* that the model can
    take: there what is stated decides, and if nothing is, Ollama's default, as for the callers.
    """
    options = {**stated, "num_gpu": AUTOMATIC}
    if model.context_tokens is not None and model.context_tokens != longest:
        return {**options, "num_ctx": model.context_tokens}
    if longest is None or stated.get("num_ctx", longest) < longest:
        return None  # not loaded with what is stated: with what, nobody can tell
    return options


def ended(watch: Watch, *, failed: bool, load_s: float, timeout_s: float, now: float) -> Watch:
    """Return *watch* after a generation that ended at *now*."""
    # Ollama notices the end of a request a moment later; of one that hung, when its runner gives up.
    settle_s = timeout_s if failed else 1.0
    return replace(
        watch,
        seen=None,
        used=False,
        settled_at=now + settle_s,
        repeat=failed and not watch.repeat,
        reloaded_at=now if load_s >= RELOADED_S else watch.reloaded_at,
    )
