"""Test generations against the fake: what is asked, what is told of it, and when none is made."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from exporters import ollama_generate
from exporters.frame import Exporter
from tests.exporters.ollama import fake as faults
from tests.exporters.ollama.fake import Fake, Memory, model, running_fake
from tests.exporters.ollama.watching import (
    exporter_of,
    inference,
    only,
    scrape,
    scrape_until,
    target,
)
from tests.live.servers import until

OLLAMA_WAITS_S = 10.0  # server/sched.go at v0.17.4, needsReload
RUNS = "ollama_probe_runs_total{model=tinyllama:latest}"
SUCCESS = "ollama_probe_success{model=tinyllama:latest}"


def skipped(reason: str) -> str:
    """Return the name of the counter of generations left out for *reason*."""
    return f"ollama_probe_skipped_total{{model=tinyllama:latest,reason={reason}}}"


def failed(reason: str) -> str:
    """Return the name of the counter of generations that failed with *reason*."""
    return f"ollama_probe_failures_total{{model=tinyllama:latest,reason={reason}}}"


@contextlib.contextmanager
def watched(
    have: Fake, *, interval_s: float = 300.0, timeout_s: float = 20.0
) -> Iterator[Exporter]:
    """Run *have*, and an exporter with a test generation of tinyllama; it has looked once."""
    have.installed = have.installed or [model("tinyllama:latest")]
    with (
        running_fake(have),
        exporter_of(target(have.url, inference=inference(interval_s, timeout_s))) as exporter,
    ):
        scrape(exporter)
        yield exporter


def test_a_use_is_followed_by_one_generation_with_its_measures() -> None:
    """After somebody's request there is one generation; its times and sums are Ollama's own."""
    have = Fake(tokens_per_line=0.005)
    with watched(have) as exporter:
        have.use("tinyllama:latest")
        found = scrape_until(exporter, SUCCESS, 1)

    measured = (
        "ollama_probe_duration", "ollama_probe_time_to", "ollama_probe_last_run", "ollama_probe_load",
    )  # fmt: skip
    # Ollama says 5 ms; we may have waited longer for the sign of life.
    assert 0.005 <= found["ollama_probe_load_duration_seconds{model=tinyllama:latest}"] < 1
    assert {
        name: value
        for name, value in only(found, "ollama_probe").items()
        if value and not name.startswith(measured)
    } == {
        skipped("not_loaded"): 1,
        SUCCESS: 1,
        "ollama_probe_decode_tokens_per_second{model=tinyllama:latest}": 100,
        RUNS: 1,
        "ollama_probe_generated_tokens_total{model=tinyllama:latest}": 16,
        "ollama_probe_decode_seconds_total{model=tinyllama:latest}": 0.16,
        "ollama_probe_prompt_tokens_total{model=tinyllama:latest}": 20,
        "ollama_probe_prefill_seconds_total{model=tinyllama:latest}": 0.015,
    }
    first = found["ollama_probe_time_to_first_token_seconds{model=tinyllama:latest}"]
    assert 0.005 <= first < found["ollama_probe_duration_seconds{model=tinyllama:latest}"]
    assert (
        abs(found["ollama_probe_last_run_timestamp_seconds{model=tinyllama:latest}"] - time.time())
        < 10
    )


def test_the_request_names_nothing_that_binds_others() -> None:
    """No keep_alive, and of the options that a model is loaded with only those that change nothing."""
    have = Fake()
    with watched(have) as exporter:
        have.use("tinyllama:latest", context=1024)
        scrape_until(exporter, SUCCESS, 1)

    (body,) = have.generations()
    prompt = body.pop("prompt")
    assert body == {
        "model": "tinyllama",
        "raw": True,
        "stream": True,
        "options": {
            "num_predict": 16, "temperature": 0, "seed": 1, "num_ctx": 1024, "num_gpu": -1,
        },
    }  # fmt: skip
    assert have.requests()[0] == {
        "model": "tinyllama", "prompt": "", "stream": True,
        "options": {"num_ctx": 1024, "num_gpu": -1},
    }  # fmt: skip
    assert int(prompt.split()[0], 16) >= 0
    assert have.loads == 1


def test_no_two_prompts_begin_alike() -> None:
    """Prompts differ from their first word on, so that none is read from Ollama's cache."""
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)})
    with watched(have, interval_s=0.01) as exporter:
        until(lambda: scrape(exporter)[RUNS] >= 2, "two generations")

    nonces = [body["prompt"].split()[0] for body in have.generations()]
    assert len(set(nonces)) == len(nonces)


