"""An index on an object store: whose it is, its lock, and what a kill at any step leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from object_server import BUCKET, SECRET, ObjectServer, needs_server

from dvdup import store
from dvdup.config.uris import checked_uri, path_of
from dvdup.errors import ConfigError, StoreError
from dvdup.objects import ObjectFolder, reason_of
from dvdup.store import Index, Writer, lease
from dvdup.store.place import MARKER
from dvdup.store.remote import RemoteStorage

pytestmark = needs_server
PATIENCE = 60.0


@pytest.fixture
def machine(address: str, tmp_path: Path) -> Callable[[str], RemoteStorage]:
    """The same index as another machine sees it, with caches of its own."""
    return lambda name: RemoteStorage(ObjectFolder(address), tmp_path / name)


@pytest.fixture
def here(machine: Callable[[str], RemoteStorage], tmp_path: Path, meta) -> RemoteStorage:
    """An empty index, as the machine sees it that made it."""
    storage = machine("here")
    storage.claim(tmp_path)
    store.create(storage, meta)
    return storage


def locked(storage: RemoteStorage, root: Path, waiting: Callable[[], None] = pytest.fail):
    return storage.locked(root, waiting, moved=False)


def put(storage: RemoteStorage, case, rows) -> None:
    writer = Writer(Index(storage), "sync")
    writer.put(case, rows, "embedded")
    writer.flush()


def test_what_is_written_comes_back(here, machine, case, rows, same_rows):
    put(here, case("a"), rows(1))
    index = Index(machine("there"))
    assert [each.case_id for each in index.cases] == ["a"]
    assert same_rows(index.rows_of("train", "a", "content of a"), rows(1))
    assert store.find_damage(index) == ()
    assert here.key() == machine("there").key()
    assert here.size() > 1000


def test_somebody_elses_objects_stay_as_they_are(machine, object_server, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    prefix = machine("here").name.rpartition("/")[2]
    object_server.put(tmp_path / "thesis.tex", f"{prefix}/data/thesis.tex")
    before = object_server.files(prefix)
    for attempt in (machine("a").claim, machine("b").demand):
        with pytest.raises(StoreError, match=r"holds data.*so nothing in it is touched"):
            attempt(tmp_path)
    with pytest.raises(StoreError, match="nothing in it"), locked(machine("c"), tmp_path):
        pass
    assert object_server.files(prefix) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"dvdup": "other"}', '{"dvdup": "index"}'])
def test_a_damaged_marker_is_no_marker(here, machine, object_server, tmp_path, text):
    file = object_server.folder / BUCKET / here.name.rpartition("/")[2] / MARKER
    file.write_text(text)
    assert not machine("there").is_marked()
    with pytest.raises(StoreError, match="is damaged"):
        machine("there").claim(tmp_path)


def test_two_datasets_do_not_share_an_index(here, machine, tmp_path):
    with pytest.raises(StoreError, match=r"is that of the dataset in .*, not of .*other"):
        here.demand(tmp_path / "other")
    there = machine("there")
    with there.locked(tmp_path / "other", pytest.fail, moved=True):
        pass  # the same dataset, under another path on this machine
    there.demand(tmp_path / "other")
    here.demand(tmp_path)
    with pytest.raises(StoreError, match="is that of the dataset"):
        machine("third").demand(tmp_path / "other")


def test_an_adoption_ends_with_the_index(here, machine, tmp_path):
    """Somebody may make an index of another dataset under the same address."""
    there = machine("there")
    with there.locked(tmp_path / "other", pytest.fail, moved=True):
        pass
    here.remove()
    machine("here").claim(tmp_path / "third")
    with pytest.raises(StoreError, match="is that of the dataset"):
        machine("there").demand(tmp_path / "other")


def test_nothing_is_left_where_no_index_was_made(machine, object_server, tmp_path):
    storage = machine("here")
    with locked(storage, tmp_path):
        storage.abandon()
    assert object_server.files(storage.name.rpartition("/")[2]) == []
    with locked(machine("here"), tmp_path):
        pass


def test_a_store_that_overwrites_is_refused(machine, monkeypatch, tmp_path):
    """It would lose commits: Lance relies on the same condition."""
    replace = ObjectFolder.replace
    monkeypatch.setattr(
        ObjectFolder, "_created", lambda self, name, content: replace(self, name, content) or True
    )
    with pytest.raises(StoreError, match="overwrites objects although it is told not to"):
        machine("here").claim(tmp_path)


def test_no_answer_is_no_damage(here, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="cannot be reached") as raised:
        Index(RemoteStorage(ObjectFolder(here.name), here.local))
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_bucket_is_called_so(object_server, tmp_path):
    storage = RemoteStorage(ObjectFolder("s3://no-such-bucket/x"), tmp_path)
    with pytest.raises(StoreError, match="there is no such bucket"):
        storage.claim(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("in 7 ms - Server returned non-2xx status code: 403 Forbidden", "access was refused"),
        ("in 403.1ms - HTTP error: error sending request", "it cannot be reached"),
        ("<Code>NoSuchBucket</Code> 404", "there is no such bucket"),
        ("something new", ""),
        ("status code: 400 Bad Request: <Code>ExpiredToken</Code>", "the credentials have expired"),
        ("<Code>AuthorizationHeaderMalformed</Code>", "another region (AWS_REGION)"),
        ("Received redirect without LOCATION, this normally indicates", "another region"),
        ("HTTP error: error following redirect", "sends elsewhere"),
        ("PUT http://169.254.169.254/latest/api/token in 7 ms", "no credentials were found"),
        ("HTTP error: error sending request: InvalidCertificate(UnknownIssuer)", "certificate"),
        (
            "status code: 503 Slow Down: <Code>SlowDown</Code>",
            "503 Slow Down, SlowDown",
        ),
        (
            "status code: 400 Bad Request: <Code>KMS.Disabled</Code>",
            "Request, KMS.Disabled",
        ),
        ("status code: 400 Bad Request", "it answered 400 Bad Request"),
    ],
)
def test_reasons(text, words):
    found = reason_of(text)
    assert words in found if words else not found


@pytest.mark.parametrize(
    "name", ["credentials", "connect", "dns/tcp", "NoSuchBucket", "AccessDenied"]
)
def test_the_name_of_an_object_is_no_reason(name):
    told = f"GET http://127.0.0.1:9/scans/{name}/a in 7 ms - status code: 503 Service Unavailable"
    assert reason_of(told) == "it answered 503 Service Unavailable"
    gone = f'Object at location {name}/a not found: status code: 404 Not Found path: "{name}/a",'
    assert reason_of(gone) == "it is not there"


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
@pytest.mark.parametrize(
    "where",
    ["127.0.0.1:9000", "http://host:port", "ftp://host", "http://a b", "https://u:secret@h"],
)
def test_an_endpoint_that_is_none(monkeypatch, name, where):
    """Over most of them the client panics, with a wall of text."""
    monkeypatch.setenv(name, where)
    with pytest.raises(ConfigError, match=f"{name} is .* no address of a server") as raised:
        ObjectFolder("s3://bucket/folder")
    assert "secret" not in str(raised.value)
    assert ObjectFolder("gs://bucket/folder").uri == "gs://bucket/folder"


@pytest.mark.parametrize("where", ["https://s3.host", "http://[::1]:9000/", "http://h:9/a/b"])
def test_an_endpoint(monkeypatch, where):
    monkeypatch.setenv("AWS_ENDPOINT_URL", where)
    assert ObjectFolder("s3://bucket/folder").uri == "s3://bucket/folder"


def test_a_name_that_ends_a_listing_is_told(object_server, address):
    objects = ObjectFolder(address)
    (object_server.folder / BUCKET / objects.uri.rpartition("/")[2]).mkdir()
    folder = object_server.folder / BUCKET / objects.uri.rpartition("/")[2]
    (folder / "a\tb.nii.gz").write_bytes(b"x")
    for ask in (lambda: list(objects.found()), objects.names, lambda: objects.beside("")):
        with pytest.raises(StoreError) as raised:
            ask()
        assert r"/a\tb.nii.gz' has a name that no listing can give" in str(raised.value)
        assert "credentials" not in str(raised.value)


class TestLock:
    """One writing machine at a time."""

    def test_a_machine_without_a_name_gets_one(self, here, tmp_path):
        """As a full disk leaves it: machines of one name would take each other's lock."""
        (here.local / "machine").parent.mkdir(exist_ok=True)
        for left in (b"", b"abc", b"\xff" * 16):
            (here.local / "machine").write_bytes(left)
            with locked(here, tmp_path) as held:
                assert held.owner.startswith((here.local / "machine").read_text())
            assert len((here.local / "machine").read_text()) == 16

    def test_a_full_disk_is_told(self, here, tmp_path, monkeypatch):
        def full(*args: object, **more: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        with (
            pytest.raises(StoreError, match="No space left on device; make it writable, or set"),
            locked(here, tmp_path),
        ):
            pass

    def test_the_second_machine_waits_and_says_so_once(self, here, machine, tmp_path, monkeypatch):
        monkeypatch.setattr(lease, "_POLL", 0.05)
        order, waits = [], threading.Event()

        def told():
            order.append("waiting")
            waits.set()

        def second():
            with locked(machine("there"), tmp_path, told):
                order.append("second")

        with locked(here, tmp_path):
            thread = threading.Thread(target=second)
            thread.start()
            assert waits.wait(PATIENCE)
            order.append("first done")
        thread.join()
        assert order == ["waiting", "first done", "second"]

    def test_a_killed_command_of_this_machine_holds_nobody_up(self, here, tmp_path, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(lease.RemoteLease, "give_back", lambda self: self._over.set())
            with locked(here, tmp_path):
                pass
        with locked(here, tmp_path, pytest.fail):
            pass

    def test_a_machine_that_has_gone_is_followed(self, here, machine, tmp_path, monkeypatch):
        monkeypatch.setattr(lease, "EXPIRES", 0.5)
        monkeypatch.setattr(lease, "_POLL", 0.05)
        with locked(machine("gone"), tmp_path) as lost:  # gives no sign for longer than that
            told = threading.Event()
            with locked(here, tmp_path, told.set) as mine:
                assert told.is_set()
                mine.demand()
                with pytest.raises(StoreError, match="taken over by another machine"):
                    lost.demand()
            with pytest.raises(StoreError, match="nothing more is written"):
                lost.demand()

    def test_signs_keep_it(self, here, machine, tmp_path, monkeypatch):
        monkeypatch.setattr(lease, "EXPIRES", 1.5)
        monkeypatch.setattr(lease, "BEAT", 0.1)
        monkeypatch.setattr(lease, "_POLL", 0.05)
        second, waits = threading.Event(), threading.Event()

        def wait():
            with locked(machine("there"), tmp_path, waits.set):
                second.set()

        with locked(here, tmp_path) as mine:
            thread = threading.Thread(target=wait)
            thread.start()
            assert waits.wait(PATIENCE)
            assert not second.wait(3)
            mine.demand()
        assert second.wait(PATIENCE)
        thread.join()

    def test_a_late_lower_number_is_no_lock(self, here, tmp_path):
        """Somebody saw lock 1 given back, and was slow; meanwhile two others had it."""
        objects = ObjectFolder(here.name)
        objects.create("lock/000000000003", b"{}")
        assert lease._taken(objects, "slow", 2) is None
        assert [each.name for each in objects.found("lock")] == ["lock/000000000003"]

    def test_an_index_that_was_deleted_takes_its_lock_with_it(self, here, machine, tmp_path):
        with locked(here, tmp_path) as mine:
            machine("there").remove()
            with pytest.raises(StoreError, match="was deleted"):
                mine.demand()


class Killed(BaseException):
    """Stands for `kill -9`: no handler of the program runs for it."""


@pytest.fixture
def both(here, case, rows, meta, tmp_path) -> RemoteStorage:
    """An index with the case `old`, and a finished one with `new` in `rebuild`."""
    put(here, case("old"), rows(0))
    aside = here.inside("rebuild")
    aside.claim(tmp_path)
    store.create(aside, meta)
    put(aside, case("new"), rows(1))
    return here


def names(storage: RemoteStorage) -> list[str]:
    index = Index(storage)
    assert store.find_damage(index) == ()
    return [case.case_id for case in index.cases]


def test_a_rebuild_takes_the_place(both, machine, object_server):
    both.swap_in()
    assert names(both) == names(machine("there")) == ["new"]
    tops = {path.name for path in (object_server.folder / BUCKET).glob(f"{both.name[-32:]}/*")}
    assert len([name for name in tops if name.startswith("index")]) <= 2  # a folder may stay empty
    assert not object_server.files(f"{both.name[-32:]}/rebuild")
    assert not object_server.files(f"{both.name[-32:]}/index")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(17))
def test_a_kill_at_any_step(both, machine, step, after):
    """Steps: copies of the new tables, the marker, deletions."""
    done = iter(range(99))
    moved: list[bool] = []

    def killed(function, *, is_marker=False):
        def run(*args):
            at = next(done)
            if at == step and not after:
                raise Killed
            function(*args)
            moved.extend([True] * is_marker)
            if at == step:
                raise Killed

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ObjectFolder, "copy", killed(ObjectFolder.copy))
        patch.setattr(ObjectFolder, "replace", killed(ObjectFolder.replace, is_marker=True))
        patch.setattr(ObjectFolder, "delete", killed(ObjectFolder.delete))
        with pytest.raises(Killed):
            both.swap_in()
    again = machine("here")
    again.finish_swap()
    assert names(again) == (["new"] if moved else ["old"])
    if not moved:
        again.swap_in()
        assert names(again) == ["new"]


