"""
What a prober from outside notices: slow answers, wrong answers, certificates that run out.

Compared with blackbox-mixin and awesome-prometheus-alerts (Blackbox). Left out, and why:
- BlackboxProbeFailed: ServiceDown, where the probe is the verdict; ProbeFailsWhileHealthy where not.
- BlackboxConfigurationReloadFailure: the stack pack, with every other reload.
- BlackboxSslCertificateExpired: an expired certificate fails the probe, and
  CertificateExpiresVerySoon has been firing for a week by then.
- availability over 30 days: the SLO pack.
- ICMP alerts: nothing is pinged.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

BOARD = "tier"
PROBER = "blackbox-exporter"
DAYS_TO_EXPIRY = """(
  min by (service) (last_over_time(probe_ssl_earliest_cert_expiry[15m])) - time()
) / 86400"""

SLOW = Alert(
    name="ProbeSlow",
    severity=Severity.WARNING,
    expr="max by (service) (avg_over_time(probe_duration_seconds[5m]))",
    threshold=3,
    hold=timedelta(minutes=10),
    family="probe-latency",
    board=BOARD,
    summary="A probe of {{ $labels.service }} takes {{ $value | humanizeDuration }}",
    description="""Asking {{ $labels.service }} whether it is well has taken
        {{ $value | humanizeDuration }} on average for ten minutes. Users wait at least as long, and
        the probe's deadline is near.""",
    fires={"probe_duration_seconds": "3.2"},
    quiet={"probe_duration_seconds": "2.8"},
)

PHASE_SLOW = Alert(
    name="ProbePhaseSlow",
    severity=Severity.INFO,
    expr="max by (service, phase) (avg_over_time(probe_http_duration_seconds[5m]))",
    threshold=1,
    hold=timedelta(minutes=10),
    family="probe-latency",
    board=BOARD,
    summary="{{ $labels.service }} spends {{ $value | humanizeDuration }} in phase {{ $labels.phase }}",
    description="""Of every HTTP probe of {{ $labels.service }}, {{ $value | humanizeDuration }} go to
        the phase {{ $labels.phase }}: resolve is DNS, connect the network or a full accept queue,
        tls the handshake, processing the service itself, transfer the size of its answer.""",
    fires={'probe_http_duration_seconds{phase="processing"}': "1.05"},
    quiet={'probe_http_duration_seconds{phase="processing"}': "0.95"},
    extra={"phase": "processing"},
)

FAILS_WHILE_HEALTHY = Alert(
    name="ProbeFailsWhileHealthy",
    severity=Severity.WARNING,
    expr="min by (service) (last_over_time(probe_success[3m]))",
    op="==",
    threshold=0,
    where="and on (service) (service:healthy:bool == 1)",
    hold=timedelta(minutes=5),
    family="probe-answer",
    board=BOARD,
    summary="{{ $labels.service }} counts as healthy, but a probe of it fails",
    description="""The verdict on {{ $labels.service }} is good, but one of its probes has failed for
        five minutes: a second port is closed, or the answer says that something behind it is
        degraded.""",
    fires={"probe_success": "0", "service:healthy:bool": "1"},
    quiet={"probe_success": "1", "service:healthy:bool": "1"},
    value=0,
    tight=False,
)

BODY_WRONG = Alert(
    name="ProbeAnswerWrong",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(probe_failed_due_to_regex[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="probe-answer",
    board=BOARD,
    summary="{{ $labels.service }} answers, but not what it should",
    description="""{{ $labels.service }} answers its health request with the right status and the
        wrong body: it reports itself degraded, or something else sits on its port.""",
    fires={"probe_failed_due_to_regex": "1"},
    quiet={"probe_failed_due_to_regex": "0"},
    value=1,
    tight=False,
)

SERVER_ERROR = Alert(
    name="ProbeServerError",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(probe_http_status_code[3m]))",
    op=">=",
    threshold=500,
    hold=timedelta(minutes=3),
    family="probe-answer",
    board=BOARD,
    summary='{{ $labels.service }} answers its probe with status {{ $value | printf "%.0f" }}',
    description="""{{ $labels.service }} is reachable and answers its health request with status
        {{ $value | printf "%.0f" }}: the process lives, the application in it does not work.""",
    fires={"probe_http_status_code": "503"},
    quiet={"probe_http_status_code": "499"},
)

FLAPPING = Alert(
    name="ProbeFlapping",
    severity=Severity.WARNING,
    expr="max by (service) (changes(probe_success[30m]))",
    threshold=6,
    hold=timedelta(minutes=5),
    family="probe-flapping",
    board=BOARD,
    summary="A probe of {{ $labels.service }} fails again and again",
    description="""A probe of {{ $labels.service }} changed between success and failure more than six
        times in half an hour, never long enough for ServiceDown. Users see errors now and then.""",
    fires={"probe_success": "flip 0 1"},
    quiet={"probe_success": "1"},
    tight=False,
)

CERTIFICATE_SOON = Alert(
    name="CertificateExpiresSoon",
    severity=Severity.WARNING,
    expr=DAYS_TO_EXPIRY,
    op="<",
    threshold=21,
    hold=timedelta(minutes=30),
    family="certificate",
    board=BOARD,
    summary='The certificate of {{ $labels.service }} expires in {{ $value | printf "%.0f" }} days',
    description="""A certificate that {{ $labels.service }} shows expires in
        {{ $value | printf "%.0f" }} days. Automatic renewal, if there is one, should have
        happened by now.""",
    fires={"probe_ssl_earliest_cert_expiry": "now+1728000"},  # 20 days
    quiet={"probe_ssl_earliest_cert_expiry": "now+1900800"},  # 22 days
    value=20,
)

CERTIFICATE_VERY_SOON = Alert(
    name="CertificateExpiresVerySoon",
    severity=Severity.CRITICAL,
    expr=DAYS_TO_EXPIRY,
    op="<",
    threshold=7,
    hold=timedelta(minutes=30),
    family="certificate",
    board=BOARD,
    summary='The certificate of {{ $labels.service }} expires in {{ $value | printf "%.1f" }} days',
    description="""A certificate that {{ $labels.service }} shows expires in
        {{ $value | printf "%.1f" }} days. From then on every client refuses it.""",
    fires={"probe_ssl_earliest_cert_expiry": "now+561600"},  # 6.5 days
    quiet={"probe_ssl_earliest_cert_expiry": "now+648000"},  # 7.5 days
    value=6.5,
)

MODULE_UNKNOWN = Alert(
    name="ProbeModuleUnknown",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(blackbox_module_unknown_total[15m]))",
    threshold=0.5,
    hold=timedelta(minutes=2),
    family="probe-config",
    board="stack",
    summary="{{ $labels.service }} is asked for a probe it does not know",
    description="""Prometheus asks {{ $labels.service }} for a module that its configuration lacks.
        The two files come from different generations of the catalog, or the prober did not
        reload.""",
    fires={"blackbox_module_unknown_total": "2.1/h"},
    quiet={"blackbox_module_unknown_total": "1.9/h"},
)


ALERTS = (
    SLOW,
    PHASE_SLOW,
    FAILS_WHILE_HEALTHY,
    BODY_WRONG,
    SERVER_ERROR,
    FLAPPING,
    CERTIFICATE_SOON,
    CERTIFICATE_VERY_SOON,
    MODULE_UNKNOWN,
)


def pack(catalog: Catalog) -> Pack:
    """Return the probe pack, empty where *catalog* has no prober; it speaks of every service."""
    return Pack(
        name="probe",
        title="Probes",
        alerts=ALERTS if catalog.of_kind(PROBER) else (),
        always=True,
    )