def test_a_model_of_default_options_and_a_small_context_is_not_loaded_anew() -> None:
    """A model whose longest context is below the default is asked without num_ctx, and stays as it is."""
    have = Fake(longest=2048)
    with watched(have) as exporter:
        have.use("tinyllama:latest")
        scrape_until(exporter, SUCCESS, 1)

    assert "num_ctx" not in have.generations()[0]["options"]
    assert have.loads == 1


def test_an_idle_model_is_never_asked() -> None:
    """A model that nobody uses keeps its expires_at, however often a generation is due."""
    end = time.time() + 300
    have = Fake(loaded={"tinyllama:latest": Memory(4096, end)})
    with watched(have, interval_s=0.01) as exporter:
        found = scrape_until(exporter, skipped("would_pin"), 5)

    assert (have.generations(), found[RUNS]) == ([], 0)
    assert have.loaded["tinyllama:latest"].expires == end


def test_one_use_is_followed_by_one_generation_only() -> None:
    """Our own generation is not taken for a use: the model is asked once, then left to leave."""
    have = Fake()
    with watched(have, interval_s=0.01) as exporter:
        have.use("tinyllama:latest")
        scrape_until(exporter, SUCCESS, 1)
        end = have.loaded["tinyllama:latest"].expires
        settled = time.monotonic() + 1.0  # from then on the next use would be seen
        until(lambda: bool(scrape(exporter)) and time.monotonic() > settled, "it has settled")
        scrape_until(exporter, skipped("would_pin"), scrape(exporter)[skipped("would_pin")] + 5)

    assert len(have.generations()) == 1
    assert have.loaded["tinyllama:latest"].expires == end


