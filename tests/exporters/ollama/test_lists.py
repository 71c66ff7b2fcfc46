"""The exporter against the fake: whole scrapes, whatever the three endpoints do."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from exporters.config import ConfigError
from exporters.deadline import Deadline
from tests.exporters.attempts import first_good
from tests.exporters.ollama import fake as faults
from tests.exporters.ollama.fake import Fake, Memory, model, running_fake
from tests.exporters.ollama.watching import (
    SLACK_S,
    Samples,
    exporter_of,
    only,
    samples,
    scrape,
    target,
)
from tests.live.servers import free_port, until

LISTS = ("ollama_model_", "ollama_models_")


def test_a_mismatch_is_told_as_it_was_in_the_field() -> None:
    """gpt-oss expected and tinyllama installed: one missing, one unexpected, nothing loaded."""
    have = Fake(installed=[model("tinyllama:latest")])
    with (
        running_fake(have),
        exporter_of(target(have.url, expected_models=("gpt-oss",))) as exporter,
    ):
        found = scrape(exporter)

    assert only(found, *LISTS) == {
        "ollama_model_expected{model=gpt-oss:latest}": 1,
        "ollama_model_expected_status{model=gpt-oss:latest,status=installed}": 0,
        "ollama_model_expected_status{model=gpt-oss:latest,status=other_tag}": 0,
        "ollama_model_expected_status{model=gpt-oss:latest,status=missing}": 1,
        "ollama_models_installed": 1,
        "ollama_models_truncated": 0,
        "ollama_models_missing": 1,
        "ollama_models_unexpected": 1,
        "ollama_model_info{digest=7d852460809b,family=llama,format=gguf,model=tinyllama:latest,"
        "parameter_size=1B,quantization_level=Q4_0}": 1,
        "ollama_model_size_bytes{model=tinyllama:latest}": 637700138,
        "ollama_model_max_context_tokens{model=tinyllama:latest}": 8192,
        "ollama_model_modified_timestamp_seconds{model=tinyllama:latest}": 1787299200.123456,
        "ollama_models_loaded": 0,
        "ollama_model_loaded{model=tinyllama:latest}": 0,
        "ollama_model_loaded{model=gpt-oss:latest}": 0,
        "ollama_model_loads_observed_total{model=tinyllama:latest}": 0,
        "ollama_model_loads_observed_total{model=gpt-oss:latest}": 0,
        "ollama_model_unloads_observed_total{model=tinyllama:latest}": 0,
        "ollama_model_unloads_observed_total{model=gpt-oss:latest}": 0,
    }


def test_a_hanging_ps_hides_nothing_else() -> None:
    """With /api/ps hung, version and inventory are as fresh as ever, and what is loaded is not told."""
    have = Fake(installed=[model("tinyllama:latest")], faults={"/api/ps": faults.hang})
    with (
        running_fake(have),
        exporter_of(target(have.url, expected_models=("tinyllama",))) as exporter,
    ):
        began = time.monotonic()
        found = scrape(exporter, seconds=1.0)
        seconds = time.monotonic() - began

    assert seconds < 1.0 + SLACK_S
    assert only(found, "ollama_up", "ollama_endpoint_up") == {
        "ollama_up": 1,
        "ollama_endpoint_up{endpoint=version}": 1,
        "ollama_endpoint_up{endpoint=tags}": 1,
        "ollama_endpoint_up{endpoint=ps}": 0,
    }
    assert found["ollama_model_expected_status{model=tinyllama:latest,status=installed}"] == 1
    assert only(found, "ollama_models_loaded", "ollama_model_loaded") == {}
    assert only(found, "ollama_collector_up") == {
        "ollama_collector_up{collector=version}": 1,
        "ollama_collector_up{collector=endpoints}": 1,
        "ollama_collector_up{collector=tags}": 1,
        "ollama_collector_up{collector=contexts}": 1,
        "ollama_collector_up{collector=ps}": 0,
        "ollama_collector_up{collector=ports}": 1,
        "ollama_collector_up{collector=features}": 1,
        "ollama_collector_up{collector=probe}": 1,
    }


# No time has such a zone: it overflows, where other nonsense is a wrong value.
HOSTILE_DATE = (
    b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Aug 2026 10:00:00 +99999999999999999999\r\n"
    b"Connection: close\r\n\r\n%b"
)
BROKEN = {
    "hang": (faults.hang, "timeout"),
    "drip": (faults.drip, "timeout"),
    "drip-headers": (faults.drip_headers, "timeout"),
    "too-slow": (faults.slow(5), "timeout"),
    "500": (faults.status(500), "status"),
    "404": (faults.status(404), "status"),
    "503": (faults.status(503), "unavailable"),
    "301": (faults.status(301, Location="/login"), "redirect"),
    "302": (faults.status(302, Location="http://elsewhere.invalid/"), "redirect"),
    "307": (faults.status(307, Location="/api/tags/"), "redirect"),
    "401": (faults.status(401), "unauthorized"),
    "403-empty": (faults.status(403, body=b""), "unauthorized"),
    "closed": (faults.close, "unreachable"),
    "huge": (faults.huge, "too_large"),
    "html": (faults.garbage(b"<html>Please log in</html>", "text/html"), "body"),
    "empty": (faults.garbage(b""), "body"),
    "cut": (faults.garbage(b'{"models":[{"name":"tinyl'), "body"),
    "no-models": (faults.garbage(b"{}"), "body"),
    "a-list": (faults.garbage(b"[]"), "body"),
    "a-text": (faults.garbage(b'{"models":"tinyllama"}'), "body"),
    "nameless": (faults.garbage(b'{"models":[{"size":1}]}'), "body"),
    "no-object": (faults.garbage(b'{"models":["tinyllama"]}'), "body"),
    "nan": (faults.garbage(b'{"models":[{"name":"a","size":NaN}]}'), "body"),
    "deep": (faults.garbage(b'{"models":' + b"[" * 100_000), "body"),
    "not-utf8": (faults.garbage(b'{"models":[{"name":"\xff\xfe"}]}'), "body"),
    "gzip": (faults.garbage(b"\x1f\x8b", Content_Encoding="gzip"), "protocol"),
    "date": (faults.raw(HOSTILE_DATE % b"{}"), "body"),
    "ssh": (faults.raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"), "protocol"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_list_that_cannot_be_had_makes_no_model_missing(fault: str) -> None:
    """Whatever /api/tags does instead of answering: no state, no count, a reason, and all else is there."""
    plant, reason = BROKEN[fault]
    have = Fake(installed=[model("tinyllama:latest")], faults={"/api/tags": plant})
    with (
        running_fake(have),
        exporter_of(target(have.url, expected_models=("gpt-oss",))) as exporter,
    ):
        began = time.monotonic()
        found = scrape(exporter, seconds=1.0)
        seconds = time.monotonic() - began

    assert seconds < 1.0 + SLACK_S
    assert only(found, *LISTS) == {
        "ollama_model_expected{model=gpt-oss:latest}": 1,
        "ollama_models_loaded": 0,
        "ollama_model_loaded{model=gpt-oss:latest}": 0,
    }
    errors = only(found, "ollama_collector_errors_total{collector=tags")
    assert {name: count for name, count in errors.items() if count} == {
        f"ollama_collector_errors_total{{collector=tags,reason={reason}}}": 1
    }
    assert found["ollama_up"] == 1


def test_null_is_an_empty_list() -> None:
    """`{"models":null}`, as Go writes a list that nobody made, is no models and no failure."""
    have = Fake(faults={"/api/tags": faults.garbage(b'{"models":null}')})
    with (
        running_fake(have),
        exporter_of(target(have.url, expected_models=("gpt-oss",))) as exporter,
    ):
        found = scrape(exporter)

    assert found["ollama_models_installed"] == 0
    assert found["ollama_model_expected_status{model=gpt-oss:latest,status=missing}"] == 1


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "refused"), ("ollama.invalid", "dns")])
def test_a_server_that_is_gone_is_down_and_nothing_else(host: str, reason: str) -> None:
    """No connection: up is 0 with a reason, no port answers, and no model is said to be anything."""
    url = f"http://{host}:{free_port()}"
    with exporter_of(target(url, expected_models=("gpt-oss",))) as exporter:
        found = scrape(exporter)

    assert found["ollama_up"] == 0
    assert found["ollama_port_answering"] == 0
    assert only(found, *LISTS) == {"ollama_model_expected{model=gpt-oss:latest}": 1}
    assert found[f"ollama_collector_errors_total{{collector=version,reason={reason}}}"] == 1


def test_packets_that_vanish_cost_no_more_than_the_deadline() -> None:
    """A host that takes no connection and refuses none is down within the deadline."""
    with exporter_of(target("http://192.0.2.1:11434")) as exporter:  # RFC 5737: never routed
        began = time.monotonic()
        found = scrape(exporter, seconds=0.8)
        seconds = time.monotonic() - began

    assert seconds < 0.8 + SLACK_S
    assert found["ollama_up"] == 0


def test_an_answer_of_another_port_is_drift() -> None:
    """Silence where the catalog says, an answer where it says `other`: down, and the port that answers."""
    promised = free_port()
    have = Fake()
    with running_fake(have):
        where = target(
            f"http://127.0.0.1:{promised}", port=promised, other_ports=(free_port(), have.port)
        )
        with exporter_of(where) as exporter:
            found = scrape(exporter)

    assert only(found, "ollama_up", "ollama_port") == {
        "ollama_up": 0,
        "ollama_port_expected": promised,
        "ollama_port_answering": have.port,
    }


def test_other_ports_are_left_alone_while_the_promised_one_answers() -> None:
    """What listens on another port is asked nothing as long as Ollama answers where it should."""
    have, other = Fake(), Fake()
    with (
        running_fake(have),
        running_fake(other),
        exporter_of(target(have.url, port=have.port, other_ports=(other.port,))) as exporter,
    ):
        found = scrape(exporter)

    assert found["ollama_port_answering"] == have.port
    assert other.asked == []


def test_a_slow_answer_is_still_an_answer() -> None:
    """A promised port that takes half the deadline is up and answers, though others were asked."""
    have = Fake(faults={"/api/version": faults.slow(0.6)})
    with (
        running_fake(have),
        exporter_of(target(have.url, other_ports=(free_port(),))) as exporter,
    ):
        found = scrape(exporter, seconds=1.2)

    assert found["ollama_up"] == 1
    assert found["ollama_port_answering"] == have.port


def test_a_hanging_server_costs_the_others_nothing() -> None:
    """Of two servers one hangs: the other is exact, with labels of its own."""
    hung = Fake(faults=dict.fromkeys(("/api/version", "/api/tags", "/api/ps"), faults.hang))
    well = Fake(installed=[model("tinyllama:latest")], version="0.17.4")
    with (
        running_fake(hung),
        running_fake(well),
        exporter_of(target(hung.url), target(well.url, service="ollama-2")) as exporter,
    ):
        metrics = exporter.collect(Deadline.after(1.0))

    first, second = samples(metrics), samples(metrics, service="ollama-2")
    assert (first["ollama_up"], second["ollama_up"]) == (0, 1)
    assert "ollama_models_installed" not in first
    assert second["ollama_models_installed"] == 1
    assert second["ollama_build_info{version=0.17.4}"] == 1


def test_loads_and_unloads_are_counted_between_scrapes() -> None:
    """A model that is there at first counts nothing; leaving and coming count one each."""
    have = Fake(
        installed=[model("a:latest"), model("b:latest")], loaded={"a:latest": Memory(4096, None)}
    )
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        scrape(exporter)
        have.loaded = {"b:latest": Memory(4096, None)}
        scrape(exporter)
        have.faults["/api/ps"] = faults.status(500)
        scrape(exporter)
        del have.faults["/api/ps"]
        found = scrape(exporter)

    assert only(found, "ollama_model_loads", "ollama_model_unloads") == {
        "ollama_model_loads_observed_total{model=a:latest}": 0,
        "ollama_model_unloads_observed_total{model=a:latest}": 1,
        "ollama_model_loads_observed_total{model=b:latest}": 1,
        "ollama_model_unloads_observed_total{model=b:latest}": 0,
    }


def test_an_upgrade_leaves_one_version() -> None:
    """After an upgrade only the new version has a series."""
    have = Fake(version="0.17.4")
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        scrape(exporter)
        have.version = "0.33.0"
        found = scrape(exporter)

    assert only(found, "ollama_build_info") == {"ollama_build_info{version=0.33.0}": 1}


def test_a_reload_of_the_configuration_keeps_the_counts() -> None:
    """What was counted of a server goes on after a reload; a server that is gone has no series."""
    have = Fake(installed=[model("a:latest")])
    with (
        running_fake(have),
        exporter_of(target(have.url), target(have.url, service="gone")) as before,
        exporter_of(target(have.url)) as after,
    ):
        scrape(before)
        have.use("a:latest")
        scrape(before)
        after.adopt(before)
        metrics = after.collect(Deadline.after(3.0))

    assert samples(metrics)["ollama_model_loads_observed_total{model=a:latest}"] == 1
    assert only(samples(metrics, service="gone"), "ollama_up", *LISTS) == {}


def test_native_metrics_and_cloud_are_told() -> None:
    """A server that answers /metrics has native metrics; one without /api/status says nothing of clouds."""
    with (
        running_fake(Fake(native=True, cloud=False)) as new,
        running_fake(Fake(cloud=None)) as old,
        exporter_of(target(new.url), target(old.url, service="old")) as exporter,
    ):
        metrics = exporter.collect(Deadline.after(3.0))

    wanted = ("ollama_native", "ollama_cloud")
    assert only(samples(metrics), *wanted) == {
        "ollama_native_metrics_available": 1,
        "ollama_cloud_enabled": 0,
    }
    assert only(samples(metrics, service="old"), *wanted) == {"ollama_native_metrics_available": 0}


def test_features_of_a_silent_server_are_not_known() -> None:
    """Once a server stops answering, nothing is said of its native metrics; back again, all is."""
    have = Fake(native=True)
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        told = [only(scrape(exporter), "ollama_native", "ollama_cloud")]
        have.faults = {"/api/version": faults.close}
        told.append(only(scrape(exporter), "ollama_native", "ollama_cloud"))
        have.faults = {}
        told.append(only(scrape(exporter), "ollama_native", "ollama_cloud"))

    known = {"ollama_native_metrics_available": 1, "ollama_cloud_enabled": 1}
    assert told == [known, {}, known]


def test_a_date_that_overflows_is_no_fault() -> None:
    """A right answer with a Date that no clock can show is as good as one without a Date."""
    have = Fake(faults={"/api/version": faults.raw(HOSTILE_DATE % b'{"version":"1"}')})
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        found = scrape(exporter)

    assert only(found, "ollama_up", "ollama_build") == {
        "ollama_up": 1,
        "ollama_build_info{version=1}": 1,
    }


def test_thousands_of_models_are_counted_and_a_bounded_number_listed() -> None:
    """5,000 models: all are counted, 80 have series, the expected one among them; below 1,000 series."""
    many = [model(f"m{number:04}:latest") for number in range(4999)]
    have = Fake(installed=[*many, model("zephyr:7b")])
    with (
        running_fake(have),
        exporter_of(target(have.url, expected_models=("zephyr:7b",))) as exporter,
    ):
        metrics = exporter.collect(Deadline.after(10))

    found = samples(metrics)
    assert only(found, "ollama_models_", "ollama_model_expected_status") == {
        "ollama_models_installed": 5000,
        "ollama_models_truncated": 1,
        "ollama_models_missing": 0,
        "ollama_models_unexpected": 4999,
        "ollama_models_loaded": 0,
        "ollama_model_expected_status{model=zephyr:7b,status=installed}": 1,
        "ollama_model_expected_status{model=zephyr:7b,status=other_tag}": 0,
        "ollama_model_expected_status{model=zephyr:7b,status=missing}": 0,
    }
    listed = only(found, "ollama_model_size_bytes")
    assert len(listed) == 80
    assert "ollama_model_size_bytes{model=zephyr:7b}" in listed
    assert sum(len(metric.samples) for metric in metrics) < 1000


def test_a_thousand_scrapes_leave_nothing_behind() -> None:
    """Threads and open files are as many after a thousand scrapes as after ten."""
    have = Fake(installed=[model("a:latest")], faults={"/api/ps": faults.status(500)})
    held = []
    with (
        running_fake(have),
        exporter_of(target(have.url), target("http://127.0.0.1:9", service="off")) as exporter,
    ):
        for count in (10, 990):
            for _ in range(count):
                exporter.collect(Deadline.after(5))
            until(lambda: threading.active_count() < 20, "all questions are answered")
            held.append((threading.active_count(), sum(1 for _ in Path("/proc/self/fd").iterdir())))

    assert held[1][0] <= held[0][0]
    assert held[1][1] <= held[0][1] + 2  # the fake's own connections come and go


def test_a_name_that_nobody_resolves_holds_one_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the look-up of a name hangs, later scrapes say so at once and begin no second one."""
    asked, release = [], threading.Event()

    def hang(*words: object, **_: object) -> list[object]:
        asked.append(words)
        release.wait()
        return []

    with exporter_of(target("http://ollama:11434")) as exporter:
        monkeypatch.setattr("exporters.ollama_fetch.socket.getaddrinfo", hang)
        scrape(exporter, seconds=0.5)
        before = len(asked)
        found = scrape(exporter, seconds=0.5)
        release.set()

    assert found["ollama_collector_errors_total{collector=tags,reason=hung}"] == 1
    assert len(asked) == before


