"""
Write a language model of a few hundred kilobytes that Ollama really loads: random weights.

The architecture is llama with one layer; the vocabulary is bytes and small letters. It writes
nonsense, always letters and never the token that ends a text, so that a generation makes exactly
as many tokens as it is asked for.

Source: the GGUF specification, version 3 (ggml, docs/gguf.md); llama.cpp, src/llama-arch.cpp.
"""

from __future__ import annotations

import array
import random
import string
import struct
from pathlib import Path

WIDTH, HEADS, HIDDEN, ALIGNMENT = 64, 4, 128, 32
_U32, _F32, _STRING, _ARRAY, _I32 = 4, 6, 8, 9, 5
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_SPECIAL = {"<unk>": _UNKNOWN, "<s>": _CONTROL, "</s>": _CONTROL}
Tensor = tuple[str, tuple[int, ...], bytes]


def vocabulary() -> dict[str, int]:
    """Return every token with its type, in the order of their numbers."""
    letters = ["\u2581", *string.ascii_lowercase, *(f"\u2581{c}" for c in string.ascii_lowercase)]
    return (
        _SPECIAL
        | {f"<0x{byte:02X}>": _BYTE for byte in range(256)}
        | dict.fromkeys(letters, _NORMAL)
    )


def write_model(path: Path, *, context: int = 2048, seed: int = 1) -> Path:
    """Write a model that can take *context* tokens; another *seed* makes another file."""
    tensors = _tensors(random.Random(seed))  # noqa: S311  # weights, not secrets
    facts = _facts(context)
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts)))
    for key, value in facts.items():
        head += _text(key) + value
    offset = 0
    body = bytearray()
    for name, shape, data in tensors:
        head += _text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}QIQ", *shape, 0, offset)
        body += _padded(data)
        offset = len(body)
    path.write_bytes(_padded(bytes(head)) + bytes(body))
    return path


def _facts(context: int) -> dict[str, bytes]:
    tokens = vocabulary()
    numbers = {
        "llama.context_length": context,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": HIDDEN,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "llama.vocab_size": len(tokens),
        "general.file_type": 0,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    }
    return {
        "general.architecture": struct.pack("<I", _STRING) + _text("llama"),
        "general.name": struct.pack("<I", _STRING) + _text("random letters"),
        **{key: struct.pack("<II", _U32, value) for key, value in numbers.items()},
        "llama.attention.layer_norm_rms_epsilon": struct.pack("<If", _F32, 1e-5),
        "tokenizer.ggml.model": struct.pack("<I", _STRING) + _text("llama"),
        "tokenizer.ggml.tokens": _list(_STRING, len(tokens), b"".join(map(_text, tokens))),
        "tokenizer.ggml.scores": _list(
            _F32, len(tokens), struct.pack(f"<{len(tokens)}f", *range(0, -len(tokens), -1))
        ),
        "tokenizer.ggml.token_type": _list(
            _I32, len(tokens), struct.pack(f"<{len(tokens)}i", *tokens.values())
        ),
    }


def _tensors(chance: random.Random) -> list[Tensor]:
    tokens = vocabulary()

    def matrix(name: str, inner: int, outer: int) -> Tensor:
        values = array.array("f", (chance.gauss(0, 0.3) for _ in range(inner * outer)))
        return (f"{name}.weight", (inner, outer), values.tobytes())

    def norm(name: str) -> Tensor:
        return (f"{name}.weight", (WIDTH,), array.array("f", [1.0] * WIDTH).tobytes())

    # A row of zeros is never the likeliest of some fifty random ones: only letters are written.
    rows = array.array("f")
    for kind in tokens.values():
        rows.extend(chance.gauss(0, 0.3) if kind == _NORMAL else 0.0 for _ in range(WIDTH))
    return [
        matrix("token_embd", WIDTH, len(tokens)),
        norm("blk.0.attn_norm"),
        matrix("blk.0.attn_q", WIDTH, WIDTH),
        matrix("blk.0.attn_k", WIDTH, WIDTH),
        matrix("blk.0.attn_v", WIDTH, WIDTH),
        matrix("blk.0.attn_output", WIDTH, WIDTH),
        norm("blk.0.ffn_norm"),
        matrix("blk.0.ffn_gate", WIDTH, HIDDEN),
        matrix("blk.0.ffn_up", WIDTH, HIDDEN),
        matrix("blk.0.ffn_down", HIDDEN, WIDTH),
        norm("output_norm"),
        ("output.weight", (WIDTH, len(tokens)), rows.tobytes()),
    ]


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _list(kind: int, count: int, data: bytes) -> bytes:
    return struct.pack("<IIQ", _ARRAY, kind, count) + data


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % ALIGNMENT)
