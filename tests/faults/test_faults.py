"""The table of faults fits the code and the tests, and the runner tells what is caught from what is not."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.faults import FAULTS
from tests.faults.run import FaultError, apply, checkout_files, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_the_code(fault):
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old) == 1
    assert fault.new != fault.old and fault.wrong
    assert fault.tests and all((ROOT / test.partition("::")[0]).exists() for test in fault.tests)


def test_names_are_unique():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 20


def test_a_fault_is_put_in_once_or_not_at_all(tmp_path):
    fault = replace(FAULTS[0], file="code.py", old="a + 1", new="a - 1")
    code = tmp_path / "code.py"
    code.write_text("b = a + 1\n")
    apply(fault, tmp_path)
    assert code.read_text() == "b = a - 1\n"
    for text, times in (("b = a\n", 0), ("b = a + 1 + a + 1\n", 2)):
        code.write_text(text)
        with pytest.raises(FaultError, match=f"{fault.name}: 'a \\+ 1' stands {times} times in code.py"):
            apply(fault, tmp_path)
        assert code.read_text() == text


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the copy is of what git knows")
def test_a_copy_has_new_files_and_nothing_that_git_ignores():
    files = checkout_files(ROOT)
    assert {Path("ntl_hf/__init__.py"), Path("tests/faults/run.py")} <= set(files)
    assert not any("__pycache__" in path.parts for path in files)


@pytest.mark.parametrize(("caught", "code"), [([True, True], 0), ([True, False], 1)])
def test_exit_codes(caught, code, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr("tests.faults.run.failing_test", lambda root, tests: seen.append(tests) or results.pop(0))
    monkeypatch.setattr("tests.faults.run.copy_checkout", lambda root, folder: None)
    monkeypatch.setattr("tests.faults.run.apply", lambda fault, root: None)
    results = [None, *("tests/x.py::test" if each else None for each in caught)]
    names = [fault.name for fault in FAULTS[:2]]
    assert main(names) == code and not results
    assert seen[1:] == [fault.tests for fault in FAULTS[:2]] and set(seen[0]) == {*seen[1], *seen[2]}
    assert capsys.readouterr().out.count("  NOT CAUGHT  ") == caught.count(False)


def test_tests_that_fail_without_a_fault_prove_nothing(monkeypatch, capsys):
    monkeypatch.setattr("tests.faults.run.failing_test", lambda root, tests: "tests/x.py::test")
    monkeypatch.setattr("tests.faults.run.copy_checkout", lambda root, folder: None)
    assert main([FAULTS[0].name]) == 2
    assert capsys.readouterr().err == "tests/x.py::test fails without any fault.\n"


def test_an_unknown_name(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["no-such-fault"])
    assert "unknown faults: no-such-fault" in capsys.readouterr().err
