# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather what a host accepts and answers: the packet filter beside the declared one, the anycast addresses, DNS zones, the TCP sockets that listen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import dns_question, loaded, nft
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer, first_line, interpret, part
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file

TABLE = "inet xgn"
GUARD = "/usr/local/sbin/xgn-anycast"
RESOLVER = "unbound.service"
ANSWER_S = 5.0


def gather_filter(gatherer: Gatherer, declared: str) -> dict[str, Any]:
    """Give part ``filter``: ``live`` and ``declared``, both as the kernel lists the table; ``declared`` is the text of the role's file."""
    command = f"nft -s list table {TABLE}"

    def run(words: list[str]) -> tuple[int, str, str]:
        done: Finished = gatherer.run(words)
        return done.rc, done.out, done.problem or done.err

    try:
        with trial_file("xgn.nft", declared) as path:
            return part(command, data={"live": nft.live_table(TABLE, run), "declared": nft.table_of_file(path, TABLE, run)})
    except nft.NftError as error:
        return part(command, error=first_line(str(error)) or "nft failed")


def gather_anycast(gatherer: Gatherer) -> dict[str, Any]:
    """Give part ``anycast``: of each address whether it is ``set`` and whether the resolver ``answered``."""
    command = [GUARD, "ask"]
    done = gatherer.run(command)
    # 1 says that one did not answer, which is a finding and no error.
    if done.problem or done.rc not in (0, 1) or not done.out:
        return part(" ".join(command), error=done.problem or first_line(done.err or done.out) or f"exit status {done.rc}")
    return interpret(" ".join(command), done.out, json.loads)


def gather_zones(asked: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Give parts ``dns_zones``, the digests of each zone's file, as it is and as the resolver has read it, and ``dns_answers``, what it answers.

    asked: C(server) and C(vrf) are where to ask; C(files) is the file by zone; C(questions) has C(name) and C(type) of each. The answers come in the
    order of the questions, each with C(said) and C(values), see `dns_question.Answer`.
    """
    read = loaded.record_of(RESOLVER)
    files = {name: {"file": loaded.digest_of(path), "loaded": read.get(path)} for name, path in asked["files"].items()}
    line = "dig +tcp @%s NAME TYPE" % asked["server"]
    questions = [(item["name"], item["type"]) for item in asked["questions"]]
    try:
        answers = part(line, data=[answer._asdict() for answer in dns_question.ask(asked["server"], asked["vrf"], questions, ANSWER_S)])
    except (OSError, ValueError) as error:
        answers = part(line, error=str(error))
    return {"dns_zones": part("sha256sum /etc/unbound/xgn-*.zone; cat /run/xgn-loaded/" + RESOLVER, data=files), "dns_answers": answers}


def gather_listening(gatherer: Gatherer) -> dict[str, Any]:
    """Give part ``listening``: the local addresses of the TCP sockets that listen, as ``ss`` writes them, a VRF behind a percent sign."""
    return gatherer.read(["ss", "-Hltn"], lambda text: [line.split()[3] for line in text.splitlines() if line.strip()], "ss -ltn")
