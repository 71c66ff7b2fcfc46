"""Real Prometheus, oldest and newest, scrapes what we serve; promtool judges the web.config.yml."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from exporters.web_guard import Guard
from exporters.yaml_read import ConfigError
from tests.exporters.frame.pki import make_authority, sign
from tests.exporters.frame.serving import Fake, gives, serving
from tests.live import stack
from tests.live.servers import need, until

pytestmark = pytest.mark.live

HASH = "$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy"  # of "open sesame"


@pytest.mark.parametrize("tool", ["prometheus", "prometheus3"])
def test_prometheus_scrapes_over_tls_with_certificate_and_password(
    tmp_path: Path, tool: str
) -> None:
    """Up, and every series of the page arrives; with a wrong password beside it, down."""
    authority = make_authority(tmp_path)
    sign(authority, tmp_path, "server", "DNS:localhost,IP:127.0.0.1")
    client = sign(authority, tmp_path, "client", "DNS:prometheus.example")
    web = tmp_path / "web.config.yml"
    web.write_text(
        f"""
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example]
basic_auth_users: {{prometheus: {HASH}}}
"""
    )
    tls = {
        "ca_file": str(authority.cert),
        "cert_file": str(client.cert),
        "key_file": str(client.key),
    }
    with serving(Fake("one", gives("test_x", "test_y")), web_config=web) as served:
        jobs = [
            {
                "job_name": name,
                "scheme": "https",
                "scrape_interval": "200ms",
                "scrape_timeout": "200ms",
                "tls_config": tls,
                "basic_auth": {"username": "prometheus", "password": password},
                "static_configs": [{"targets": [f"127.0.0.1:{served.port}"]}],
            }
            for name, password in (("right", "open sesame"), ("wrong", "open barley"))
        ]
        config = yaml.safe_dump({"scrape_configs": jobs})
        with stack.prometheus(tmp_path / "prometheus", config, tool) as judge:

            def values(query: str) -> dict[str, str]:
                answer = json.loads(judge.get(f"/api/v1/query?query={query}"))["data"]["result"]
                return {each["metric"]["job"]: each["value"][1] for each in answer}

            until(lambda: values("up") == {"right": "1", "wrong": "0"}, "the right one is up")
            arrived = values("test_x%2Btest_y")
            targets = json.loads(judge.get("/api/v1/targets"))["data"]["activeTargets"]

    errors = {target["labels"]["job"]: target["lastError"] for target in targets}
    assert arrived == {"right": "2"}
    assert errors == {"right": "", "wrong": "server returned HTTP status 401 Unauthorized"}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("tls_server_config: {cert_file: server.pem, key_file: server.key}\n", True),
        (f"basic_auth_users: {{a: {HASH}}}\n", True),
        ("http_server_config: {headers: {X-Frame-Options: deny}}\n", True),
        ("tls_server_config: {cert_file: server.pem}\n", False),
        ("basic_auth_users: {a: plain}\n", False),
        ("tls_server_configs: {}\n", False),
        ("tls_server_config: {cert_file: server.pem, key_file: none.key}\n", False),
    ],
)
def test_promtool_and_we_agree_on_a_web_config(tmp_path: Path, text: str, good: bool) -> None:
    """What `promtool check web-config` takes we take, what it refuses we refuse."""
    sign(make_authority(tmp_path), tmp_path, "server", "DNS:localhost")
    path = tmp_path / "web.config.yml"
    path.write_text(text)

    said = subprocess.run(
        [need("promtool"), "check", "web-config", path], capture_output=True, text=True, check=False
    )
    try:
        Guard(path)
        taken = True
    except ConfigError:
        taken = False

    # A hash that is none is only noticed by the toolkit when somebody asks.
    theirs = said.returncode == 0 and "plain" not in text
    assert (theirs, taken) == (good, good), said.stderr
