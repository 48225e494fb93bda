"""Object stores, as far as dvdup asks them itself: small files, listings, deletions.

By obstore, which has the same Rust core as Lance and so takes the same variables of the
environment. Credentials come from there alone: an address that holds some is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dvdup.config.uris import checked_uri, without_secrets
from dvdup.errors import ConfigError, StoreError
from dvdup.extras import demand, is_installed
from dvdup.hashing import text_hash

if TYPE_CHECKING:
    from obstore import GetOptions
    from obstore.store import ObjectStore

UNREACHABLE = "it cannot be reached"
"""How messages say that a store gives no answer at all."""
EXTRA = "cloud"
"""The extra that brings obstore."""
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_SERVER = re.compile(
    r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[^\s?#@]*)?", re.ASCII
)
_RETRIES = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}
_PRIVATE = 0o700
_AT_ONCE = 500  # objects that are deleted in one request


@dataclass(frozen=True, slots=True)
class Found:
    """An object in a listing."""

    name: str
    """Relative to the folder, POSIX."""
    size: int
    """Bytes."""
    etag: str
    """What the store calls this content; "" if it does not."""
    modified_ns: int
    """When it was written, by the clock of the store; ns since 1970."""


def version_of(found: Found) -> int:
    """A number that another content of an object does not have, below 2**61.

    It is made of the ETag or, where the store gives none, when it was written; the size is told
    apart from it. A store may quote an ETag when it is asked for an object and not in a list
    (Azure), and give fractions of a second in a list alone.
    """
    etag = found.etag.removeprefix("W/").strip('"')
    return int(text_hash(etag)[:15], 16) if etag else found.modified_ns // 1_000_000_000


def _found(meta: Mapping[str, Any]) -> Found:
    return Found(
        name=meta["path"],
        size=int(meta["size"]),
        etag=meta.get("e_tag") or "",
        modified_ns=int(meta["last_modified"].timestamp() * 1_000_000) * 1000,
    )


def local_folder(uri: str, kind: str) -> Path:
    """Where this machine keeps what belongs to an address: locks and caches.

    Args:
        uri: The address.
        kind: Folder for this kind of address, such as `indexes`.

    Returns:
        A folder of the user's cache folder; the same address at another endpoint has another one.
    """
    name = re.sub(r"[^A-Za-z0-9]+", "-", uri.partition("://")[2])[-40:].strip("-")
    digest = text_hash(f"{endpoint()}\0{uri}")[:16]
    return user_folder(uri) / kind / f"{name}-{digest}"


def user_folder(what: str) -> Path:
    """The folder of dvdup in the cache folder of the user.

    Args:
        what: For whom it is asked, for the message.

    Raises:
        InstallError: The extra for object stores is not installed.
    """
    demand(what, ("platformdirs",), EXTRA)
    import platformdirs

    return Path(platformdirs.user_cache_dir("dvdup", appauthor=False))


def made_private(folder: Path) -> Path:
    """Make a folder that only its user may look into."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=_PRIVATE, exist_ok=True)
    return folder


def lance_options(uri: str) -> dict[str, str]:
    """What Lance has to be told about an address beyond what it reads from the environment."""
    found = endpoint() if uri.startswith("s3:") else ""
    if not found:
        return {}
    plain = {"allow_http": "true"} if found.startswith("http://") else {}
    return {"endpoint": found, **plain}


def endpoint() -> str:
    """Where the store of S3 is, as the environment says; "" for Amazon's own."""
    return _endpoint()[1]


def _endpoint() -> tuple[str, str]:
    """The variable that says it, and what it says."""
    return next(((name, os.environ[name]) for name in _ENDPOINTS if os.environ.get(name)), ("", ""))


def _demand_endpoint() -> None:
    """Refuse an endpoint over which the client would stumble.

    Raises:
        ConfigError: It is no address of a server.
    """
    name, found = _endpoint()
    if found and not _SERVER.fullmatch(found):
        raise ConfigError(
            f"{name} is {without_secrets(found)}, which is no address of a server; write it as "
            "https://host:port, or http://host:port, without a user"
        )