def test_a_server_behind_a_path_is_asked_below_it() -> None:
    """With a path in its url, as behind a reverse proxy, every question goes below that path."""
    have = Fake()
    with running_fake(have), exporter_of(target(f"{have.url}/llm/")) as exporter:
        scrape(exporter)

    assert {path for path, _ in have.asked} == {
        "/llm/api/version", "/llm/api/tags", "/llm/api/ps", "/llm/api/status", "/llm/metrics",
    }  # fmt: skip


def test_https_to_a_server_that_speaks_none_is_a_fault_of_tls() -> None:
    """A url with https where plain HTTP answers: down, with the reason tls."""
    with running_fake(Fake()) as have:
        where = target(have.url.replace("http:", "https:"))
        with exporter_of(where) as exporter:
            found = scrape(exporter)

    assert found["ollama_up"] == 0
    assert found["ollama_collector_errors_total{collector=version,reason=tls}"] == 1


def test_a_target_without_http_is_refused() -> None:
    """A target that is looked at as a container only is a mistake of the configuration, said as one."""
    where = replace(target(""), probe="container")

    with pytest.raises(ConfigError) as refused, exporter_of(where):
        pass

    assert str(refused.value) == (
        "service 'ollama': an Ollama is asked over HTTP, not by container. "
        "Say probe: http, and give its url."
    )


