"""
The exporter against a real Ollama, with a model that the test writes itself.

That a test generation loads, reloads and pins nothing is shown by what the server does: its list
of loaded models, the end that it gives them, and the process that holds each of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporters.frame import Exporter
from exporters.ollama_parse import Loaded, parse_ps
from tests.exporters.ollama import real
from tests.exporters.ollama.gguf import write_model
from tests.exporters.ollama.watching import (
    Samples,
    exporter_of,
    inference,
    only,
    scrape,
    scrape_until,
    target,
)
from tests.live.servers import Server, until

pytestmark = pytest.mark.live

MODEL = "tinyllama:latest"
RUNS = f"ollama_probe_runs_total{{model={MODEL}}}"
SUCCESS = f"ollama_probe_success{{model={MODEL}}}"
LONGEST = 2048
OLLAMA_WAITS_S = 10.0  # twice, for a sign of life (server/sched.go at v0.17.4)


@dataclass(frozen=True, slots=True)
class World:
    """A running server and the folder that it lives in."""

    server: Server
    folder: Path

    def model(self) -> Loaded | None:
        """Return how tinyllama is in memory now."""
        found = parse_ps(self.server.get("/api/ps").encode())
        return next((model for model in found if model.name.shown == MODEL), None)

    def end(self) -> float:
        """Return when tinyllama leaves memory."""
        model = self.model()
        assert model is not None
        assert model.expires is not None
        return model.expires

    def runners(self) -> list[int]:
        """Return the processes that hold models."""
        return real.runners(self.folder)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return an Ollama with tinyllama (at most 2048 tokens) and long (at most 8192)."""
    folder = tmp_path_factory.mktemp("ollama")
    with real.ollama(folder) as server:
        real.create(server, "tinyllama", write_model(folder / "tiny.gguf", context=LONGEST))
        yield World(server, folder)


@pytest.fixture(autouse=True)
def _empty(world: World) -> None:
    """Begin every test with nothing in memory."""
    for name in real.loaded(world.server):
        real.unload(world.server, name)
    until(lambda: not world.runners(), "all models have left memory")


@contextlib.contextmanager
def watched(
    world: World, *, interval_s: float = 0.01, timeout_s: float = 60, **load_options: int
) -> Iterator[Exporter]:
    """Run an exporter with a test generation that is always due; it has looked once."""
    asked = inference(interval_s, timeout_s, load_options=load_options)
    where = target(world.server.url, inference=asked, expected_models=("tinyllama",))
    with exporter_of(where) as exporter:
        scrape(exporter)
        yield exporter


def skipped(reason: str) -> str:
    """Return the name of the counter of generations left out for *reason*."""
    return f"ollama_probe_skipped_total{{model={MODEL},reason={reason}}}"


def _settle(exporter: Exporter) -> Samples:
    """Scrape on until an own generation's traces are past and five more were left out."""
    past = time.monotonic() + 1.2
    until(lambda: bool(scrape(exporter)) and time.monotonic() > past, "the generation has settled")
    before = scrape(exporter)[skipped("would_pin")]
    return scrape_until(exporter, skipped("would_pin"), before + 5)


def test_the_states_of_an_expected_model(world: World, tmp_path: Path) -> None:
    """missing, other_tag, installed and missing again, as models are made and removed."""
    file = write_model(tmp_path / "other.gguf", seed=2)
    seen = []
    with exporter_of(target(world.server.url, expected_models=("gpt-oss",))) as exporter:

        def look() -> None:
            found = only(scrape(exporter), "ollama_model_expected_status")
            seen.append([name.split("status=")[1][:-1] for name, value in found.items() if value])

        look()
        real.create(world.server, "gpt-oss:20b", file)
        look()
        real.create(world.server, "gpt-oss", file)
        look()
        real.delete(world.server, "gpt-oss")
        real.delete(world.server, "gpt-oss:20b")
        look()

    assert seen == [["missing"], ["other_tag"], ["installed"], ["missing"]]


