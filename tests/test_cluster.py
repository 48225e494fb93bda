"""Work on a Ray cluster of two nodes: the answers of this machine, whatever happens to workers."""

from __future__ import annotations

import dataclasses
import gc
import importlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import ray_faults
from object_server import BUCKET, ObjectServer, needs_server
from ray_faults import Killing

pytest.importorskip("ray")

from dvdup import cluster
from dvdup.cluster import OnRay
from dvdup.compare.pair import Seen, demand_same_files
from dvdup.errors import InputError
from dvdup.records import Case, FileStat, Hooks, IndexedCase
from dvdup.slicing import make_recipe
from dvdup.store import Index, storage_at
from dvdup.sync.look import Look, Pending
from dvdup.workers import Local

RAY = ("--runner", "ray")
# Ray leaves files of its own open, which are closed when garbage is collected
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def _of_workers(request, tmp_path_factory):
    """The environment of the workers: a cache folder of their own, and an object store."""
    environ = {"XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}
    if find_spec("localbucket"):
        environ |= request.getfixturevalue("_object_server").environ
    return environ


@pytest.fixture(scope="module", autouse=True)
def _two_nodes(_of_workers):
    """A cluster of two nodes with a processor each, that this process is connected to."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(16))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        for name, value in _of_workers.items():
            patch.setenv(name, value)
        nodes = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        nodes.add_node(num_cpus=1)
        patch.setenv("RAY_ADDRESS", nodes.address)
        ray.cloudpickle.register_pickle_by_value(ray_faults)  # workers do not see the tests
        cluster._connected("ray", 1)
        yield
        ray.cloudpickle.unregister_pickle_by_value(ray_faults)
        ray.shutdown()
        cluster._connected.cache_clear()
        nodes.shutdown()
        with warnings.catch_warnings():  # nor in the tests that follow
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(autouse=True)
def _nothing_is_too_little(monkeypatch):
    """Small data goes to the cluster too, and voxels are compared."""
    monkeypatch.setattr(cluster, "FEW", 1)
    monkeypatch.delenv("DVDUP_VERIFY_CANDIDATES")


@pytest.fixture(scope="module")
def leaky(tmp_path_factory, _pool, save, phantom):
    """A small dataset with copies, a noisy one too, and a file that cannot be read."""
    root = tmp_path_factory.mktemp("leaky")
    for split, names in {"train": range(6), "test": (14, 15, 3)}.items():
        (root / split).mkdir()
        for n in names:
            shutil.copy(_pool / f"p{n:02}.nii.gz", root / split)
    (root / "dvdup.toml").write_text(
        'embedder = "thumbnail"\n[dataset]\nlayout = "folders"\n', encoding="utf-8"
    )
    noisy = phantom(5) + np.random.default_rng(0).normal(0, 60, phantom(5).shape)
    save(root / "test/noisy.nii.gz", noisy.astype(np.int16))
    (root / "test/broken.nii.gz").write_bytes(b"\x1f\x8b no scan")
    for file in root.rglob("*.nii.gz"):  # so old that their times are believed
        os.utime(file, (1e9, 1e9))
    return root


def rows_of(root: Path, index: object) -> list[object]:
    """What an index holds, slices included."""
    found = Index(storage_at(str(index), root))
    cases = found.with_proxies([case.key for case in found.cases])
    return [
        (
            dataclasses.asdict(case),
            found.rows_of(case.split, case.case_id, case.content).embedding.tobytes()
            if case.status == "ok"
            else None,
        )
        for case in cases
    ]


@pytest.fixture
def local(leaky, dvdup):
    """What this machine says of the dataset; found out once, then read from what is kept."""
    ran = dvdup(leaky, "check", "-q", "-f", "json", "--index", "local")
    assert ran.code == 1
    assert {pair["verdict"] for pair in ran.json["pairs"]} == {"identical", "near"}
    assert len(ran.json["unreadable"]) == 1
    return ran


@pytest.fixture
def on_ray(leaky, dvdup, tmp_path):
    """What the cluster says of it, from an index that is new."""
    return lambda *more: dvdup(
        leaky, "check", "-q", "-f", "json", "--index", tmp_path / "ray", *RAY, *more
    )


@pytest.mark.parametrize("jobs", [1, 0])
def test_the_answer_and_the_index_are_those_of_this_machine(leaky, local, jobs, on_ray, tmp_path):
    assert on_ray("--jobs", jobs) == local
    assert rows_of(leaky, tmp_path / "ray") == rows_of(leaky, "local")


def test_killed_workers_change_nothing(leaky, local, monkeypatch, tmp_path, on_ray):
    """One is killed over the reading, one over the variants, one over the voxels."""
    put, killed = cluster._Cluster.put, []

    def deadly(self, function):
        killed.append(tmp_path / f"killed{len(killed)}")
        killed[-1].mkdir()
        return put(self, Killing(function, killed[-1]))

    monkeypatch.setattr(cluster._Cluster, "put", deadly)
    assert on_ray() == local
    assert len(killed) >= 3
    assert all((folder / "0").exists() for folder in killed)
    assert rows_of(leaky, tmp_path / "ray") == rows_of(leaky, "local")


def test_work_that_kills_every_worker_ends(monkeypatch, tmp_path, on_ray):
    put = cluster._Cluster.put
    monkeypatch.setattr(
        cluster._Cluster, "put", lambda self, what: put(self, Killing(what, tmp_path, 99))
    )
    ran = on_ray()
    assert (ran.code, ran.stdout) == (2, "")
    assert "workers of the Ray cluster died 4 times" in ran.stderr


def test_workers_that_lack_a_module_are_told_of(dvdup, monkeypatch, tmp_path, on_ray):
    import ray

    put = cluster._Cluster.put
    monkeypatch.setattr(
        cluster._Cluster, "put", lambda self, what: put(self, Killing(what, tmp_path))
    )
    ray.cloudpickle.unregister_pickle_by_value(ray_faults)
    try:
        ran = on_ray()
    finally:
        ray.cloudpickle.register_pickle_by_value(ray_faults)
    assert (ran.code, ran.stdout) == (2, "")
    assert "cannot run dvdup (No module named 'ray_faults'" in ran.stderr


def test_what_is_logged_is_what_is_logged_here(leaky, dvdup, tmp_path):
    def pairs(*more):
        ran = dvdup(leaky, "check", "-vv", "--no-progress", "-f", "json", *more)
        lines = [line for line in ran.stderr.splitlines() if "dvdup.compare.pair: " in line]
        return sorted(line.rpartition(", in ")[0] for line in lines)

    here = pairs("--index", tmp_path / "here", "--jobs", "1")
    assert len(here) >= 4
    assert pairs("--index", tmp_path / "ray", *RAY) == here


@needs_server
def test_with_the_index_on_an_object_store(leaky, dvdup, local, address):
    assert dvdup(leaky, "check", "-q", "-f", "json", "--index", address, *RAY) == local
    assert "verified: all well" in dvdup(leaky, "status", "--verify", "--index", address).stdout


def on_store(leaky: Path, server: ObjectServer, address: str, work: Path) -> None:
    """Put the dataset on a server, and declare it in a working folder."""
    name = address.rpartition("/")[2]
    for file in leaky.glob("*/*.nii.gz"):
        server.put(file, f"{name}/{file.relative_to(leaky).as_posix()}")
    work.mkdir()
    (work / "dvdup.toml").write_text(
        f'embedder = "thumbnail"\n[dataset]\npath = "{address}"\nlayout = "folders"\n'
    )


@needs_server
def test_scans_on_an_object_store_are_fetched_by_the_workers(
    leaky, object_server, address, dvdup, tmp_path
):
    work, folder = tmp_path / "work", address.rpartition("/")[2]
    on_store(leaky, object_server, address, work)
    here = dvdup(work, "check", "-q", "-f", "json", "--index", "here")
    assert here.code == 1
    before = len(object_server.fetched(folder))
    assert dvdup(work, "check", "-q", "-f", "json", "--index", "there", *RAY) == here
    assert rows_of(work, "there") == rows_of(work, "here")
    scans = {file.relative_to(leaky).as_posix() for file in leaky.glob("*/*.nii.gz")}
    assert set(object_server.fetched(folder)[before:]) == scans


@needs_server
def test_objects_that_only_the_command_sees(leaky, address, dvdup, tmp_path, monkeypatch):
    server = ObjectServer(tmp_path / "objects")
    server.start()
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.environ["AWS_ENDPOINT_URL"])
        on_store(leaky, server, address, tmp_path / "work")
        ran = dvdup(tmp_path / "work", "check", "-q", "-f", "json", *RAY)
    finally:
        server.kill()
    assert (ran.code, ran.stdout) == (2, "")
    assert f"s3://{BUCKET}/" in ran.stderr
    assert "credentials in the environment in which `ray start` was called" in ran.stderr


def test_ctrl_c_ends_the_command_and_the_next_one_goes_on(leaky, local, on_ray, tmp_path):
    command = [Path(sys.executable).with_name("dvdup"), "sync", "-v", "--no-progress", *RAY]
    running = subprocess.Popen(
        [*command, "--index", tmp_path / "ray"],
        cwd=leaky,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said = ""
    for line in running.stderr:
        said += line
        if "a Ray cluster with 2 processors" in line:  # its first tasks are handed out now
            os.killpg(running.pid, signal.SIGINT)
    assert (running.wait(), running.stdout.read()) == (2, "")
    assert " of 11 cases, which are kept; run it again to go on" in said
    assert "Traceback" not in said
    assert on_ray() == local
    assert rows_of(leaky, tmp_path / "ray") == rows_of(leaky, "local")


def test_whoever_wishes_to_stop_keeps_what_is_finished(leaky, dvdup, local, on_ray, tmp_path):
    from dvdup.errors import Interrupted
    from dvdup.sync import build
    from dvdup.workspace import open_workspace

    workspace = open_workspace(
        None, environ={}, overrides={"runner": "ray", "index": str(tmp_path / "ray")}, cwd=leaky
    )
    steps: list[int] = []
    hooks = Hooks(
        progress=lambda what, done, total: steps.append(done),
        should_stop=lambda: max(steps, default=0) >= 6,
    )
    with pytest.raises(Interrupted, match=r"stopped after 6 of 11 cases"):
        build.sync(workspace, hooks=hooks)
    assert len(Index(storage_at(str(tmp_path / "ray"), leaky)).cases) == 6
    assert on_ray() == local


def test_a_file_that_workers_see_otherwise(dvdup, monkeypatch, on_ray):
    run = importlib.import_module("dvdup.sync.run")
    monkeypatch.setattr(
        run.files, "stat_files", lambda root, paths: tuple(FileStat(path, 7, 7) for path in paths)
    )
    ran = on_ray()
    assert (ran.code, ran.stdout) == (2, "")
    assert "test/broken.nii.gz is not on" in ran.stderr
    assert "in a folder that they share" in ran.stderr


@pytest.mark.parametrize(
    ("size", "there", "astray"),
    [(True, True, False), (False, True, True), (True, False, True), (None, False, False),
     (None, True, True)],
)  # fmt: skip
def test_a_look_on_another_machine(tmp_path, save, phantom, size, there, astray):
    """`size`: whether the other one sees the same size, or no file."""
    from dvdup.files import stat_files

    case = Case("train", "a", ("a.nii",))
    save(tmp_path / "a.nii", phantom(0))
    stats = stat_files(tmp_path, case.files)
    if not there:
        (tmp_path / "a.nii").unlink()
    seen = stats if size else (dataclasses.replace(stats[0], size=1),)
    look = Look(tmp_path, make_recipe(size=64), frozenset(), embed=lambda stack: None)
    looked = look(Pending(case, None if size is None else seen))
    assert bool(looked.astray) == astray
    assert (looked.prepared is None) == astray


def test_a_pair_whose_files_only_the_worker_lacks(tmp_path, save, phantom):
    from dvdup.files import hash_files, stat_files

    save(tmp_path / "a.nii", phantom(0))
    files = hash_files(tmp_path, stat_files(tmp_path, ["a.nii"]))
    case = IndexedCase(split="train", case_id="a", files=files)
    demand_same_files(Seen(None), tmp_path, case, case)
    away = Seen(None, (False, True), machine="node7")
    with pytest.raises(InputError, match=r"a\.nii is not on node7"):
        demand_same_files(away, tmp_path, case, case)
    (tmp_path / "a.nii").unlink()
    demand_same_files(away, tmp_path, case, case)


def test_another_dvdup_on_a_worker_is_refused(dvdup, monkeypatch, on_ray):
    monkeypatch.setattr(cluster, "code_fingerprint", lambda *names: "another")
    ran = on_ray()
    assert (ran.code, ran.stdout) == (2, "")
    assert "another dvdup" in ran.stderr


def test_nobody_asks_for_a_cluster_where_nothing_is_to_be_done(leaky, dvdup, local, monkeypatch):
    monkeypatch.setattr(cluster, "FEW", 8)  # the broken file is looked at again
    monkeypatch.setattr(cluster, "_connected", pytest.fail)
    again = dvdup(leaky, "check", "-q", "-f", "json", "--index", "local", *RAY)
    assert again == local


def test_what_ray_tells_of_a_lost_worker_is_logged_in_short(caplog):
    told = "Task f failed. There are 3 retries remaining, so the task will be retried. Error: a\nb"
    with caplog.at_level("INFO", "dvdup.cluster"):
        cluster._log_of_cluster({"lines": [told, "A worker died. To troubleshoot, look"]}, False)
    assert caplog.messages == [
        "Task f failed. There are 3 retries remaining, so the task will be retried",
        "A worker died",
    ]


@pytest.mark.parametrize("chosen", [None, "90"])
def test_a_cluster_is_asked_once_unless_the_user_says_otherwise(monkeypatch, chosen):
    import ray

    name = "RAY_gcs_server_port_wait_time_s"
    monkeypatch.delenv(name, raising=False)
    if chosen:
        monkeypatch.setenv(name, chosen)
    seen = []
    monkeypatch.setattr(cluster, "_demand_answer", lambda address: None)
    monkeypatch.setattr(ray, "init", lambda *args, **more: seen.append(os.environ[name]))
    cluster._connect("ray://somewhere:1", 1)
    assert seen == [chosen or "1"]
    assert os.environ.get(name) == chosen


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("ray://host:1234", ("host", 1234)),
        ("ray://host", ("host", 10001)),
        ("ray://[::1]:1234", ("::1", 1234)),
        ("ray://[fe80::2]", ("fe80::2", 10001)),
        ("10.0.0.1:6379", ("10.0.0.1", 6379)),
        ("[::1]:6379", ("::1", 6379)),
        ("auto", None),
    ],
)
def test_who_is_asked_first(monkeypatch, address, asked):
    calls = []

    class Answer:
        def close(self) -> None:
            pass

    monkeypatch.setattr(
        cluster.socket, "create_connection", lambda to, timeout: calls.append(to) or Answer()
    )
    cluster._demand_answer(cluster._with_port(address))
    assert calls == ([asked] if asked else [])


def test_few_items_stay_here(monkeypatch):
    monkeypatch.setattr(cluster, "FEW", 8)
    runner = OnRay("ray", 0, Local(1))
    for start in (runner.readers, runner.comparers):
        with start(7) as crew:
            assert not crew.elsewhere
        with start(8) as crew:
            assert crew.elsewhere
            assert crew.ahead() == 4


def test_without_the_extra(dvdup, monkeypatch, on_ray):
    cluster._connected.cache_clear()
    monkeypatch.setattr("dvdup.extras.is_installed", lambda name: name != "ray")
    ran = on_ray()
    assert (ran.code, "pip install 'dvdup[ray]'" in ran.stderr) == (2, True)


def test_a_configuration_may_not_choose_the_cluster(dataset, dvdup):
    """It may have come with somebody's data, and what a cluster answers is run as code."""
    folder = dataset.root
    text = (folder / "dvdup.toml").read_text()
    (folder / "dvdup.toml").write_text(f'runner = "ray://elsewhere:10001"\n{text}')
    refused = dvdup(folder, "sync")
    assert (refused.code, "--runner or DVDUP_RUNNER" in refused.stderr) == (2, True)
    assert dvdup(folder, "sync", "-q", "--runner", "local").code == 0


@pytest.mark.parametrize(
    "name",
    ["spark", "ray:", "ray://", "ray://a b", "http://h", "ray://::1", "ray://[::1", "ray://[]"],
)
def test_what_is_no_runner(leaky, dvdup, name):
    ran = dvdup(leaky, "sync", "--runner", name)
    assert (ran.code, "must be local, ray or ray://host:port" in ran.stderr) == (2, True)


def test_an_address_with_a_secret_is_refused_without_showing_it(leaky, dvdup):
    ran = dvdup(leaky, "sync", "--runner", "ray://someone:secret@host:1")
    assert (ran.code, "ray://...@host:1 is no address" in ran.stderr) == (2, True)
    assert "secret" not in ran.stderr
