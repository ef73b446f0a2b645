"""Floor 4: the command ``aware``. One file per noun; what they share is in ``context``, ``client``, ``output``."""
