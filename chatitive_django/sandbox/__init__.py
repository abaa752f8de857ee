"""A stand-in for the remote side, over real HTTP: the notify call, workflows, and an inbox."""