NEVER: dict[str, tuple[str, Fake]] = {
    "not in memory": ("not_loaded", Fake()),
    "being loaded": (
        "busy", Fake(loaded={"tinyllama:latest": Memory(4096, None, loading=True)}),
    ),
    "a stub of a cloud model": (
        "remote",
        Fake(
            installed=[model("tinyllama:latest", remote_host="https://ollama.com:443")],
            loaded={"tinyllama:latest": Memory(4096, None)},
        ),
    ),
    "ps hangs": (
        "busy",
        Fake(
            loaded={"tinyllama:latest": Memory(4096, None)},
            faults={"/api/ps": faults.status(500)},
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NEVER)
def test_where_it_would_do_harm_nothing_is_asked(case: str) -> None:
    """In each of these states no generation is asked for, and the reason is counted."""
    reason, have = NEVER[case]
    with watched(have, interval_s=0.01) as exporter:
        found = scrape_until(exporter, skipped(reason), 3)

    assert (have.generations(), found[RUNS]) == ([], 0)


def test_stated_loading_options_are_sent_unchanged() -> None:
    """Callers that load with options of their own, as stated: nothing is loaded anew, by us or by them."""
    have = Fake(longest=2048)
    asked = inference(load_options={"num_ctx": 8192, "num_thread": 3, "num_batch": 64})
    have.installed = [model("tinyllama:latest")]
    with running_fake(have), exporter_of(target(have.url, inference=asked)) as exporter:
        scrape(exporter)
        have.use("tinyllama:latest", context=8192, num_thread=3, num_batch=64)
        scrape_until(exporter, SUCCESS, 1)
        have.use("tinyllama:latest", context=8192, num_thread=3, num_batch=64)

    assert have.loads == 1
    sent = {"num_ctx": 8192, "num_thread": 3, "num_batch": 64, "num_gpu": -1}
    assert [body["options"] | sent for body in have.requests()] == [
        body["options"] for body in have.requests()
    ]


def test_callers_that_do_not_keep_to_what_is_stated_are_left_alone_after_one_load(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The load is seen by its time, said with its cure, and is the last; all later ones are skipped."""
    have = Fake(load_s=0.6)
    with watched(have, interval_s=0.01) as exporter:
        have.use("tinyllama:latest", num_thread=1)
        scrape_until(exporter, SUCCESS, 1)
        have.use("tinyllama:latest", num_thread=1)
        settled = time.monotonic() + 1.0
        until(lambda: bool(scrape(exporter)) and time.monotonic() > settled, "it has settled")
        have.use("tinyllama:latest", num_thread=1)
        found = scrape_until(exporter, skipped("would_reload"), 1)

    assert (have.loads, found[RUNS]) == (3, 1)  # theirs, ours, and theirs again
    assert "do its callers send other loading options than load_options says?" in caplog.text


def test_a_long_way_is_not_taken_for_a_load() -> None:
    """Every request takes 0.6 s through some proxy: the generation works, and nothing was loaded anew."""
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)})
    have.faults = {path: faults.slow(0.6) for path in ("/api/ps", "/api/generate")}
    with watched(have, interval_s=0.01, timeout_s=10) as exporter:
        found = scrape_until(exporter, RUNS, 2)

    assert found[skipped("would_reload")] == 0


def test_a_model_that_was_made_anew_under_its_name_is_not_asked() -> None:
    """What is loaded is not what is installed by now: a generation would load the new one beside it."""
    have = Fake(
        installed=[model("tinyllama:latest", digest="b" * 64)],
        loaded={"tinyllama:latest": Memory(4096, None, digest="a" * 64)},
    )
    with watched(have, interval_s=0.01) as exporter:
        found = scrape_until(exporter, skipped("would_reload"), 3)

    assert (have.requests(), have.loads, found[RUNS]) == ([], 0, 0)


@pytest.mark.parametrize("can", [["embedding"], ["image"], ["completion", "image"]])
def test_a_model_that_makes_no_text_is_not_asked(can: list[str]) -> None:
    """Embeddings and pictures are no text: left out as unsupported, and no failure is told."""
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)}, capabilities=can)
    with watched(have, interval_s=0.01) as exporter:
        found = scrape_until(exporter, skipped("unsupported"), 3)

    assert (have.requests(), found[RUNS]) == ([], 0)


def test_an_ollama_that_tells_no_capabilities_is_asked() -> None:
    """Before 0.6.4 /api/show has none: the model is taken for one of text."""
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)}, capabilities=None)
    with watched(have) as exporter:
        scrape_until(exporter, SUCCESS, 1)

    assert len(have.generations()) == 1


def test_a_model_without_a_sign_of_life_is_given_up_before_ollama_loads_it_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However long a generation may take, its beginning may not: the first request is cut off, no second one made."""
    ready_s = ollama_generate.READY_S
    monkeypatch.setattr(ollama_generate, "READY_S", 0.2)
    have = Fake(
        loaded={"tinyllama:latest": Memory(4096, None)}, faults={"/api/generate": faults.hang}
    )
    with watched(have, interval_s=3600, timeout_s=60) as exporter:
        found = scrape_until(exporter, SUCCESS, 0)

    assert found[failed("timeout")] == 1
    assert have.generations() == []
    assert ready_s <= OLLAMA_WAITS_S / 2


def test_a_model_that_left_in_the_last_moment_is_not_asked() -> None:
    """In memory at the scrape, gone at the second look: nothing is asked, so nothing is loaded."""
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)})

    def leave(handler: faults.Handler) -> None:
        have.loaded.clear()
        handler.answer()

    have.faults["/api/show"] = leave
    with watched(have) as exporter:
        found = scrape_until(exporter, skipped("not_loaded"), 1)

    assert have.generations() == []
    assert (have.loads, found[RUNS]) == (0, 0)


DEAD = {
    "hang": (faults.hang, "timeout"),
    "500": (faults.status(500), "status"),
    "404": (faults.status(404), "status"),
    "closed": (faults.close, "unreachable"),
    "error in the stream": (faults.garbage(b'{"error":"llama runner has terminated"}\n'), "error"),
    "cut": (faults.garbage(b'{"response":"a","done":false}\n'), "protocol"),
    "html": (faults.garbage(b"<html>"), "body"),
    "drip": (faults.drip, "timeout"),
    "endless line": (faults.huge, "too_large"),
}


@pytest.mark.parametrize("at", ["sign of life", "tokens"])
@pytest.mark.parametrize("fault", DEAD)
def test_green_lists_and_a_dead_generation_are_told_apart(fault: str, at: str) -> None:
    """The lists answer and the generation does not: all endpoints up, success 0, with a reason."""
    plant, reason = DEAD[fault]
    if at == "tokens":
        plant = faults.at_tokens(plant)
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)}, faults={"/api/generate": plant})
    with watched(have, timeout_s=0.5) as exporter:
        found = scrape_until(exporter, SUCCESS, 0)

    assert only(found, "ollama_up", "ollama_endpoint_up") == {
        "ollama_up": 1,
        "ollama_endpoint_up{endpoint=version}": 1,
        "ollama_endpoint_up{endpoint=tags}": 1,
        "ollama_endpoint_up{endpoint=ps}": 1,
    }
    assert found[failed(reason)] == 1


