"""Secrets of every shape, through the real Promtail: nothing of them is left, the rest is."""

from __future__ import annotations

import pytest

from generator.model import Catalog

from .dry_run import MARK, played, service_of

S = "Zq9-hunter2_X"  # the secret in every line below

LINES = (
    f"password={S}",
    f"POSTGRES_PASSWORD={S} next=1",
    f'export N8N_ENCRYPTION_SECRET="{S} with blanks"',
    f"--redis-password='{S}'",
    f"db_passwd={S};sslmode=disable",
    f"GET /v1?api_key={S}&page=2",
    f"GET /v1?access-key={S}",
    f"https://x.test/cb?state=1&access_token={S}#frag",
    f"https://bucket.s3.test/x?X-Amz-Signature={S}&X-Amz-Date=2024",
    f"postgres://app:{S}@db:5432/x",
    f"redis://:{S}@cache:6379/0",
    f"mongodb+srv://u:{S}@p@cluster/x",
    f"amqp://guest:{S}@queue and amqp://other:{S}@queue2",
    f"Authorization: Bearer {S}",
    f"authorization=Basic {S}==",
    f"{{'Authorization': 'Bearer {S}'}}",
    f'{{"headers":{{"authorization":"Token {S}"}}}}',
    f"curl -H 'X-Api-Key: {S}'",
    f"X-Auth-Token: {S}",
    f'{{"password": "{S}"}}',
    f'{{"clientSecret":"{S}","id":7}}',
    f'{{"api_key" : "{S}',
    rf"body=\"{{\\\"password\\\":\\\"{S}\\\"}}\"",
    rf'"{{\"refresh_token\":\"{S}\"}}"',
    rf'"{{\"password\":\"a\\\"{S}\"}}"',
    f"{{'token': '{S}'}}",
    f"Set-Cookie: session={S}; HttpOnly",
    f"Password: {S}",
    f"ALTER USER x PASSWORD '{S}'",
    f"config set requirepass {S}",
    f"token eyJhbGciOiJIUzI1NiJ9.eyJ{S}x.{S}",
    f"-----BEGIN EC PRIVATE KEY-----\\n{S}\\n-----END EC PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY----- {S}",
    f"key sk-ant-api03-{S}-0000",
    f"hf_abcdefghij{S.replace('-', '').replace('_', '')}",
    f"glpat-{S}-abcdef",
    f"AccountKey={S};EndpointSuffix=x",
)

# Lines that only look like secrets; they must arrive as they are.
HARMLESS = (
    "prompt_tokens=512 completion_tokens=17 total_tokens=529",
    '{"max_tokens": 2048, "eval_count": 3}',
    "invalid token: unexpected end of input",
    "password authentication failed for user app",
    "Basic authentication is disabled",
    "http://backend:8000/api/v1/models answered 200",
    "user@example.com logged in from 10.0.0.1:5000",
    "secretary of the board: hello",
    "tokenizer=llama loaded",
    "bearer token is missing",
    "task-7 risk-assessment-for-the-year is done",
)


@pytest.fixture(scope="module")
def arrived(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Return what became of each line, secrets first: one run of Promtail for all."""
    service = service_of(catalog, "plain").name
    lines = [f"{MARK}{i}{MARK}{service}{MARK}{s}" for i, s in enumerate(LINES + HARMLESS)]
    arrived = played(catalog, lines, tmp_path_factory.mktemp("masking"))
    return {number: entries[0].line for number, entries in arrived.items()}


@pytest.mark.live
@pytest.mark.parametrize("number", range(len(LINES)), ids=LINES)
def test_no_part_of_a_secret_leaves(arrived: dict[int, str], number: int) -> None:
    """Of a line with a secret the mask arrives and no piece of the secret."""
    line = arrived[number]

    assert "<masked>" in line
    assert not [piece for piece in (S, "hunter2", "Zq9", "blanks") if piece in line]


@pytest.mark.live
@pytest.mark.parametrize("number", range(len(HARMLESS)), ids=HARMLESS)
def test_harmless_lines_stay(arrived: dict[int, str], number: int) -> None:
    """A line that only looks like a secret arrives unchanged."""
    assert arrived[len(LINES) + number] == HARMLESS[number]
