"""The pages: what they answer to whom, how long they may take, and what parallel askers get."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections.abc import Iterable

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporters.app import App
from exporters.deadline import Deadline
from exporters.frame import Exporter
from exporters.gate import MAX_WAITING, FullError, Gate
from exporters.page import accepts_gzip
from exporters.web import Response
from tests.exporters.frame.lint import complaints
from tests.exporters.frame.serving import Fake, gives, serving
from tests.live.servers import until

# What Prometheus 2.42 and 3.x send.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def _many(_: Deadline) -> Iterable[Metric]:
    family = GaugeMetricFamily("test_many", "Many", labels=["number"])
    for number in range(100):
        family.add_metric([str(number)], number)
    return [family]


def test_prometheus_gets_openmetrics_and_people_get_text() -> None:
    """The form follows Accept; both say what they are, and OpenMetrics passes the strict judge."""
    with serving(Fake("one", _many)) as served:
        text = served.ask()
        openmetrics = served.ask(headers={"Accept": PROMETHEUS})

    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openmetrics.headers["content-type"].startswith(
        "application/openmetrics-text; version=1.0.0"
    )
    assert complaints(openmetrics.body.decode(), prefixes=("test",)) == []
    names = {family.name for family in text_string_to_metric_families(openmetrics.body.decode())}
    assert {name for name in names if not name.startswith(("process_", "python_"))} == {
        "test_many",
        "test_exporter_config_last_reload_successful",
        "test_exporter_config_last_reload_success_timestamp_seconds",
        "test_exporter_build_info",
        "test_collector_up",
        "test_collector_duration_seconds",
        "test_collector_last_success_timestamp_seconds",
        "test_collector_errors",
    }


def test_gzip_is_the_same_page_smaller() -> None:
    """Who takes gzip gets it, and unpacked it is what others get."""
    with serving(Fake("one", _many)) as served:
        packed = served.ask(headers={"Accept-Encoding": "gzip"})

    page = gzip.decompress(packed.body).decode()
    assert (packed.status, packed.headers["content-encoding"]) == (200, "gzip")
    assert (page.count("\ntest_many{"), len(packed.body) < len(page) / 3) == (100, True)
    assert packed.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("gzip;q=nonsense", True),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header: str, taken: bool) -> None:
    """Named or by a star, and not with a quality of 0."""
    assert accepts_gzip(header) is taken


def test_every_page_has_its_status() -> None:
    """Health and readiness answer without a collection; nothing else answers but the pages."""
    asked = []

    def count(_: Deadline) -> Iterable[Metric]:
        asked.append(1)
        return []

    with serving(Fake("one", count)) as served:
        found = {
            (method, path): (answer.status, answer.body)
            for method, path in [
                ("GET", "/-/healthy"),
                ("GET", "/-/ready"),
                ("GET", "/metrics/"),
                ("GET", "/nothing?x=1"),
                ("HEAD", "/-/healthy"),
                ("POST", "/metrics"),
            ]
            if (answer := served.ask(path, method=method))
        }
        before = list(asked)
        landing = served.ask("/")
        served.server.app.ready = False
        stopping = served.ask("/-/ready")

    assert found == {
        ("GET", "/-/healthy"): (200, b"healthy\n"),
        ("GET", "/-/ready"): (200, b"ready\n"),
        ("GET", "/metrics/"): (404, b"not found\n"),
        ("GET", "/nothing?x=1"): (404, b"not found\n"),
        ("HEAD", "/-/healthy"): (200, b""),
        ("POST", "/metrics"): (405, b"only GET and HEAD\n"),
    }
    assert (before, stopping.status) == ([], 503)
    assert landing.headers["content-type"] == "text/html; charset=utf-8"
    assert [
        path
        for path in ("/metrics", "/-/healthy", "/-/ready")
        if f'href="{path}"'.encode() not in landing.body
    ] == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 3.0),
        ("10", 3.0),
        ("2", 1.5),
        ("0.4", 0.2),
        ("0", 3.0),
        ("-290", 3.0),
        ("NaN", 3.0),
        ("inf", 3.0),
        ("ten", 3.0),
    ],
)
def test_the_deadline_is_prometheus_less_an_offset_and_never_above_our_own(
    header: str | None, seconds: float
) -> None:
    """A header that is no timeout is not followed (blackbox_exporter #400 was one of -290)."""
    app = App([Exporter("test", [])], deadline_s=3.0)
    headers = {} if header is None else {"x-prometheus-scrape-timeout-seconds": header}

    before = time.monotonic()
    deadline = app.deadline(headers)

    assert before - 1e-6 <= deadline.at - seconds <= time.monotonic() + 1e-6


def test_parallel_scrapes_share_one_collection() -> None:
    """Two Prometheus servers that ask at once cost one round of probes and get the same page."""
    release, inside, rounds = threading.Event(), threading.Event(), []

    def slow(_: Deadline) -> Iterable[Metric]:
        rounds.append(1)
        inside.set()
        release.wait(10)
        return [GaugeMetricFamily("test_round", "Round", value=len(rounds))]

    with serving(Fake("one", slow), deadline_s=10) as served:
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: answers.append(served.ask().body)) for _ in range(3)
        ]
        threads[0].start()
        inside.wait(10)
        for thread in threads[1:]:
            thread.start()
        until(lambda: served.server.app._gate._inside == 3, "all three wait")
        release.set()
        for thread in threads:
            thread.join()
        later = served.ask().body

    assert (len(set(answers)), b"test_round 1.0" in answers[0], b"test_round 2.0" in later) == (
        1,
        True,
        True,
    )