def test_what_is_in_memory_is_told_and_counted(world: World) -> None:
    """Loading and unloading show at the next scrape, with memory, context and end; each counts one."""
    with exporter_of(target(world.server.url)) as exporter:
        before = scrape(exporter)
        real.use(world.server, "tinyllama", keep_alive="1h")
        during = scrape(exporter)
        real.unload(world.server, "tinyllama")
        # Ollama ends the process first and takes it off its list a moment later.
        until(lambda: not world.runners() and world.model() is None, "the model has left memory")
        after = scrape(exporter)

    end = during.pop(f"ollama_model_expires_timestamp_seconds{{model={MODEL}}}")
    memory = during.pop(f"ollama_model_memory_bytes{{model={MODEL}}}")
    assert abs(end - time.time() - 3600) < 60
    assert memory > 332_544  # the weights, at least
    counts = "ollama_model_loads_observed", "ollama_model_unloads_observed"
    told = (
        "ollama_models_loaded", "ollama_model_loaded", "ollama_model_vram", "ollama_model_context",
        "ollama_model_pinned", "ollama_model_expires", "ollama_model_memory",
    )  # fmt: skip
    assert [only(found, *told) for found in (before, during, after)] == [
        {"ollama_models_loaded": 0, f"ollama_model_loaded{{model={MODEL}}}": 0},
        {
            "ollama_models_loaded": 1,
            f"ollama_model_loaded{{model={MODEL}}}": 1,
            f"ollama_model_vram_bytes{{model={MODEL}}}": 0,
            f"ollama_model_context_tokens{{model={MODEL}}}": LONGEST,
            f"ollama_model_pinned{{model={MODEL}}}": 0,
        },
        {"ollama_models_loaded": 0, f"ollama_model_loaded{{model={MODEL}}}": 0},
    ]
    assert list(only(after, *counts).values()) == [1, 1]


def test_a_use_is_followed_by_a_generation_that_leaves_all_as_it_is(world: World) -> None:
    """One generation, measured; the same process holds the model, with the same context."""
    with watched(world) as exporter:
        real.use(world.server, "tinyllama", keep_alive="1h")
        before, holder = world.model(), world.runners()
        found = scrape_until(exporter, SUCCESS, 1)
        after = world.model()

    assert before is not None
    assert after is not None
    assert (world.runners(), after.context_tokens) == (holder, before.context_tokens)
    assert found[f"ollama_probe_generated_tokens_total{{model={MODEL}}}"] == 16
    assert found[f"ollama_probe_prompt_tokens_total{{model={MODEL}}}"] > 16  # the nonce alone
    assert found[f"ollama_probe_decode_tokens_per_second{{model={MODEL}}}"] > 0
    first = found[f"ollama_probe_time_to_first_token_seconds{{model={MODEL}}}"]
    assert 0 < first <= found[f"ollama_probe_duration_seconds{{model={MODEL}}}"]


def test_the_end_of_an_idle_model_does_not_move(world: World) -> None:
    """A model that was in memory before we came, and that nobody uses, is left alone: same end."""
    real.use(world.server, "tinyllama", keep_alive="1h")
    until(lambda: world.end() < time.time() + 3600, "the use has ended")
    end = world.end()
    with watched(world) as exporter:
        found = scrape_until(exporter, skipped("would_pin"), 10)

    assert (world.end(), found[RUNS]) == (end, 0)


def test_one_use_moves_the_end_once_and_keeps_the_session(world: World) -> None:
    """After a use there is one generation, then none, however often it is due; the user's hour stays an hour."""
    with watched(world) as exporter:
        real.use(world.server, "tinyllama", keep_alive="1h")
        ran = scrape_until(exporter, SUCCESS, 1)
        _settle(exporter)
        end = world.end()
        found = _settle(exporter)

    last = ran[f"ollama_probe_last_run_timestamp_seconds{{model={MODEL}}}"]
    assert (world.end(), found[RUNS]) == (end, 1)
    assert abs(end - last - 3600) < 5
    real.use(world.server, "tinyllama")
    until(lambda: world.end() != end, "the next use has ended")
    assert abs(world.end() - time.time() - 3600) < 5