RACE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from conftest import make_case, make_rows
from dvdup.objects import ObjectFolder
from dvdup.store import Index, Writer
from dvdup.store.remote import RemoteStorage
where, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if where.startswith("s3:"):
    where = RemoteStorage(ObjectFolder(where), Path("unused"))
else:
    where = Path(where)
writer = Writer(Index(where), f"writer {number}")
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    for name in (f"own-{number}-{n}", f"shared-{n}"):
        # what two machines embed may differ in its last bits
        writer.put(make_case(name), make_rows(100 * number + n), "embedded")
    writer.flush()
"""


def race(where: str, count: int, writers: int = 2) -> None:
    """Write at once from several processes that know of no lock."""
    command = [sys.executable, "-c", RACE, where]
    paths = [str(Path(__file__).parent), *sys.path]
    running = [
        subprocess.Popen(
            [*command, str(number), str(count), *paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(writers)
    ]  # fmt: skip
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    for each in running:
        each.communicate(timeout=600)
        assert each.returncode == 0


@pytest.mark.parametrize("kind", ["folder", "store"])
def test_writers_that_no_lock_keeps_apart_lose_and_double_nothing(kind, request, folder):
    where = folder if kind == "folder" else request.getfixturevalue("here")
    count = 6
    race(str(folder) if kind == "folder" else where.name, count)
    index = Index(where)
    own = [f"own-{number}-{n}" for number in range(2) for n in range(count)]
    shared = [f"shared-{n}" for n in range(count)]
    assert [each.case_id for each in index.cases] == sorted(own + shared)
    assert index.slices.count_rows() == 5 * len(own + shared)
    assert store.find_damage(index) == ()
    runs = {entry.command for entry in store.log(index)}
    assert runs == {"writer 0", "writer 1"}


@pytest.mark.parametrize(
    ("text", "address"),
    [("s3://b/x/", "s3://b/x"), ("gs://b", "gs://b"), ("az://c/d/e", "az://c/d/e")],
)
def test_addresses(text, address):
    assert checked_uri(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "s3://", "s3:/b/x", "s3:///x", "http://h/x", f"s3://key:{SECRET}@b/x", "s3://b//x",
        f"s3://b/x?key={SECRET}", "s3://b/../x", "s3://b/a\nb", f"s3://b/x#{SECRET}",
        "s3://b/%2e%2e/x", "s3://b/%09",
    ],
)  # fmt: skip
def test_addresses_that_are_none_and_keep_their_secrets(text):
    with pytest.raises(ConfigError, match="is no address of a folder") as raised:
        checked_uri(text)
    assert SECRET not in str(raised.value)


def test_files_have_addresses_too():
    assert path_of("file:///data/my%20scans") == Path("/data/my scans")
    with pytest.raises(ConfigError, match="no folder of this machine"):
        path_of("file://server/data")


def test_the_marker_says_nothing_of_credentials(here, object_server: ObjectServer):
    contents = [path.read_bytes() for path in object_server.files(here.name.rpartition("/")[2])]
    assert not any(SECRET.encode() in content for content in contents)
    (mark,) = (json.loads(c) for c in contents if c.startswith(b'{"dvdup"'))
    assert sorted(mark) == ["dvdup", "format", "root", "tables"]
