"""`interlingua bench` as a module: ``python -m interlingua.benchmarks.field xtreme --tasks tatoeba --data DIR``."""

import sys

from interlingua.pipelines.commands.main import main

if __name__ == "__main__":
    sys.exit(main(["bench", *sys.argv[1:]]))
