"""What is kept out of a process is there for whoever uses it, as if nothing had been done."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aware_agent.postponed import as_if_missing, postpone, without_its_start


def run(code: str) -> list[str]:
    """Lines that ``code`` prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_import_runs_nothing_and_a_use_does() -> None:
    said = run(
        "import sys\n"
        "from aware_agent.postponed import postpone\n"
        "postpone('logging.config')\n"
        "import logging.config\n"
        "print('logging.handlers' in sys.modules)\n"
        "print(logging.config.dictConfig.__name__, 'logging.handlers' in sys.modules)\n"
        "from logging.config import fileConfig\n"
        "print(fileConfig.__name__)\n"
    )
    assert said == ["False", "dictConfig True", "fileConfig"]


def test_names_can_be_taken_out_of_a_postponed_package_and_its_modules_be_imported() -> None:
    said = run(
        "from aware_agent.postponed import postpone\n"
        "postpone('importlib.metadata')\n"
        "from importlib.metadata import version\n"
        "import importlib.metadata._text\n"
        "print(version('msgspec') == __import__('msgspec').__version__)\n"
    )
    assert said == ["True"]


def test_many_threads_that_use_it_first_all_get_it() -> None:
    said = run(
        "import threading\n"
        "from aware_agent.postponed import postpone\n"
        "postpone('urllib.request')\n"
        "import urllib.request\n"
        "got = []\n"
        "begin = threading.Barrier(8)\n"
        "def use():\n"
        "    begin.wait()\n"
        "    got.append(urllib.request.getproxies)\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "print(len(got), len(set(got)))\n"
    )
    assert said == ["8 1"]


def test_a_module_that_has_no_such_name_says_so() -> None:
    said = run(
        "from aware_agent.postponed import postpone\n"
        "postpone('logging.config')\n"
        "import logging.config\n"
        "print(hasattr(logging.config, 'nothing'), hasattr(logging.config, 'dictConfig'))\n"
    )
    assert said == ["False True"]


def test_what_is_loaded_already_is_left_alone() -> None:
    before = sys.modules["subprocess"]
    postpone("subprocess")
    assert sys.modules["subprocess"] is before


def test_what_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError):
        postpone("no_such_module_of_anybody")
    with pytest.raises(ModuleNotFoundError), without_its_start("no_such_package_of_anybody"):
        raise AssertionError("it was entered")


def test_uvicorn_that_is_imported_later_is_whole() -> None:
    said = run(
        "import sys\n"
        "from aware_agent.gateway.uvicorn_parts import Config, Server\n"
        "print('uvicorn' in sys.modules, 'uvicorn.main' in sys.modules)\n"
        "import uvicorn\n"
        "print(uvicorn.Config is Config, uvicorn.Server is Server, callable(uvicorn.run))\n"
    )
    assert said == ["False False", "True True True"]


def test_a_worker_gets_its_first_websocket_client_without_the_rest_of_uvicorn() -> None:
    said = run(
        "import sys\n"
        "import aware_agent.gateway.server\n"
        "import aware_agent.gateway.ws_protocol\n"
        "print('uvicorn.main' in sys.modules, 'click' in sys.modules)\n"
    )
    assert said == ["False False"]


def test_an_http_client_without_its_own_command_line() -> None:
    """What asks the gateway loads no second library for arguments and no colours for code."""
    said = run(
        "import sys\n"
        "import aware_agent.cli.client, aware_agent.cli.verified\n"
        "print(sorted({'click', 'pygments', 'rich', 'httpx._main'} & set(sys.modules)))\n"
        "import httpx, httpx._main\n"
        "print(callable(httpx.get), callable(httpx._main.main))\n"
    )
    assert said == ["[]", "True True"]


def test_what_is_loaded_already_does_not_go_missing() -> None:
    before = sys.modules["subprocess"]
    with as_if_missing("subprocess", "no_such_module_of_anybody"):
        assert sys.modules["subprocess"] is before
    assert "no_such_module_of_anybody" not in sys.modules
