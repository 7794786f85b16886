"""Every step of the workflows is executed in a clone; what takes long, needs a GPU or publishes is replaced by its check.

``make`` plans its commands instead of running them, pytest collects, and programs that this machine need not have say only that
they were called. Everything else runs as written.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from copies import copy_tracked

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"]]

#: Program -> what stands in for it.
STAND_INS = {
    "make": 'exec "$REAL_MAKE" -n "$@"',
    "nvidia-smi": "echo called",
    "gh": """
case "$1 $2" in
  "run download")
    folder="${*: -1}"
    mkdir -p "$folder"
    { git show HEAD:requirements.lock; echo "# renewed"; } > "$folder/requirements.lock"
    echo "changes" > "$folder/changes.md";;
  *" list") echo "${OPEN-called}";;
  *) echo "gh $*" >> "$RUNNER_TEMP/gh.log";;
esac""",
    "pip": "echo called",
    "python3": """
case "$*" in
  *find_spec*) echo "nothing may be installed";;
  *.py*) exec "$REAL_PYTHON" -m py_compile "$1";;
  *) exec "$REAL_PYTHON" "$@";;
esac""",
    ".venv/bin/python": """
case "$*" in
  *cuda.is_available*) echo "a GPU is asked for";;
  "-m pytest"*) exec "$REAL_PYTHON" "$@" --collect-only -q -p no:cacheprovider;;
  "-m pip install"*) echo "installs ${*:4}";;
  *.py*) "$REAL_PYTHON" -m py_compile "$1";;
  *) exec "$REAL_PYTHON" "$@";;
esac""",
    ".venv/bin/mffrepro": """
if [ "$1 $2" = "data fetch" ]; then
  shift 2
  exec "$REAL_PYTHON" -c 'import sys; from check_names import known; sys.exit(0 if known(sys.argv[1:]) else 1)' "$@"
fi
exec "$REAL_PYTHON" -m mffrepro "$@"
""",
}
CHECK_NAMES = """
from mffrepro.data.manifests import manifest, manifest_names

