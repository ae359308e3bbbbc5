"""Which of the graph's models this machine has, and what they are. Nothing is fetched and nothing is loaded."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from callbus import weights
from callbus.errors import ModelError
from callbus.models import ModelSpec, adapter_of, card_of, distribution_of, package_directory, resolve
from callbus.topology import Topology
from callbus.wholeness import require_whole

_WORKING_ROOM = 1.3  # beside the weights: what a batch is worked on in, and the library's own
_GPU_BYTES = 2  # a weight in float16
_CPU_BYTES = {"faster-whisper": 1, "transformers": 4, "ctranslate2": 4}  # a weight in int8, or float32
_UNKNOWN = ("other", "unknown", "")
_LICENSE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventoried:
    """A model of the graph as this machine has it. What is not known is None."""

    model: str
    engine: str
    source: str  # "package NAME", "directory PATH" or "hub OWNER/NAME"
    groups: tuple[str, ...]
    found: bool
    location: str | None = None
    version: str | None = None
    architecture: str | None = None  # as its configuration says: "DistilBertForTokenClassification"
    card: str | None = None  # the file with our labels for its own, as topology.yaml names it
    license: str | None = None  # as its card, its configuration or its package says
    size_bytes: int | None = None  # on disk
    memory_bytes: int | None = None  # about, from the number of weights and the type they are computed in
    problem: str | None = None  # what is missing, and what to do; only if not found

    def to_json(self) -> dict[str, Any]:
        """The entry as plain data for `--json`."""
        return asdict(self)


def take(topology: Topology) -> list[Inventoried]:
    """Every model of the graph in the file's order."""
    return [_entry(topology, spec) for spec in topology.models.values()]


def memory_bytes(engine: str, devices: set[str], count: int) -> int:
    """About what `count` weights need; with `device: auto`, on whichever device needs more."""
    kinds = {device.partition(":")[0] for device in devices} or {"auto"}
    on_cpu = _CPU_BYTES.get(engine, 4)
    widths = {"cpu": on_cpu, "cuda": _GPU_BYTES, "auto": max(on_cpu, _GPU_BYTES)}
    return round(count * max(widths[kind] for kind in kinds) * _WORKING_ROOM)


def license_of(directory: Path) -> str | None:
    """What the model card's front matter or config.json says, else the first line of its licence file."""
    stated = (_front_matter(directory / "README.md"), _read_json(directory / "config.json"))
    for facts in stated:
        said = facts.get("license")
        if said == "other":
            said = facts.get("license_name", said)
        if isinstance(said, list):
            said = ", ".join(map(str, said))
        if said:
            return str(said)
    for name in _LICENSE_FILES:
        if (directory / name).is_file():
            lines = (directory / name).read_text(encoding="utf-8", errors="replace").split("\n")
            return next((line.strip() for line in lines if line.strip()), None)
    return None


def architecture_of(directory: Path) -> str | None:
    """The class that its config.json names, None if it names none."""
    named = _read_json(directory / "config.json").get("architectures")
    return str(named[0]) if isinstance(named, list) and named else None


def _entry(topology: Topology, spec: ModelSpec) -> Inventoried:
    groups = [group for group in topology.groups.values() if spec.name in group.models]
    kind = spec.sources[0] if spec.sources else "none"
    entry: dict[str, Any] = {
        "model": spec.name,
        "engine": spec.engine,
        "source": f"{kind} {getattr(spec, kind, '')}".strip(),
        "groups": tuple(group.name for group in groups),
        "card": spec.card,
    }
    try:
        directory, version = _place(spec, topology.root)
        card_of(spec, topology.root)
        adapter_of(spec, topology.root)
    except ModelError as error:
        return Inventoried(**entry, found=False, problem=f"{topology.place('models', spec.name)} {error}")
    count, size = weights.count(directory), weights.size(directory)
    devices = {group.device for group in groups}
    return Inventoried(
        **entry,
        found=True,
        location=str(directory),
        version=version,
        architecture=architecture_of(directory),
        license=license_of(directory) or (spec.package and _package_license(spec.package)) or None,
        size_bytes=size,
        memory_bytes=memory_bytes(spec.engine, devices, count) if count else round(size * _WORKING_ROOM),
    )


def _place(spec: ModelSpec, root: Path) -> tuple[Path, str]:
    """The directory and version. Raises ModelError."""
    if spec.hub is not None:
        return _in_hub_cache(spec, spec.hub)
    model = resolve(spec, root)
    whole = package_directory(spec.package) if spec.package and not spec.path else None
    directory = whole or Path(model.location)
    if spec.directory is not None and not weights.weight_files(directory) and spec.engine != "spacy":
        raise ModelError(f"model {spec.name}: no weights in {directory}; put the whole model there")
    return directory, model.version


def _in_hub_cache(spec: ModelSpec, hub: str) -> tuple[Path, str]:
    """The snapshot in the hub's cache; its version is the commit. Asks no hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    at = f" --revision {spec.revision}" if spec.revision else ""
    mend = (
        f"fetch it with `hf download {hub}{at}` where the hub can be reached, or copy it here and name "
        f"`directory:` instead of `hub:` in models.{spec.name}"
    )
    try:
        snapshot = Path(snapshot_download(hub, revision=spec.revision, local_files_only=True))
    except HFValidationError as error:
        raise ModelError(f"model {spec.name}: {hub} is no hub id ({error}); write owner/name") from error
    except (LocalEntryNotFoundError, OSError) as error:
        raise ModelError(f"model {spec.name}: {hub} is not in this machine's hub cache; {mend}") from error
    if not weights.weight_files(snapshot):
        raise ModelError(f"model {spec.name}: {hub} is in this machine's hub cache without its weights; {mend}")
    require_whole(spec.name, snapshot, spec.engine, mend)
    return snapshot, snapshot.name


def _package_license(package: str) -> str | None:
    try:
        facts = metadata.metadata(distribution_of(package))
    except metadata.PackageNotFoundError:
        return None
    stated = [
        said.strip().partition("\n")[0]
        for key in ("License-Expression", "License")
        for said in facts.get_all(key) or ()
    ]
    return next((said for said in (*stated, *_classified(facts)) if said and said.lower() not in _UNKNOWN), None)


def _classified(facts: metadata.PackageMetadata) -> Iterator[str]:
    for classifier in facts.get_all("Classifier") or ():
        if classifier.startswith("License ::"):
            yield classifier.rpartition(" :: ")[2]


def _front_matter(card: Path) -> dict[str, Any]:
    if not card.is_file():
        return {}
    opening, _, rest = card.read_text(encoding="utf-8", errors="replace").partition("---\n")
    if opening.strip() or not rest:
        return {}
    try:
        facts = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _read_json(file: Path) -> dict[str, Any]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
