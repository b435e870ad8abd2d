"""What can happen in a rollout: one list of frozen values.

A step says once what happened (``mover.commit(..., Switched(...))``), and the journal's row, the line on the screen and the
JSON event are made of it. ``happening.py`` says what a happening is, ``moves.py``, ``fences.py``, ``soaks.py``, ``waits.py``,
``rollouts.py`` and ``wishes.py`` have them, ``listed.py`` lists them all. Their words are in ``migrator.words``.
"""
