"""Stands in for the bootstrap script that ansible-test downloads to put pip into the environments it makes.

scripts/collection-checks copies it into ansible-test's cache, with the wheel of the pip wanted beside it, so that
nothing but the package index is needed. pip is installed by running it out of its own wheel.
"""

import glob
import os
import sys

(WHEEL,) = glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-*.whl"))
sys.path.insert(0, WHEEL)

from pip._internal.cli.main import main  # noqa: E402 - it is in the wheel

SKIP = ("--no-setuptools", "--no-wheel")
wanted = [WHEEL if argument.startswith("pip==") else argument for argument in sys.argv[1:] if argument not in SKIP]
sys.exit(main(["install", "--upgrade", "--force-reinstall", *wanted]))