def known(names):
    files = {entry.name for name in manifest_names() for entry in manifest(name).files}
    return {*names} <= {*manifest_names(), *files}
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The tracked files of this checkout as they are now, in a repository of their own, with stand-ins."""
    folder = copy_tracked(tmp_path_factory.mktemp("clone"))
    remote = folder / ".git" / "remote"
    for arguments in (["init", "-q", "--bare", str(remote)], ["remote", "add", "origin", str(remote)]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    (folder / ".stand-ins").mkdir()
    (folder / ".stand-ins" / "check_names.py").write_text(CHECK_NAMES)
    for name, body in STAND_INS.items():
        path = folder / (name if "/" in name else f".stand-ins/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\nset -eu\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return folder


def steps(name: str, job: str) -> list[dict]:
    return WORKFLOWS[name]["jobs"][job]["steps"]


#: What GitHub would fill in where a test would not accept any word.
FILLED = {"matrix.world": "colab", "matrix.check": "book PROFILE=full"}


def _filled(text: str) -> str:
    return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda match: FILLED.get(match[1], "filled-in"), text)


def environment(clone: Path, name: str, job: str, step: dict) -> dict[str, str]:
    """Variables of a step; what GitHub would fill in becomes a word."""
    own = WORKFLOWS[name]["jobs"][job].get("env", {}) | step.get("env", {})
    own = {key: _filled(str(value)) for key, value in own.items()}
    temporary = clone / ".runner"
    temporary.mkdir(exist_ok=True)
    return os.environ | own | {
        "PATH": f"{clone / '.stand-ins'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{clone}{os.pathsep}{clone / '.stand-ins'}", "RUNNER_TEMP": str(temporary),
        "REAL_PYTHON": sys.executable, "REAL_MAKE": shutil.which("make") or "make",
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "job"), JOBS, ids=lambda word: word)
def test_every_step_runs(clone, name, job):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for step in (step for step in steps(name, job) if "run" in step):
        assert "${{" not in step["run"], "text of others is passed by variables, never pasted into a script"
        done = subprocess.run(
            ["bash", "-c", step["run"]], cwd=clone, env=environment(clone, name, job, step),
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, f"{step.get('name')}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_a_step_that_fails_is_noticed(clone):
    broken = {"run": "set -euo pipefail\nmake no-such-target\n"}
    done = subprocess.run(["bash", "-c", broken["run"]], cwd=clone, env=environment(clone, *JOBS[0], broken), capture_output=True)
    assert done.returncode != 0


@pytest.mark.parametrize(("name", "job"), JOBS, ids=lambda word: word)
def test_a_step_stops_at_its_first_error(name, job):
    """The shell of a step ignores errors before a pipe unless it is told not to."""
    for step in (step for step in steps(name, job) if "run" in step):
        assert step["run"].startswith("set -euo pipefail\n"), step.get("name")


@pytest.mark.parametrize(("name", "job"), JOBS, ids=lambda word: word)
def test_actions_are_pinned_to_commits(name, job):
    for step in (step for step in steps(name, job) if "uses" in step):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]


def test_one_action_has_one_pin():
    lines = [line.strip(" -") for path in FOLDER.glob("*.yml") for line in path.read_text().splitlines() if "uses:" in line]
    pins = {line.partition("uses: ")[2] for line in lines}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})
    assert all(re.search(r"  # v\d+\.\d+\.\d+$", pin) for pin in pins), "a comment says which version that is"


@pytest.mark.parametrize("name", WORKFLOWS)
def test_permissions_are_minimal(name):
    """A workflow reads; what writes says so in its own job, and never where code of a pull request runs."""
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    triggers = workflow[True]  # YAML reads the key "on" as true
    assert "pull_request_target" not in triggers
    if "pull_request" in triggers:
        assert all("permissions" not in job for job in workflow["jobs"].values())


@pytest.mark.parametrize(("name", "job"), JOBS, ids=lambda word: word)
def test_a_job_ends(name, job):
    assert WORKFLOWS[name]["jobs"][job]["timeout-minutes"] <= 360


@pytest.mark.parametrize("name", WORKFLOWS)
def test_caches_depend_on_files_that_exist(name):
    text = (FOLDER / f"{name}.yml").read_text()
    for pattern in re.findall(r"hashFiles\('([^']+)'\)", text):
        assert list(ROOT.glob(pattern)), f"{pattern} matches nothing, so the cache would never be renewed"


def test_the_worlds_are_run_from_a_checkout_with_history():
    (checkout,) = [step for step in steps("colab", "versions") if "actions/checkout" in step.get("uses", "")]
    assert checkout["with"] == {"fetch-depth": 0}


def script(name: str, job: str) -> str:
    return "\n".join(step.get("run", "") for step in steps(name, job))


def test_the_full_branches_run_once_for_every_change():
    """They take up to 48 minutes on a free runner, more than a job of the matrix has."""
    branches = [job for job in WORKFLOWS["ci"]["jobs"] if "make branches" in script("ci", job)]
    assert [WORKFLOWS["ci"]["jobs"][job]["timeout-minutes"] for job in branches] == [60]
    lines = [line for job in WORKFLOWS["ci"]["jobs"] for line in script("ci", job).splitlines() if "-m pytest" in line]
    whole = [line for line in lines if not re.search(r"(?<!--ignore )\btests/", line)]
    assert whole
    assert all("--ignore tests/branches" in line for line in whole)


@pytest.mark.parametrize(("name", "job"), JOBS, ids=lambda word: word)
def test_what_may_write_runs_no_package(name, job):
    """A package that was resolved a minute ago must not find a token that can push."""
    granted = WORKFLOWS[name]["jobs"][job].get("permissions", {})
    if "write" in granted.values():
        assert re.findall(r"\b(?:make|pip|python3?|mffrepro|pytest)\b(?!/)", script(name, job)) == []
        assert not any("setup-python" in step.get("uses", "") for step in steps(name, job))


def test_the_job_that_resolves_new_packages_keeps_no_credentials():
    (job,) = [job for job in WORKFLOWS["lock"]["jobs"] if "make relock" in script("lock", job)]
    (checkout,) = [step for step in steps("lock", job) if "actions/checkout" in step.get("uses", "")]
    assert checkout["with"] == {"persist-credentials": False}


@pytest.mark.slow
@pytest.mark.parametrize("open_before", [False, True])
def test_a_new_lock_is_offered_again_when_its_job_is_repeated(clone, open_before):
    """The branch stays from the first time, and the checks are started by name: GitHub starts none for what a workflow opens."""
    (step,) = [step for step in steps("lock", "offer") if "run" in step]
    variables = environment(clone, "lock", "offer", step) | {"OPEN": "7" if open_before else ""}
    called = clone / ".runner" / "gh.log"
    called.unlink(missing_ok=True)
    start = subprocess.run(
        ["git", "-C", str(clone), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    for _ in range(2):
        done = subprocess.run(["bash", "-c", step["run"]], cwd=clone, env=variables, capture_output=True, text=True)
        subprocess.run(["git", "-C", str(clone), "checkout", "-q", "--detach", start], check=True)
        assert done.returncode == 0, done.stderr
    pushed = ["git", "-C", str(clone), "show", f"{variables['BRANCH']}:requirements.lock"]
    assert subprocess.run(pushed, capture_output=True, text=True, check=True).stdout.endswith("# renewed\n")
    lines = called.read_text().splitlines()
    assert [line.split()[1:3] for line in lines] == 2 * [["workflow", "run"], ["pr", "comment" if open_before else "create"]]
    assert lines[0] == f"gh workflow run ci.yml --ref {variables['BRANCH']}"
    assert "workflow_dispatch" in WORKFLOWS["ci"][True]