@pytest.mark.parametrize("hung", [(0,), (5,), (0, 1, 2), (1, 3, 5), (1, 2, 3, 4, 5), range(6)])
@pytest.mark.parametrize("fault", ["hang", "drip", "drip-headers"])
def test_any_of_six_servers_may_hang(fault: str, hung: Sequence[int]) -> None:
    """Whichever servers hang, in whatever way: the scrape ends in time and the others are exact."""
    plant, _ = BROKEN[fault]
    have = [Fake(installed=[model("a:latest")] * number) for number in range(6)]
    for number in hung:
        have[number].faults = dict.fromkeys(("/api/version", "/api/tags", "/api/ps"), plant)
    with contextlib.ExitStack() as running:
        for one in have:
            running.enter_context(running_fake(one))
        targets = [target(one.url, service=f"ollama-{number}") for number, one in enumerate(have)]
        exporter = running.enter_context(exporter_of(*targets))

        def scraped() -> tuple[list[int], float, list[Samples]]:
            deadline = Deadline.after(0.7)
            metrics = exporter.collect(deadline)
            late_s = time.monotonic() - deadline.at
            told = [samples(metrics, service=f"ollama-{number}") for number in range(6)]
            return [n for n in range(6) if not told[n]["ollama_up"]], late_s, told

        down, late_s, told = first_good(scraped, lambda f: f[0] == list(hung) and f[1] < 0.1)

    assert (down, late_s < 0.1) == (list(hung), True)
    assert [found.get("ollama_models_installed") for found in told] == [
        None if number in hung else min(number, 1) for number in range(6)
    ]


def test_contexts_are_asked_once_per_model_and_a_few_at_a_time() -> None:
    """Ten models take three scrapes to be asked for; after that nothing is asked until one is new."""
    have = Fake(installed=[model("x" * number + ":latest") for number in range(1, 11)])
    have.installed.append(model("cloud:latest", remote_host="https://ollama.com:443"))
    have.installed.append(model("says:latest", details={"context_length": 512}))
    with running_fake(have), exporter_of(target(have.url)) as exporter:
        told = (only(scrape(exporter), "ollama_model_max_context_tokens") for _ in range(4))
        counts = [len(found) for found in told]
        have.installed[0] = model("new:latest")
        scrape(exporter)
        asked = [body["model"] for path, body in have.asked if path == "/api/show" and body]

    assert counts == [5, 9, 11, 11]
    assert asked[-1] == "new:latest"
    assert (len(asked), len(set(asked))) == (11, 11)
