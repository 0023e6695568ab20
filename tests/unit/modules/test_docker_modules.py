"""Modules of Docker against a daemon that is a few dictionaries: what they would change, and what they leave running."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import loaded, ownership
from ansible_collections.xuegao.net.plugins.module_utils.docker_api import DockerError
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished
from ansible_collections.xuegao.net.plugins.modules import docker_booted, docker_differences, docker_engine, docker_image_tar

from .managed_host import Host


class Daemon:
    """Docker's API. ``answers``: what GET gives, by path; ``gone``: why it does not answer."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.gone = ""
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.loads: dict[str, Any] = {}

    def __call__(self, *_arguments: Any, **_named: Any) -> Daemon:
        return self

    def get(self, path: str, **_query: Any) -> Any:
        if self.gone:
            raise DockerError(self.gone)
        return self.answers.get(path)

    def post(self, path: str, body: Iterable[bytes] | None = None, **query: Any) -> list[dict[str, Any]]:
        for _block in body or []:
            pass
        self.posts.append((path, query))
        self.answers.update(self.loads)
        return []

    def images(self) -> dict[str, str]:
        return {tag: item["Id"] for item in self.get("/images/json") or [] for tag in item["RepoTags"]}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """The daemon that every module asks."""
    found = Daemon()
    for module in (docker_differences, docker_engine, docker_image_tar):
        monkeypatch.setattr(module, "Docker", found)
    return found


# ---- docker_engine -------------------------------------------------------------------------------------------------------------------------


class Engine:
    """The service and its files."""

    def __init__(self, host: Host, daemon: Daemon, tmp_path: Path) -> None:
        self.config, self.dropin = tmp_path / "daemon.json", tmp_path / "docker.service.d" / "90-xgn.conf"
        self.root = tmp_path / "docker"
        self.declared = {"live-restore": True, "data-root": str(self.root)}
        self.record = tmp_path / "loaded" / "docker.service"
        self.daemon = daemon
        self.starts = True
        host.program("dockerd", lambda command, _data: (0, "--validate" if "--help" in command else "", ""))
        host.program("systemctl", self.systemctl)
        host.prints("journalctl", {"": "failed to start daemon\n"})
        self.follow()

    def follow(self) -> None:
        """Let the daemon run with its file."""
        config = json.loads(self.config.read_text(encoding="utf-8")) if self.config.exists() else self.declared
        info = {"DockerRootDir": config["data-root"], "LiveRestoreEnabled": config.get("live-restore", False)}
        self.daemon.answers["/info"] = {**info, "CgroupVersion": "2", "ServerVersion": "28"}
        self.record.parent.mkdir(exist_ok=True)
        self.record.write_text(f"{loaded.digest_of(str(self.config))}  {self.config}\n" if self.config.exists() else "", encoding="utf-8")

    def systemctl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if command[1] in ("start", "restart", "reload"):
            if not self.starts:
                self.starts = True
                return 1, "", "Job for docker.service failed"
            self.follow()
        return 0, "enabled\n" if command[1] == "is-enabled" else "", ""


