# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The expected files of the golden networks: what a plan consists of, and where each file of it stands. `tests/update_expected.py` writes them.

`NETWORK/expected/` holds the files of a network. One of `HOST/files/` whose text is that of another, of any host of any network, stands in
`shared/` instead, once, and `NETWORK/shared.yml` names it: path below `expected/`, then the name in `shared/`.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

GOLDEN = Path(__file__).parent
sys.path.insert(0, str(GOLDEN.parents[1] / ".collections"))

from ansible.errors import AnsibleError
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import Layer, Resolver, read_layers
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.overrides import Catalog, with_overrides
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import plan_files
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, variable_problems

SHARED = GOLDEN / "shared"
SPECS = load_role_specs(GOLDEN.parents[1] / "roles")
INDEX = "shared.yml"
HEADING = "# Written by tests/update_expected.py. Files whose text stands in ../shared: path below expected, and name there.\n"
# The networks whose VyOS commands are expected files. Together they reach every step between two lines of render/peers/vyos.py that any of the
# networks reaches; the commands of the others say the same again. They are made for all, so that none raises.
VYOS = ("dual_stack", "full_mesh", "gre", "hybrid", "segment", "slash31", "t1_t2", "unmanaged_peer", "vxlan_in_vrf")
VYOS_FILE = "vyos.txt"


def networks() -> list[Path]:
    """Return the directories of the golden networks."""
    return sorted(path.parent for path in GOLDEN.glob("*/intent.yml"))


def plan_of(network: Path) -> Plan:
    """Return the plan of a network, with the overrides of its hosts where it has a file of them."""
    plan = make_plan(read_yaml((network / "intent.yml").read_text(encoding="utf-8")))
    path = network / "overrides.yml"
    layers: dict[str, list[Layer]] = {}
    resolver = Resolver(lambda value: value, lambda value: False, Failures(AnsibleError, AnsibleError))
    for host, variables in (read_yaml(path.read_text(encoding="utf-8")) if path.is_file() else {}).items():
        layers[host], problems = read_layers(variables, (), SPECS.options, resolver)
        if problems:
            raise ValueError(sentences(problems))
    catalog = Catalog(SPECS.options, SPECS.defaults, lambda host, variables: variable_problems(variables, SPECS), lambda *_asked: False)
    done = with_overrides(plan, layers, catalog)
    if done.mistakes or done.remarks:
        raise ValueError([*done.mistakes, *done.remarks])
    return done.plan


def files_of(network: Path) -> dict[str, str]:
    """Return every file the plan of a network consists of, by relative path; VyOS commands for the networks of VYOS only."""
    keys = network / "public_keys.yml"
    known = read_yaml(keys.read_text(encoding="utf-8")) if keys.is_file() else None
    files = plan_files(plan_of(network), known)
    return {path: text for path, text in files if network.name in VYOS or path.rpartition("/")[2] != VYOS_FILE}


def index_of(network: Path) -> dict[str, str]:
    """Return the name in shared/ of each file of a network that stands there, by relative path."""
    path = network / INDEX
    found: dict[str, str] = (read_yaml(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
    return found


def expected_of(network: Path) -> dict[str, str]:
    """Return the text of every expected file of a network, by relative path.

    Raises:
        ValueError: a file stands in expected/ and in the index.
        OSError: the index names a file that shared/ does not have.
    """
    expected = network / "expected"
    own = {path.relative_to(expected).as_posix(): path.read_text(encoding="utf-8") for path in expected.rglob("*") if path.is_file()}
    index = index_of(network)
    if twice := sorted(own.keys() & index.keys()):
        raise ValueError(f"{network.name}: in expected/ and in {INDEX}: {', '.join(twice)}")
    return own | {path: (SHARED / name).read_text(encoding="utf-8") for path, name in index.items()}


def can_be_shared(path: str) -> bool:
    """Tell whether a file is one that a role writes: those repeat, and what is about a host itself stays with it."""
    return path.split("/")[1:2] == ["files"]


def shared_names(files: Mapping[Path, Mapping[str, str]], former: Mapping[Path, Mapping[str, str]]) -> dict[str, str]:
    """Return the name in shared/ of each text that occurs more than once.

    A text is called as most of its files were called before, so that a change of a template changes one file and no index.

    Parameters:
        files: text by path, by network.
        former: the indexes as they are.
    """
    users: dict[str, list[tuple[Path, str]]] = {}
    for network, texts in files.items():
        for path, text in texts.items():
            if can_be_shared(path):
                users.setdefault(text, []).append((network, path))
    taken: dict[str, str] = {}
    # The most used first: it keeps the name when a text splits, and is the one without a number.
    groups = sorted(((text, found) for text, found in users.items() if len(found) > 1), key=lambda group: (-len(group[1]), group[1][0]))
    for text, found in groups:
        before = Counter(name for network, path in found if (name := former.get(network, {}).get(path)))
        for name, _count in before.most_common():
            if name not in taken:
                taken[name] = text
                break
    names = {text: name for name, text in taken.items()}
    for text, found in groups:
        if text not in names:
            names[text] = free_name(Path(found[0][1]), taken.keys())
            taken[names[text]] = text
    return names


def free_name(path: Path, taken: Iterable[str]) -> str:
    """Return the name of a file, with a number when it is taken."""
    name, number = path.name, 1
    while name in taken:
        number += 1
        name = f"{path.stem}-{number}{path.suffix}"
    return name


def update() -> None:
    """Write the expected files of every golden network again."""
    files = {network: files_of(network) for network in networks()}
    names = shared_names(files, {network: index_of(network) for network in files})
    shutil.rmtree(SHARED, ignore_errors=True)
    SHARED.mkdir()
    for text, name in names.items():
        (SHARED / name).write_text(text, encoding="utf-8")
    for network, texts in files.items():
        shutil.rmtree(network / "expected", ignore_errors=True)
        index = {path: names[text] for path, text in sorted(texts.items()) if can_be_shared(path) and text in names}
        (network / INDEX).unlink(missing_ok=True)
        if index:
            (network / INDEX).write_text(HEADING + yaml.safe_dump(index, width=1000), encoding="utf-8")
        for name in texts.keys() - index.keys():
            path = network / "expected" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[name], encoding="utf-8")
