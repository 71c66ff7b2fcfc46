"""What a server that lies or grows without end may cost: memory, and values of labels."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from exporters.deadline import Deadline
from exporters.ollama import OTHER, VERSIONS
from exporters.ollama_ask import Server
from exporters.ollama_fetch import MAX_BODY
from exporters.ollama_loads import FORGOTTEN_S, Loads
from exporters.ollama_metrics import Page
from exporters.ollama_names import Name, parse_name
from exporters.ollama_parse import MOST_ENTRIES, BodyError, Loaded, parse_tags
from exporters.ollama_places import KEPT_S, MOST_FACTS, Places
from tests.exporters.ollama import fake as faults
from tests.exporters.ollama.fake import Fake, Memory, model, running_fake
from tests.exporters.ollama.watching import exporter_of, only, samples, scrape, target

CASES = Path(__file__).parent / "cases"
REAL = ("recorded-0.17.4", "degraded-as-in-the-field", "cloud-stubs", "partly-on-gpu")
SERVER = Server(("ollama", "ai", "ollama", "default"), "http://ollama:11434", 11434)
PEAK = 64_000_000  # of one scrape; 20,000 short entries need some 20 MB, and are kept until the end


def entries(count: int) -> bytes:
    """Return an answer with *count* different models that say little."""
    models = b",".join(b'{"name":"m%06d","digest":"%012d"}' % (n, n) for n in range(count))
    return b'{"models":[' + models + b"]}"


def filled(unit: bytes) -> bytes:
    """Return the longest answer that is read, with as many *unit* as fit."""
    head, tail = b'{"models":[', b"0]}"
    return head + unit * ((MAX_BODY - len(head) - len(tail)) // len(unit)) + tail


def test_five_thousand_of_the_largest_recorded_models_are_read() -> None:
    """5,000 entries as large as the largest of the recorded answers fit into one that is taken."""
    cases = [json.loads((CASES / name / "input.json").read_text("utf-8")) for name in REAL]
    real = [entry for case in cases for entry in case["tags"]["models"]]
    largest = max(len(json.dumps(entry, separators=(",", ":"))) for entry in real)

    assert (largest, 5000 * (largest + 1) + len('{"models":[]}') <= MAX_BODY) == (403, True)


def test_as_many_entries_as_may_be_are_read_and_one_more_is_refused() -> None:
    """20,000 models are a list; of 20,001 none is taken."""
    assert len(parse_tags(entries(MOST_ENTRIES))) == MOST_ENTRIES
    with pytest.raises(BodyError) as refused:
        parse_tags(entries(MOST_ENTRIES + 1))
    assert str(refused.value) == "more than 20000 models"


HOSTILE = {
    "entries": entries(MOST_ENTRIES),
    "one-more": entries(MOST_ENTRIES + 1),
    "lists": filled(b"[],"),
    "objects": filled(b"{},"),
    "pairs": filled(b'{"a":0},'),
    "texts": filled(b'"ab",'),
    "numbers": filled(b"999,"),
    "wide-texts": filled('"€",'.encode()),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_memory_of_a_scrape_is_bounded(kind: str) -> None:
    """Whatever both lists are full of, a scrape holds less than 64 MB at any moment."""
    answer = faults.garbage(HOSTILE[kind])
    have = Fake(faults={"/api/tags": answer, "/api/ps": answer})
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        scrape(exporter)
        tracemalloc.start()
        try:
            found = scrape(exporter, seconds=20)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak < PEAK
    assert found["ollama_endpoint_up{endpoint=tags}"] == float(kind == "entries")


def test_versions_are_bounded() -> None:
    """After twenty different versions each further one is `other`; the ones before keep their names."""
    have = Fake()
    told = []
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        for number in (*range(VERSIONS + 2), 0):
            have.version = f"0.{number}"
            told.append(only(scrape(exporter), "ollama_build_info"))
    names = [*(f"0.{number}" for number in range(VERSIONS)), OTHER, OTHER, "0.0"]

    assert told == [{f"ollama_build_info{{version={name}}}": 1} for name in names]


def test_a_reload_does_not_forget_the_versions() -> None:
    """The bound on versions holds across reloads of the configuration."""
    have = Fake()
    with (
        running_fake(have),
        exporter_of(target(have.url)) as before,
        exporter_of(target(have.url)) as after,
    ):
        for number in range(VERSIONS):
            have.version = f"0.{number}"
            scrape(before)
        after.adopt(before)
        have.version = "0.99"
        found = scrape(after)

    assert only(found, "ollama_build_info") == {f"ollama_build_info{{version={OTHER}}}": 1}


def names(*texts: str) -> tuple[Name, ...]:
    """Return the names of *texts*."""
    return tuple(map(parse_name, texts))


def loaded(*texts: str) -> tuple[Loaded, ...]:
    """Return models in memory."""
    return tuple(Loaded(name) for name in names(*texts))


def counted(loads: Loads) -> dict[str, float]:
    """Return the loads that are told, by model."""
    page = Page()
    loads.add(page, SERVER)
    samples = [sample for metric in page for sample in metric.samples]
    return {s.labels["model"]: s.value for s in samples if "_loads_" in s.name}


def test_counters_of_a_model_that_is_gone_go_after_an_hour() -> None:
    """A model neither listed nor loaded keeps its counters for an hour less a second, then has none."""
    loads = Loads()
    loads.see((), names("gone", "kept"), 80, now=0)
    loads.see(loaded("gone", "kept"), names("gone", "kept"), 80, now=10)
    loads.see((), names("kept"), 80, now=10 + FORGOTTEN_S - 1)
    before = counted(loads)
    loads.see((), names("kept"), 80, now=10 + FORGOTTEN_S)

    assert before == {"gone:latest": 1, "kept:latest": 1}
    assert counted(loads) == {"kept:latest": 1}


def test_a_loaded_model_and_an_unknown_list_keep_counters() -> None:
    """In memory is as good as listed; while the list cannot be had nobody is taken for gone."""
    loads = Loads()
    loads.see((), names("loaded", "idle"), 80, now=0)
    loads.see(loaded("loaded"), None, 80, now=FORGOTTEN_S * 2)
    unknown = counted(loads)
    loads.see(loaded("loaded"), (), 80, now=FORGOTTEN_S * 3)

    assert unknown == {"loaded:latest": 1, "idle:latest": 0}
    assert counted(loads) == {"loaded:latest": 1}


def test_new_models_take_the_places_of_forgotten_ones_only() -> None:
    """Names that change at every scrape never have more counters than the cap, and places become free."""
    loads, most = Loads(), 0
    for turn in range(200):
        fresh = names(*(f"m{turn}-{number}" for number in range(5)))
        loads.see((), fresh, 10, now=turn * 60.0)
        most = max(most, len(counted(loads)))

    assert most == 10
    assert "m199-0:latest" not in counted(loads)
    assert {name.split("-")[0] for name in counted(loads)} == {"m180", "m181"}


def test_names_that_change_at_every_scrape_make_no_more_series_than_there_are_places() -> None:
    """A day of a list that is another one every minute: as many names as places, and the next day as many again."""
    places = Places()
    days: list[set[str]] = [set(), set()]
    for minute in range(2 * 1440):
        fresh = [f"m{minute}-{number}" for number in range(30)]
        days[minute // 1440] |= places.admitted(fresh, (), 10, now=minute * 60.0)

    assert [len(day) for day in days] == [10, 10]
    assert days[0] == {f"m0-{number}" for number in range(10)}


def test_the_expected_models_have_places_of_their_own() -> None:
    """However many others came before, and in whatever order, what is expected is admitted."""
    places = Places()
    others = [f"m{number}" for number in range(30)]
    before = places.admitted(others, ("want", "need"), 10, now=0)
    after = places.admitted([*others, "need", "want"], ("want", "need"), 10, now=1)
    more = places.admitted([*others, "need"], ("need", *(f"w{n}" for n in range(20))), 10, now=2)

    assert before == frozenset(others[:8])
    assert after == frozenset((*others[:8], "want", "need"))
    assert more == frozenset((*others[:8], "need"))


def test_a_place_is_kept_for_a_day_after_its_model_was_last_seen() -> None:
    """A second less than a day later the place is taken, at a day it is free."""
    places = Places()
    places.admitted(["old"], (), 1, now=0)
    places.admitted(["old"], (), 1, now=100)

    assert places.admitted(["new"], (), 1, now=100 + KEPT_S - 1) == frozenset()
    assert places.admitted(["new"], (), 1, now=100 + KEPT_S) == {"new"}


def test_facts_about_a_model_are_bounded() -> None:
    """After twenty different sets of facts a further one is `other`; those before are told as ever."""
    places = Places()
    told = [places.bounded("m", ("llama", str(number))) for number in range(MOST_FACTS + 1)]

    assert told[-2:] == [("llama", str(MOST_FACTS - 1)), (OTHER, OTHER)]
    assert places.bounded("m", ("llama", "0")) == ("llama", "0")
    assert places.bounded("another", ("llama", "99")) == ("llama", "99")


def test_a_server_whose_lists_change_adds_no_label_values_without_limit() -> None:
    """Ten scrapes and a reload, 100 new names in either list each time: 80 names of each, all counted."""
    have = Fake()
    seen: dict[str, set[str]] = {"ollama_model_info": set(), "ollama_model_memory_bytes": set()}
    with (
        running_fake(have),
        exporter_of(target(have.url)) as before,
        exporter_of(target(have.url)) as after,
    ):
        for turn in range(10):
            have.installed = [model(f"m{turn}-{number}:a") for number in range(100)]
            have.loaded = {f"l{turn}-{number}:a": Memory(4096, None) for number in range(100)}
            if turn == 5:
                after.adopt(before)
            metrics = (before if turn < 5 else after).collect(Deadline.after(20))
            for metric in metrics:
                if metric.name in seen:
                    seen[metric.name] |= {sample.labels["model"] for sample in metric.samples}
            found = samples(metrics)

    assert {name: len(values) for name, values in seen.items()} == dict.fromkeys(seen, 80)
    assert only(found, "ollama_models_") == {
        "ollama_models_installed": 100, "ollama_models_truncated": 1, "ollama_models_missing": 0,
        "ollama_models_unexpected": 100, "ollama_models_loaded": 100,
    }  # fmt: skip
