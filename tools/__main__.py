"""``python -m freeavatar.tools`` is the freeavatar command."""

import sys

from .cli import main

sys.exit(main())