def test_a_model_leaves_memory_though_it_is_watched(world: World) -> None:
    """With scrapes all the time and a generation always due, the model leaves when its time is over."""
    with watched(world) as exporter:
        real.use(world.server, "tinyllama", keep_alive="8s")
        scrape_until(exporter, SUCCESS, 1)
        until(lambda: bool(scrape(exporter)) and world.model() is None, "it leaves", seconds=30)
        found = scrape_until(exporter, skipped("not_loaded"), 5)

    assert world.model() is None
    assert found[RUNS] == 1


def test_a_model_that_is_not_in_memory_is_not_loaded(world: World) -> None:
    """However often a generation is due, no process comes up for a model that is only installed."""
    with watched(world) as exporter:
        found = scrape_until(exporter, skipped("not_loaded"), 10)

    assert (world.runners(), real.loaded(world.server), found[RUNS]) == ([], {}, 0)


def test_a_pinned_model_is_asked_again_and_again_and_stays_pinned(world: World) -> None:
    """A model that never leaves can be asked at every interval: it is pinned before and after."""
    with watched(world) as exporter:
        real.use(world.server, "tinyllama", keep_alive=-1)
        holder = world.runners()
        found = scrape_until(exporter, RUNS, 3)

    assert found[f"ollama_model_pinned{{model={MODEL}}}"] == 1
    assert f"ollama_model_expires_timestamp_seconds{{model={MODEL}}}" not in found
    assert world.runners() == holder


@pytest.mark.parametrize("context", [512, 1024])
def test_a_model_with_another_context_is_not_loaded_anew(world: World, context: int) -> None:
    """A model that was loaded with a num_ctx of its own keeps it, and the process that holds it."""
    with watched(world) as exporter:
        real.use(world.server, "tinyllama", keep_alive="1h", num_ctx=context)
        holder = world.runners()
        scrape_until(exporter, SUCCESS, 1)
        model = world.model()

    assert model is not None
    assert (world.runners(), model.context_tokens) == (holder, context)


def test_a_request_without_the_context_would_load_it_anew(world: World) -> None:
    """What the exporter avoids is real: without its num_ctx, Ollama loads the model again."""
    real.use(world.server, "tinyllama", keep_alive="1h", num_ctx=512)
    holder = world.runners()

    real.use(world.server, "tinyllama")

    assert world.runners() != holder


LOADING: dict[str, dict[str, int]] = {
    "threads": {"num_thread": 1},
    "batch": {"num_batch": 64},
    "no mmap": {"use_mmap": False},
    "a GPU": {"main_gpu": 1},
    "a context above the longest": {"num_ctx": 8192},
    "all of them": {
        "num_thread": 1, "num_batch": 64, "use_mmap": False, "main_gpu": 1, "num_ctx": 3000,
    },
}  # fmt: skip


@pytest.mark.parametrize("case", LOADING)
def test_a_model_loaded_with_the_stated_options_is_not_loaded_anew(world: World, case: str) -> None:
    """Neither our generation nor the caller's next request makes another process: options are equal."""
    options = LOADING[case]
    with watched(world, **options) as exporter:
        real.use(world.server, "tinyllama", keep_alive="1h", **options)
        holder = world.runners()
        scrape_until(exporter, SUCCESS, 1)
        after_ours = world.runners()
        real.use(world.server, "tinyllama", **options)

    assert (after_ours, world.runners()) == (holder, holder)


@pytest.mark.parametrize("case", [case for case in LOADING if case != "all of them"])
def test_a_request_without_the_options_of_the_loading_would_load_it_anew(
    world: World, case: str
) -> None:
    """What is stated must be stated: Ollama compares each of these options and tells none of them."""
    real.use(world.server, "tinyllama", keep_alive="1h", **LOADING[case])
    holder = world.runners()

    real.use(world.server, "tinyllama")

    assert world.runners() != holder


