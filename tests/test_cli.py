"""The command line as a person meets it: help, errors, exit codes, JSON."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import linnet
from linnet.cli import main


def run(*tokens: str) -> int:
    """The exit code of `linnet TOKENS` in this process."""
    try:
        main(list(tokens))
    except SystemExit as leaving:
        return int(leaving.code or 0)
    return 0


def test_help_names_every_verb_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    for verb in linnet.VERBS:
        name = linnet.SHORT.get(verb, verb)
        (line,) = [line for line in text.splitlines() if re.search(rf"^\W*{name} ", line)]
        first_words = (inspect.getdoc(getattr(linnet, verb)) or "").split()[:3]
        assert " ".join(first_words) in line


@pytest.mark.parametrize("verb", linnet.VERBS)
def test_each_verb_has_a_flag_for_each_keyword(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(linnet.SHORT.get(verb, verb), "--help") == 0
    text = capsys.readouterr().out
    for name, parameter in inspect.signature(getattr(linnet, verb)).parameters.items():
        shown = name.rstrip("_").replace("_", "-")  # import_ is --import
        assert (f"--{shown}" if parameter.kind is parameter.KEYWORD_ONLY else name.upper()) in text, name


def test_archs_lists_names_and_json_is_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("archs", "*lite*") == 0
    assert "efficientnet_lite0\n" in capsys.readouterr().out
    assert run("archs", "*lite*", "--json") == 0
    assert "efficientnet_lite0" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("tokens", "code", "says"),
    [
        (("table", "efficientnet_bo"), 1, "efficientnet_b0"),
        (("archs", "nonsense"), 1, "linnet archs"),
        (("archs", "--patern", "x"), 2, "--pattern"),
        (("tabel", "efficientnet_b0"), 2, "table"),
        (("fit", "no/such/folder"), 1, "no/such/folder"),
        (("evaluate", "no/such/run", "no/such/photos"), 1, "no/such/run"),
        (("train", "--epochs", "many"), 2, "epochs"),
        (("archs", "--json=foo"), 2, "foo"),
        (("--json=foo",), 2, "foo"),
    ],
)
def test_a_mistake_gets_one_clear_message(
    tokens: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*tokens) == code
    out, err = capsys.readouterr()
    assert says in out + err
    assert (out + err).count("Error") + err.count("linnet: ") == 1  # said once
    assert "Traceback" not in out + err


@pytest.mark.parametrize("place", [1, 3], ids=["before", "after"])
def test_sizes_may_stand_before_the_model_and_after_the_photos(
    place: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = ["evaluate", str(tmp_path / "no-run"), str(tmp_path)]
    tokens[place:place] = ["--image", "224", "288"]
    with pytest.raises(SystemExit) as left:
        main(tokens)
    assert left.value.code == 1, "understood, and then there is no such model"
    assert "no-run" in capsys.readouterr().err


def test_help_and_archs_load_no_torch() -> None:
    code = (
        "import sys\nfrom linnet.cli import main\n"
        "for tokens in (['--help'], ['fit', '--help'], ['archs']):\n"
        "    try: main(tokens)\n"
        "    except SystemExit as leaving: assert not leaving.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=root)


def test_a_closed_pipe_is_no_error() -> None:
    root = Path(__file__).parents[1]
    shell = f"{sys.executable} -m linnet archs | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0
    assert done.stderr == ""


def lost_in_a_library() -> None:
    """As torch.onnx makes an error of its own of Ctrl-C while it imports its parts."""
    try:
        raise KeyboardInterrupt
    except BaseException:
        raise AttributeError("module has no attribute 'exc'")  # noqa: B904


def told(*_given: object, **_settings: object) -> None:
    try:
        lost_in_a_library()
    except AttributeError as error:
        raise RuntimeError("Failed to export the model") from error


def pressed(*_given: object, **_settings: object) -> None:
    raise KeyboardInterrupt


def broken(*_given: object, **_settings: object) -> None:
    raise RuntimeError("a fault of ours")


def test_ctrl_c_is_one_line_also_where_a_library_makes_an_error_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for answer in (pressed, told):
        monkeypatch.setattr("linnet.weights.archs.archs", answer)
        assert run("archs") == 130
        assert capsys.readouterr().err == "linnet: stopped.\n"
    monkeypatch.setattr("linnet.weights.archs.archs", broken)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        run("archs")