@pytest.fixture
def engine(host: Host, daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A running engine without a daemon.json."""
    found = Engine(host, daemon, tmp_path)
    monkeypatch.setattr(loaded, "RECORDS", str(found.record.parent))
    monkeypatch.setattr(docker_engine, "CONFIG", str(found.config))
    monkeypatch.setattr(docker_engine, "DROPIN", str(found.dropin))
    monkeypatch.setattr(docker_engine, "DEFAULT_ROOT", str(found.root))
    return found


def apply(host: Host, engine: Engine, check: bool = False, **more: Any) -> dict[str, Any]:
    return host.run(docker_engine, {"config": engine.declared, "dropin": "[Unit]\n", **more}, check=check)


ASKS = ("systemctl is-", "systemctl show", "dockerd", "journalctl")


def test_the_engine_is_brought_in_line_once(host: Host, engine: Engine) -> None:
    first, second = apply(host, engine), apply(host, engine)
    assert [(result["changed"], result["actions"]) for result in (first, second)] == [(True, ["restart"]), (False, [])]
    assert json.loads(engine.config.read_text(encoding="utf-8")) == engine.declared
    assert host.changed(*ASKS)[0] == "systemctl daemon-reload"


def test_a_daemon_that_a_killed_run_left_with_its_former_configuration_is_restarted(host: Host, engine: Engine) -> None:
    apply(host, engine)
    engine.record.write_text(f"other  {engine.config}\n", encoding="utf-8")
    assert [apply(host, engine)["actions"] for _run in (1, 2)] == [["restart"], []]


def test_an_edit_that_the_daemon_has_not_read_is_undone_without_it(host: Host, engine: Engine) -> None:
    apply(host, engine)
    engine.config.write_text('{"data-root": "/elsewhere"}', encoding="utf-8")
    result = apply(host, engine)
    assert (result["changed"], result["actions"]) == (True, [])
    assert json.loads(engine.config.read_text(encoding="utf-8")) == engine.declared


def test_one_that_does_not_say_what_it_has_read_is_reloaded(host: Host, engine: Engine) -> None:
    apply(host, engine)
    engine.record.unlink()
    assert [apply(host, engine)["actions"] for _run in (1, 2)] == [["reload"], []]


def test_a_mask_goes(host: Host, engine: Engine) -> None:
    apply(host, engine)
    shown = engine.systemctl

    def systemctl(command: list[str], data: str | None) -> tuple[int, str, str]:
        return (0, "LoadState=masked\n", "") if command[1] == "show" else shown(command, data)

    host.program("systemctl", systemctl)
    assert apply(host, engine)["actions"] == ["docker.service: unmask"]


def test_a_mask_of_the_socket_that_the_service_needs_goes_too(host: Host, engine: Engine) -> None:
    apply(host, engine)
    shown = engine.systemctl

    def systemctl(command: list[str], data: str | None) -> tuple[int, str, str]:
        return (0, "LoadState=loaded\n\nLoadState=masked\n", "") if command[1] == "show" else shown(command, data)

    host.program("systemctl", systemctl)
    assert apply(host, engine)["actions"] == ["docker.socket: unmask"]
    assert "systemctl unmask --quiet docker.socket" in host.calls


def test_another_mode_is_repaired(host: Host, engine: Engine) -> None:
    apply(host, engine)
    engine.config.chmod(0o666)
    first, second = apply(host, engine), apply(host, engine)
    assert [(result["changed"], result["actions"]) for result in (first, second)] == [(True, []), (False, [])]
    assert engine.config.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("text", ['{"data-root": "/da', "[]", "\0"])
def test_a_torn_configuration_of_ours_is_written_anew(host: Host, engine: Engine, text: str) -> None:
    """The daemon has read it while it was whole, and goes on."""
    apply(host, engine)
    engine.config.write_text(text, encoding="utf-8")
    result = apply(host, engine)
    assert (result["changed"], result["actions"]) == (True, [])
    assert json.loads(engine.config.read_text(encoding="utf-8")) == engine.declared


def test_what_a_reload_takes_restarts_nothing(host: Host, engine: Engine) -> None:
    apply(host, engine)
    engine.declared["debug"] = True
    assert apply(host, engine)["actions"] == ["reload"]


def test_check_mode_leaves_the_engine_alone(host: Host, engine: Engine) -> None:
    assert apply(host, engine, check=True)["actions"] == ["restart"]
    assert (engine.config.exists(), host.changed(*ASKS)) == (False, [])


def test_a_configuration_that_dockerd_refuses_is_not_written(host: Host, engine: Engine) -> None:
    def dockerd(command: list[str], _data: str | None) -> tuple[int, str, str]:
        return (0, "--validate", "") if "--help" in command else (1, "", f"unable to configure: {command[-1]}: bad")

    host.program("dockerd", dockerd)
    result = apply(host, engine)
    assert result["msg"] == f"dockerd refuses the new {engine.config}, and nothing was changed: unable to configure: {engine.config}: bad"
    assert not engine.config.exists()


def let_no_restart_work(host: Host, engine: Engine) -> None:
    """Let the next start fail, and not the reload before it, which lets live-restore in."""
    engine.starts = False
    original = engine.systemctl
    host.program("systemctl", lambda command, data: (0, "", "") if command[1] == "reload" else original(command, data))


def test_an_engine_that_does_not_start_gets_its_former_file_back(host: Host, engine: Engine) -> None:
    apply(host, engine)
    former = engine.config.read_text(encoding="utf-8")
    engine.declared["bridge"] = "none"
    let_no_restart_work(host, engine)
    result = apply(host, engine)
    assert result["msg"] == (
        f"`systemctl restart docker.service` failed: Job for docker.service failed. The former {engine.config} was put back, and Docker runs with it."
        " The journal ends with:\nfailed to start daemon"
    )
    assert engine.config.read_text(encoding="utf-8") == former


def test_an_owners_file_that_comes_back_is_as_closed_as_before(host: Host, engine: Engine) -> None:
    """It may hold secrets."""
    former = json.dumps({**engine.declared, "http-proxy": "http://user:word@proxy"})
    engine.config.write_text(former, encoding="utf-8")
    engine.config.chmod(0o600)
    engine.follow()
    let_no_restart_work(host, engine)
    assert "was put back" in apply(host, engine, adopt=True)["msg"]
    assert (engine.config.read_text(encoding="utf-8"), engine.config.stat().st_mode & 0o777) == (former, 0o600)
    assert [(uid, gid) for path, uid, gid in host.owners if engine.config.name in path][-1] == (os.getuid(), os.getgid())


def test_data_is_never_left_behind_unasked(host: Host, engine: Engine, tmp_path: Path) -> None:
    (engine.root / "containers" / "abc").mkdir(parents=True)
    engine.declared["data-root"] = str(tmp_path / "new")
    result = apply(host, engine)
    assert f"{engine.root} holds containers, and data-root is to become {tmp_path / 'new'}. Nothing was changed." in result["msg"]
    moved = apply(host, engine, move_data=True)
    assert moved["actions"] == [f"move {engine.root} to {tmp_path / 'new'}", "start"]
    assert (tmp_path / "new" / "containers" / "abc").is_dir()
    assert host.changed(*ASKS)[:2] == ["systemctl stop docker.socket", "systemctl stop docker.service"]


def test_a_file_that_is_no_json_is_somebodys_work(host: Host, engine: Engine) -> None:
    engine.config.write_text("{", encoding="utf-8")
    assert f"file {engine.config} would be rewritten by role docker_macvlan" in apply(host, engine)["msg"]
    assert "is not JSON" in apply(host, engine, adopt=True)["msg"]
    assert engine.config.read_text(encoding="utf-8") == "{"


def test_an_owners_configuration_that_only_root_may_read_is_not_shown(host: Host, engine: Engine) -> None:
    engine.config.write_text(json.dumps({**engine.declared, "http-proxy": "http://user:word@proxy"}), encoding="utf-8")
    engine.config.chmod(0o600)
    for adopt in (False, True):
        result = apply(host, engine, check=True, adopt=adopt)
        assert result.get("failed", False) is not adopt and "word@proxy" not in json.dumps(result)


def test_a_host_without_docker_gets_the_files_only(host: Host, daemon: Daemon, engine: Engine) -> None:
    bare = Host(host.monkeypatch, host.capsys, host.temporary)
    result = apply(bare, engine)
    assert (result["changed"], result["installed"], result["actions"], bare.calls) == (True, False, [], [])
    assert engine.config.exists()


def test_an_engine_of_a_version_without_records_is_ours_though_nothing_changes(
    host: Host, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a service, so that its containers go with a plain yes only; and one that nobody starts again."""
    rule = next(rule for rule in ownership.MADE_BEFORE if rule[0] == "docker_macvlan")
    monkeypatch.setattr(ownership, "MADE_BEFORE", (("docker_macvlan", str(engine.dropin), rule[2]),))
    apply(host, engine)
    for path in Path(ownership.directory()).glob("docker_macvlan*"):
        path.unlink()
    assert ownership.needs_yes(ownership.recorded(host.warnings.append)["docker_macvlan"])
    assert not apply(host, engine)["changed"]
    objects = ownership.Record("docker_macvlan", host.warnings.append).objects
    assert objects["unit", "docker.service"]["before"] is None
    assert ("file", str(engine.config)) in objects


# ---- docker_differences --------------------------------------------------------------------------------------------------------------------

LABEL = "net.xuegao.declared"
DECLARED = {
    "images": [{"name": "router", "sha256": "aa"}],
    "networks": [{"name": "lan", "hash": "n1"}],
    "containers": [{"name": "r1", "hash": "c1", "image": "router"}],
}


@pytest.fixture
def world(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A daemon that has what is declared; gives its parts, to be changed by a test."""
    container = {
        "Name": "/r1",
        "Config": {"Labels": {LABEL: "c1"}},
        "Image": "sha256:1",
        "NetworkSettings": {"Networks": {"lan": {}}},
        "State": {"Running": True, "Status": "running", "Error": "", "Pid": 42},
    }
    network = {"Name": "lan", "Labels": {LABEL: "n1"}}
    daemon.answers.update(
        {
            "/images/json": [{"Id": "sha256:1", "RepoTags": ["router:latest"]}],
            "/networks": [network],
            "/containers/json": [{"Id": "1", "Names": ["/r1"], "Labels": {LABEL: "c1"}}],
            "/containers/1/json": container,
        }
    )
    record = tmp_path / "images.json"
    record.write_text(json.dumps({"router:latest": {"sha256": "aa", "id": "sha256:1"}}), encoding="utf-8")
    monkeypatch.setattr(docker_differences, "interfaces_of", lambda _pid: 1)
    return {"container": container, "network": network, "record": record, "daemon": daemon}


def compare(host: Host, world: dict[str, Any], check: bool = False, **more: Any) -> dict[str, list[str]]:
    result = host.run(docker_differences, {**DECLARED, "record": str(world["record"]), **more}, check=check)
    assert "failed" not in result, result["msg"]
    return {group: result[group] for group in docker_differences.GROUPS if result[group]}


def test_what_is_as_declared_differs_in_nothing(host: Host, world: dict[str, Any]) -> None:
    assert compare(host, world) == {}


@pytest.mark.parametrize(
    ("part", "change", "found"),
    [
        ("container", {"State": {"Running": False, "Status": "exited", "Error": ""}}, {"start": ["r1"]}),
        ("container", {"Config": {"Labels": {LABEL: "old"}}}, {"create": ["r1"]}),
        ("container", {"Image": "sha256:0"}, {"create": ["r1"]}),
        ("network", {"Labels": {LABEL: "old"}}, {"networks": ["lan"], "create": ["r1"]}),
    ],
)
def test_a_difference_has_its_group(
    host: Host, world: dict[str, Any], part: str, change: dict[str, Any], found: dict[str, list[str]]
) -> None:
    world[part].update(change)
    assert compare(host, world) == found


def test_a_container_that_lost_its_interface_is_restarted(host: Host, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_differences, "interfaces_of", lambda _pid: 0)
    assert compare(host, world) == {"restart": ["r1"]}


@pytest.mark.parametrize("text", ["", '{"router', "[]"])
def test_where_an_image_came_from_is_not_known_any_more(host: Host, world: dict[str, Any], text: str) -> None:
    world["record"].write_text(text, encoding="utf-8")
    assert compare(host, world)["images"] == ["router"]


def test_an_image_from_another_archive_takes_its_containers_along(host: Host, world: dict[str, Any]) -> None:
    assert compare(host, world, images=[{"name": "router", "sha256": "bb"}]) == {"images": ["router"], "create": ["r1"]}


def test_what_has_our_label_and_is_not_declared_is_named(host: Host, world: dict[str, Any]) -> None:
    assert compare(host, world, networks=[], containers=[]) == {"unlisted_containers": ["r1"], "unlisted_networks": ["lan"]}


def test_a_prediction_goes_on_without_a_daemon(host: Host, world: dict[str, Any]) -> None:
    world["daemon"].gone = "the daemon does not run"
    assert compare(host, world, check=True) == {"images": ["router"], "networks": ["lan"], "create": ["r1"]}
    assert (
        host.run(docker_differences, DECLARED)["msg"]
        == "Docker cannot be asked what it has, and nothing was changed: the daemon does not run"
    )


def test_interfaces_are_counted_without_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Inter-| Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\n  eth1: 5 6\n"
    monkeypatch.setattr(docker_differences, "read_text", lambda path: text if path == "/proc/42/net/dev" else "")
    assert docker_differences.interfaces_of(42) == 2


def test_with_nothing_declared_a_daemon_that_is_gone_is_no_error(host: Host, world: dict[str, Any], daemon: Daemon) -> None:
    """So that what else was made for it can go."""
    daemon.gone = "the daemon does not run"
    result = host.run(docker_differences, {})
    assert (result["engine"], result["changed"], result["unlisted_containers"]) == (False, False, [])


# ---- docker_image_tar ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A plain root file system."""
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("etc/os-release", "bin/sh", "usr/bin/env"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"text"))
    return path


def load(host: Host, archive: Path, check: bool = False) -> dict[str, Any]:
    record = archive.with_suffix(".json")
    return host.run(docker_image_tar, {"name": "router", "src": str(archive), "record": str(record)}, check=check)


def test_a_root_file_system_is_imported_once(host: Host, daemon: Daemon, archive: Path) -> None:
    prediction = load(host, archive, check=True)
    assert (prediction["changed"], prediction["action"], daemon.posts) == (True, "import", [])
    labels = {docker_image_tar.LABEL: prediction["sha256"]}
    daemon.loads["/images/router:latest/json"] = {"Id": "sha256:1", "Config": {"Labels": labels}}
    first, second = load(host, archive), load(host, archive)
    assert [(result["changed"], result["action"], result["image"]) for result in (first, second)] == [
        (True, "import", "sha256:1"),
        (False, "none", "sha256:1"),
    ]
    ((path, query),) = daemon.posts
    assert (path, query["repo"], query["tag"]) == ("/images/create", "router", "latest")
    assert f"LABEL {docker_image_tar.LABEL}={prediction['sha256']}" in query["changes"]
    assert json.loads(archive.with_suffix(".json").read_text(encoding="utf-8"))["router:latest"]["id"] == "sha256:1"


def test_an_archive_that_the_daemon_took_in_vain_is_found_out(host: Host, daemon: Daemon, archive: Path) -> None:
    assert (
        load(host, archive)["msg"]
        == f"image router:latest could not be made from {archive}: Docker took the archive, and has no such image afterwards"
    )


def test_a_torn_archive_is_not_loaded(host: Host, daemon: Daemon, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:700])
    assert load(host, archive)["msg"].endswith("Nothing was loaded. Remedy: make the archive anew.")
    assert daemon.posts == []


