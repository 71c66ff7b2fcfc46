"""
Names of models as Ollama compares them.

A name is `[host/][namespace/]model[:tag]`; what is left out is registry.ollama.ai, library and
latest, and letters compare without case. So `gpt-oss` is `gpt-oss:latest`, and an installed
`gpt-oss:20b` does not answer for it: a request for `gpt-oss` ends with 404.

Source: ollama/ollama, types/model/name.go (Name.DisplayShortest, EqualFold).
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"
LONGEST = 350  # Ollama allows host 350, other parts 80 each; longer is not from Ollama
_CLOUD = ("cloud", "-cloud")


@dataclass(frozen=True, slots=True)
class Name:
    """The four parts of a name, none of them empty."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def shown(self) -> str:
        """The shortest form that still says the tag, as Ollama's lists print it."""
        parts = [self.model]
        if (self.host.casefold(), self.namespace.casefold()) != (DEFAULT_HOST, DEFAULT_NAMESPACE):
            parts.insert(0, self.namespace)
        if self.host.casefold() != DEFAULT_HOST:
            parts.insert(0, self.host)
        return f"{'/'.join(parts)}:{self.tag}"

    @property
    def key(self) -> str:
        """Equal for two names exactly when Ollama takes them for the same model."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}".casefold()

    @property
    def repository(self) -> str:
        """The key without the tag."""
        return f"{self.host}/{self.namespace}/{self.model}".casefold()

    @property
    def says_cloud(self) -> bool:
        """Whether the tag says that the model runs in Ollama's cloud."""
        tag = self.tag.casefold()
        return tag == _CLOUD[0] or tag.endswith(_CLOUD[1])


def parse_name(text: str) -> Name:
    """Return *text* with its defaults filled in; any text is taken."""
    rest, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:  # no tag, or the colon of a host's port
        rest, tag = text, ""
    *before, model = rest.split("/")
    namespace = before.pop() if before else ""
    return Name(
        host="/".join(before) or DEFAULT_HOST,
        namespace=namespace or DEFAULT_NAMESPACE,
        model=model,
        tag=tag or DEFAULT_TAG,
    )
