"""``python -m aware_agent.cli`` is ``aware``."""

from aware_agent.cli.main import main

main()
