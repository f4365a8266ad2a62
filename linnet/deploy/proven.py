"""The files of a bundle's runtimes: each is written, proven on photos, and taken away again where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.preprocess import Preprocess
from ..data.source import Photo
from ..errors import LinnetError, ProofError, SettingError, WeightsError, interrupted
from ..evaluation.progress import shown_progress
from ..files import written_whole
from ..nn.net import Net
from .bundle import Runtime
from .certificate import Candidate, Proof, prove
from .int8.quantize import Choice, Quantised, quantised
from .runtime.aotinductor import cannot_compile
from .runtime.known import KnownRuntime, find_way, is_here, way
from .runtime.opening import open_model
from .sizes import Sides, with_sizes

if TYPE_CHECKING:
    from .fastest import Ranking


@dataclass(frozen=True)
class Proven:
    """The runtimes that passed, with their proofs, and a line for each that did not."""

    runtimes: tuple[Runtime, ...]
    proofs: tuple[Proof, ...]
    failures: tuple[str, ...]

    def ranked(self, ranking: Ranking) -> Proven:
        """In that order, with what was measured in turns in the certificates."""
        proofs = [
            replace(proof, certificate={**proof.certificate, "latency": latency})
            for proof, latency in zip(self.proofs, ranking.latency, strict=True)
        ]
        return replace(
            self,
            runtimes=tuple(self.runtimes[i] for i in ranking.order),
            proofs=tuple(proofs[i] for i in ranking.order),
        )


def proven_files(
    net: Net,
    preprocess: Preprocess,
    to: Sequence[str],
    place: Path,
    *,
    photos: Sequence[Photo],
    root: Path,
    split: str,
    threads: int,
    workers: int,
    uint8: bool = False,
    ending: str = "",
    sides: Sides | None = None,
    choice: Choice | None = None,
) -> Proven:
    """Write the files of all runtimes that `to` names into `place`, and keep those that answer as `net` does.

    `ending`: "softmax" or "sigmoid" in the files after the logits, so that they give probabilities; none: logits.
    `sides`: the image size is left open between these, and proven at several; none: it is the preprocessing's.
    `choice`: what int8 is chosen by, where `to` has one in int8.
    Raises: ProofError when none does.
    """
    passed: list[tuple[Runtime, Proof]] = []
    failures = []
    for name in dict.fromkeys(to):
        known, precision = find_way(name)
        file, *more = known.files_of(precision)
        output = "probabilities" if ending else "logits"
        runtime = Runtime(
            known.name, precision, file, tuple(more), "uint8" if uint8 else "float32", output, sides or ()
        )
        try:
            int8 = None
            if precision == "int8":
                assert choice is not None
                int8 = write_int8(known, net, preprocess, choice, place, threads=threads, uint8=uint8, ending=ending)
            elif not (place / runtime.file).exists():  # two precisions may share a file
                write_files(known, net, preprocess, place / runtime.file, uint8=uint8, ending=ending, sides=sides)
            candidate = candidate_of(runtime, place, threads=threads, int8=int8)
            with shown_progress(len(photos), f"proving {name}") as progress:
                proof = prove(net, candidate, photos, preprocess, root=root, split=split, workers=workers,
                              progress=progress)  # fmt: skip
            if sides:
                proof = with_sizes(proof, net, candidate, photos, preprocess, sides)
        except (ProofError, SettingError, WeightsError) as error:  # SettingError: this processor cannot, or int8 has no
            # photos to go by; WeightsError: the runtime does not take what its own converter wrote
            failures.append(str(error))
        else:
            passed.append((runtime, proof))
        if runtime.file not in [one.file for one, _ in passed]:
            remove(place, (runtime.file, *runtime.more))
    if not passed:
        raise ProofError("\n".join(dict.fromkeys(failures)))
    return Proven(tuple(one for one, _ in passed), tuple(proof for _, proof in passed), tuple(failures))


def remove(place: Path, files: Sequence[str]) -> None:
    """Take files away, and the folder below `place` that they leave empty."""
    for file in files:
        (place / file).unlink(missing_ok=True)
        folder = (place / file).parent
        if folder != place and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def write_files(
    known: KnownRuntime,
    net: Net,
    preprocess: Preprocess,
    path: Path,
    *,
    uint8: bool,
    ending: str = "",
    sides: Sides | None = None,
) -> None:
    """Raises: ProofError, in one line, for whatever the runtime's converter cannot do with this network."""
    size = {"sides": sides} if sides else {}  # those whose files have one size are not asked: see sizes.py
    with converting(known, net, sides):
        import_module(f".runtime.{known.name}", __package__).convert(
            net, preprocess, path, uint8=uint8, ending=ending, **size
        )


