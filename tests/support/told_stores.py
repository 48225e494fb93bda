"""Object stores that are a dict: what they hold, and what they were asked."""

from dataclasses import dataclass, field

from dvdup.errors import ReadError
from dvdup.remote.stores import Seen

TOP = "s3://bucket"


@dataclass
class Told:
    """Stores that hold some objects, and remember what they were asked."""

    objects: dict[str, Seen]
    lists: bool = True
    asked: list[str] = field(default_factory=list)

    def head(self, uri: str) -> Seen | None:
        self.asked.append(f"head {uri}")
        return self.objects.get(uri)

    def below(self, uri: str) -> dict[str, Seen]:
        return self._listed(f"below {uri}", lambda each: each.startswith(f"{uri}/"))

    def beside(self, uri: str) -> dict[str, Seen]:
        folder = uri.rpartition("/")[0]
        return self._listed(f"beside {uri}", lambda each: each.rpartition("/")[0] == folder)

    def _listed(self, what, chosen):
        self.asked.append(what)
        if not self.lists:
            raise ReadError("access is denied")
        return {uri: seen for uri, seen in self.objects.items() if chosen(uri)}


def told(*names, **more):
    return Told({f"{TOP}/{name}": Seen(len(name), n) for n, name in enumerate(names)}, **more)