@pytest.mark.parametrize("layers", [0, 1, 99])
def test_layers_on_the_gpu_need_not_be_stated(world: World, layers: int) -> None:
    """num_gpu of the callers makes no difference to a request that leaves it to Ollama."""
    with watched(world) as exporter:
        real.use(world.server, "tinyllama", keep_alive="1h", num_gpu=layers)
        holder = world.runners()
        scrape_until(exporter, SUCCESS, 1)

    assert world.runners() == holder


def test_a_model_made_anew_under_its_name_is_left_alone(world: World, tmp_path: Path) -> None:
    """Loaded from one file, installed from another: no generation, so the new one is not loaded."""
    real.create(world.server, "again", write_model(tmp_path / "one.gguf", seed=3))
    skips = "ollama_probe_skipped_total{model=again:latest,reason=would_reload}"
    asked = inference(0.01, 60, model="again")
    with exporter_of(target(world.server.url, inference=asked)) as exporter:
        real.use(world.server, "again", keep_alive=-1)
        holder = world.runners()
        scrape_until(exporter, "ollama_probe_success{model=again:latest}", 1)
        real.create(world.server, "again", write_model(tmp_path / "two.gguf", seed=4))
        before = scrape(exporter)[skips]
        found = scrape_until(exporter, skips, before + 3)
        assert found["ollama_models_loaded"] == 1
        assert world.runners() == holder
        real.use(world.server, "again", keep_alive="1h")

    assert len(world.runners()) == 2  # what a generation would have done
    real.unload(world.server, "again")
    real.create(world.server, "again", tmp_path / "one.gguf")  # else nothing leads to the old one
    real.unload(world.server, "again")
    until(lambda: not world.runners(), "both have left memory")
    real.delete(world.server, "again")


@contextlib.contextmanager
def standing_still(world: World) -> Iterator[int]:
    """Stop the one process that holds a model; it goes on afterwards, if it is still there."""
    (holder,) = world.runners()
    os.kill(holder, signal.SIGSTOP)
    try:
        yield holder
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder, signal.SIGCONT)


def test_a_model_that_hangs_is_not_loaded_anew_by_us(world: World) -> None:
    """Its process stands still: the generation fails, and long after Ollama would have acted it is still there."""
    with watched(world, interval_s=3600, timeout_s=60) as exporter:
        real.use(world.server, "tinyllama", keep_alive=-1)
        with standing_still(world) as holder:
            found = scrape_until(exporter, SUCCESS, 0)
            past = time.monotonic() + 2 * OLLAMA_WAITS_S + 2
            until(lambda: time.monotonic() > past, "Ollama has had its time", seconds=40)
            after = world.runners()

    assert found[f"ollama_probe_failures_total{{model={MODEL},reason=timeout}}"] >= 1
    assert after == [holder]


@pytest.mark.long
def test_somebody_who_waits_makes_ollama_load_a_hanging_model_anew(world: World) -> None:
    """What the exporter avoids is real: a request that is not given up ends with another process."""
    real.use(world.server, "tinyllama", keep_alive=-1)
    with standing_still(world) as holder:
        real.use(world.server, "tinyllama")

    assert world.runners() != [holder]


def test_a_dead_runner_is_seen_though_all_lists_are_green(world: World) -> None:
    """The process that holds the model stands still: every endpoint is up, the generation is not."""
    with watched(world, timeout_s=2) as exporter:
        real.use(world.server, "tinyllama", keep_alive=-1)
        scrape_until(exporter, SUCCESS, 1)
        with standing_still(world):
            found = scrape_until(exporter, SUCCESS, 0)

    assert only(found, "ollama_up", "ollama_endpoint_up") == {
        "ollama_up": 1,
        "ollama_endpoint_up{endpoint=version}": 1,
        "ollama_endpoint_up{endpoint=tags}": 1,
        "ollama_endpoint_up{endpoint=ps}": 1,
    }
    assert found[f"ollama_probe_failures_total{{model={MODEL},reason=timeout}}"] >= 1