def test_a_busy_server_is_no_failure() -> None:
    """503, the queue is full: left out as busy, and no run is counted."""
    have = Fake(
        loaded={"tinyllama:latest": Memory(4096, None)},
        faults={"/api/generate": faults.status(503)},
    )
    with watched(have) as exporter:
        found = scrape_until(exporter, skipped("busy"), 1)

    assert SUCCESS not in found
    assert found[RUNS] == 0


def test_a_failure_is_asked_again_at_the_next_scrape() -> None:
    """One failure is checked at once, long before the interval; a success takes its place."""
    have = Fake(
        loaded={"tinyllama:latest": Memory(4096, None)},
        faults={"/api/generate": faults.status(500)},
    )
    with watched(have, interval_s=3600) as exporter:
        scrape_until(exporter, SUCCESS, 0)
        del have.faults["/api/generate"]
        found = scrape_until(exporter, SUCCESS, 1)

    assert found[RUNS] == 2


def test_a_failure_is_forgotten_with_the_model_that_failed() -> None:
    """Once the model has left memory its failure is not told any more; its age and counts are."""
    have = Fake(
        loaded={"tinyllama:latest": Memory(4096, None)},
        faults={"/api/generate": faults.status(500)},
    )
    with watched(have, interval_s=3600) as exporter:
        scrape_until(exporter, RUNS, 2)
        have.loaded.clear()
        found = scrape(exporter)

    assert SUCCESS not in found
    assert found[RUNS] == 2
    assert "ollama_probe_last_run_timestamp_seconds{model=tinyllama:latest}" in found


@pytest.mark.parametrize(
    ("counted", "tokens"), [(b',"eval_count":7,"eval_duration":70000000', 7), (b"", 0)]
)
def test_a_short_generation_has_no_speed(counted: bytes, tokens: int) -> None:
    """Fewer than eight tokens, or none counted at all, give no tokens per second."""
    lines = b'{"response":"a","done":false}\n{"done":true' + counted + b"}\n"
    have = Fake(
        loaded={"tinyllama:latest": Memory(4096, None)},
        faults={"/api/generate": faults.garbage(lines)},
    )
    with watched(have) as exporter:
        found = scrape_until(exporter, SUCCESS, 1)

    assert only(found, "ollama_probe_decode_tokens") == {}
    assert found["ollama_probe_generated_tokens_total{model=tinyllama:latest}"] == tokens


@pytest.mark.parametrize("skew_s", [-3600, 3600])
def test_the_server_s_own_clock_decides(skew_s: float) -> None:
    """An Ollama whose clock is an hour off is asked as any other: its ends are of its own clock."""
    have = Fake(skew_s=skew_s)
    with watched(have) as exporter:
        have.use("tinyllama:latest")
        found = scrape_until(exporter, SUCCESS, 1)

    assert found[skipped("busy")] == 0


def test_a_generation_delays_no_scrape_and_only_one_runs() -> None:
    """While one generation takes long, scrapes are as quick as ever and begin no second one."""
    have = Fake(loaded={"tinyllama:latest": Memory(4096, None)}, tokens_per_line=2.0)
    with watched(have, interval_s=0.01, timeout_s=60) as exporter:
        until(lambda: bool(have.generations()), "the generation begins")
        began = time.monotonic()
        scrape(exporter)
        seconds = time.monotonic() - began
        asked = len(have.generations())

    assert seconds < 10  # the generation takes 32
    assert asked == 1


def test_closing_breaks_a_generation_off() -> None:
    """An exporter that is closed amid a generation hangs up, and its thread ends."""
    have = Fake(
        loaded={"tinyllama:latest": Memory(4096, None)}, faults={"/api/generate": faults.drip}
    )
    with watched(have, timeout_s=60) as exporter:
        until(lambda: bool(have.requests()), "the generation begins")
        exporter.close()
        until(lambda: not _generating(), "the generation ends")


def _generating() -> bool:
    return any(thread.name.startswith("generate ") for thread in threading.enumerate())