def test_the_41st_scrape_at_once_is_turned_away() -> None:
    """Forty may wait; one more is answered 503 at once and says so."""
    release = threading.Event()
    gate: Gate[int] = Gate(lambda _: release.wait(20) and 1)
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(gate.get(Deadline.after(20))))
        for _ in range(MAX_WAITING)
    ]
    for thread in threads:
        thread.start()
    until(lambda: gate._inside == MAX_WAITING, "all wait")
    with pytest.raises(FullError, match="40 scrapes are waiting already"):
        gate.get(Deadline.after(20))
    release.set()
    for thread in threads:
        thread.join()

    assert (len(results), gate._inside, gate.get(Deadline.after(1))) == (40, 0, 1)


def test_who_waits_does_so_no_longer_than_the_own_deadline() -> None:
    """A collection that takes longer than a second asker may wait answers that one 503."""
    release, inside = threading.Event(), threading.Event()

    def slow(_: Deadline) -> Iterable[Metric]:
        inside.set()
        release.wait(10)
        return []

    with serving(Fake("one", slow), deadline_s=10) as served:
        first = threading.Thread(target=served.ask)
        first.start()
        inside.wait(10)
        second = served.ask(headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.2"})
        release.set()
        first.join()

    assert (second.status, second.headers["retry-after"]) == (503, "1")
    assert second.body == b"the collection under way did not end in time\n"


def test_who_has_more_time_does_not_take_what_a_hurried_collection_found() -> None:
    """One with 20 s leads; followers with as much share its result, one with 400 s collects anew."""
    release, led = threading.Event(), []
    inside = threading.Event()

    def collect(deadline: Deadline) -> float:
        led.append(deadline.at)
        inside.set()
        release.wait(20)
        return deadline.at

    gate = Gate(collect)
    short, equal, long = Deadline.after(20), Deadline.after(22), Deadline.after(400)
    results: dict[float, float] = {}

    def ask(deadline: Deadline) -> None:
        results[deadline.at] = gate.get(deadline)

    threads = [threading.Thread(target=ask, args=(each,)) for each in (short, equal, long)]
    threads[0].start()
    inside.wait(10)
    for thread in threads[1:]:
        thread.start()
    until(lambda: gate._inside == 3, "all three are inside")
    release.set()
    for thread in threads:
        thread.join()

    assert results == {short.at: short.at, equal.at: short.at, long.at: long.at}
    assert (led, gate._inside) == ([short.at, long.at], 0)


def test_a_page_that_breaks_answers_500_and_the_next_one_works() -> None:
    """A mistake in one page ends neither the process nor the connection's thread."""
    with serving(Fake("one", gives("test_x"))) as served:
        served.server.app._routes["/broken"] = lambda _: Response(1 // 0, b"")
        statuses = [served.ask(path).status for path in ("/broken", "/metrics")]

    assert statuses == [500, 200]


def test_several_exporters_on_one_address_make_one_page() -> None:
    """Each keeps its own report; what the process costs stands there once."""
    app = App(
        [Exporter(prefix, [Fake("one", gives(f"{prefix}_x"))]) for prefix in ("a", "b", "c")],
        deadline_s=1,
    )

    page = app._collect(Deadline.after(1))._metrics

    names = [metric.name for metric in page]
    assert (
        len(names) == len(set(names)),
        {"a_x", "b_x", "c_x", "a_collector_up", "c_collector_up"} <= set(names),
    ) == (True, True)


def test_a_slow_client_waits_alone() -> None:
    """While one connection says nothing and another stops amid its request, a third is served."""
    import socket

    with serving(Fake("one", gives("test_x"))) as served:
        address = ("127.0.0.1", served.port)
        with socket.create_connection(address), socket.create_connection(address) as half:
            half.sendall(b"GET /metrics HTTP/1.1\r\nHost: a")
            answer = served.ask()

    assert answer.status == 200


def test_too_many_connections_are_turned_away_and_places_become_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One above the number of places gets 503 at once; when one leaves, the next is served."""
    import socket

    monkeypatch.setattr("exporters.http.MAX_CONNECTIONS", 2)
    with serving(Fake("one", gives("test_x"))) as served:
        address = ("127.0.0.1", served.port)
        one, two = socket.create_connection(address), socket.create_connection(address)
        until(lambda: served.server._places._value == 0, "both have a place")
        refused = served.ask().status
        one.close()
        two.close()
        until(lambda: served.server._places._value == 2, "both places are free")
        accepted = served.ask().status

    assert (refused, accepted) == (503, 200)


def test_the_silent_lose_their_places_and_who_has_asked_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections without a first request end after the short time; one between two requests stays."""
    import socket

    monkeypatch.setattr("exporters.http.MAX_CONNECTIONS", 3)
    monkeypatch.setattr("exporters.http.FIRST_S", 0.2)
    with serving(Fake("one", gives("test_x"))) as served:
        address = ("127.0.0.1", served.port)
        kept = http.client.HTTPConnection(*address, timeout=10)
        kept.request("GET", "/metrics")
        first = (kept.getresponse().read(), kept.sock)
        with socket.create_connection(address) as one, socket.create_connection(address) as two:
            until(lambda: served.server._places._value == 0, "all places are taken")
            ends = []
            for each in (one, two):
                each.settimeout(10)
                ends.append(each.recv(1))
            until(lambda: served.server._places._value == 2, "the silent ones' places are free")
        kept.request("GET", "/-/healthy")
        second = (kept.getresponse().read(), kept.sock)
        kept.close()

    assert (ends, b"test_x 1.0" in first[0], second[0]) == ([b"", b""], True, b"healthy\n")
    assert first[1] is second[1]


def test_what_a_query_holds_is_data_only() -> None:
    """A path with a query finds its page; a thousand parameters are refused, not worked through."""
    with serving(Fake("one", gives("test_x"))) as served:
        good = served.ask("/metrics?name%5B%5D=x&debug=true").status
        many = served.ask("/-/healthy?" + "&".join(f"a{n}=1" for n in range(1000))).status
        after = served.ask("/-/healthy").status

    assert (good, many, after) == (200, 400, 200)


def test_the_list_for_service_discovery_is_json() -> None:
    """Routes that an exporter brings are served beside its metrics."""
    exporter = Exporter(
        "test",
        [],
        routes={"/sd": lambda _: Response(200, json.dumps([]).encode(), "application/json")},
    )

    app = App([exporter], deadline_s=1)

    assert sorted(app._routes) == ["/", "/-/healthy", "/-/ready", "/metrics", "/sd"]
