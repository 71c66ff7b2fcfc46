"""
RabbitMQ 3.9 and newer: `2024-01-01 00:00:00.123456+00:00 [info] <0.872.0> message`.

A message of several lines repeats the head on every line, so nothing has to be glued but the
boot banner. Only what a TCP probe causes is noise.
"""

from __future__ import annotations

from promtail.kit import Format, Sample, drop, multiline, regex, timestamp

_HEAD = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+[+-]\d\d:\d\d"

STAGES = (
    multiline(rf"^(?:{_HEAD} |\S)"),
    drop(r"^[^\n]*connection_closed_with_no_data_received[^\n]*$", "health_check"),
    drop(r"^[\s#]+(?:RabbitMQ [\d.]+)?\s*$", "banner"),
    regex(rf"^(?P<time>{_HEAD}) \[(?P<level>\w+)\]"),
    timestamp("time", "2006-01-02 15:04:05Z07:00"),
)

SAMPLES = (
    Sample(
        claim="a plain message",
        raw="2024-01-01 00:00:00.123456+00:00 [info] <0.872.0> started TCP listener on [::]:5672",
        level="info",
        time="2024-01-01T00:00:00.123456Z",
    ),
    Sample(
        claim="an offset is honoured",
        raw="2024-01-01 05:30:00.000001+05:30 [notice] <0.44.0> Logging: switching to configured handler(s)",
        level="info",
        time="2024-01-01T00:00:00.000001Z",
    ),
    Sample(
        claim="a refused login",
        raw="2024-01-01 00:00:00.123456+00:00 [error] <0.9.0> PLAIN login refused: user 'guest' can only connect via localhost",
        level="error",
        time="2024-01-01T00:00:00.123456Z",
    ),
    Sample(
        claim="an alarm",
        raw="2024-01-01 00:00:00.123456+00:00 [warning] <0.366.0> memory resource limit alarm set on node rabbit@rabbitmq.",
        level="warning",
        time="2024-01-01T00:00:00.123456Z",
    ),
    Sample(
        claim="each line of a crash report has a head and stays an entry",
        raw="2024-01-01 00:00:00.123456+00:00 [error] <0.9.0>   crasher:",
        level="error",
        time="2024-01-01T00:00:00.123456Z",
    ),
    Sample(
        claim="critical stays critical",
        raw="2024-01-01 00:00:00.123456+00:00 [critical] <0.9.0> mnesia is overloaded",
        level="critical",
        time="2024-01-01T00:00:00.123456Z",
    ),
    Sample(
        claim="debug",
        raw="2024-01-01 00:00:00.123456+00:00 [debug] <0.9.0> Will use node name ☂",
        level="debug",
        time="2024-01-01T00:00:00.123456Z",
    ),
    Sample(
        claim="a TCP probe is noise",
        raw="2024-01-01 00:00:00.123456+00:00 [error] <0.9.0> closing AMQP connection <0.9.0> (172.20.0.9:4 -> 172.20.0.7:5672): connection_closed_with_no_data_received",
        level="",
    ),
    Sample(
        claim="the banner is noise",
        raw="  ##  ##      RabbitMQ 3.12.14",
        level="",
    ),
    Sample(
        claim="a password in an AMQP address is masked",
        raw="2024-01-01 00:00:00.123456+00:00 [warning] <0.9.0> shovel cannot connect to amqp://app:s3cr%2Ft@other:5672/%2F",
        level="warning",
        time="2024-01-01T00:00:00.123456Z",
        line="2024-01-01 00:00:00.123456+00:00 [warning] <0.9.0> shovel cannot connect to amqp://app:<masked>@other:5672/%2F",
    ),
    Sample(
        claim="the colours of a terminal are removed",
        raw="\x1b[38;5;87m2024-01-01 00:00:00.123456+00:00 [info] <0.1.0> Server startup complete\x1b[0m",
        level="info",
        time="2024-01-01T00:00:00.123456Z",
        line="2024-01-01 00:00:00.123456+00:00 [info] <0.1.0> Server startup complete",
    ),
    Sample(
        claim="a line without a head keeps Docker's time",
        raw="BOOT FAILED",
        level="unknown",
    ),
)

FORMAT = Format(name="rabbitmq", title="RabbitMQ", stages=STAGES, samples=SAMPLES)