def write_int8(
    known: KnownRuntime,
    net: Net,
    preprocess: Preprocess,
    choice: Choice,
    place: Path,
    *,
    threads: int,
    uint8: bool,
    ending: str = "",
) -> Quantised:
    """The files of a runtime's int8 in the folder `place`, and how they were chosen. Raises: ProofError, in one line."""
    with converting(known, net):
        made = quantised(net, preprocess, known, choice, threads=threads, uint8=uint8, ending=ending)
    for file, data in zip(known.files_of("int8"), made.files, strict=True):
        with written_whole(place / file) as temporary:
            temporary.write_bytes(data)
            temporary.chmod(0o644)
    return made


@contextmanager
def converting(known: KnownRuntime, net: Net, sides: Sides | None = None) -> Iterator[None]:
    try:
        yield
    except LinnetError:
        raise
    except Exception as error:  # converters raise all kinds
        if interrupted(error):
            raise KeyboardInterrupt from None
        why = " ".join(str(error).split())[:200] or type(error).__name__
        if sides:
            raise ProofError(
                f"{net.arch.name} cannot leave its image size open from {sides[0]} to {sides[1]} pixels: torch.export finds no"
                f" graph that goes for all of them ({why.split('! ')[0][:100]}). Leave out --image dynamic."
            ) from error
        raise ProofError(
            f"{known.title} cannot take {net.arch.name}, so it is not in the bundle ({why}). Take other runtimes."
        ) from error


def candidate_of(runtime: Runtime, place: Path, *, threads: int, int8: Quantised | None = None) -> Candidate:
    files = {name: (place / name).read_bytes() for name in (runtime.file, *runtime.more)}
    opened = open_model(runtime.runtime, runtime.precision, list(files.values()), threads=threads)

    def run(images: np.ndarray) -> np.ndarray:
        try:
            return opened(images)
        except LinnetError:
            raise
        except Exception as error:  # runtimes raise all kinds
            if interrupted(error):
                raise KeyboardInterrupt from None
            why = " ".join(str(error).split())[:200] or type(error).__name__
            name = way(runtime.runtime, runtime.precision)
            raise ProofError(f"{name} fails on {len(images)} images, so it is not in the bundle ({why}).") from error

    module = import_module(f".runtime.{runtime.runtime}", __package__)
    inside = getattr(module, "row_outputs", None)
    model, made = files.pop(runtime.file), int8.facts if int8 else {}
    if find_way(runtime.runtime)[0].program:
        made = {"compiled_for": module.compiled_for(model)}
    return Candidate(
        runtime.runtime, runtime.precision, model, run, threads, inside, more=files,
        uint8=runtime.input == "uint8", output=runtime.output, made=made, max_drop=int8.verdict.max_drop if int8 else None,
    )  # fmt: skip


def check_runtimes(to: Sequence[str]) -> None:
    """Raises: SettingError for a runtime that is not known, or whose packages are missing, with the line to install them."""
    if not to or isinstance(to, str):
        raise SettingError(f'to is {to!r}; give a list of runtimes, such as ("onnx",).')
    for known, precision in map(find_way, to):
        if not (is_here(known.module) and is_here(known.maker_of(precision))):
            raise SettingError(
                f"{known.title} is not installed, so nothing can be made for {way(known.name, precision)}. Install it"
                f" with: {known.install}"
            )
        if known.program and (why := cannot_compile()):
            raise SettingError(why)
