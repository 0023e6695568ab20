# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Docker's API over its unix socket, with Python's own library: reading, and streams that community.docker does not send."""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

SOCKET = "/run/docker.sock"
# Label of networks and containers that role docker_macvlan has made: the hash of what each was made from.
LABEL = "net.xuegao.declared"
# Loading an image of some gigabytes on a slow disk.
TIMEOUT_S = 1800


class DockerError(Exception):
    """The daemon does not answer, or refuses; the text says which and why."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Docker:
    """A Docker daemon. path: its socket; timeout: seconds."""

    def __init__(self, path: str = SOCKET, timeout: float = TIMEOUT_S) -> None:
        self.path = path
        self.timeout = timeout

    def get(self, path: str, **query: Any) -> Any:
        """Parsed answer of GET; None where there is no such object. Raises DockerError otherwise."""
        status, body = self._request("GET", path, query)
        if status == 404:
            return None
        return json.loads(body or "null")

    def post(self, path: str, body: Iterable[bytes] | None = None, **query: Any) -> list[dict[str, Any]]:
        """The messages of POST, one a line of the answer. Raises DockerError when one of them is an error."""
        headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"} if body is not None else {}
        status, answer = self._request("POST", path, query, body, headers)
        if status == 404:
            raise DockerError("Docker refuses POST %s: %s" % (path, _message(answer)))
        messages = []
        for line in answer.splitlines():
            if line.strip():
                messages.append(json.loads(line))
                if "error" in messages[-1]:
                    raise DockerError(str(messages[-1]["error"]))
        return messages

    def images(self) -> dict[str, str]:
        """Id by name and tag, of every image."""
        return {tag: item["Id"] for item in self.get("/images/json") for tag in item.get("RepoTags") or []}

    def _request(
        self, verb: str, path: str, query: dict[str, Any], body: Iterable[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        if not os.path.exists(self.path):
            raise DockerError(
                "%s does not exist, so Docker does not run. Remedy: `systemctl start docker`, and its journal if that fails" % self.path
            )
        connection = _Connection(self.path, self.timeout)
        try:
            target = quote(path) + ("?" + urlencode(query, doseq=True) if query else "")
            connection.request(verb, target, body=body, headers=headers or {}, encode_chunked=body is not None)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise DockerError(
                "Docker does not answer %s %s on %s: %s" % (verb, path, self.path, getattr(error, "strerror", None) or error)
            ) from error
        finally:
            connection.close()
        if answer.status >= 400 and answer.status != 404:
            raise DockerError("Docker refuses %s %s: %s" % (verb, path, _message(text)))
        return answer.status, text


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()


def full_name(image: str) -> str:
    """An image's name with its tag, C(latest) when it names none; one with a digest stays as it is."""
    return image if "@" in image or ":" in image.rpartition("/")[2] else image + ":latest"


def loaded_images(path: str) -> dict[str, Any]:
    """Read what is recorded of the images that came from archives: C(sha256) of the archive and C(id) by full name.

    Nothing where the record was torn: what cannot be told is loaded again.
    """
    try:
        found = json.loads(read_text(path) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
