"""Runs the steps of a composite action of GitHub as its runner does, without the network.

Of a step that `uses` another action nothing is run: a test says what its outputs are.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")
_COMPARED = re.compile(r"(\S+) (==|!=) '(.*)'")


@dataclass
class Ran:
    """What the steps did."""

    code: int = 0
    """Of the first step that failed."""
    log: str = ""
    """stdout and stderr of all steps."""
    ran: list[str] = field(default_factory=list)
    """Names of the steps that ran, those that use other actions included."""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each step that has an id."""


class Action:
    """A composite action."""

    def __init__(self, folder: Path, temp: Path, environ: Mapping[str, str]) -> None:
        """Read it.

        Args:
            folder: Where its action.yml lies.
            temp: RUNNER_TEMP.
            environ: The environment of the job.
        """
        self.document: Any = yaml.safe_load((folder / "action.yml").read_text(encoding="utf-8"))
        self._folder, self._temp = folder, temp
        self._environ = dict(environ)

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Its steps as they stand there."""
        return list(self.document["runs"]["steps"])

    def run(
        self,
        workspace: Path,
        inputs: Mapping[str, str],
        known: Mapping[str, Mapping[str, str]],
        last: str = "",
    ) -> Ran:
        """Run its steps.

        Args:
            workspace: GITHUB_WORKSPACE.
            inputs: Those that are not as by default.
            known: Outputs of steps that are not run, by their ids.
            last: Id of the step that is the last one; "" for all.
        """
        usual = {name: str(row["default"]) for name, row in self.document["inputs"].items()}
        ran = Ran(outputs={step: dict(values) for step, values in known.items()})
        for step in self.steps:
            if step.get("id") in known or not self._is_due(step, usual | dict(inputs), ran):
                continue
            ran.ran.append(step["name"])
            if "run" in step:
                code = self._step(workspace, step, usual | dict(inputs), ran)
                ran.code = ran.code or code
            if last and step.get("id") == last:
                break
        return ran

    def _is_due(self, step: Mapping[str, Any], inputs: Mapping[str, str], ran: Ran) -> bool:
        """Whether the condition of a step holds; without `always()` nothing may have failed."""
        parts = [part.strip() for part in step.get("if", "").split("&&") if part.strip()]
        always = "always()" in parts
        return (always or not ran.code) and all(
            self._holds(part, inputs, ran) for part in parts if part != "always()"
        )

    def _holds(self, part: str, inputs: Mapping[str, str], ran: Ran) -> bool:
        match = _COMPARED.fullmatch(part)
        assert match, f"a condition that is not understood: {part}"
        name, sign, value = match.groups()
        return (self._value(name, inputs, ran) == value) == (sign == "==")

    def _value(self, name: str, inputs: Mapping[str, str], ran: Ran) -> str:
        kind, *rest = name.split(".")
        if kind == "inputs":
            return inputs[rest[0]]
        if kind == "steps":
            assert rest[1] == "outputs"
            return ran.outputs.get(rest[0], {}).get(rest[2], "")
        assert name == "runner.temp", name
        return str(self._temp)

    def _step(
        self, workspace: Path, step: Mapping[str, Any], inputs: Mapping[str, str], ran: Ran
    ) -> int:
        def filled(text: str) -> str:
            return _EXPRESSION.sub(lambda found: self._value(found[1], inputs, ran), text)

        assert not _EXPRESSION.search(step["run"]), "values reach a script by its environment alone"
        assert step["shell"] == "bash"
        output = self._temp / "output"
        output.write_text("", encoding="utf-8")
        script = self._temp / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        environ = self._environ | {
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self._folder),
            "GITHUB_OUTPUT": str(output),
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self._temp),
            **{name: filled(str(value)) for name, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],  # as the runner does
            cwd=workspace / filled(step.get("working-directory", ".")),
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        ran.log += done.stdout
        if "id" in step:
            lines = output.read_text(encoding="utf-8").splitlines()
            ran.outputs[step["id"]] = dict(line.split("=", 1) for line in lines)
        return done.returncode
