"""``python -m interlingua.pipelines.commands`` is the command `interlingua`."""

import sys

from .main import main

sys.exit(main())
