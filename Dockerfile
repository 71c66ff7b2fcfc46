# One image for the exporters and the remediator: docker build -t tierwatch-exporters .
# It asks for no shell, no root and nothing to write to; docs/exporters.md and docs/remediation-guard.md run it.
FROM python:3.12-slim

COPY . /src
# A new volume takes owner and mode of the folder it is mounted on: the journal is written by 65534.
RUN pip install --no-cache-dir --root-user-action=ignore -c /src/constraints.txt /src \
 && mkdir -p -m 0700 /var/lib/tierwatch && chown 65534:65534 /var/lib/tierwatch

USER 65534:65534
ENTRYPOINT ["tierwatch", "exporter"]
