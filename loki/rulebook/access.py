"""Refused logins, and secrets that software writes into its log."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Severity
from loki.kit import Lines, LogRule, count
from loki.rulebook.patterns import ANY, NO_QUERIES, matching

AUTHENTICATION = LogRule(
    name="LogAuthenticationFailures",
    severity=Severity.WARNING,
    expr=matching(
        r"(?i)(?:password )?authentication fail(?:ed|ure)|login (?:failed|refused)|access[_ ]refused|invalid (?:username or password|credentials|api[ _-]?key|password)|WRONGPASS|NOAUTH|unauthori[sz]ed due to|Failed password for|no pg_hba.conf entry",
        "10m",
    )
    + " > 10",
    hold=timedelta(0),
    family="log-authentication",
    summary="{{ $labels.service }} refused {{ $value | humanize }} logins in 10 minutes",
    description="More than ten refused logins in ten minutes: a client with an old password, or somebody who is guessing.",
    fires=(
        (
            Lines(
                text='FATAL:  password authentication failed for user "app"',
                count=11,
                level="error",
            ),
        ),
        (Lines(text="PLAIN login refused: user 'guest'", count=11, level="error"),),
    ),
    quiet=(
        (
            Lines(
                text='FATAL:  password authentication failed for user "app"',
                count=10,
                level="error",
            ),
        ),
        (Lines(text="authentication succeeded", count=50),),
    ),
)


SECRETS = LogRule(
    name="LogSecretsWritten",
    severity=Severity.INFO,
    expr=f"{count(ANY, '1h', f'{NO_QUERIES} |= `<masked>`')} > 0",
    hold=timedelta(0),
    family="log-secrets",
    summary="{{ $labels.service }} writes secrets into its log",
    description="Promtail masked passwords, tokens or keys in this service's lines. They never reached Loki, but Docker's log files on the host hold them in clear.",
    fires=((Lines(text="dsn=postgres://app:<masked>@db/x", count=1),),),
    quiet=((Lines(text="dsn=postgres://app@db/x", count=5),),),
)


RULES: tuple[LogRule, ...] = (
    AUTHENTICATION,
    SECRETS,
)