# ---- docker_booted -------------------------------------------------------------------------------------------------------------------------


def test_containers_are_waited_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"r1": iter(["starting", "running"]), "r2": iter(["degraded"])}

    def run(command: list[str], timeout: float = 0) -> Finished:
        return Finished(0, next(states[command[2]]) + "\n", "")

    monkeypatch.setattr(docker_booted, "Gatherer", lambda: type("Gatherer", (), {"run": staticmethod(run)})())
    result = host.run(docker_booted, {"containers": ["r1", "r2"]})
    assert (result["changed"], result["states"]) == (False, {"r1": "running", "r2": "degraded"})


def test_one_that_does_not_boot_is_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Finished(1, "", "Error: No such container")
    monkeypatch.setattr(docker_booted, "Gatherer", lambda: type("Gatherer", (), {"run": staticmethod(lambda *_a, **_n: answer)})())
    result = host.run(docker_booted, {"containers": ["r1"], "timeout": 3})
    assert (
        result["msg"]
        == "After 3 s systemd has not booted in r1: Error: No such container. `docker logs NAME` and `docker exec NAME systemctl list-jobs` say what it waits for."
    )
    assert sum(host.naps) == 3
    assert host.run(docker_booted, {"containers": ["r1"]}, check=True)["states"] == {}