class ObjectFolder:
    """All objects below an address; nothing is asked of the store before it is needed."""

    def __init__(self, uri: str) -> None:
        """Take an address.

        Raises:
            ConfigError: It, or the endpoint in the environment, is malformed.
            InstallError: obstore is not installed.
        """
        self.uri = checked_uri(uri)
        if uri.startswith("s3:"):
            _demand_endpoint()
        demand(self.uri, ("obstore",), EXTRA)
        self._opened: ObjectStore | None = None

    def read(self, name: str) -> bytes | None:
        """The content of an object, None if there is none.

        Raises:
            StoreError: The store cannot be asked.
        """
        from obstore.exceptions import NotFoundError

        with self._asking("read"):
            try:
                return bytes(self._store().get(name).bytes())
            except (NotFoundError, FileNotFoundError):
                return None

    def head(self, name: str) -> Found | None:
        """What the store says of an object, None if there is none.

        Raises:
            StoreError: The store cannot be asked.
        """
        from obstore.exceptions import NotFoundError

        with self._asking("look at", name):
            try:
                return _found(self._store().head(name))
            except (NotFoundError, FileNotFoundError):
                return None

    def fetch(self, name: str, target: Path) -> Found:
        """Write the content of an object to a file, block by block.

        A transfer that ends early goes on where it ended, as long as it gets on at all and the
        store still has the same content.

        Returns:
            What the store says of what was written.

        Raises:
            FileNotFoundError: There is no such object.
            OSError: The file cannot be written.
            StoreError: The store cannot be asked, or has got another content meanwhile.
        """
        with target.open("wb") as file:
            found, written = self._fetched(name, file, None)
            while written < found.size:
                before = written
                _, written = self._fetched(name, file, found)
                if written == before:
                    raise StoreError(
                        f"cannot read {self.uri}/{name}: the store gave {written} of its "
                        f"{found.size} bytes; run it again"
                    )
        return found

    def fetch_start(self, name: str, n: int, target: Path) -> Found:
        """Write the first bytes of an object to a file.

        Args:
            name: Of the object, which is longer.
            n: How many bytes.
            target: The file.

        Returns:
            What the store says of the whole object.

        Raises:
            FileNotFoundError, OSError, StoreError: As for `fetch`.
        """
        from obstore.exceptions import NotFoundError

        with self._asking("read", name):
            try:
                got = self._store().get(name, options={"range": (0, n)})
                found, content = _found(got.meta), bytes(got.bytes())
            except (NotFoundError, FileNotFoundError) as error:
                raise FileNotFoundError(name) from error
        target.write_bytes(content)
        return found

    def _fetched(self, name: str, file: BinaryIO, before: Found | None) -> tuple[Found, int]:
        """Write an object as far as it comes; how far that is."""
        from obstore.exceptions import BaseError, NotFoundError

        start = file.tell()
        options: GetOptions = {"range": {"offset": start}} if start else {}
        if start and before is not None and before.etag:
            options["if_match"] = before.etag
        with self._asking("read", name):
            try:
                got = self._store().get(name, options=options)
                found, stream = _found(got.meta), iter(got.stream())
                if before is not None and version_of(before) != version_of(found):
                    raise StoreError(f"{self.uri}/{name} changed while it was read; run it again")
            except (NotFoundError, FileNotFoundError) as error:
                raise FileNotFoundError(name) from error
            while True:
                try:
                    block = next(stream, None)
                except BaseError:
                    if file.tell() == start:
                        raise
                    return found, file.tell()
                if block is None:
                    return found, file.tell()
                file.write(block)

    def create(self, name: str, content: bytes) -> bool:
        """Write an object unless there is one of this name; whether it was written.

        Whether the store heeds the condition is tried every time: one that does not would lose
        commits, Lance's too.

        Raises:
            StoreError: The store cannot be asked, or overwrites what it was told not to.
        """
        if not self._created(name, content):
            return False
        if self._created(name, content):
            raise StoreError(
                f"the object store of {self.uri} overwrites objects although it is told not to "
                "(If-None-Match), so that two machines that write at once would lose cases; keep "
                "the index elsewhere"
            )
        return True

    def replace(self, name: str, content: bytes) -> None:
        """Write an object, over the one of this name if there is one.

        Raises:
            StoreError: The store cannot be asked.
        """
        with self._asking("write"):
            self._store().put(name, content)

    def found(self, below: str = "") -> Iterator[Found]:
        """All objects, or those of a folder, sorted by name.

        Raises:
            StoreError: The store cannot be asked.
        """
        with self._asking("list", below):
            metas = [meta for batch in self._store().list(below or None) for meta in batch]
        yield from map(_found, sorted(metas, key=lambda meta: meta["path"]))

    def beside(self, folder: str) -> tuple[Found, ...]:
        """The objects that lie in a folder itself, sorted by name; "" is the top.

        Raises:
            StoreError: The store cannot be asked.
        """
        with self._asking("list", folder):
            listed = self._store().list_with_delimiter(folder or None)
        return tuple(map(_found, sorted(listed["objects"], key=lambda meta: meta["path"])))

    def names(self) -> tuple[str, ...]:
        """What lies at the top, folders and objects, sorted.

        Raises:
            StoreError: The store cannot be asked.
        """
        with self._asking("list"):
            listed = self._store().list_with_delimiter()
        paths = [*listed["common_prefixes"], *(meta["path"] for meta in listed["objects"])]
        return tuple(sorted(path.rstrip("/") for path in paths))

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error.

        Raises:
            StoreError: The store cannot be asked.
        """
        left = sorted(names)
        for start in range(0, len(left), _AT_ONCE):
            with self._asking("delete"), _gone_is_fine():
                self._store().delete(left[start : start + _AT_ONCE])

    def copy(self, name: str, target: str) -> None:
        """Copy an object inside the store.

        Raises:
            StoreError: The store cannot be asked.
        """
        with self._asking("write"):
            self._store().copy(name, target)

    def _created(self, name: str, content: bytes) -> bool:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._asking("write"):
            try:
                self._store().put(name, content, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore.store import from_url

            options = lance_options(self.uri)
            how: dict[str, Any] = {"retry_config": _RETRIES, **_credentials(self.uri)}
            if options.pop("allow_http", "") == "true":
                how["client_options"] = {"allow_http": True}
            if options:
                how["config"] = options
            self._opened = from_url(self.uri, **how)
        return self._opened

    @contextmanager
    def _asking(self, what: str, name: str = "") -> Iterator[None]:
        """Turn what obstore raises into a `StoreError` of one line, without its request."""
        from obstore.exceptions import BaseError, InvalidPathError

        whole = f"{self.uri}/{name}" if name else self.uri
        try:
            yield
        except InvalidPathError as error:
            raise StoreError(f"cannot {what} {whole}: {_unfit(str(error))}") from error
        except BaseError as error:
            raise StoreError(
                f"cannot {what} {whole}: {_reason(error)}; look at the address, the network and "
                "the credentials in the environment, and run it again"
            ) from error


def _credentials(uri: str) -> dict[str, Any]:
    """Profiles of AWS, which obstore does not read itself, where boto3 is there to read them."""
    has_profile = "AWS_PROFILE" in os.environ or Path("~/.aws").expanduser().is_dir()
    if not uri.startswith("s3:") or "AWS_ACCESS_KEY_ID" in os.environ or not has_profile:
        return {}
    if not is_installed("boto3"):
        return {}
    from obstore.auth.boto3 import Boto3CredentialProvider

    return {"credential_provider": Boto3CredentialProvider()}


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    from obstore.exceptions import NotFoundError

    try:
        yield
    except (NotFoundError, FileNotFoundError):
        return


def _unfit(text: str) -> str:
    """What to do about an object whose name ends every listing that it is in."""
    found = re.search(r'[Pp]ath "(.*?)"(?=: Encountered| contained)', text, re.DOTALL)
    which = f"the object {found[1]!a}" if found else "an object"
    return (
        f"{which} has a name that no listing can give (a control character, an empty part, '.' or "
        "'..'); rename the object, or move it elsewhere, and run it again"
    )


_NAMES = re.compile(
    r'https?://(?!169\.254\.|metadata\.google)\S+|path: ".*?"'
    r"|[Ll]ocation .*?(?= not found| already)"
)
"""Addresses in what a client says, but for those that credentials are asked of."""
_ANSWER = re.compile(
    r"status code: (?P<status>\d{3}[ \w]*)(?:.*?<Code>(?P<code>[\w.]+))?", re.DOTALL
)
_REASONS = (
    (r"NoSuchBucket|BucketNotFound|ContainerNotFound|InvalidBucketName|bucket is not valid",
     "there is no such bucket"),
    (r"ExpiredToken|TokenRefreshRequired|RequestExpired", "the credentials have expired"),
    (r"RequestTimeTooSkewed", "the clock of this machine is wrong"),
    (r"InvalidObjectState|BlobArchived", "it is archived and has to be restored first"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|without LOCATION",
     "the bucket lies in another region (AWS_REGION)"),
    (r"following redirect|TemporaryRedirect|status code: 3\d\d",
     "the endpoint sends elsewhere, which is not followed"),
    (r"169\.254|metadata\.google|[Cc]redential|Account must be", "no credentials were found"),
    (r"status code: 40[13]|AccessDenied|Invalid(AccessKey|Token)|SignatureDoes|Unauthenticated",
     "access was refused"),
    (r"BadScheme|scheme is not http|builder error",
     "it is reached by plain http, which has to be allowed (AWS_ALLOW_HTTP=true)"),
    (r"InvalidCertificate|UnknownIssuer|InvalidContentType|self.signed",
     "its certificate is not trusted, or it speaks plain http"),
    (r"status code: 404", "it is not there"),
    (r"status code", ""),
    (r"error sending request|[Cc]onnect|timed out|dns|tcp", UNREACHABLE),
    (r"NotFound", "it is not there"),
)  # fmt: skip


def _reason(error: Exception) -> str:
    text = str(error)
    first = _NAMES.sub("...", text).splitlines()[0][:120]
    return reason_of(text) or f"{type(error).__name__}: {first}"


def _answer(text: str) -> str:
    """What a store answered, without what it may have said about the request."""
    found = _ANSWER.search(text)
    if found is None:
        return ""
    return f"it answered {found['status'].strip()}" + (
        f", {found['code']}" if found["code"] else ""
    )


def reason_of(text: str) -> str:
    """Why an object store gave no answer, in words, from a message of its Rust core; else ""."""
    said = _NAMES.sub("", text)  # an object may be called as anything
    words = next((words for pattern, words in _REASONS if re.search(pattern, said)), "")
    return words or _answer(text)
