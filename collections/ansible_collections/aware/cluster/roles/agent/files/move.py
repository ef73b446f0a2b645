"""Put a release that is complete in its place: run by the host's Python as root.

Arguments: where it was made, where it belongs, where to put what is there already.

An environment's programs name it by its path: those in ``bin`` and ``pyvenv.cfg`` are rewritten first. Then one rename
makes it appear whole. A process that runs from what was there before goes on with the same files at the same paths.
"""

import os
import sys

made, place, aside = sys.argv[1:4]


def rename_itself(path):
    """Write the release's later path into one of its files; programs that are no text stay as they are."""
    with open(path, "rb") as file:
        content = file.read()
    if b"\0" in content or made.encode() not in content:
        return
    draft = path + ".new"
    with open(draft, "wb") as file:
        file.write(content.replace(made.encode(), place.encode()))
    os.chmod(draft, os.stat(path).st_mode & 0o7777)
    os.rename(draft, path)


for entry in [entry.path for entry in os.scandir(os.path.join(made, "bin")) if entry.is_file(follow_symlinks=False)]:
    rename_itself(entry)
rename_itself(os.path.join(made, "pyvenv.cfg"))
os.sync()
if os.path.lexists(place):
    os.rename(place, aside)
os.rename(made, place)
